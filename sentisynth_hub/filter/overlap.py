"""Overlap with natural rows: what would leak evaluation data, or publish a natural row as a synthetic one.

Reasons: `exact_test`, `exact_validation`, `exact_demonstration`, `exact_train` (equal normalised texts), then
`ngram_test`, `ngram_validation`, `ngram_demonstration` (a shared run of words), `close_test`, `close_validation`
(embeddings). The score is the share of the text's words that lie in shared runs, 1 for an exact overlap.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from sentisynth_hub.core.rows import Decision, Row
from sentisynth_hub.core.text import normalised
from sentisynth_hub.filter.candidate_features import Features
from sentisynth_hub.metrics.neighbours import Vectors, highest_cosine
from sentisynth_hub.metrics.words import ngrams, words
from sentisynth_hub.pretrained.embeddings import unit
from sentisynth_hub.recipe.filter_section import Encoder


_EXACT_ONLY = "train"  # a run of words shared with other natural rows is what language is like; a copy is not


@dataclass(frozen=True)
class Closeness:
    """Evaluation rows' vectors (rows, d) by source, L2 length 1, and the cosine from which a row is too close."""

    encoder: Encoder
    features: Features
    vectors: Mapping[str, Vectors]
    limit: float


@dataclass(frozen=True)
class Overlap:
    """Keeps rows that share neither their text nor a run of `ngram` words with natural rows. Build it with
    `against`.
    """

    exact: Mapping[str, str]
    runs: Mapping[tuple[str, ...], str]
    ngram: int
    closeness: Closeness | None = None
    name: str = "overlap"
    score_name: str = "overlap"
    facts: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def against(cls, sources: Mapping[str, Sequence[Row]], ngram: int) -> "Overlap":
        """Index natural rows.

        Args:
            sources: Rows by what they are (`test`, `validation`, `demonstration`, `train`); the first source that
                holds a text gives the reason. `train` is compared whole texts only.
            ngram: Words of a shared run.
        """
        exact: dict[str, str] = {}
        runs: dict[tuple[str, ...], str] = {}
        for source, rows in sources.items():
            for row in rows:
                exact.setdefault(normalised(row.text), source)
                if source != _EXACT_ONLY:
                    for run in ngrams(words(row.text), ngram):
                        runs.setdefault(run, source)
        return cls(
            exact, runs, ngram, facts={"compared_with": {source: len(rows) for source, rows in sources.items()}}
        )

    def with_embeddings(
        self,
        train: Sequence[Row],
        held: Mapping[str, Sequence[Row]],
        encoder: Encoder,
        features: Features,
        quantile: float,
    ) -> "Overlap":
        """Compare embeddings with the `held` rows (by source) too.

        The limit is the `quantile` of the cosine between each row of `train` and the held row nearest to it: what
        natural rows that were drawn apart come to anyway is no leak.
        """
        vectors = {source: unit(features.of(rows, encoder)) for source, rows in held.items()}
        apart = unit(features.of(train, encoder))
        nearest = highest_cosine(apart, np.concatenate(list(vectors.values())))
        limit = float(np.quantile(nearest, quantile))
        facts = {**self.facts, "max_cosine": round(limit, 4)}
        return replace(self, closeness=Closeness(encoder, features, vectors, limit), facts=facts)

    def judge(self, rows: Sequence[Row]) -> list[Decision]:
        """One decision a row."""
        decisions = [self._decide(row.text) for row in rows]
        if self.closeness is None:
            return decisions
        apart = [number for number, decision in enumerate(decisions) if decision.keep]
        own = unit(self.closeness.features.of([rows[number] for number in apart], self.closeness.encoder))
        for source, vectors in self.closeness.vectors.items():
            for number, cosine in zip(apart, highest_cosine(own, vectors), strict=True):
                if cosine > self.closeness.limit and decisions[number].keep:
                    decisions[number] = Decision(False, f"close_{source}", float(cosine))
        return decisions

    def _decide(self, text: str) -> Decision:
        source = self.exact.get(normalised(text))
        if source is not None:
            return Decision(False, f"exact_{source}", 1.0)
        units = words(text)
        hits = [(place, self.runs[run]) for place, run in enumerate(ngrams(units, self.ngram)) if run in self.runs]
        if not hits:
            return Decision(True, None, 0.0)
        covered = {place + step for place, _ in hits for step in range(self.ngram)}
        return Decision(False, f"ngram_{hits[0][1]}", len(covered) / len(units))
