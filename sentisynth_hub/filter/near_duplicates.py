"""Near duplicates: rows that share most of their five-character runs."""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import Field

from sentisynth_hub.core.rows import Decision, Row
from sentisynth_hub.core.text import emoji_of, normalised
from sentisynth_hub.filter.contract import Filter, FilterContext
from sentisynth_hub.metrics.minhash import nearest_earlier
from sentisynth_hub.recipe.section import Section


class NearDuplicatesOptions(Section):
    """Keeps the first of rows that share most of their character runs (MinHash, verified by exact Jaccard)."""

    min_jaccard: float = Field(default=0.8, gt=0, le=1)
    """Jaccard similarity of the sets of five-character runs from which two rows are near duplicates."""


@dataclass(frozen=True)
class NearDuplicates(Filter):
    """Keeps the first of rows whose sets of character runs have a Jaccard similarity of `min_jaccard` or more.

    A row goes when it is near an earlier row that stays. Two rows of different labels and different emoji are not
    compared: there the emoji is what tells the labels apart. The score is the highest similarity with an earlier row
    that stays, 0 where none came up.
    """

    min_jaccard: float

    name = "near_duplicates"
    score_name = "jaccard"
    reasons = {"near_duplicate": "an earlier row shares most of its character runs"}
    options = NearDuplicatesOptions

    @classmethod
    def build(cls, options: NearDuplicatesOptions, context: FilterContext) -> "NearDuplicates":
        """Take the limit from the recipe."""
        return cls(options.min_jaccard)

    def judge(self, rows: Sequence[Row]) -> list[Decision]:
        """One decision a row."""
        emoji = [emoji_of(row.text) for row in rows]

        def comparable(first: int, other: int) -> bool:
            return rows[first].label == rows[other].label or emoji[first] == emoji[other]

        scores = nearest_earlier([normalised(row.text) for row in rows], self.min_jaccard, comparable)
        return [
            Decision(False, "near_duplicate", score) if score >= self.min_jaccard else Decision(True, None, score)
            for score in scores
        ]
