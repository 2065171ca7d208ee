"""One trial: a variant in a replicate, trained and asked for its predictions, in either mode.

Its result is one JSON file, written whole when the trial is done and recognised later by the digest of everything it
came from.
"""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sentisynth_hub.core.files import json_digest
from sentisynth_hub.core.rows import Row
from sentisynth_hub.core.text import digest
from sentisynth_hub.metrics.classification import METRICS, confusion_counts
from sentisynth_hub.pretrained.head import Head, Scaling, cross_entropy, fit_head
from sentisynth_hub.pretrained.load_model import load_pretrained
from sentisynth_hub.recipe import Recipe
from sentisynth_hub.study.encoding import Encoded, encode
from sentisynth_hub.study.features import Features
from sentisynth_hub.study.loop import EarlyStopping, Launch, StageData, fit, predict
from sentisynth_hub.study.variants import VariantRows, chooses_budget


VERSION = 4
Array = npt.NDArray[Any]
_DIGITS = 6  # of a stored probability


@dataclass(frozen=True, eq=False)
class Trial:
    """Everything one trial is made of.

    Attributes:
        variant: Name of the variant.
        replicate: Number of the replicate.
        rows: What it trains on.
        natural: The replicate's own natural training rows (features are centred on them).
        validation: Natural rows that choose the budget or the penalty.
        test: Rows predicted at the end.
        steps: Steps of every variant that does not choose its own budget.
    """

    variant: str
    replicate: int
    rows: VariantRows
    natural: list[Row]
    validation: list[Row]
    test: list[Row]
    steps: int

    @property
    def name(self) -> str:
        """`<variant>-<replicate>`: its file name, and what messages call it."""
        return f"{self.variant}-{self.replicate}"

    def digest(self, recipe: Recipe) -> str:
        """sha256 of all that decides the result."""
        study = recipe.study.model_dump(mode="json", include={"student", "mode", "metric"})
        stages = [
            [rows_digest(stage.rows), stage.share, stage.epochs, stage.learning_rate] for stage in self.rows.stages
        ]
        rest = [rows_digest(rows) for rows in (self.natural, self.validation, self.test)]
        return json_digest(
            [VERSION, study, recipe.labels, recipe.seed, self.variant, self.replicate, stages, rest, self.steps]
        )


def rows_digest(rows: Sequence[Row]) -> str:
    """sha256 over ids and labels of `rows`, in their order."""
    return digest(f"{row.id}\0{row.label}" for row in rows)


