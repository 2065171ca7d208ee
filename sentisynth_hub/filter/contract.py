"""What a filter is."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from sentisynth_hub.core.rows import Decision, Row


class Filter(Protocol):
    """Judges rows; never changes them.

    Attributes:
        name: Its key in the recipe, and `filter` in the table of rejected rows.
        score_name: Under which name its score stays with a row.
        facts: What it learned from natural rows and on what it stands, JSON-ready, for the manifest.
    """

    @property
    def name(self) -> str:
        """Its key in the recipe."""

    @property
    def score_name(self) -> str:
        """Key of its score in `Row.scores`."""

    @property
    def facts(self) -> Mapping[str, Any]:
        """For the manifest."""

    def judge(self, rows: Sequence[Row]) -> list[Decision]:
        """One decision a row, in the rows' order; `keep` True means the row stays."""
