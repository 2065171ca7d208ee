"""Length in words and symbols. Reasons: `empty`, `too_short`, `too_long`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sentisynth_hub.core.rows import Decision, Row
from sentisynth_hub.core.text import tokens


@dataclass(frozen=True)
class Length:
    """Keeps texts of `min_tokens` to `max_tokens` tokens; the score is the number of tokens."""

    min_tokens: int
    max_tokens: int
    name: str = "length"
    score_name: str = "tokens"
    facts: Mapping[str, Any] = field(default_factory=dict)

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
