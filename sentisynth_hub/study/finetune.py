"""A trial that fine-tunes the whole student: steps chosen in the folds, then trained once more on all rows."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from sentisynth_hub.core.rows import Row
from sentisynth_hub.core.text import digest
from sentisynth_hub.pretrained.head import Array, cross_entropy
from sentisynth_hub.pretrained.load_model import load_pretrained
from sentisynth_hub.recipe import Recipe
from sentisynth_hub.study.choice import HeadFitter, Taught
from sentisynth_hub.study.encoding import Encoded, encode
from sentisynth_hub.study.loop import EarlyStopping, Launch, StageData, fit, predict
from sentisynth_hub.study.training_rows import Option, TrainingStage
from sentisynth_hub.study.trial import Outcome, Trained, Trial, outcome, score, untrained
from sentisynth_hub.study.validation import labels_of


@dataclass(frozen=True)
class FineTuned:
    """A trial's outcome, what it trained on, and the trained model with its tokenizer."""

    outcome: Outcome
    option: Option
    model: Any
    tokenizer: Any


def run_finetune(
    recipe: Recipe, trial: Trial, launch: Launch, *, fitter: HeadFitter | None = None, checkpoints: Path | None = None
) -> FineTuned:
    """Fine-tune the student and predict.

    The student is trained for each budget of steps in every fold, the budget whose score on the rows left out is best
    is taken, the shorter one where two are as good, and the student is trained for it on all rows. With held-out
    validation rows there is nothing to train again: the best student is the one.

    Args:
        fitter: Heads that choose among options and weights; needed where `trial.needs_heads`.
    """
    if not trial.has_rows:
        student = load_student(recipe, seed_of(recipe, trial.replicate))
        return FineTuned(untrained(recipe, trial), trial.options[0], *student)
    run = _Trainings(recipe, trial, launch, fitter, checkpoints)
    best: _Attempt | None = None
    tried: list[dict[str, float | str]] = []
    for steps in trial.budgets:
        attempt = run.attempt(steps)
        tried.append({"steps": attempt.steps, "score": attempt.score})
        if best is None or attempt.score > best.score:
            best = attempt
    assert best is not None, "a trial has at least one budget"
    model, losses = (best.model, best.losses) if best.model is not None else run.train(run.last, best.steps_planned)
    test = predict(model, run.readable(trial.test), run.tokenizer.pad_token_id, launch)
    budget = {"weight": run.weight, "steps": best.steps, "tried": tried, "losses": losses}
    entropies = cross_entropy(best.validation, labels_of(trial.validation.rows, recipe.labels))
    trained = Trained(run.option, best.validation, test, entropies, budget)
    return FineTuned(outcome(recipe, trial, trained), run.option, model, run.tokenizer)


@dataclass(frozen=True)
class _Attempt:
    """One budget tried: the steps asked for and taken, probabilities and score on the validation rows; the model too
    where no fold was held out.
    """

    steps_planned: int
    steps: int
    validation: Array
    score: float
    losses: list[float] = field(default_factory=list)
    model: Any = None


