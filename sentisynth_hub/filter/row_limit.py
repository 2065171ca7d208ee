"""As many rows a label as `generate.rows` asks for: those that were asked for first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sentisynth_hub.core.rows import Decision, Row
from sentisynth_hub.filter.contract import Filter, FilterContext
from sentisynth_hub.recipe.section import Section


class RowLimitOptions(Section):
    """Drops what is more than `generate.rows` wants of a label."""


@dataclass(frozen=True)
class RowLimit(Filter):
    """Keeps the first rows of each label. It runs last where the recipe has `generate.rows`, and has no key there."""

    row_counts: Mapping[str, int]

    name = "rows"
    score_name = "rows"
    reasons = {"surplus": "there are as many rows of its label as generate.rows wants"}
    options = RowLimitOptions

    @classmethod
    def build(cls, options: RowLimitOptions, context: FilterContext) -> "RowLimit":
        """As the recipe wants them."""
        return cls(context.recipe.wanted_rows or {})

    def judge(self, rows: Sequence[Row]) -> list[Decision]:
        """One decision a row, in the order they were asked for."""
        left = dict(self.row_counts)
        decisions = []
        for row in rows:
            label = row.label or ""
            left[label] = left.get(label, 0) - 1
            decisions.append(Decision(True) if left[label] >= 0 else Decision(False, "surplus"))
        return decisions