def matched_steps(recipe: Recipe, rows: int) -> int:
    """Steps of `study.student.epochs` passes over `rows` rows."""
    student = recipe.study.student
    return max(1, round(student.epochs * -(-rows // student.batch_size)))


def run_head(recipe: Recipe, trial: Trial, features: Features) -> dict[str, Any]:
    """Train a head on frozen features and predict; see `result` for what is returned."""
    if not trial.rows.rows:
        return _untrained(recipe, trial)
    head, scaling = _head(recipe, trial, features)
    validation, test = (
        head.probabilities(scaling.apply(features.of(rows))) for rows in (trial.validation, trial.test)
    )
    return result(recipe, trial, {"penalty": head.penalty}, validation, test)


def head_weights(recipe: Recipe, trial: Trial, features: Features) -> Array:
    """The trial's head for features as they come, (dimensions + 1, labels) with the bias last: what `run_head` asks.

    All zero where the trial has no row to learn from: every label is as likely.
    """
    if not trial.rows.rows:
        return np.zeros((features.vectors.shape[1] + 1, len(recipe.labels)))
    head, scaling = _head(recipe, trial, features)
    return scaling.fold_into(head.weights)


def losses_on_validation(recipe: Recipe, trial: Trial, features: Features) -> Array:
    """Cross-entropy (nats) of the trial's head on each natural validation row: finer than a score, for diagnosis."""
    head, scaling = _head(recipe, trial, features)
    probabilities = head.probabilities(scaling.apply(features.of(trial.validation)))
    return cross_entropy(probabilities, _integers(recipe, trial.validation))


def _head(recipe: Recipe, trial: Trial, features: Features) -> tuple[Head, Scaling]:
    scaling = Scaling.of(features.of(trial.natural))

    def data(rows: Sequence[Row]) -> tuple[Array, Array]:
        return scaling.apply(features.of(rows)), _integers(recipe, rows)

    stages = [data(stage.rows) for stage in trial.rows.stages]
    return fit_head(stages, len(recipe.labels), data(trial.validation)), scaling


def run_finetune(
    recipe: Recipe, trial: Trial, launch: Launch, *, checkpoints: Path | None = None
) -> tuple[dict[str, Any], Any, Any]:
    """Fine-tune the student and predict.

    `natural` (and natural at other sizes) is trained once for each budget, or once with early stopping, and the best
    on natural validation is taken, the shorter one where two are as good; everything else trains for the trial's
    number of steps.

    Returns:
        The result, the model and the tokenizer.
    """
    if not trial.rows.rows:
        return _untrained(recipe, trial), *load_student(recipe, seed_of(recipe, trial.replicate))
    best: _Attempt | None = None
    tried = []
    for steps in _budgets(recipe, trial):
        attempt = _train_once(recipe, trial, launch, steps, checkpoints)
        tried.append({"steps": attempt.steps, "score": attempt.score})
        if best is None or attempt.score > best.score:
            best = attempt
    assert best is not None
    test = predict(best.model, _readable(trial.test, best.model, best.tokenizer), best.tokenizer.pad_token_id, launch)
    chosen = {"steps": best.steps, "losses": best.losses, "tried": tried}
    return result(recipe, trial, chosen, best.validation, test), best.model, best.tokenizer


@dataclass(frozen=True)
class _Attempt:
    """A student trained for one budget: steps its weights have seen, and its probabilities and score on validation."""

    model: Any
    tokenizer: Any
    steps: int
    losses: list[float]
    validation: Array
    score: float


def _train_once(recipe: Recipe, trial: Trial, launch: Launch, steps: int, checkpoints: Path | None) -> _Attempt:
    student, seed = recipe.study.student, seed_of(recipe, trial.replicate)
    model, tokenizer = load_student(recipe, seed)
    token_ids = _readable(trial.validation, model, tokenizer)

    def probabilities(model: Any) -> Array:
        return predict(model, token_ids, tokenizer.pad_token_id, launch)

    stopping = None
    if student.early_stopping is not None and chooses_budget(trial.variant):
        stopping = EarlyStopping(
            student.early_stopping, lambda model: _score(recipe, trial.validation, probabilities(model))
        )
    name = f"{trial.name}-{trial.digest(recipe)[:8]}-{steps}.pt"
    losses = fit(
        model,
        _stage_data(recipe, trial, steps, tokenizer),
        student,
        launch,
        seed=seed,
        pad_id=tokenizer.pad_token_id,
        name=trial.name,
        stopping=stopping,
        checkpoint=checkpoints / name if checkpoints is not None else None,
    )
    taken = stopping.best_step if stopping is not None else sum(stage_steps(recipe, trial, steps))
    found = probabilities(model)
    return _Attempt(model, tokenizer, taken, losses, found, _score(recipe, trial.validation, found))


def _readable(rows: Sequence[Row], model: Any, tokenizer: Any) -> list[list[int]]:
    """Token ids of `rows`, as much of them as the encoder reads."""
    return encode([row.text for row in rows], tokenizer, tokenizer.model_max_length)


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


def stage_steps(recipe: Recipe, trial: Trial, steps: int) -> list[int]:
    """Steps of each stage: its own passes where the schedule says so, else its share of `steps`."""
    found = []
    for stage in trial.rows.stages:
        if stage.epochs is None:
            found.append(max(1, round(stage.share * steps)))
        else:
            found.append(max(1, round(stage.epochs * -(-len(stage.rows) // recipe.study.student.batch_size))))
    return found


def result(recipe: Recipe, trial: Trial, chosen: dict[str, Any], validation: Array, test: Array) -> dict[str, Any]:
    """What a trial leaves behind, JSON-ready.

    Keys: variant, replicate, digest, training_rows, missing_labels, human_labels (ids by use), chosen (penalty, or
    steps, what was tried and losses), and for validation and test the predicted labels and the probabilities;
    `validation.score` is the study's metric.
    """
    return {
        "variant": trial.variant,
        "replicate": trial.replicate,
        "digest": trial.digest(recipe),
        "training_rows": [len(stage.rows) for stage in trial.rows.stages],
        "missing_labels": list(trial.rows.missing_labels),
        "human_labels": {
            "zero_shot" if trial.variant == "zero_shot" else "train": list(trial.rows.human_ids),
            "validation": sorted({row.id for row in trial.validation}),
        },
        "chosen": chosen,
        "validation": {"score": _score(recipe, trial.validation, validation), **_predicted(recipe, validation)},
        "test": _predicted(recipe, test),
    }


def _untrained(recipe: Recipe, trial: Trial) -> dict[str, Any]:
    """What a student without a single training row knows: all labels alike, so that it answers the first."""

    def alike(rows: Sequence[Row]) -> Array:
        return np.full((len(rows), len(recipe.labels)), 1 / len(recipe.labels))

    return result(recipe, trial, {}, alike(trial.validation), alike(trial.test))


def _predicted(recipe: Recipe, probabilities: Array) -> dict[str, Any]:
    rounded = np.round(probabilities.astype(np.float64), _DIGITS)
    return {"predicted": [recipe.labels[i] for i in probabilities.argmax(1)], "probabilities": rounded.tolist()}


def _score(recipe: Recipe, rows: Sequence[Row], probabilities: Array) -> float:
    counts = confusion_counts(_integers(recipe, rows), probabilities.argmax(1), len(recipe.labels))
    return float(METRICS[recipe.study.metric](counts))


def _integers(recipe: Recipe, rows: Sequence[Row]) -> Array:
    place = {label: i for i, label in enumerate(recipe.labels)}
    return np.array([place[row.label] for row in rows if row.label is not None], dtype=np.int64)


def _budgets(recipe: Recipe, trial: Trial) -> list[int]:
    student = recipe.study.student
    if not chooses_budget(trial.variant):
        return [trial.steps]
    own = matched_steps(recipe, len(trial.rows.rows))
    budgets = sorted({*(max(1, round(times * own)) for times in student.budgets), trial.steps})
    return budgets[-1:] if student.early_stopping is not None else budgets


def _stage_data(recipe: Recipe, trial: Trial, steps: int, tokenizer: Any) -> list[StageData]:
    student = recipe.study.student
    return [
        StageData(
            Encoded(
                encode([row.text for row in stage.rows], tokenizer, student.max_length),
                _integers(recipe, stage.rows).tolist(),
            ),
            count,
            stage.learning_rate or student.learning_rate,
        )
        for stage, count in zip(trial.rows.stages, stage_steps(recipe, trial, steps), strict=True)
    ]