class _Trainings:
    """The trainings of one trial."""

    def __init__(
        self, recipe: Recipe, trial: Trial, launch: Launch, fitter: HeadFitter | None, checkpoints: Path | None
    ):
        self.recipe, self.trial, self.launch, self.checkpoints = recipe, trial, launch, checkpoints
        self.seed = seed_of(recipe, trial.replicate)
        self.option, self.weight, self.stages = _resolved(trial, recipe, fitter)
        self.last = trial.validation.fits - 1
        self.tokenizer = load_student(recipe, self.seed)[1]
        self._encoded = [
            encode([row.text for row in stage.rows], self.tokenizer, recipe.study.student.max_length)
            for stage in self.option.stages
        ]

    def attempt(self, steps: int) -> _Attempt:
        """Train for `steps` steps in every fold and score the rows left out."""
        validation = self.trial.validation
        if self.last == 0:
            return self._attempt_held_out(steps)
        total = np.zeros((len(validation.rows), len(self.recipe.labels)))
        for number in range(self.last):
            places = np.flatnonzero(validation.held[number])
            model, _ = self.train(number, steps)
            total[places] += self._probabilities(model, [validation.rows[i] for i in places])
        probabilities = total / total.sum(1, keepdims=True)
        return _Attempt(steps, self._steps(self.last, steps), probabilities, self._score(probabilities))

    def _attempt_held_out(self, steps: int) -> _Attempt:
        rows, student = self.trial.validation.rows, self.recipe.study.student
        stopping = None
        if student.early_stopping is not None:
            stopping = EarlyStopping(
                student.early_stopping, lambda model: self._score(self._probabilities(model, rows))
            )
        model, losses = self.train(0, steps, stopping)
        taken = stopping.best_step if stopping is not None else self._steps(0, steps)
        probabilities = self._probabilities(model, rows)
        return _Attempt(steps, taken, probabilities, self._score(probabilities), losses, model)

    def train(self, number: int, steps: int, stopping: EarlyStopping | None = None) -> tuple[Any, list[float]]:
        """A student trained on what fit `number` may see; the mean losses on the way."""
        model, _ = load_student(self.recipe, self.seed)
        trial = self.trial
        name = f"{trial.digest(self.recipe)[:16]}-{number}-{steps}.pt"
        losses = fit(
            model,
            self._data(number, steps),
            self.recipe.study.student,
            self.launch,
            seed=self.seed,
            pad_id=self.tokenizer.pad_token_id,
            name=trial.name,
            stopping=stopping,
            checkpoint=self.checkpoints / name if self.checkpoints is not None else None,
        )
        return model, losses

    def readable(self, rows: Sequence[Row]) -> list[list[int]]:
        """Token ids of `rows`, as much of them as the encoder reads."""
        return encode([row.text for row in rows], self.tokenizer, self.tokenizer.model_max_length)

    def _probabilities(self, model: Any, rows: Sequence[Row]) -> Array:
        return predict(model, self.readable(rows), self.tokenizer.pad_token_id, self.launch)

    def _score(self, probabilities: Array) -> float:
        labels = self.recipe.labels
        return score(self.recipe, self.trial.validation.rows, [labels[i] for i in probabilities.argmax(1)])

    def _steps(self, number: int, steps: int) -> int:
        return sum(stage.steps for stage in self._data(number, steps))

    def _data(self, number: int, steps: int) -> list[StageData]:
        """Each stage's rows as fit `number` sees them; a stage of which it sees no row is left out."""
        student, data = self.recipe.study.student, []
        for stage, part, token_ids in zip(self.option.stages, self.stages, self._encoded, strict=True):
            places = np.flatnonzero(part.weights[number] > 0)
            if not len(places):
                continue
            weights = part.weights[number, places]
            encoded = Encoded(
                [token_ids[i] for i in places],
                part.labels[number, places].tolist(),
                (weights / weights.mean()).tolist(),
            )
            count = _stage_steps(stage, len(places), steps, student.batch_size)
            data.append(StageData(encoded, count, stage.learning_rate or student.learning_rate))
        return data


def _resolved(trial: Trial, recipe: Recipe, fitter: HeadFitter | None) -> tuple[Option, float, tuple[Taught, ...]]:
    """Option, weight of added rows, and labels and weights of every row in every fit."""
    if fitter is not None and trial.needs_heads:
        choice = fitter.choose(trial.options, trial.validation)
        assert choice is not None, "the trial has rows"
        return choice.option, choice.weight, choice.stages
    assert not trial.needs_heads, "several options are chosen among by heads"
    (option,) = trial.options
    stages = []
    for stage in option.stages:
        sees = trial.validation.trains_on(stage).astype(np.float64)
        stages.append(Taught(np.broadcast_to(labels_of(stage.rows, recipe.labels), sees.shape), sees))
    return option, 1.0, tuple(stages)


def _stage_steps(stage: TrainingStage, rows: int, steps: int, batch_size: int) -> int:
    """Steps of a stage: its own passes over the rows where the schedule says so, else its share of `steps`."""
    exact = stage.share * steps if stage.epochs is None else stage.epochs * -(-rows // batch_size)
    return max(1, round(exact))


def load_student(recipe: Recipe, seed: int) -> tuple[Any, Any]:
    """The stock classifier with the recipe's label names, and its tokenizer.

    A classification layer that the checkpoint lacks is drawn from `seed`.
    """
    student = recipe.study.student
    model, tokenizer = _loaded(student.model, student.revision, tuple(recipe.labels), seed)
    return deepcopy(model), tokenizer


@lru_cache(maxsize=1)  # all trials of a replicate start from the same weights
def _loaded(name: str, revision: str | None, labels: tuple[str, ...], seed: int) -> tuple[Any, Any]:
    import torch

    torch.manual_seed(seed)
    tokenizer, model = load_pretrained(
        "student", name, revision=revision, key="study.student.model", dtype="float32", labels=labels
    )
    return model, tokenizer


def seed_of(recipe: Recipe, replicate: int) -> int:
    """Seed of a replicate's trials: its variants start from the same weights, so that they differ by their rows."""
    return int(digest([str(recipe.seed), "trial", str(replicate)])[:8], 16)
