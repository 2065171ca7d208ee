"""Length in words and symbols."""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import Field

from sentisynth_hub.core.rows import Decision, Row
from sentisynth_hub.core.text import tokens
from sentisynth_hub.filter.contract import Filter, FilterContext
from sentisynth_hub.recipe.section import Section


class LengthOptions(Section):
    """Drops texts that are empty, too short or too long."""

    min_tokens: int = Field(default=3, ge=1)
    """Words and symbols a text must have."""
    max_tokens: int = Field(default=80, ge=1)
    """Words and symbols a text may have."""


@dataclass(frozen=True)
class Length(Filter):
    """Keeps texts of `min_tokens` to `max_tokens` words and symbols; the score is their number."""

    min_tokens: int
    max_tokens: int

    name = "length"
    score_name = "tokens"
    reasons = {
        "empty": "no word and no symbol",
        "too_short": "fewer words and symbols than `min_tokens`",
        "too_long": "more words and symbols than `max_tokens`",
    }
    options = LengthOptions

    @classmethod
    def build(cls, options: LengthOptions, context: FilterContext) -> "Length":
        """Take both limits from the recipe."""
        return cls(options.min_tokens, options.max_tokens)

    def judge(self, rows: Sequence[Row]) -> list[Decision]:
        """One decision a row."""
        return [self._decide(len(tokens(row.text))) for row in rows]

    def _decide(self, count: int) -> Decision:
        if count == 0:
            return Decision(False, "empty", 0.0)
        if count < self.min_tokens:
            return Decision(False, "too_short", float(count))
        if count > self.max_tokens:
            return Decision(False, "too_long", float(count))
        return Decision(True, None, float(count))
