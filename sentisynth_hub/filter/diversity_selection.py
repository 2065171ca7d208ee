"""Selection of rows that cover what there is, the same number for every label as far as there are any."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from sentisynth_hub.core.rows import Decision, Row
from sentisynth_hub.filter.candidate_features import CandidateFeatures
from sentisynth_hub.filter.contract import Filter, FilterContext
from sentisynth_hub.metrics.neighbours import Vectors, cluster_centres
from sentisynth_hub.pretrained.embeddings import unit
from sentisynth_hub.recipe.filter_section import Encoder
from sentisynth_hub.recipe.section import Section


_CLUSTERS = 256  # of a label at most: finer ones cost more and change little


class DiversityOptions(Section):
    """Selects a target number of rows that cover what there is, the same number for every label."""

    encoder: Encoder
    """Where the embeddings come from."""
    size: int = Field(ge=1)
    """Rows to keep, over all labels."""
    method: Literal["k_means", "farthest_first"] = "k_means"
    """k_means: rows of every cluster in turn; farthest_first: always the row farthest from the selected ones (small
    corpora).
    """


@dataclass(frozen=True)
class DiversitySelection(Filter):
    """Keeps `size` rows over all `labels`.

    k_means deals out a label's rows cluster by cluster, the one nearest to each centre first; farthest_first (Gonzalez
    1985) always takes the row farthest from the selected ones, so that its cost is rows × size. The score is the place
    in which a row was selected, as a share of its label's rows (0: first); what was not selected has 1.
    """

    encoder: Encoder
    features: CandidateFeatures
    labels: Sequence[str]
    size: int
    method: str

    name = "diversity"
    score_name = "redundancy"
    reasons = {"redundant": "other rows of the label cover the same ground"}
    options = DiversityOptions

    @classmethod
    def build(cls, options: DiversityOptions, context: FilterContext) -> "DiversitySelection":
        """Take size and method from the recipe."""
        return cls(options.encoder, context.features, context.recipe.labels, options.size, options.method)

    def judge(self, rows: Sequence[Row]) -> list[Decision]:
        """One decision a row."""
        vectors = unit(self.features.of(rows, self.encoder), in_place=True)
        decisions = [Decision(False, "redundant", 1.0)] * len(rows)
        groups = [
            np.array([i for i, row in enumerate(rows) if row.label == label], dtype=int) for label in self.labels
        ]
        select = farthest_first if self.method == "farthest_first" else by_cluster
        for group, count in zip(groups, shares([len(group) for group in groups], self.size), strict=True):
            for place, number in enumerate(select(vectors[group], count)):
                decisions[int(group[number])] = Decision(True, None, place / len(group))
        return decisions


def shares(available: Sequence[int], size: int) -> list[int]:
    """Deal out `size` places as evenly as what is available allows; the earlier ones get what does not divide."""
    dealt = [0] * len(available)
    left = min(size, sum(available))
    while left:
        open_ = [i for i, count in enumerate(available) if dealt[i] < count]
        for place, i in enumerate(open_):
            more = min(left // len(open_) + (place < left % len(open_)), available[i] - dealt[i])
            dealt[i] += more
        left = min(size, sum(available)) - sum(dealt)
    return dealt


def farthest_first(vectors: Vectors, size: int) -> list[int]:
    """Indices of `size` rows of `vectors` (n, d), L2 length 1: the one nearest to the mean, then the farthest."""
    if size == 0 or len(vectors) == 0:
        return []
    selection = [int((vectors @ vectors.mean(0)).argmax())]
    nearest = vectors @ vectors[selection[0]]
    for _ in range(min(size, len(vectors)) - 1):
        nearest[selection[-1]] = np.inf
        selection.append(int(nearest.argmin()))
        nearest = np.maximum(nearest, vectors @ vectors[selection[-1]])
        nearest[selection] = np.inf
    return selection


def by_cluster(vectors: Vectors, size: int) -> list[int]:
    """Indices of `size` rows of `vectors` (n, d), L2 length 1: each cluster's nearest to its centre first."""
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
