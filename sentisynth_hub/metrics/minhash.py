"""Which texts share most of their five-character runs: MinHash with banding, verified exactly.

MinHash (Broder 1997) with banding brings up pairs of texts, the exact Jaccard similarity of their two sets decides.
All hashing is done by numpy on code points at once: shingling in Python would cost more than everything else here
(docs/results/filters-speed.md: 20,000 texts in 0.43 s, with datasketch in 20.8 s).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


SHINGLE = 5
"""Characters of a run."""
_PERMUTATIONS = 128
_RECALL = 0.9999  # of candidate pairs at the threshold; above it the recall is higher still
_CHUNK = 4096  # texts hashed at once, to bound memory
_SEED = 0x5E4715E7


def nearest_earlier(
    forms: Sequence[str], min_jaccard: float, comparable: Callable[[int, int], bool] | None = None
) -> list[float]:
    """The highest Jaccard similarity of each text with an earlier one that is itself below `min_jaccard`.

    Only pairs that MinHash brings up are compared; of those at `min_jaccard` it misses one in ten thousand at most.

    Args:
        comparable: Whether two texts, given by their places, may be compared; None: all may.
    """
    keys = _shared_keys(band_keys(forms, min_jaccard))
    kept_with: dict[int, list[int]] = {}
    shingles: dict[int, frozenset[str]] = {}
    nearest = [0.0] * len(forms)
    for row, row_keys in keys.items():
        shingles[row] = shingles_of(forms[row])
        others = {other for key in row_keys for other in kept_with.get(key, ())}
        if comparable is not None:
            others = {other for other in others if comparable(row, other)}
        nearest[row] = max((jaccard(shingles[row], shingles[other]) for other in others), default=0.0)
        if nearest[row] < min_jaccard:
            for key in row_keys:
                kept_with.setdefault(key, []).append(row)
        else:
            del shingles[row]
    return nearest


@dataclass(frozen=True)
class NearestText:
    """The text of an index that is nearest to another one: its place in the index, and their Jaccard similarity."""

    place: int
    jaccard: float


class TextIndex:
    """Texts that others are compared with; with which of them they share at least `min_jaccard` of their runs.

    `size` is the number of characters of a run.
    """

    def __init__(self, forms: Sequence[str], min_jaccard: float, size: int = SHINGLE):
        self._min_jaccard, self._size = min_jaccard, size
        self._runs = [shingles_of(form, size) for form in forms]
        flat = band_keys(forms, min_jaccard, size).ravel()
        bands = bands_for(min_jaccard)[0]
        order = np.argsort(flat, kind="stable")
        self._keys, self._places = flat[order], order // bands

    def nearest(self, forms: Sequence[str]) -> list[NearestText | None]:
        """For each text the nearest one of the index, None where none is near enough."""
        if not len(self._keys):
            return [None] * len(forms)
        nearest: list[NearestText | None] = []
        for start in range(0, len(forms), _CHUNK):
            block = forms[start : start + _CHUNK]
            keys = band_keys(block, self._min_jaccard, self._size)
            first = np.searchsorted(self._keys, keys, "left")
            last = np.searchsorted(self._keys, keys, "right")
            shares_a_key = np.any(last > first, axis=1)
            for number, form in enumerate(block):
                if shares_a_key[number]:
                    spans = zip(first[number], last[number], strict=True)
                    places = {int(place) for begin, end in spans for place in self._places[begin:end]}
                    nearest.append(self._nearest_of(form, places))
                else:
                    nearest.append(None)
        return nearest

    def _nearest_of(self, form: str, places: set[int]) -> NearestText | None:
        runs = shingles_of(form, self._size)
        similarity, place = max((jaccard(runs, self._runs[place]), -place) for place in places)
        return NearestText(-place, similarity) if similarity >= self._min_jaccard else None


def shingles_of(form: str, size: int = SHINGLE) -> frozenset[str]:
    """The set of runs of `size` characters of a text; a shorter text is its own only run."""
    return frozenset(form[at : at + size] for at in range(max(1, len(form) - size + 1)))


def jaccard(first: frozenset[str], other: frozenset[str]) -> float:
    """Size of the intersection over size of the union."""
    shared = len(first & other)
    return shared / (len(first) + len(other) - shared)


def bands_for(min_jaccard: float) -> tuple[int, int]:
    """(bands, rows a band): the longest bands whose chance to bring up a pair at `min_jaccard` is high enough."""
    for width in range(16, 0, -1):
        bands = _PERMUTATIONS // width
        if 1 - (1 - min_jaccard**width) ** bands >= _RECALL:
            return bands, width
    return _PERMUTATIONS, 1


def band_keys(forms: Sequence[str], min_jaccard: float, size: int = SHINGLE) -> npt.NDArray[np.uint64]:
    """One key a text and band, (texts, bands): texts that share a key are candidates."""
    bands, width = bands_for(min_jaccard)
    keys = np.empty((len(forms), bands), dtype=np.uint64)
    for start in range(0, len(forms), _CHUNK):
        signatures = _signatures(forms[start : start + _CHUNK], bands * width, size)
        for band in range(bands):
            keys[start : start + _CHUNK, band] = _mix_columns(signatures[band * width : (band + 1) * width], band)
    return keys


def _signatures(forms: Sequence[str], count: int, size: int) -> npt.NDArray[np.uint32]:
    """MinHash signatures, (count, texts): the least value of each of `count` hash functions over a text's shingles."""
    padded = [form if len(form) >= size else form.ljust(size, "\0") for form in forms]
    points = np.frombuffer("".join(padded).encode("utf-32-le", "surrogatepass"), dtype=np.uint32).astype(np.uint64)
    lengths = np.array([len(form) for form in padded])
    ends = np.cumsum(lengths)
    rolling = np.zeros(len(points) - size + 1, dtype=np.uint64)
    for offset in range(size):
        rolling = rolling * np.uint64(0x100000001B3) + points[offset : len(points) - size + 1 + offset]
    counts = lengths - size + 1
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
