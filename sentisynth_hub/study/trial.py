"""One trial: a variant in a replicate, what it may be trained on, and what it leaves behind.

A trial is named by the digest of all that decides its result and nothing else: not by the variant's name, the margin,
a tracker, the metric of a head or the number of processes. Two variants with the same rows are one trial.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from sentisynth_hub.core.files import json_digest
from sentisynth_hub.core.rows import Row
from sentisynth_hub.core.text import digest
from sentisynth_hub.filter.teacher import TeacherOptions
from sentisynth_hub.metrics.classification import METRICS, confusion_counts
from sentisynth_hub.pretrained.batching import model_digest
from sentisynth_hub.pretrained.head import Array
from sentisynth_hub.recipe import Recipe
from sentisynth_hub.study import setfit_trial
from sentisynth_hub.study.training_rows import Option
from sentisynth_hub.study.validation import Validation, labels_of


VERSION = 5
_DIGITS = 6  # of a stored probability
_HEAD_STUDENT = {"prefix", "max_length", "threads"}


@dataclass(frozen=True, eq=False)
class Trial:
    """Everything one trial is made of.

    Attributes:
        variant: Name of the variant.
        replicate: Number of the replicate.
        options: What it may train on; one of them is chosen.
        natural: The replicate's own natural training rows (features are centred on them).
        validation: Natural rows that choose, and which fit may see which row.
        test: Rows predicted at the end.
        budgets: Steps of the fine-tuning that are tried, ascending; empty in head mode.
    """

    variant: str
    replicate: int
    options: tuple[Option, ...]
    natural: list[Row]
    validation: Validation
    test: list[Row]
    budgets: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """`<variant>-<replicate>`: what messages call it."""
        return f"{self.variant}-{self.replicate}"

    @property
    def has_rows(self) -> bool:
        """Whether there is anything to train on."""
        return any(option.rows for option in self.options)

    @property
    def needs_heads(self) -> bool:
        """Whether there is more than one way to train, or a teacher to be asked, even when fine-tuning."""
        return len(self.options) > 1 or any(len(o.weights) > 1 or o.teacher is not None for o in self.options)

    def texts(self) -> Iterator[str]:
        """Every text whose features a head needs."""
        lists = (*(stage.rows for option in self.options for stage in option.stages), self.natural)
        for rows in (*lists, self.validation.rows, self.test):
            yield from (row.text for row in rows)

    def digest(self, recipe: Recipe) -> str:
        """sha256 of all that decides the result."""
        study = recipe.study
        head = study.mode == "head"
        student = study.student.model_dump(mode="json", include=_HEAD_STUDENT if head else None)
        options = [
            [option.name, list(option.weights), option.teacher, option.rank, option.own_folds, _stages(option)]
            for option in self.options
        ]
        teachers = {option.teacher for option in self.options}
        settings = {
            "labels": study.self_training.model_dump(mode="json"),
            "filters": teacher.min_confidence if (teacher := recipe.filter.of(TeacherOptions)) else None,
        }
        tuned = any(option.tuned for option in self.options)
        tuning = {"setfit": [setfit_trial.SETTINGS, recipe.seed]} if tuned else {}
        folds = None if self.validation.folds is None else self.validation.folds.tolist()
        return json_digest([
            VERSION,
            study.mode,
            _student_digest(study.student.model, study.student.revision),
            student,
            {name: setting for name, setting in settings.items() if name in teachers} | tuning,
            None if head else [study.metric, recipe.seed, self.replicate, list(self.budgets)],
            recipe.labels,
            options,
            [rows_digest(rows) for rows in (self.natural, self.validation.rows, self.test)],
            folds,
        ])  # fmt: skip


@lru_cache(maxsize=8)  # a local model's files are hashed once, not for every trial
def _student_digest(model: str, revision: str | None) -> str:
    return model_digest(model, revision)


def _stages(option: Option) -> list[Any]:
    return [
        [
            rows_digest(stage.rows), rows_digest(stage.sources),
            list(map(int, stage.added)), list(map(int, stage.dropped)),
            stage.share, stage.epochs, stage.learning_rate,
        ]
        for stage in option.stages
    ]  # fmt: skip


def rows_digest(rows: Sequence[Row]) -> str:
    """sha256 over ids and labels of `rows`, in their order."""
    return digest(f"{row.id}\0{row.label}" for row in rows)


TrainingUse = Literal["train", "validation", "zero_shot"]
"""What a trial may use a human label for."""


class Predicted(BaseModel):
    """What a trained student says of some rows: the likeliest label and the probability of each."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    predicted: list[str]
    probabilities: list[list[float]]

    @classmethod
    def of(cls, probabilities: Array, labels: Sequence[str]) -> "Predicted":
        """From probabilities (rows, labels)."""
        rounded = np.round(probabilities.astype(np.float64), _DIGITS)
        names = [labels[i] for i in probabilities.argmax(1)]
        return cls(predicted=names, probabilities=rounded.tolist())


