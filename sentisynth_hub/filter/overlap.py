"""Overlap with natural rows: what would leak evaluation data, or publish a natural row as a synthetic one.

A candidate overlaps a natural row when one of these holds, looked for in this order:

- exact: their normalised texts are equal;
- ngram: they share a run of `ngram` words;
- near: one is a light rewrite of the other (`sentisynth_hub.filter.rewrites`), for texts too short for a run too;
- close: their embeddings are closer than natural rows come to each other (where the recipe names an encoder).

A row that was made from a natural one (its parent) may share a run of words with it, and nothing else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from pydantic import Field

from sentisynth_hub.core.rows import Decision, Row
from sentisynth_hub.core.text import normalised
from sentisynth_hub.filter.candidate_features import CandidateFeatures
from sentisynth_hub.filter.contract import Filter, FilterContext, FilterFacts
from sentisynth_hub.filter.rewrites import RewriteIndex
from sentisynth_hub.metrics.neighbours import Vectors, highest_cosine
from sentisynth_hub.metrics.words import ngrams, words
from sentisynth_hub.pretrained.embeddings import unit
from sentisynth_hub.recipe.filter_section import Encoder
from sentisynth_hub.recipe.section import Section


# Among other natural rows a shared run of words is what language is like.
_RUNS_OF = ("test", "validation", "demonstration", "grounding")
_REWRITES_OF = ("test", "validation", "train", "grounding")  # demonstrations are among the replicate's training rows
_SOURCES = {
    "test": "a test row",
    "validation": "a validation row",
    "demonstration": "a row that stood in a prompt",
    "grounding": "an unlabelled text that stood in a prompt",
    "train": "one of the replicate's own training rows",
    "pool": "a natural training row the replicate does not use",
}


class OverlapOptions(Section):
    """Drops rows that stand in validation, test, the demonstrations or the natural training rows, or nearly do."""

    ngram: int = Field(default=8, ge=2)
    """A shared run of this many words counts as overlap too."""
    min_jaccard: float = Field(default=0.6, gt=0, le=1)
    """Jaccard similarity of the sets of five-character runs from which a row is a rewrite of a natural one."""
    encoder: Encoder | None = None
    """Compare embeddings with validation and test rows too; left out: words and characters only."""
    natural_quantile: float = Field(default=0.99, ge=0, le=1)
    """The limit is this quantile of the cosine between each training row and the evaluation row nearest to it."""


class OverlapFacts(FilterFacts):
    """How many natural rows were compared with, by what they are; the largest cosine allowed, None without encoder."""

    compared_with: dict[str, int]
    max_cosine: float | None = None


@dataclass(frozen=True)
class Closeness:
    """Evaluation rows' vectors (rows, d) by source, L2 length 1, and the cosine from which a row is too close."""

    encoder: Encoder
    features: CandidateFeatures
    vectors: Mapping[str, Vectors]
    limit: float


