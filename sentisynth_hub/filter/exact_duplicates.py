"""Exact duplicates: rows whose normalised texts are equal (see `sentisynth_hub.core.text.normalised`)."""

from collections.abc import Sequence
from dataclasses import dataclass

from sentisynth_hub.core.rows import Decision, Row
from sentisynth_hub.core.text import distinct_form, normalised
from sentisynth_hub.filter.contract import Filter, FilterContext
from sentisynth_hub.recipe.section import Section


class ExactDuplicatesOptions(Section):
    """Keeps the first of the rows whose normalised text is equal."""


@dataclass(frozen=True)
class ExactDuplicates(Filter):
    """Keeps the first row of every normalised text; the score is 1 for a repeated row and 0 else.

    Two texts of different labels that differ in their emoji are no duplicates: there the emoji is what tells the
    labels apart.
    """

    name = "exact_duplicates"
    score_name = "duplicate"
    reasons = {"duplicate": "an earlier row has the same normalised text"}
    options = ExactDuplicatesOptions

    @classmethod
    def build(cls, options: ExactDuplicatesOptions, context: FilterContext) -> "ExactDuplicates":
        """There is nothing to choose."""
        return cls()

    def judge(self, rows: Sequence[Row]) -> list[Decision]:
        """One decision a row."""
        with_label: set[tuple[str, str | None]] = set()
        with_symbols: set[str] = set()
        decisions = []
        for row in rows:
            labelled, symbols = (normalised(row.text), row.label), distinct_form(row.text)
            repeated = labelled in with_label or symbols in with_symbols
            decisions.append(Decision(False, "duplicate", 1.0) if repeated else Decision(True, None, 0.0))
            with_label.add(labelled)
            with_symbols.add(symbols)
        return decisions
