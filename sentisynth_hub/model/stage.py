"""The model stage: the student that was judged, saved so that anybody can load it, and its own score.

    result = train_model(recipe, samples, corpora, natural, "mixed", folder, features)

The model one gets is the model that was judged: the chosen variant's student in replicate 0, trained by the very
function that trained it in the study. A head on a frozen encoder is saved in the layout of `sentence-transformers`, a
fine-tuned network as a stock `AutoModelForSequenceClassification`. Its answers and its score on every test row are
those of the saved folder, opened again as any user opens it.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sentisynth_hub.core import log
from sentisynth_hub.core.distributed import Processes
from sentisynth_hub.core.rows import Row
from sentisynth_hub.core.run_folder import StageFolder
from sentisynth_hub.model.saved_model import MODEL_FOLDER, PREDICTIONS, ModelResult, ScoreInterval, TrainingRows, load
from sentisynth_hub.natural.folds import natural_of_replicate
from sentisynth_hub.natural.splits import NaturalData, Sample
from sentisynth_hub.pretrained.batching import fixed_threads
from sentisynth_hub.pretrained.classifier import TextClassifier, open_classifier
from sentisynth_hub.pretrained.head_model import save_head_model
from sentisynth_hub.recipe import Recipe
from sentisynth_hub.study import stage as study_stage
from sentisynth_hub.study.choice import head_fitter
from sentisynth_hub.study.finetune import run_finetune
from sentisynth_hub.study.head_trial import fit_head
from sentisynth_hub.study.loop import start_launch
from sentisynth_hub.study.plan import plan_replicate, sample_of
from sentisynth_hub.study.predictions import TrialPredictions, item_ids, write_trials
from sentisynth_hub.study.setfit_trial import SetFitFits
from sentisynth_hub.study.training_rows import Corpus, Option
from sentisynth_hub.study.trial import Outcome, Trial
from sentisynth_hub.verdict.statistics.single_model import single_model_scores


__all__ = ["MODEL_FOLDER", "PREDICTIONS", "VERSION", "ModelResult", "decides", "load", "train_model"]

VERSION = 2
_REPLICATE = 0
_DIGITS = 6  # of a stored score


def decides(recipe: Recipe) -> dict[str, Any]:
    """What of the recipe decides the model, beside the variant, which the study chose: the way a student is trained.

    Neither which other variants were compared, nor how many replicates, nor the margin.
    """
    study = study_stage.decides(recipe)["study"]
    others = {"variants", "replicates"}
    return {
        **recipe.part("labels", "seed"),
        "validation": recipe.natural.validation,
        "study": {key: value for key, value in study.items() if key not in others},
    }


def train_model(
    recipe: Recipe,
    samples: Sequence[Sample],
    corpora: Mapping[int, Corpus],
    natural: NaturalData,
    variant: str,
    folder: StageFolder,
    features: Path,
) -> ModelResult:
    """Train the student of `variant` in replicate 0 on one process, save it, and let the saved model answer the test
    rows.

    Args:
        samples, corpora: As the study got them.
        natural: All natural rows; when cross-fitting, replicate 0 tests on its own fold of them.
        folder: Gets `model/`, `test_predictions.parquet` and, last, the manifest.
        features: Where the study keeps its features.
    """
    sample, corpus = sample_of(recipe, samples[_REPLICATE], corpora)
    splits = natural_of_replicate(recipe, natural, _REPLICATE)
    (trial,) = plan_replicate(recipe, sample, splits, corpus, [variant])
    target = folder.path / MODEL_FOLDER
    with fixed_threads(recipe.study.student.threads):
        save = _save_head if recipe.study.mode == "head" else _save_network
        outcome, option = save(recipe, trial, target, features)
        classifier = open_classifier(target)
        probabilities = classifier.probabilities([row.text for row in trial.test])
    rows = count_origins(option, trial, corpus, weight=outcome.weight)
    result = _result(recipe, trial, rows, outcome, classifier, probabilities)
    _write_predictions(folder.path / PREDICTIONS, recipe, trial, probabilities)
    folder.finish(result.model_dump(mode="json"))
    for line in result.warnings():
        log.warn(line)
    return result


def _save_head(recipe: Recipe, trial: Trial, target: Path, cache: Path) -> tuple[Outcome, Option]:
    student = recipe.study.student
    fitter = head_fitter(recipe, trial, cache, Processes())
    outcome, best = fit_head(recipe, trial, fitter)
    encoder, revision = student.model, student.revision
    if best is None:  # without a row to learn from every label is as likely
        weights = np.zeros((len(fitter.scaling.mean) + 1, len(recipe.labels)))
    elif isinstance(best.fits, SetFitFits):
        encoder, revision, weights = str(best.fits.model.encoder), None, best.fits.model.weights
    else:
        weights = fitter.scaling.fold_into(best.fits.head.weights)
    save_head_model(
        target,
        encoder,
        revision,
        weights,
        recipe.labels,
        max_length=student.max_length,
        prefix=student.prefix,
        unit_length=True,
    )
    return outcome, trial.options[0] if best is None else best.option


def _save_network(recipe: Recipe, trial: Trial, target: Path, cache: Path) -> tuple[Outcome, Option]:
    launch = start_launch(recipe.study, Processes(), shared=False)
    fitter = head_fitter(recipe, trial, cache, Processes()) if trial.needs_heads else None
    trained = run_finetune(recipe, trial, launch, fitter=fitter, checkpoints=target.parent)
    trained.model.cpu().save_pretrained(target)
    trained.tokenizer.save_pretrained(target)
    return trained.outcome, trained.option


def _result(
    recipe: Recipe,
    trial: Trial,
    rows: TrainingRows,
    outcome: Outcome,
    classifier: TextClassifier,
    probabilities: Any,
) -> ModelResult:
    place = {label: i for i, label in enumerate(recipe.labels)}
    truth = np.array([place[str(row.label)] for row in trial.test])
    answers = probabilities.argmax(1)
    study_answers = np.array([place[label] for label in outcome.test.predicted])
    scores = single_model_scores(truth, answers, len(place))
    distinct_answers = set(answers.tolist())
    return ModelResult(
        variant=trial.variant,
        mode=recipe.study.mode,
        layout=classifier.layout,
        labels=list(classifier.labels),
        training_rows=rows,
        human_labels={use: len(ids) for use, ids in outcome.human_labels.items()},
        missing_labels=outcome.missing_labels,
        option=outcome.option,
        settings={key: float(value) for key, value in outcome.budget.items() if key != "option"},
        test_items=len(truth),
        test_scores={
            name: ScoreInterval(**{key: round(value, _DIGITS) for key, value in score._asdict().items()})
            for name, score in scores.items()
        },
        confidence=round(float(probabilities.max(1).mean()), _DIGITS),
        changed_answers=int((answers != study_answers).sum()),
        constant_label=recipe.labels[answers[0]] if len(distinct_answers) == 1 < len(set(truth.tolist())) else None,
        folder=Path(classifier.source),
    )


def count_origins(option: Option, trial: Trial, corpus: Corpus, *, weight: float) -> TrainingRows:
    """Count the distinct training rows of an option by where they come from.

    A row that is repeated counts once. Added rows that the folds gave the weight 0 have trained nothing.
    """

    def keys(rows: Iterable[Row]) -> set[tuple[str, str, str | None]]:
        return {(row.id, row.request_id, row.label) for row in rows}

    origins = {
        "natural": keys([*trial.natural, *trial.validation.rows, *option.human]),
        "synthetic": keys([*corpus.kept, *corpus.candidates, *corpus.judged]),
        "pseudo_labelled": keys(corpus.pseudo_labelled),
    }
    weightless = keys(
        row
        for stage in option.stages
        for row, added in zip(stage.rows, stage.added, strict=True)
        if added and not weight
    )
    remaining = keys(option.rows) - weightless
    counts = {}
    for origin, rows in origins.items():
        counts[origin] = len(remaining & rows)
        remaining -= rows
    return TrainingRows(**counts, augmented=len(remaining))


def hyperparameters(recipe: Recipe, model: ModelResult) -> dict[str, str | int | float]:
    """How it was trained, as the card lists it."""
    student = recipe.study.student
    listed: dict[str, str | int | float] = {"training rows": model.training_rows.describe(), "seed": recipe.seed}
    if model.mode == "head":
        tuned = (
            "encoder and head, by SetFit" if model.option == "setfit" else "a linear head; the encoder is as it came"
        )
        return listed | {"trained": tuned} | model.settings
    return listed | {
        "trained": "all layers",
        "steps": int(model.settings.get("steps", 0)),
        "batch size": student.batch_size,
        "learning rate": student.learning_rate,
        "weight decay": student.weight_decay,
        "warm-up ratio": student.warmup_ratio,
    }


def _write_predictions(path: Path, recipe: Recipe, trial: Trial, probabilities: Any) -> None:
    predicted = [recipe.labels[i] for i in probabilities.argmax(1)]
    truth = [str(row.label) for row in trial.test]
    write_trials(
        path,
        recipe.labels,
        [TrialPredictions(trial.variant, _REPLICATE, item_ids(trial.test), truth, predicted, probabilities.tolist())],
    )
