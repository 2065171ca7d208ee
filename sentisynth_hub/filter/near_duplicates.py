"""Near duplicates: rows that share most of their five-character runs. Reason: `near_duplicate`.

MinHash (Broder 1997) with banding finds candidate pairs, the exact Jaccard similarity of the two sets decides. A row
goes when it is near an earlier row that stays. The score is the highest similarity found with such a row, 0 where
none came up.

All hashing is done by numpy on code points at once: shingling in Python would cost more than everything else here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from sentisynth_hub.core.rows import Decision, Row
from sentisynth_hub.core.text import normalised


SHINGLE = 5
"""Characters of a run."""
_PERMUTATIONS = 128
_RECALL = 0.9999  # of candidate pairs at the threshold; above it the recall is higher still
_CHUNK = 4096  # texts hashed at once, to bound memory
_SEED = 0x5E4715E7


@dataclass(frozen=True)
class NearDuplicates:
    """Keeps the first of rows whose sets of character runs have a Jaccard similarity of `min_jaccard` or more."""

    min_jaccard: float
    name: str = "near_duplicates"
    score_name: str = "jaccard"
    facts: Mapping[str, Any] = field(default_factory=dict)

    def judge(self, rows: Sequence[Row]) -> list[Decision]:
        """One decision a row."""
        forms = [normalised(row.text) for row in rows]
        nearest = nearest_earlier(forms, self.min_jaccard)
        return [
            Decision(False, "near_duplicate", score) if score >= self.min_jaccard else Decision(True, None, score)
            for score in nearest
        ]


def nearest_earlier(forms: Sequence[str], min_jaccard: float) -> list[float]:
    """The highest Jaccard similarity of each text with an earlier one that is itself below `min_jaccard`.

    Only pairs that MinHash brings up are compared; of those at `min_jaccard` it misses one in ten thousand at most.
    """
    keys = _shared_keys(band_keys(forms, min_jaccard))
    kept_with: dict[int, list[int]] = {}
    shingles: dict[int, frozenset[str]] = {}
    nearest = [0.0] * len(forms)
    for row, row_keys in keys.items():
        shingles[row] = shingles_of(forms[row])
        others = {other for key in row_keys for other in kept_with.get(key, ())}
        nearest[row] = max((jaccard(shingles[row], shingles[other]) for other in others), default=0.0)
        if nearest[row] < min_jaccard:
            for key in row_keys:
                kept_with.setdefault(key, []).append(row)
        else:
            del shingles[row]
    return nearest


def shingles_of(form: str) -> frozenset[str]:
    """The set of five-character runs of a text; a shorter text is its own only run."""
    return frozenset(form[at : at + SHINGLE] for at in range(max(1, len(form) - SHINGLE + 1)))


def jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    """Size of the intersection over size of the union."""
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared)


def bands_for(min_jaccard: float) -> tuple[int, int]:
    """(bands, rows a band): the longest bands whose chance to bring up a pair at `min_jaccard` is high enough."""
    for width in range(16, 0, -1):
        bands = _PERMUTATIONS // width
        if 1 - (1 - min_jaccard**width) ** bands >= _RECALL:
            return bands, width
    return _PERMUTATIONS, 1


def band_keys(forms: Sequence[str], min_jaccard: float) -> npt.NDArray[np.uint64]:
    """One key a text and band, (texts, bands): texts that share a key are candidates."""
    bands, width = bands_for(min_jaccard)
    keys = np.empty((len(forms), bands), dtype=np.uint64)
    for start in range(0, len(forms), _CHUNK):
        signatures = _signatures(forms[start : start + _CHUNK], bands * width)
        for band in range(bands):
            keys[start : start + _CHUNK, band] = _mix_columns(signatures[band * width : (band + 1) * width], band)
    return keys


def _signatures(forms: Sequence[str], count: int) -> npt.NDArray[np.uint32]:
    """MinHash signatures, (count, texts): the least value of each of `count` hash functions over a text's shingles."""
    padded = [form if len(form) >= SHINGLE else form.ljust(SHINGLE, "\0") for form in forms]
    points = np.frombuffer("".join(padded).encode("utf-32-le", "surrogatepass"), dtype=np.uint32).astype(np.uint64)
    lengths = np.array([len(form) for form in padded])
    ends = np.cumsum(lengths)
    rolling = np.zeros(len(points) - SHINGLE + 1, dtype=np.uint64)
    for offset in range(SHINGLE):
        rolling = rolling * np.uint64(0x100000001B3) + points[offset : len(points) - SHINGLE + 1 + offset]
    counts = lengths - SHINGLE + 1
    starts = np.cumsum(counts) - counts
    inside = np.arange(counts.sum()) + np.repeat(ends - lengths - starts, counts)  # runs that cross no text's border
    hashes = _scramble(rolling[inside])
    random = np.random.default_rng(_SEED)
    factors = random.integers(1, 2**63, count, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    offsets = random.integers(0, 2**63, count, dtype=np.uint64)
    signatures = np.empty((count, len(forms)), dtype=np.uint32)
    for number in range(count):
        values = ((hashes * factors[number] + offsets[number]) >> np.uint64(32)).astype(np.uint32)
        signatures[number] = np.minimum.reduceat(values, starts)
    return signatures


def _mix_columns(columns: npt.NDArray[np.uint32], band: int) -> npt.NDArray[np.uint64]:
    """One 64-bit key a text of a band's signature values, (width, texts) to (texts,)."""
    key = np.full(columns.shape[1], band + 1, dtype=np.uint64)
    for column in columns:
        key = _scramble(key ^ column.astype(np.uint64))
    return key


def _scramble(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The finaliser of splitmix64 (Steele et al. 2014): a bijection in which every bit depends on every other."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(values ^ (values >> np.uint64(31)))


def _shared_keys(keys: npt.NDArray[np.uint64]) -> dict[int, list[int]]:
    """The keys a row shares with another row, by row in the rows' order; a row that shares none is left out."""
    shared: dict[int, list[int]] = {}
    texts, _ = keys.shape
    if texts == 0:
        return shared
    flat = keys.T.ravel()
    order = np.argsort(flat, kind="stable")
    same = flat[order][1:] == flat[order][:-1]
    hit = np.concatenate([[False], same]) | np.concatenate([same, [False]])
    places = np.sort(order[hit])
    rows = places % texts
    for place in np.argsort(rows, kind="stable"):
        shared.setdefault(int(rows[place]), []).append(int(flat[places[place]]))
    return shared
