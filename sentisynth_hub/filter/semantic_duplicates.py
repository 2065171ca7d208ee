"""Semantic duplicates: rows whose embeddings are closer than natural rows come to each other. Reason: `same_meaning`.

The limit is a quantile of the cosine between each natural row and the natural row nearest to it. A row goes when it
is that close to an earlier row that stays; the score is the highest such cosine among the pairs at the limit, else 0.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sentisynth_hub.core.rows import Decision, Row
from sentisynth_hub.core.text import normalised
from sentisynth_hub.filter.candidate_features import Features
from sentisynth_hub.metrics.neighbours import close_pairs, highest_cosine
from sentisynth_hub.pretrained.embeddings import unit
from sentisynth_hub.recipe.filter_section import Encoder


@dataclass(frozen=True)
class SemanticDuplicates:
    """Keeps the first of rows with a cosine of `limit` or more. Build it with `limit_of`."""

    encoder: Encoder
    features: Features
    limit: float
    facts: Mapping[str, Any] = field(default_factory=dict)
    name: str = "semantic_duplicates"
    score_name: str = "cosine"

    @classmethod
    def limit_of(
        cls, natural: Sequence[Row], encoder: Encoder, features: Features, quantile: float
    ) -> "SemanticDuplicates":
        """Take the limit from natural rows of different normalised texts."""
        distinct = list({normalised(row.text): row for row in natural}.values())
        vectors = unit(features.of(distinct, encoder))
        limit = float(np.quantile(highest_cosine(vectors, vectors, skip_self=True), quantile))
        return cls(encoder, features, limit, {"limit": round(limit, 4), "natural_rows": len(distinct)})

    def judge(self, rows: Sequence[Row]) -> list[Decision]:
        """One decision a row."""
        vectors = unit(self.features.of(rows, self.encoder), in_place=True)
        later, earlier, cosines = close_pairs(vectors, self.limit)
        borders = np.searchsorted(later, np.arange(len(rows) + 1))
        dropped = np.zeros(len(rows), dtype=bool)
        decisions = []
        for number in range(len(rows)):
            pairs = slice(borders[number], borders[number + 1])
            found = cosines[pairs][~dropped[earlier[pairs]]]
            dropped[number] = len(found) > 0
            decisions.append(
                Decision(False, "same_meaning", float(found.max())) if len(found) else Decision(True, None, 0.0)
            )
        return decisions
