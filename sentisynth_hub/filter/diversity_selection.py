"""Selection of rows that cover what there is, the same number for every label as far as there are any.

Reason: `redundant`. k_means deals out a label's rows cluster by cluster, the one nearest to each centre first;
farthest_first (Gonzalez 1985) always takes the row farthest from those chosen, so that its cost is rows × size. The
score is the place in which a row was chosen, as a share of its label's rows (0: first); what was not chosen has 1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from sentisynth_hub.core.rows import Decision, Row
from sentisynth_hub.filter.candidate_features import Features
from sentisynth_hub.metrics.neighbours import Vectors, cluster_centres
from sentisynth_hub.pretrained.embeddings import unit
from sentisynth_hub.recipe.filter_section import Encoder


_CLUSTERS = 256  # of a label at most: finer ones cost more and change little


@dataclass(frozen=True)
class Diversity:
    """Keeps `size` rows over all `labels`."""

    encoder: Encoder
    features: Features
    labels: Sequence[str]
    size: int
    method: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    name: str = "diversity"
    score_name: str = "redundancy"

    def judge(self, rows: Sequence[Row]) -> list[Decision]:
        """One decision a row."""
        vectors = unit(self.features.of(rows, self.encoder), in_place=True)
        decisions = [Decision(False, "redundant", 1.0)] * len(rows)
        groups = [
            np.array([i for i, row in enumerate(rows) if row.label == label], dtype=int) for label in self.labels
        ]
        select = farthest_first if self.method == "farthest_first" else by_cluster
        for group, wanted in zip(groups, shares([len(group) for group in groups], self.size), strict=True):
            for place, chosen in enumerate(select(vectors[group], wanted)):
                decisions[int(group[chosen])] = Decision(True, None, place / len(group))
        return decisions


def shares(available: Sequence[int], size: int) -> list[int]:
    """Deal out `size` places as evenly as what is available allows; the earlier ones get what does not divide."""
    wanted = [0] * len(available)
    left = min(size, sum(available))
    while left:
        open_ = [i for i, count in enumerate(available) if wanted[i] < count]
        for place, i in enumerate(open_):
            more = min(left // len(open_) + (place < left % len(open_)), available[i] - wanted[i])
            wanted[i] += more
        left = min(size, sum(available)) - sum(wanted)
    return wanted


def farthest_first(vectors: Vectors, size: int) -> list[int]:
    """Indices of `size` rows of `vectors` (n, d), L2 length 1: first the one nearest to the mean, then the
    farthest.
    """
    if size == 0 or len(vectors) == 0:
        return []
    chosen = [int((vectors @ vectors.mean(0)).argmax())]
    nearest = vectors @ vectors[chosen[0]]
    for _ in range(min(size, len(vectors)) - 1):
        nearest[chosen[-1]] = np.inf
        chosen.append(int(nearest.argmin()))
        nearest = np.maximum(nearest, vectors @ vectors[chosen[-1]])
        nearest[chosen] = np.inf
    return chosen


def by_cluster(vectors: Vectors, size: int) -> list[int]:
    """Indices of `size` rows of `vectors` (n, d), L2 length 1: each cluster's nearest to its centre, then the
    second.
    """
    if size == 0 or len(vectors) == 0:
        return []
    centres = cluster_centres(vectors, min(_CLUSTERS, size, len(vectors)))
    cosines = vectors @ centres.T
    cluster, closeness = cosines.argmax(1), cosines.max(1)
    order = np.lexsort((-closeness, cluster))
    rank = np.empty(len(vectors), dtype=int)
    rank[order] = _rank_within(cluster[order])
    return [int(i) for i in np.lexsort((np.arange(len(vectors)), -closeness, rank))[:size]]


def _rank_within(groups: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """0, 1, 2, ... within each run of equal values."""
    starts = np.flatnonzero(np.concatenate([[True], groups[1:] != groups[:-1]]))
    return np.arange(len(groups)) - np.repeat(starts, np.diff(np.append(starts, len(groups))))
