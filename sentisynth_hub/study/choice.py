"""What a trial chooses in the folds with heads on frozen features: the option, the weight of added rows, the penalty.

Every option is fitted with every weight and every penalty in every fold; the one whose cross-entropy on the natural
rows that a fit has not seen is least in the mean is taken. Fine-tuning takes option and weight from here too, where it
has more than one: a student fine-tuned for each of them in each fold would cost a hundred times as much.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from sentisynth_hub.core.distributed import Processes
from sentisynth_hub.core.rows import Row
from sentisynth_hub.filter.teacher import TeacherOptions
from sentisynth_hub.pretrained.head import Array, Fits, Rows, Scaling, Scored, best_fits
from sentisynth_hub.recipe import Recipe
from sentisynth_hub.study.features import Features, compute_features
from sentisynth_hub.study.setfit_trial import SetFitFits, fit_setfit
from sentisynth_hub.study.tolerance import within_one_error
from sentisynth_hub.study.training_rows import Option, TrainingStage, one_stage
from sentisynth_hub.study.trial import Trial
from sentisynth_hub.study.validation import Validation, labels_of


@dataclass(frozen=True)
class Taught:
    """Labels and weights of a stage's rows in every fit, both (fits, rows); a weight of 0 leaves a row out."""

    labels: Array
    weights: Array


@dataclass(frozen=True)
class BestOption:
    """The best option.

    Attributes:
        option: What is trained on.
        weight: Weight of an added row, in units of a natural one.
        stages: Labels and weights of each stage's rows; none where SetFit trained it.
        fits: The heads.
        tried: Every option and weight with its best penalty and its mean cross-entropy.
    """

    option: Option
    weight: float
    stages: tuple[Taught, ...]
    fits: Fits | SetFitFits
    tried: list[dict[str, float | str]]

    @property
    def rank(self) -> int:
        """The option's rank; with another weight than a natural row's, one more."""
        return self.option.rank + (self.weight != 1)


def head_fitter(recipe: Recipe, trial: Trial, folder: Path, processes: Processes) -> "HeadFitter":
    """A fitter for one trial, its features computed here or read from `folder`."""
    features = compute_features(trial.texts(), recipe.study.student, folder, processes)
    return HeadFitter(recipe, trial.natural, features)


