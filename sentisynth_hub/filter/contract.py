"""What a filter is: the contract that the package's own filters and a user's keep.

A filter is one class: what a recipe may say of it (`options`), how it is built for a replicate (`build`) and how it
judges rows (`judge`). `filter/filter_table.py` lists the package's own; CONTRIBUTING.md walks through adding one.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict

from sentisynth_hub.core.rows import Decision, Row
from sentisynth_hub.filter.candidate_features import CandidateFeatures
from sentisynth_hub.natural.splits import NaturalData, Sample
from sentisynth_hub.recipe import Recipe
from sentisynth_hub.recipe.section import Section


@dataclass(frozen=True)
class FilterContext:
    """What a filter may be built from: one replicate's rows. What it learns it learns from `human_rows` alone.

    Attributes:
        recipe: The whole recipe, for its languages, labels and prompt.
        sample: The natural rows the replicate may see.
        natural: All natural rows as the replicate sees them; evaluation rows are there to be kept out, not to learn
            from.
        candidates: All rows that will be judged, in their order.
        demonstrations: The natural rows that stood in prompts.
        features: Frozen features of rows, computed once.
        cache: Folder that keeps what models computed; None: nothing is kept.
        parents: Of the candidates that were made from a natural row, that row by their `request_id`.
        grounding: Unlabelled texts that stood in prompts.
    """

    recipe: Recipe
    sample: Sample
    natural: NaturalData
    candidates: Sequence[Row]
    demonstrations: Sequence[Row]
    features: CandidateFeatures
    cache: Path | None
    parents: Mapping[str, Row] = field(default_factory=dict)
    grounding: Sequence[Row] = ()

    @property
    def human_rows(self) -> list[Row]:
        """The natural rows this replicate may learn from: its training and its validation rows."""
        return [*self.sample.train, *self.sample.validation]


LabelUse = Literal["teacher", "threshold", "scorer"]
"""What a filter uses a human label for: to learn labels, to set a threshold, to span a window."""


class FilterFacts(BaseModel):
    """What a filter learned and stands on, as the stage's manifest keeps it. The base class holds nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Filter(ABC):
    """Judges rows; changes nothing of them but, where a decision says so, the label.

    Attributes:
        name: Its key in the recipe, and `filter` in the table of rejected rows.
        score_name: Key of its score in `Row.scores`.
        reasons: Every reason it gives for dropping a row, with what the reason means.
        options: What a recipe may say of it; the first paragraph of its docstring is the filter's help text.
        facts_type: What `facts` returns.
        version: Raised whenever the same rows would be judged otherwise, so that stored results are not used again.
    """

    name: ClassVar[str]
    score_name: ClassVar[str]
    reasons: ClassVar[Mapping[str, str]]
    options: ClassVar[type[Section]]
    facts_type: ClassVar[type[FilterFacts]] = FilterFacts
    version: ClassVar[int] = 1

    @classmethod
    @abstractmethod
    def build(cls, options: Any, context: FilterContext) -> Self:
        """Make the filter for one replicate. `options` is an instance of `cls.options`."""

    @classmethod
    def decides(cls, options: Any) -> dict[str, Any]:
        """What of its options decides its result, JSON-ready: changing anything else judges no row again."""
        content: dict[str, Any] = options.model_dump(mode="json")
        return content

    @abstractmethod
    def judge(self, rows: Sequence[Row]) -> list[Decision]:
        """One decision a row, in the rows' order; `keep` True means the row stays."""

    def facts(self) -> FilterFacts:
        """What it learned, for the manifest."""
        return FilterFacts()

    def human_labels(self) -> Mapping[LabelUse, Sequence[str]]:
        """`request_id`s of the natural rows whose labels it used, by use, for the label budget."""
        return {}

    @classmethod
    def help(cls) -> str:
        """What it drops, in one line."""
        return " ".join((cls.options.__doc__ or "").split("\n\n")[0].split())
