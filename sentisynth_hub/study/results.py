"""What a finished study says of its variants: the typed content of its folder, and which variant ships."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from sentisynth_hub.core.errors import StageError
from sentisynth_hub.core.run_folder import StageFolder
from sentisynth_hub.pretrained.batching import read_array
from sentisynth_hub.pretrained.head import Array
from sentisynth_hub.recipe.variant_table import VARIANTS, variant
from sentisynth_hub.study.tolerance import within_one_error
from sentisynth_hub.study.trial import TrainingUse


PREDICTIONS = "predictions.parquet"
VALIDATION = "validation.parquet"
HUMAN_LABELS = "human_labels.json"
DISTANCES = "distances.npy"

HumanLabels = dict[str, dict[int, dict[TrainingUse, list[str]]]]
"""By variant and replicate, the ids of the human labels it used, by use (`train`, `validation`, `zero_shot`)."""


class VariantSummary(BaseModel):
    """A variant over its replicates, each list in their order.

    Attributes:
        validation: The study's metric on natural rows by students that have not seen them.
        validation_loss: Mean cross-entropy on those rows, in nats.
        training_rows: Rows trained on.
        budgets: What was chosen: option, weight of added rows, and penalty or steps.
        missing_labels: By replicate, the labels it had no row of.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    validation: list[float]
    validation_loss: list[float]
    training_rows: list[int]
    budgets: list[dict[str, float | int | str]]
    missing_labels: dict[int, list[str]]


class StudySummary(BaseModel):
    """What the study's manifest says."""

    model_config = ConfigDict(frozen=True)

    mode: Literal["finetune", "head"]
    design: Literal["nested", "conditional"]
    replicates: int
    test_items: int
    variants: dict[str, VariantSummary]
    chosen_variant: str


class StudyResult(StudySummary):
    """A finished study, for the stages after it.

    Attributes:
        path: Folder of the stage.
        digest: Its digest.
        human_labels: Which human labels each trial used.
    """

    path: Path
    digest: str
    human_labels: HumanLabels

    @property
    def predictions_path(self) -> Path:
        """Predictions on test rows, read by `study.predictions`."""
        return self.path / PREDICTIONS

    @property
    def validation_path(self) -> Path:
        """Predictions on natural rows by students that have not seen them, in the same form."""
        return self.path / VALIDATION

    def distances(self) -> Array | None:
        """Cosine distance of every test item to its replicate's nearest natural training row, (replicates, items)
        float32; None where no features were computed.
        """
        path = self.path / DISTANCES
        distances = read_array(path)
        if distances is None and path.exists():
            raise StageError(f"{path}: damaged; remove the folder it is in and run the study again")
        return distances


def load(folder: StageFolder) -> StudyResult:
    """Read a finished study.

    Raises:
        StageError: A file is missing or is not what the study writes.
    """
    try:
        human = json.loads((folder.path / HUMAN_LABELS).read_text("utf-8"))
        content = folder.manifest() | {"path": folder.path, "digest": folder.digest, "human_labels": human}
        return StudyResult.model_validate(content)
    except (OSError, ValueError, ValidationError) as error:
        what = str(error).splitlines()[0]
        raise StageError(f"{folder.path}: no finished study ({what}); remove the folder and run it again") from error


def shipped_variant(losses: Mapping[str, Sequence[Array]], *, by_replicate: bool) -> str:
    """The publishable variant to ship: the simplest one that is no worse than the best by more than a standard error.

    Args:
        losses: By variant and replicate, the cross-entropy of each natural row by a student that has not seen it.
        by_replicate: Whether replicates have rows of their own, so that the error is over replicates; else it is over
            the rows of the first.
    """
    place = {line.name: number for number, line in enumerate(VARIANTS)}
    names = sorted(
        (name for name in losses if variant(name).publishable), key=lambda name: place.get(name, len(place))
    )
    units = {name: _units(losses[name], by_replicate=by_replicate) for name in names}
    best = min(names, key=lambda name: float(units[name].mean()))
    for name in names:
        if within_one_error(units[name] - units[best]):
            return name
    return best


def _units(losses: Sequence[Array], *, by_replicate: bool) -> Array:
    """One loss a replicate, or a row of the first one."""
    return np.array([part.mean() for part in losses]) if by_replicate else np.asarray(losses[0])