class HeadFitter:
    """Fits heads on the frozen features of one replicate's rows."""

    def __init__(self, recipe: Recipe, natural: Sequence[Row], features: Features):
        self._recipe, self._natural, self._features = recipe, natural, features
        self.scaling = Scaling.of(features.of(natural))
        self._teachers: dict[tuple[str, ...], Fits] = {}

    def x(self, rows: Sequence[Row]) -> Array:
        """Scaled features of `rows`, (rows, dimensions)."""
        return self.scaling.apply(self._features.of(rows))

    def choose(self, options: Sequence[Option], validation: Validation) -> BestOption | None:
        """The best option with its best weight; None where no option has a row."""
        choices: list[BestOption] = []
        tried: list[dict[str, float | str]] = []
        for option in options:
            if not option.rows:
                continue
            if option.tuned:
                tuned = fit_setfit(self._recipe, option.stages[0], validation)
                tried.append({"option": option.name, "weight": 1.0, "loss": float(tuned.losses.mean())})
                choices.append(BestOption(option, 1.0, (), tuned, tried))
                continue
            matrices = [self.x(stage.rows) for stage in option.stages]
            taught = self.teach(option, validation)
            for weight in option.weights:
                stages = tuple(weighed(part, stage, weight) for part, stage in zip(taught, option.stages, strict=True))
                fits = self._fit(matrices, stages, validation)
                loss = float(fits.losses.mean())
                tried.append({"option": option.name, "weight": weight, "penalty": fits.penalty, "loss": loss})
                choices.append(BestOption(option, weight, stages, fits, tried))
        return _best(choices)

    def probabilities(self, best: BestOption, rows: Sequence[Row]) -> Array:
        """What the best option's student of all rows says of others, (rows, labels)."""
        if isinstance(best.fits, SetFitFits):
            return best.fits.model.probabilities([row.text for row in rows])
        return best.fits.head.probabilities(self.x(rows))

    def teach(self, option: Option, validation: Validation) -> tuple[Taught, ...]:
        """Labels and weights of the option's rows in every fit, before the weight of added rows."""
        labels = self._recipe.labels
        stages = []
        for stage in option.stages:
            sees = validation.trains_on(stage).astype(np.float64)
            y = np.broadcast_to(labels_of(stage.rows, labels), sees.shape)
            stages.append(Taught(y, sees))
        if option.teacher is None or not any(any(stage.added) for stage in option.stages):
            return tuple(stages)
        teacher = self._teacher(validation)
        return tuple(
            self._judged(option, teacher, part, stage) for part, stage in zip(stages, option.stages, strict=True)
        )

    def _teacher(self, validation: Validation) -> Fits:
        """Heads that learned from the natural rows alone, each from those its fit may see."""
        key = tuple(row.id for row in validation.rows)
        if key not in self._teachers:
            human = one_stage(self._natural)
            taught = Taught(labels_of(human.rows, self._recipe.labels), validation.trains_on(human).astype(np.float64))
            self._teachers[key] = self._fit([self.x(human.rows)], [taught], validation)
        return self._teachers[key]

    def _judged(self, option: Option, teacher: Fits, part: Taught, stage: TrainingStage) -> Taught:
        """The added rows of a stage weighed by the teacher, or given its labels."""
        added = [number for number, flag in enumerate(stage.added) if flag]
        if not added:
            return part
        probabilities = teacher.probabilities_of(self.x([stage.rows[i] for i in added]))
        labels, weights = part.labels.copy(), part.weights.copy()
        own = probabilities[:, np.arange(len(added)), labels[0, added]]
        if option.teacher == "weighs":
            weights[:, added] *= own
        elif option.teacher == "filters":
            passes = (probabilities.argmax(2) == labels[:, added]) & (own >= self._least_confidence)
            passes[-1] = [not (stage.dropped and stage.dropped[i]) for i in added]  # the filter stage has decided
            weights[:, added] *= passes
        else:
            labels[:, added] = probabilities.argmax(2)
            share = self._recipe.study.self_training.share
            weights[:, added] *= np.stack([surest(fit, share) for fit in probabilities])
        return Taught(labels, weights)

    @property
    def _least_confidence(self) -> float:
        teacher = self._recipe.filter.of(TeacherOptions)
        return teacher.min_confidence if teacher is not None else 0.0

    def _fit(self, matrices: Sequence[Array], stages: Sequence[Taught], validation: Validation) -> Fits:
        names = self._recipe.labels
        scored = Scored(self.x(validation.rows), labels_of(validation.rows, names), validation.held)
        rows = [Rows(x, part.labels, part.weights) for x, part in zip(matrices, stages, strict=True)]
        return best_fits(rows, len(names), scored)


def _best(choices: Sequence[BestOption]) -> BestOption | None:
    """The choice with the least loss, or the best of the lowest rank that is no worse by over a standard error."""
    best = min(choices, key=_mean_loss, default=None)
    if best is None:
        return None
    for rank in sorted({choice.rank for choice in choices}):
        leader = min((choice for choice in choices if choice.rank == rank), key=_mean_loss)
        if within_one_error(leader.fits.losses - best.fits.losses):
            return leader
    return best


def _mean_loss(choice: BestOption) -> float:
    return float(choice.fits.losses.mean())


def surest(probabilities: Array, share: float) -> Array:
    """1 for the `share` of rows of each predicted label that have the highest probability, else 0, (rows,).

    By label, because a teacher of few rows is surest of the label it has seen more of.
    """
    labels, confidence = probabilities.argmax(1), probabilities.max(1)
    taken = np.zeros(len(labels))
    for label in range(probabilities.shape[1]):
        rows = np.flatnonzero(labels == label)
        taken[rows[np.argsort(-confidence[rows], kind="stable")[: int(np.ceil(share * len(rows)))]]] = 1.0
    return taken


def weighed(part: Taught, stage: TrainingStage, weight: float) -> Taught:
    """The stage with `weight` on its added rows, where it has others; alone, a common weight means nothing."""
    if weight == 1 or all(stage.added):
        return part
    return replace(part, weights=part.weights * np.where(stage.added, weight, 1.0))
