"""What the filter stage wrote, as the stages after it read it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny, ValidationError, field_validator

from sentisynth_hub.core.errors import StageError
from sentisynth_hub.core.rows import Rejected, Row, read_rejected, read_rows
from sentisynth_hub.filter.contract import FilterFacts, LabelUse
from sentisynth_hub.filter.filter_table import FILTERS
from sentisynth_hub.filter.judge import JudgeFacts
from sentisynth_hub.filter.teacher import TeacherFacts


KEPT, REJECTED = "kept.parquet", "rejected.parquet"


class OtherFacts(FilterFacts):
    """The facts of a filter that is none of the package's own, as it gave them."""

    model_config = ConfigDict(extra="allow")


_FACTS = {each.name: each.facts_type for each in FILTERS}


class FunnelCount(BaseModel):
    """How many rows one filter dropped for one reason; `filter` is `parse` where no row could be made of an answer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    filter: str
    reason: str
    rejected: int = Field(ge=0)


class WriterYield(BaseModel):
    """How many rows one of several writers gave, and how many of them stay."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    candidates: int = Field(ge=0)
    kept: int = Field(ge=0)


class FilteredReplicate(BaseModel):
    """A replicate's outcome in numbers.

    Attributes:
        candidates: Rows that were judged.
        kept: Rows that stay.
        per_label: Rows that stay, by label.
        funnel: What was dropped, in the order of the filters.
        digest: Content digest of the kept rows.
        facts: What each filter learned and stands on, by the filter's name.
        human_labels: `request_id`s of the natural rows whose labels the filters used, by use, once each.
        evaluation_overlap: `request_id`s of the candidates that overlap a row something is evaluated on.
        writers: What became of each model's rows, where several wrote.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    candidates: int = Field(ge=0)
    kept: int = Field(ge=0)
    per_label: dict[str, int]
    funnel: tuple[FunnelCount, ...]
    digest: str
    facts: dict[str, SerializeAsAny[FilterFacts]]
    human_labels: dict[LabelUse, tuple[str, ...]]
    evaluation_overlap: tuple[str, ...]
    writers: dict[str, WriterYield] = {}

    @field_validator("facts", mode="before")
    @classmethod
    def _by_filter(cls, facts: Any) -> Any:
        """Read each filter's facts as that filter's own type."""
        if not isinstance(facts, dict):
            return facts
        return {
            name: content if isinstance(content, FilterFacts) else _FACTS.get(name, OtherFacts).model_validate(content)
            for name, content in facts.items()
        }

    @property
    def teacher(self) -> TeacherFacts | None:
        """What the teacher knows; None where the recipe has none."""
        facts = self.facts.get("teacher")
        return facts if isinstance(facts, TeacherFacts) else None

    @property
    def judge(self) -> JudgeFacts | None:
        """What the judge was asked; None where the recipe has none."""
        facts = self.facts.get("judge")
        return facts if isinstance(facts, JudgeFacts) else None

    @property
    def oracle_labels(self) -> int:
        """How many labels an oracle teacher learned from, those it was only calibrated on left out; 0: no oracle."""
        if self.teacher is None or self.teacher.labels != "oracle":
            return 0
        return self.teacher.trained_on - self.teacher.held_out


class _FilterManifest(BaseModel):
    model_config = ConfigDict(frozen=True)

    replicates: dict[int, FilteredReplicate]


@dataclass(frozen=True)
class FilterResult:
    """What the filter stage decided; `replicates` by number."""

    folder: Path
    replicates: Mapping[int, FilteredReplicate]

    @property
    def per_label(self) -> dict[int, dict[str, int]]:
        """How many rows stay, by replicate and label."""
        return {name: record.per_label for name, record in self.replicates.items()}

    def kept(self, replicate: int) -> list[Row]:
        """The rows of a replicate that stay, in the order they were asked for, with their scores."""
        return read_rows(self._path(replicate) / KEPT)

    def rejected(self, replicate: int) -> list[Rejected]:
        """The rows of a replicate that were dropped, what could not be parsed included (filter `parse`)."""
        return read_rejected(self._path(replicate) / REJECTED)

    def evaluation_overlap(self, replicate: int) -> frozenset[str]:
        """`request_id`s of the candidates that no variant may train on: they overlap a row something is evaluated on.

        `kept` holds none of them.
        """
        return frozenset(self.replicates[replicate].evaluation_overlap)

    def _path(self, replicate: int) -> Path:
        if replicate not in self.replicates:
            raise StageError(f"{self.folder}: holds no replicate {replicate}; there are {sorted(self.replicates)}")
        return self.folder / f"replicate-{replicate}"


def read_result(folder: Path, manifest: Mapping[str, Any]) -> FilterResult:
    """Read the stage's manifest.

    Raises:
        StageError: It is not what the stage writes.
    """
    try:
        return FilterResult(folder, _FilterManifest.model_validate(manifest).replicates)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise StageError(
            f"{folder}: the manifest is not one of this version's filter stage ({where}: {first['msg']}); delete the "
            "folder and run again"
        ) from None