class Outcome(BaseModel):
    """What a trial leaves behind: one JSON file in the store.

    Attributes:
        option: The way it was trained.
        weight: Weight of an added row, in units of a natural one.
        penalty: Of a head.
        steps: Of a fine-tuned student.
        tried: What was compared in the folds.
        losses: Mean training loss of every `loop.LOG_STEPS` steps.
        training_rows: Rows of each stage.
        missing_labels: Labels that no row has.
        human_labels: Ids of the human labels it used, by use.
        validation_loss: Mean cross-entropy of the validation rows, in nats.
        validation: What fits that have not seen them say of the validation rows.
        test: What it says of the test rows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    option: str
    weight: float = 1.0
    penalty: float | None = None
    steps: int | None = None
    tried: list[dict[str, float | str]] = []
    losses: list[float] = []
    training_rows: list[int]
    missing_labels: list[str]
    human_labels: dict[TrainingUse, list[str]]
    validation_loss: float
    validation: Predicted
    test: Predicted

    @property
    def budget(self) -> dict[str, float | int | str]:
        """What was chosen: option, weight of added rows, and penalty or steps."""
        budget: dict[str, float | int | str] = {"option": self.option, "weight": self.weight}
        if self.penalty is not None:
            budget["penalty"] = self.penalty
        if self.steps is not None:
            budget["steps"] = self.steps
        return budget


@dataclass(frozen=True)
class Trained:
    """A trained student in numbers: what `outcome` makes an `Outcome` of."""

    option: Option
    validation: Array
    test: Array
    losses: Array
    budget: dict[str, Any]


def outcome(recipe: Recipe, trial: Trial, trained: Trained) -> Outcome:
    """Put together what a trial leaves behind."""
    option, labels = trained.option, recipe.labels
    human = sorted(row.id for row in option.human)
    use: TrainingUse = "train" if option.own_folds else "zero_shot"
    return Outcome(
        option=option.name,
        training_rows=[len(stage.trained) for stage in option.stages],
        missing_labels=list(option.missing_labels(labels)),
        human_labels={use: human, "validation": sorted({row.id for row in trial.validation.rows} - set(human))},
        validation_loss=round(float(trained.losses.mean()), _DIGITS),
        validation=Predicted.of(trained.validation, labels),
        test=Predicted.of(trained.test, labels),
        **trained.budget,
    )


def untrained(recipe: Recipe, trial: Trial) -> Outcome:
    """What a student without a single training row knows: all labels alike, so that it answers the first."""
    alike, count = 1 / len(recipe.labels), len(trial.validation.rows)

    def answers(rows: Sequence[Row]) -> Array:
        return np.full((len(rows), len(recipe.labels)), alike)

    losses = np.full(max(count, 1), -np.log(alike))
    validation, test = answers(trial.validation.rows), answers(trial.test)
    return outcome(recipe, trial, Trained(trial.options[0], validation, test, losses, {}))


def score(recipe: Recipe, rows: Sequence[Row], predicted: Sequence[str]) -> float:
    """The study's metric of predicted labels."""
    place = {label: number for number, label in enumerate(recipe.labels)}
    answers = np.array([place[label] for label in predicted])
    counts = confusion_counts(labels_of(rows, recipe.labels), answers, len(recipe.labels))
    return float(METRICS[recipe.study.metric](counts))
