"""Nearest rows by cosine, exactly where that is affordable and by clusters where it is not."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt


Vectors = npt.NDArray[np.float32]
_BLOCK = 1024  # rows compared at once
_EXACT_UP_TO = 20_000  # rows; beyond it the quadratic cost shows
_PROBES = 2  # clusters a row belongs to, so that a pair split by a border is still found


def highest_cosine(vectors: Vectors, others: Vectors, *, skip_self: bool = False) -> npt.NDArray[np.float32]:
    """For each of `vectors` (n, d) the highest cosine with one of `others` (m, d); all of L2 length 1.

    Args:
        skip_self: The two are the same array, and a row is not its own neighbour.
    """
    best = np.full(len(vectors), -1.0, dtype=np.float32)
    for start in range(0, len(vectors), _BLOCK):
        cosines = vectors[start : start + _BLOCK] @ others.T
        if skip_self:
            inside = np.arange(len(cosines))
            cosines[inside, start + inside] = -1.0
        if cosines.shape[1]:
            best[start : start + _BLOCK] = cosines.max(1)
    return best


Pairs = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float32]]


def close_pairs(vectors: Vectors, limit: float) -> Pairs:
    """Pairs with a cosine of `limit` or more: row, earlier row, cosine, (pairs,) each, ascending; each pair once.

    Up to 20,000 rows every pair is compared. Beyond, only pairs that share one of their two nearest k-means clusters
    (after SemDeDup, Abbas et al. 2023), so that the cost grows little faster than the number of rows.
    """
    whole = len(vectors) <= _EXACT_UP_TO
    groups = [np.arange(len(vectors))] if whole else _clusters(vectors)
    parts = [part for members in groups for part in _pairs_within(vectors, members, limit)]
    if not parts:
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32)
    rows, earlier, cosines = (np.concatenate(column) for column in zip(*parts, strict=True))
    _, first = np.unique(rows * len(vectors) + earlier, return_index=True)  # a pair may share two clusters
    return rows[first], earlier[first], cosines[first]


def _pairs_within(vectors: Vectors, members: npt.NDArray[np.int64], limit: float) -> Iterator[Pairs]:
    """Pairs among the rows `members`, which are in ascending order, block by block."""
    block = vectors[members]
    for start in range(0, len(members), _BLOCK):
        end = min(start + _BLOCK, len(members))
        cosines = block[start:end] @ block[:end].T
        rows, earlier = np.nonzero(cosines >= limit)
        before = earlier < rows + start
        rows, earlier = rows[before], earlier[before]
        if len(rows):
            yield members[start + rows], members[earlier], cosines[rows, earlier]


def _clusters(vectors: Vectors) -> Iterator[npt.NDArray[Any]]:
    """Rows of each cluster, ascending; every row is in its `_PROBES` nearest."""
    centres = cluster_centres(vectors, max(2, int(len(vectors) ** 0.5)))
    nearest = np.empty((len(vectors), _PROBES), dtype=np.int64)
    for start in range(0, len(vectors), _BLOCK):
        cosines = vectors[start : start + _BLOCK] @ centres.T
        nearest[start : start + _BLOCK] = np.argpartition(-cosines, _PROBES, axis=1)[:, :_PROBES]
    rows = np.repeat(np.arange(len(vectors)), _PROBES)
    order = np.argsort(nearest.ravel(), kind="stable")
    borders = np.searchsorted(nearest.ravel()[order], np.arange(1, len(centres)))
    yield from (np.sort(rows[part]) for part in np.split(order, borders))


def cluster_centres(vectors: Vectors, count: int) -> Vectors:
    """Centres (count, d) of k-means on a sample of the rows, scaled to L2 length 1; the same for the same rows."""
    from sklearn.cluster import MiniBatchKMeans
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    step = max(1, len(vectors) // 20_000)
    with threadpool_limits(1):
        model = MiniBatchKMeans(count, random_state=0, n_init=1, max_iter=20, batch_size=4096).fit(vectors[::step])
    centres = model.cluster_centers_
    return np.asarray(centres / np.maximum(np.linalg.norm(centres, axis=1, keepdims=True), 1e-12), dtype=np.float32)
