"""Conflicting labels: a text that stands among the candidates with two labels tells nothing."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sentisynth_hub.core.rows import Decision, Row
from sentisynth_hub.core.text import distinct_form
from sentisynth_hub.filter.contract import Filter, FilterContext, FilterFacts
from sentisynth_hub.recipe.section import Section


class ConflictingLabelsOptions(Section):
    """Drops every row whose normalised text stands among the candidates with another label too."""


class ConflictFacts(FilterFacts):
    """How many texts have several labels."""

    texts: int


@dataclass(frozen=True)
class ConflictingLabels(Filter):
    """Keeps rows whose text has one label only among all candidates; the score is the number of labels.

    Emoji and emoticons count: two labels for "see you tonight 😀" and "see you tonight 😡" are no conflict. All
    candidates are looked at, not only the rows that are judged; otherwise a duplicate filter before this one would
    leave one of the two labels and hide the conflict. Build it with `among`.
    """

    labels_of: Mapping[str, frozenset[str]]

    name = "conflicting_labels"
    score_name = "labels"
    reasons = {"conflict": "the same text has another label too"}
    options = ConflictingLabelsOptions
    facts_type = ConflictFacts

    @classmethod
    def build(cls, options: ConflictingLabelsOptions, context: FilterContext) -> "ConflictingLabels":
        """Look among all candidates."""
        return cls.among(context.candidates)

    @classmethod
    def among(cls, candidates: Iterable[Row]) -> "ConflictingLabels":
        """Note the labels of every text."""
        labels: dict[str, set[str]] = {}
        for row in candidates:
            labels.setdefault(distinct_form(row.text), set()).add(str(row.label))
        return cls({form: frozenset(names) for form, names in labels.items() if len(names) > 1})

    def judge(self, rows: Sequence[Row]) -> list[Decision]:
        """One decision a row."""
        return [self._decide(self.labels_of.get(distinct_form(row.text))) for row in rows]

    def facts(self) -> ConflictFacts:
        """How many texts have several labels."""
        return ConflictFacts(texts=len(self.labels_of))

    def _decide(self, labels: frozenset[str] | None) -> Decision:
        return Decision(False, "conflict", float(len(labels))) if labels else Decision(True, None, 1.0)