@dataclass(frozen=True)
class Overlap(Filter):
    """Keeps rows that overlap no natural row. Build it with `against`.

    The score is 1 for an exact overlap, the share of the text's words that lie in shared runs, the similarity to the
    row it rewrites, or the cosine; 0 for a row that stays.
    """

    exact: Mapping[str, str]
    runs: Mapping[tuple[str, ...], str]
    ngram: int
    rewrites: Mapping[str, RewriteIndex]
    compared_with: Mapping[str, int]
    closeness: Closeness | None = None
    parents: Mapping[str, Row] = field(default_factory=dict)

    name = "overlap"
    score_name = "overlap"
    reasons = {
        **{f"exact_{source}": f"the text of {what}" for source, what in _SOURCES.items()},
        **{f"ngram_{source}": f"a run of words of {_SOURCES[source]}" for source in _RUNS_OF},
        **{f"near_{source}": f"a light rewrite of {_SOURCES[source]}" for source in _REWRITES_OF},
        **{f"close_{source}": f"an embedding next to {_SOURCES[source]}" for source in ("test", "validation")},
    }
    options = OverlapOptions
    facts_type = OverlapFacts
    version = 2

    @classmethod
    def build(cls, options: OverlapOptions, context: FilterContext) -> "Overlap":
        """Compare with every natural row there is."""
        natural = context.natural
        sources = {
            "test": natural.test,
            "validation": natural.validation,
            "demonstration": context.demonstrations,
            **({"grounding": context.grounding} if context.grounding else {}),
            "train": context.human_rows,
            "pool": natural.train,
        }
        return cls._compared(sources, options, context)

    @classmethod
    def with_evaluation_rows(cls, options: OverlapOptions, context: FilterContext) -> "Overlap":
        """Compare with the rows that something is evaluated on, and with no other.

        These are the test and validation rows. Where budgets are chosen by cross-validation, every human row of the
        replicate is held out once, so those count too.
        """
        natural = context.natural
        sources = {"test": natural.test, "validation": natural.validation}
        if context.recipe.natural.validation == "cross_validated":
            sources["train"] = context.human_rows
        return cls._compared(sources, options, context)

    @classmethod
    def _compared(
        cls, sources: Mapping[str, Sequence[Row]], options: OverlapOptions, context: FilterContext
    ) -> "Overlap":
        overlap = replace(cls.against(sources, options.ngram, options.min_jaccard), parents=context.parents)
        if options.encoder is None:
            return overlap
        held = {source: sources[source] for source in ("test", "validation")}
        train, quantile = context.sample.train, options.natural_quantile
        return overlap.with_embeddings(train, held, options.encoder, context.features, quantile)

    @classmethod
    def against(cls, sources: Mapping[str, Sequence[Row]], ngram: int = 8, min_jaccard: float = 0.6) -> "Overlap":
        """Index natural rows.

        Args:
            sources: Rows by what they are (`test`, `validation`, `demonstration`, `train`, `pool`); the first source
                that holds a text gives the reason. Of `train` no runs of words are looked for, of `pool` no rewrites
                either.
            ngram: Words of a shared run.
            min_jaccard: Similarity from which a text is a rewrite.
        """
        exact: dict[str, str] = {}
        runs: dict[tuple[str, ...], str] = {}
        for source, rows in sources.items():
            for row in rows:
                exact.setdefault(normalised(row.text), source)
                if source in _RUNS_OF:
                    for run in ngrams(words(row.text), ngram):
                        runs.setdefault(run, source)
        rewrites = {
            source: RewriteIndex([row.text for row in rows], min_jaccard, ngram)
            for source, rows in sources.items()
            if source in _REWRITES_OF
        }
        return cls(exact, runs, ngram, rewrites, {source: len(rows) for source, rows in sources.items()})

    def with_embeddings(
        self,
        train: Sequence[Row],
        held: Mapping[str, Sequence[Row]],
        encoder: Encoder,
        features: CandidateFeatures,
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
        return replace(self, closeness=Closeness(encoder, features, vectors, limit))

    def judge(self, rows: Sequence[Row]) -> list[Decision]:
        """One decision a row."""
        decisions = [self._by_words(row) for row in rows]
        for source, index in self.rewrites.items():
            staying = [place for place, decision in enumerate(decisions) if decision.keep]
            similarities = index.similarities([rows[place].text for place in staying])
            for place, similarity in zip(staying, similarities, strict=True):
                if similarity is not None:
                    decisions[place] = Decision(False, f"near_{source}", similarity)
        if self.closeness is not None:
            self._by_embeddings(rows, decisions, self.closeness)
        return decisions

    def facts(self) -> OverlapFacts:
        """What was compared with, and the limit of the cosine."""
        limit = None if self.closeness is None else round(self.closeness.limit, 4)
        return OverlapFacts(compared_with=dict(self.compared_with), max_cosine=limit)

    def _by_words(self, row: Row) -> Decision:
        source = self.exact.get(normalised(row.text))
        if source is not None:
            return Decision(False, f"exact_{source}", 1.0)
        units = words(row.text)
        hits = {place: self.runs[run] for place, run in enumerate(ngrams(units, self.ngram)) if run in self.runs}
        if hits and (parent := self.parents.get(row.request_id)) is not None:
            own = set(ngrams(words(parent.text), self.ngram))
            runs = list(ngrams(units, self.ngram))
            hits = {place: hit for place, hit in hits.items() if hit != "demonstration" or runs[place] not in own}
        if not hits:
            return Decision(True, None, 0.0)
        covered = {place + step for place in hits for step in range(self.ngram)}
        return Decision(False, f"ngram_{min(hits.values(), key=_RUNS_OF.index)}", len(covered) / len(units))

    @staticmethod
    def _by_embeddings(rows: Sequence[Row], decisions: list[Decision], closeness: Closeness) -> None:
        """Drop the rows that still stay and are too close to an evaluation row."""
        staying = [place for place, decision in enumerate(decisions) if decision.keep]
        own = unit(closeness.features.of([rows[place] for place in staying], closeness.encoder))
        for source, vectors in closeness.vectors.items():
            for place, cosine in zip(staying, highest_cosine(own, vectors), strict=True):
                if cosine > closeness.limit and decisions[place].keep:
                    decisions[place] = Decision(False, f"close_{source}", float(cosine))
