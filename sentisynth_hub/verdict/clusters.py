"""Test rows that belong together: near-duplicates, and rows of one author, thread or document, as one cluster.

Retweets, quotes and templates stand in many test sets. A model is right on all of such a group or on none, so the
group tells little more than one row: intervals that take its rows for independent miss the truth in 9 to 48 % of
simulated studies (docs/results/dependence.md).
"""

from collections.abc import Sequence

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from sentisynth_hub.core.text import normalised
from sentisynth_hub.metrics.classification import Array
from sentisynth_hub.metrics.minhash import band_keys, jaccard, shingles_of


MIN_JACCARD = 0.8
"""Similarity of the sets of five-character runs from which two texts are near-duplicates."""


def near_duplicate_clusters(texts: Sequence[str], min_jaccard: float = MIN_JACCARD) -> Array:
    """The cluster of each text, (texts,): two near-duplicates, or a chain of them, share a number.

    Pairs come from the MinHash bands of the near-duplicate filter; the exact similarity decides. In a bucket every
    text is compared with the first and with the one before it, so that many copies of one text cost no square of
    their number.
    """
    if not texts:
        return np.empty(0, dtype=np.int64)
    forms = [normalised(text) for text in texts]
    shingles = [shingles_of(form) for form in forms]
    parent = list(range(len(forms)))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    for column in band_keys(forms, min_jaccard).T:
        order = np.argsort(column, kind="stable")
        starts = np.flatnonzero(np.concatenate([[True], np.diff(column[order]) != 0]))
        for bucket in np.split(order, starts[1:]):
            for before, row in zip(bucket[:-1], bucket[1:], strict=True):
                for other in (bucket[0], before):
                    first, second = root(int(other)), root(int(row))
                    if first != second and jaccard(shingles[other], shingles[row]) >= min_jaccard:
                        parent[max(first, second)] = min(first, second)
    return np.unique([root(row) for row in range(len(forms))], return_inverse=True)[1]


def join_clusters(near: Array, named: Sequence[str | None]) -> Array:
    """The cluster of each row, (rows,): rows of one number in `near`, of one name, or of a chain of both.

    >>> join_clusters(np.array([0, 0, 1, 2, 3]), ["ann", None, "ann", "bo", None]).tolist()
    [0, 0, 0, 1, 2]
    """
    names = {name: int(near.max()) + 1 + place for place, name in enumerate(dict.fromkeys(named)) if name is not None}
    edges = [(number, names[name]) for number, name in zip(near.tolist(), named, strict=True) if name is not None]
    size = int(near.max()) + 2 + len(names) + (None in named)
    first, second = np.array(edges, dtype=np.int64).reshape(-1, 2).T
    graph = coo_array((np.ones(len(edges)), (first, second)), shape=(size, size))
    return np.unique(connected_components(graph, directed=False)[1][near], return_inverse=True)[1]
