"""Exact duplicates: rows whose normalised texts are equal (see `sentisynth_hub.core.text.normalised`). Reason:
`duplicate`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sentisynth_hub.core.rows import Decision, Row
from sentisynth_hub.core.text import normalised


@dataclass(frozen=True)
class ExactDuplicates:
    """Keeps the first row of every normalised text; the score is 1 for a repeated one and 0 else."""

    name: str = "exact_duplicates"
    score_name: str = "duplicate"
    facts: Mapping[str, Any] = field(default_factory=dict)

    def judge(self, rows: Sequence[Row]) -> list[Decision]:
        """One decision a row."""
        seen: set[str] = set()
        decisions = []
        for row in rows:
            form = normalised(row.text)
            decisions.append(Decision(False, "duplicate", 1.0) if form in seen else Decision(True, None, 0.0))
            seen.add(form)
        return decisions
