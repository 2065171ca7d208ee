"""What the model stage says of the model it saved: the only reader of its manifest."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sentisynth_hub.core.errors import StageError
from sentisynth_hub.core.run_folder import StageFolder
from sentisynth_hub.pretrained.classifier import Layout
from sentisynth_hub.verdict.check_table import findings
from sentisynth_hub.verdict.study_checks import ShippedModel, StudyFacts


MODEL_FOLDER = "model"
PREDICTIONS = "test_predictions.parquet"

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
_STRICT = ConfigDict(frozen=True, strict=True, allow_inf_nan=False, extra="ignore")


class ScoreInterval(BaseModel):
    """A score on the test rows with its 95 % interval over those rows."""

    model_config = _STRICT

    value: Share
    low: Share
    high: Share


class TrainingRows(BaseModel):
    """Distinct training rows by where they come from: `pseudo_labelled` are natural texts that the generator's model
    labelled, `augmented` are made from natural rows by rule."""

    model_config = _STRICT

    natural: Count
    synthetic: Count
    pseudo_labelled: Count
    augmented: Count

    @property
    def total(self) -> int:
        """All of them."""
        return self.natural + self.synthetic + self.pseudo_labelled + self.augmented

    def describe(self) -> str:
        """`121 natural and 40 synthetic rows`; what there is none of is left out, but for natural and synthetic."""
        counts = {"natural": self.natural, "pseudo-labelled": self.pseudo_labelled, "augmented": self.augmented}
        named = [f"{count} {name}" for name, count in counts.items() if count or name == "natural"]
        return f"{', '.join(named)} and {self.synthetic} synthetic rows"


class ModelResult(BaseModel):
    """The saved model.

    Attributes:
        variant: Variant of the study; it is this variant's student in replicate 0.
        mode: `head`: a head on a frozen encoder; `finetune`: the whole network.
        layout: Library that loads it.
        labels: Label names in the order of its outputs.
        training_rows: What it was trained on.
        human_labels: Distinct human labels by use.
        missing_labels: Labels it has no training row of, so that it never predicts them.
        option: The way of training that was chosen in the folds; the variant's own name where it has but one.
        settings: What was chosen for it: `weight` of an added row in units of a natural one, and `penalty` or `steps`.
        test_items: Test rows.
        test_scores: This very model's scores on them, by metric key, measured on the saved folder.
        confidence: Mean probability of its answers over the test rows.
        changed_answers: Test rows on which the saved model answers otherwise than the student that was judged;
            rounding on another device can make that one or two.
        constant_label: The one label it gives to every test row; None where it gives several.
        folder: Where it lies.
    """

    model_config = _STRICT

    variant: str
    mode: str
    layout: Layout
    labels: list[str]
    training_rows: TrainingRows
    human_labels: dict[str, Count]
    missing_labels: list[str]
    option: str
    settings: dict[str, float]
    test_items: Count
    test_scores: dict[str, ScoreInterval]
    confidence: Share
    changed_answers: Count
    constant_label: str | None
    folder: Path = Field(exclude=True)

    @property
    def nearly_uniform(self) -> bool:
        """Whether its answers are hardly more probable than with no knowledge at all."""
        return self.facts.nearly_uniform

    @property
    def facts(self) -> ShippedModel:
        """What the checks look at."""
        return ShippedModel(
            variant=self.variant,
            labels=len(self.labels),
            test_items=self.test_items,
            confidence=self.confidence,
            changed_answers=self.changed_answers,
            constant_label=self.constant_label,
        )

    @property
    def trained_on_synthetic(self) -> bool:
        """Whether any of its training rows was generated."""
        return self.training_rows.synthetic > 0

    def warnings(self) -> list[str]:
        """What a user should know before using it, a line each."""
        return [finding.line for finding in findings(StudyFacts(model=self.facts))]

    def summary(self, metric: str) -> str:
        """One line: what it is, its own score with interval, what it was trained on."""
        score = {str(name): score for name, score in self.test_scores.items()}[metric]
        return (
            f"{self.variant}, the student that was judged (replicate 0): {metric} {score.value:.3f} "
            f"[{score.low:.3f}, {score.high:.3f}] on {self.test_items} test rows; trained on "
            f"{self.training_rows.describe()}"
        )


def load(folder: StageFolder) -> ModelResult:
    """Read what `train_model` wrote.

    Raises:
        StageError: The manifest is missing or is not one of this stage.
    """
    path = folder.path / "manifest.json"
    try:
        return ModelResult.model_validate({**folder.manifest(), "folder": folder.path / MODEL_FOLDER})
    except (OSError, ValueError) as error:
        first = error.errors()[0] if isinstance(error, ValidationError) else None
        why = f"{'.'.join(map(str, first['loc']))}: {first['msg']}" if first else str(error)
        raise StageError(
            f"{path}: not the record of a finished model stage ({why}); remove the folder and run again"
        ) from error
