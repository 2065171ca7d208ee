"""Conflicting labels: a text that stands among the candidates with two labels tells nothing. Reason: `conflict`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sentisynth_hub.core.rows import Decision, Row
from sentisynth_hub.core.text import normalised


@dataclass(frozen=True)
class ConflictingLabels:
    """Keeps rows whose normalised text has one label only among all candidates; build it with `among`.

    All candidates are looked at, not only the rows that are judged: otherwise a duplicate filter before this one would
    leave one of the two labels and hide the conflict. The score is the number of labels.
    """

    labels_of: Mapping[str, frozenset[str]]
    name: str = "conflicting_labels"
    score_name: str = "labels"
    facts: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def among(cls, candidates: Iterable[Row]) -> "ConflictingLabels":
        """Note the labels of every normalised text."""
        found: dict[str, set[str]] = {}
        for row in candidates:
            found.setdefault(normalised(row.text), set()).add(str(row.label))
        conflicting = {form: frozenset(labels) for form, labels in found.items() if len(labels) > 1}
        return cls(conflicting, facts={"texts": len(conflicting)})

    def judge(self, rows: Sequence[Row]) -> list[Decision]:
        """One decision a row."""
        decisions = []
        for row in rows:
            labels = self.labels_of.get(normalised(row.text))
            decisions.append(Decision(False, "conflict", float(len(labels))) if labels else Decision(True, None, 1.0))
        return decisions
