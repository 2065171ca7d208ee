"""Semantic duplicates: rows whose embeddings are closer than natural rows come to each other."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import Field

from sentisynth_hub.core.rows import Decision, Row
from sentisynth_hub.core.text import normalised
from sentisynth_hub.filter.candidate_features import CandidateFeatures
from sentisynth_hub.filter.contract import Filter, FilterContext, FilterFacts
from sentisynth_hub.metrics.neighbours import close_pairs, highest_cosine
from sentisynth_hub.pretrained.embeddings import unit
from sentisynth_hub.recipe.filter_section import Encoder
from sentisynth_hub.recipe.section import Section


class SemanticDuplicatesOptions(Section):
    """Keeps the first of rows whose embeddings are closer than natural rows come to each other."""

    encoder: Encoder
    """Where the embeddings come from."""
    natural_quantile: float = Field(default=0.99, ge=0, le=1)
    """The limit is this quantile of the cosine between each natural row and the natural row nearest to it."""


class CosineFacts(FilterFacts):
    """The limit, and the number of natural rows it was taken from."""

    limit: float
    natural_rows: int


@dataclass(frozen=True)
class SemanticDuplicates(Filter):
    """Keeps the first of rows with a cosine of `limit` or more. Build it with `limit_of`.

    The limit is a quantile of the cosine between each natural row and the natural row nearest to it. A row goes when
    it is that close to an earlier row that stays; the score is the highest such cosine among the pairs at the limit,
    else 0.
    """

    encoder: Encoder
    features: CandidateFeatures
    limit: float
    natural_rows: int

    name = "semantic_duplicates"
    score_name = "cosine"
    reasons = {"same_meaning": "an earlier row's embedding is closer than natural rows come to each other"}
    options = SemanticDuplicatesOptions
    facts_type = CosineFacts

    @classmethod
    def build(cls, options: SemanticDuplicatesOptions, context: FilterContext) -> "SemanticDuplicates":
        """Take the limit from the replicate's natural rows."""
        return cls.limit_of(context.human_rows, options.encoder, context.features, options.natural_quantile)

    @classmethod
    def limit_of(
        cls, natural: Sequence[Row], encoder: Encoder, features: CandidateFeatures, quantile: float
    ) -> "SemanticDuplicates":
        """Take the limit from natural rows of different normalised texts."""
        distinct = list({normalised(row.text): row for row in natural}.values())
        vectors = unit(features.of(distinct, encoder))
        limit = float(np.quantile(highest_cosine(vectors, vectors, skip_self=True), quantile))
        return cls(encoder, features, limit, len(distinct))

    def facts(self) -> CosineFacts:
        """The limit."""
        return CosineFacts(limit=round(self.limit, 4), natural_rows=self.natural_rows)

    def judge(self, rows: Sequence[Row]) -> list[Decision]:
        """One decision a row."""
        vectors = unit(self.features.of(rows, self.encoder), in_place=True)
        later, earlier, cosines = close_pairs(vectors, self.limit)
        borders = np.searchsorted(later, np.arange(len(rows) + 1))
        dropped = np.zeros(len(rows), dtype=bool)
        decisions = []
        for number in range(len(rows)):
            pairs = slice(borders[number], borders[number + 1])
            close = cosines[pairs][~dropped[earlier[pairs]]]
            dropped[number] = len(close) > 0
            decisions.append(
                Decision(False, "same_meaning", float(close.max())) if len(close) else Decision(True, None, 0.0)
            )
        return decisions
