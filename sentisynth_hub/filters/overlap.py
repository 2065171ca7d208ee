"""Overlap with natural rows: what would leak evaluation data, or publish a natural row as a synthetic one.

Reasons: `exact_test`, `exact_validation`, `exact_demonstration`, `exact_train` (equal normalised texts), then
`ngram_test`, `ngram_validation`, `ngram_demonstration` (a shared run of words). The score is the share of the text's
words that lie in shared runs, 1 for an exact overlap.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sentisynth_hub.metrics.words import ngrams, words
from sentisynth_hub.rows import Decision, Row
from sentisynth_hub.text import normalised


_EXACT_ONLY = "train"  # a run of words shared with other natural rows is what language is like; a copy is not


@dataclass(frozen=True)
class Overlap:
    """Keeps rows that share neither their text nor a run of `ngram` words with natural rows. Build it with
    `against`.
    """

    exact: Mapping[str, str]
    runs: Mapping[tuple[str, ...], str]
    ngram: int
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

    def judge(self, rows: Sequence[Row]) -> list[Decision]:
        """One decision a row."""
        return [self._decide(row.text) for row in rows]

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
