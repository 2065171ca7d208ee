"""The study stage: every variant in every replicate, trained once, whatever happens on the way.

    run_study(recipe, samples, natural, corpora, folder, processes)
    result = load(folder)                                                        # StudyResult

Each trial is one file in the run's store of trials, so a study that is killed goes on with the trials that are
missing, and another study of the recipe finds those that are there. When all are done the first process writes
`predictions.parquet` (test rows, read by the statistics), `validation.parquet`, `human_labels.json` (ids of the human
labels each trial used, by use), `distances.npy` and, last, the manifest.
"""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from sentisynth_hub.core.distributed import Processes
from sentisynth_hub.core.errors import DataError, InputError
from sentisynth_hub.core.files import write_json
from sentisynth_hub.core.rows import Row
from sentisynth_hub.core.run_folder import StageFolder
from sentisynth_hub.filter.filter_result import FilterResult
from sentisynth_hub.filter.teacher import Teacher
from sentisynth_hub.natural.folds import Folds, make_folds
from sentisynth_hub.natural.splits import NaturalData, Sample
from sentisynth_hub.pretrained.batching import fixed_threads, write_array
from sentisynth_hub.pretrained.head import cross_entropy
from sentisynth_hub.recipe import Recipe
from sentisynth_hub.recipe.variant_table import variant
from sentisynth_hub.study.choice import HeadFitter
from sentisynth_hub.study.distances import nearest_natural
from sentisynth_hub.study.features import Features, compute_features
from sentisynth_hub.study.finetune import run_finetune
from sentisynth_hub.study.head_trial import run_head
from sentisynth_hub.study.loop import Launch, start_launch
from sentisynth_hub.study.plan import plan_trials
from sentisynth_hub.study.predictions import TrialPredictions, item_ids, write_trials
from sentisynth_hub.study.progress import LiveTable
from sentisynth_hub.study.results import (
    DISTANCES,
    HUMAN_LABELS,
    PREDICTIONS,
    VALIDATION,
    HumanLabels,
    StudyResult,
    StudySummary,
    VariantSummary,
    load,
    shipped_variant,
)
from sentisynth_hub.study.store import TrialStore
from sentisynth_hub.study.tracking import check_trackers, report_trial, tracked
from sentisynth_hub.study.training_rows import Corpus
from sentisynth_hub.study.trial import Outcome, Trial, score
from sentisynth_hub.study.validation import labels_of


VERSION = 6
__all__ = ["VERSION", "StudyResult", "corpus_of", "decides", "load", "run_study"]
_LEAST_REPLICATES = 3  # from which their spread says how sure a difference is
_NOT_DECIDING: dict[str, Any] = {
    "margin": True,
    "looks": True,
    "trackers": True,
    "parallel": True,
    "zero_shot": {"file"},
}

Answers = Mapping[int, Sequence[str | None]]
"""By replicate, the generator's model's label of every test row; None: no answer."""


def decides(recipe: Recipe) -> dict[str, Any]:
    """The part of the recipe that decides a study's result: not its margin, trackers or how work is shared out."""
    study = recipe.study.model_dump(mode="json", exclude=_NOT_DECIDING)
    lexicon, key = recipe.study.word_translation, "study.word_translation.lexicon"
    if lexicon is not None and recipe.has_file(lexicon.lexicon, key):
        content = recipe.local_file(lexicon.lexicon, key).read_bytes()
        study["word_translation"]["sha256"] = sha256(content).hexdigest()
    return {**recipe.part("labels", "seed"), "validation": recipe.natural.validation, "study": study}


def corpus_of(
    filtered: FilterResult,
    replicate: int,
    candidates: Sequence[Row],
    pseudo_labelled: Sequence[Row],
    parents: Mapping[str, Row] | None = None,
) -> Corpus:
    """The synthetic rows of a replicate, without those that share a text with an evaluation row: they train nothing,
    filtered or not.

    Args:
        parents: Of the rows that were made from a natural one, that row by their `request_id`.
    """
    kept, overlapping = filtered.kept(replicate), filtered.evaluation_overlap(replicate)
    dropped = [part.row for part in filtered.rejected(replicate) if part.filter == Teacher.name]
    return Corpus(
        kept=kept,
        candidates=[row for row in candidates if row.request_id not in overlapping],
        judged=[row for row in [*kept, *dropped] if row.request_id not in overlapping],
        pseudo_labelled=pseudo_labelled,
        parents=parents or {},
    )


def run_study(
    recipe: Recipe,
    samples: Sequence[Sample],
    natural: NaturalData,
    corpora: Mapping[int, Corpus],
    folder: StageFolder,
    processes: Processes,
    answers: Answers | None = None,
) -> StudyResult:
    """Train every trial that is not in the store yet and gather the predictions.

    Args:
        samples: What each replicate may see, one a replicate.
        corpora: Synthetic rows by replicate; conditional studies have those of replicate 0 only.
        answers: For variants that are asked instead of trained.

    Raises:
        DataError: A variant has no rows, or no answers, in some replicate (before anything is trained).
        InputError: SetFit is to be trained in a launch of several processes.
        StageError: A loss is not a finite number.
    """
    check_trackers(recipe)
    trials = plan_trials(recipe, samples, natural, corpora)
    if processes.count > 1 and any(option.tuned for trial in trials for option in trial.options):
        raise InputError(
            f"study: setfit's own trainer would take all {processes.count} processes of this launch; run it with one, "
            "or leave setfit out of study.variants and natural_methods"
        )
    answered = _answered(recipe, samples, natural, answers or {})
    store = TrialStore.of(folder)
    digests = [trial.digest(recipe) for trial in trials]
    with fixed_threads(recipe.study.student.threads):
        features = _features(recipe, trials, natural, folder, processes)
        _train(recipe, trials, digests, features, store, folder, processes)
        processes.wait()
        if processes.is_main:
            outcomes = [store.read(digest) for digest in digests]
            _gather(recipe, natural, list(zip(trials, outcomes, strict=True)), answered, features, folder)
        processes.wait()
    return load(folder)


def _features(
    recipe: Recipe, trials: Sequence[Trial], natural: NaturalData, folder: StageFolder, processes: Processes
) -> Features | None:
    """Features of the trials that need heads: all in head mode, those with several options when fine-tuning."""
    head = recipe.study.mode == "head"
    texts = [text for trial in trials if head or trial.needs_heads for text in trial.texts()]
    if not texts:
        return None
    lasting = [row.text for row in natural.test] if head else []
    return compute_features(texts, recipe.study.student, folder.path.parent / "features", processes, lasting=lasting)


def _answered(
    recipe: Recipe, samples: Sequence[Sample], natural: NaturalData, answers: Answers
) -> list[TrialPredictions]:
    ids, truth = item_ids(natural.test), [str(row.label) for row in natural.test]
    answered = []
    for name in (name for name in recipe.study.variants if not variant(name).trained):
        for sample in samples:
            count = len(answers.get(sample.replicate, ()))
            if count != len(ids):
                raise DataError(
                    f"study: {name} has {count} answers for {len(ids)} test rows in replicate {sample.replicate}; "
                    "ask the generator's model for the missing ones, or leave the variant out"
                )
            answered.append(TrialPredictions(name, sample.replicate, ids, truth, answers[sample.replicate]))
    return answered


def _train(
    recipe: Recipe,
    trials: Sequence[Trial],
    digests: Sequence[str],
    features: Features | None,
    store: TrialStore,
    folder: StageFolder,
    processes: Processes,
) -> None:
    """Train this process's trials, or all of them together where each step is shared out."""
    head = recipe.study.mode == "head"
    shared = recipe.study.parallel == "data" and not head and processes.count > 1
    distinct: dict[str, Trial] = {}
    for trial, digest in zip(trials, digests, strict=True):
        distinct.setdefault(digest, trial)  # of equal trials the first is trained, under its name
    missing = [(digest, trial) for digest, trial in distinct.items() if not store.has(digest)]
    processes.wait()  # all have looked at what is there before the first writes something new
    table = LiveTable(recipe, store, list(zip(trials, digests, strict=True)))
    fitters: dict[int, HeadFitter] = {}
    with tracked(recipe, start_launch(recipe.study, processes, shared=shared, folder=folder.path)) as launch:
        for digest, trial in missing if shared else processes.mine(missing):
            if features is not None and trial.replicate not in fitters:
                fitters = {trial.replicate: HeadFitter(recipe, trial.natural, features)}
            outcome = _trained(recipe, trial, launch, fitters.get(trial.replicate), store.folder)
            if processes.is_main or not shared:
                store.write(digest, outcome)
            reached = score(recipe, trial.validation.rows, outcome.validation.predicted)
            report_trial(launch, trial.name, reached, outcome.losses)
            if processes.is_main:
                table.update()


def _trained(recipe: Recipe, trial: Trial, launch: Launch, fitter: HeadFitter | None, checkpoints: Path) -> Outcome:
    if recipe.study.mode == "head":
        assert fitter is not None, "head mode has features"
        return run_head(recipe, trial, fitter)
    return run_finetune(recipe, trial, launch, fitter=fitter, checkpoints=checkpoints).outcome


def _gather(
    recipe: Recipe,
    natural: NaturalData,
    pairs: Sequence[tuple[Trial, Outcome]],
    answered: Sequence[TrialPredictions],
    features: Features | None,
    folder: StageFolder,
) -> None:
    if recipe.study.cross_fitting is None:
        tested = [_predictions(trial, outcome, "test") for trial, outcome in pairs]
    else:
        tested = _cross_fitted(make_folds(recipe, natural), pairs)
    write_trials(folder.path / PREDICTIONS, recipe.labels, [*tested, *answered])
    validated = [_predictions(trial, outcome, "validation") for trial, outcome in pairs]
    write_trials(folder.path / VALIDATION, recipe.labels, validated)
    human: HumanLabels = {}
    for trial, outcome in pairs:
        human.setdefault(trial.variant, {})[trial.replicate] = outcome.human_labels
    for part in answered:  # its labels stand in its prompts and are counted there
        human.setdefault(part.variant, {})[part.replicate] = {}
    write_json(folder.path / HUMAN_LABELS, human)
    if features is not None and recipe.study.mode == "head" and recipe.study.cross_fitting is None:
        write_distances(folder.path / DISTANCES, [trial for trial, _ in pairs], features)
    summary = _summary(recipe, pairs, len(tested[0].item_ids))
    folder.finish(summary.model_dump(mode="json"))


def _predictions(trial: Trial, outcome: Outcome, split: str) -> TrialPredictions:
    rows, part = (trial.test, outcome.test) if split == "test" else (trial.validation.rows, outcome.validation)
    truth = [str(row.label) for row in rows]
    return TrialPredictions(trial.variant, trial.replicate, item_ids(rows), truth, part.predicted, part.probabilities)


def _cross_fitted(folds: Folds, pairs: Sequence[tuple[Trial, Outcome]]) -> list[TrialPredictions]:
    """One set of predictions over all items a repetition: each item by the trial whose test fold it was in."""
    ids = item_ids(folds.rows)
    by_variant: dict[tuple[str, int], dict[int, tuple[int, str, list[float]]]] = {}
    for trial, outcome in pairs:
        repetition, fold = divmod(trial.replicate, folds.count)
        test = outcome.test
        answers = zip(folds.tested(trial.replicate), test.predicted, test.probabilities, strict=True)
        by_item = by_variant.setdefault((trial.variant, repetition), {})
        by_item.update({place: (fold, label, probabilities) for place, label, probabilities in answers})
    return [
        TrialPredictions(
            name,
            repetition,
            ids,
            [str(row.label) for row in folds.rows],
            [by_item[place][1] for place in range(len(ids))],
            [by_item[place][2] for place in range(len(ids))],
            [by_item[place][0] for place in range(len(ids))],
        )
        for (name, repetition), by_item in by_variant.items()
    ]


def _summary(recipe: Recipe, pairs: Sequence[tuple[Trial, Outcome]], test_items: int) -> StudySummary:
    by_variant: dict[str, list[tuple[Trial, Outcome]]] = {}
    for trial, outcome in pairs:
        by_variant.setdefault(trial.variant, []).append((trial, outcome))
    losses = {name: [_losses(recipe, *pair) for pair in group] for name, group in by_variant.items()}
    study = recipe.study
    by_replicate = study.design == "nested" and len(losses["natural"]) >= _LEAST_REPLICATES
    return StudySummary(
        mode=study.mode,
        design=study.design,
        replicates=study.replicates,
        test_items=test_items,
        variants={
            name: VariantSummary(
                validation=[score(recipe, t.validation.rows, o.validation.predicted) for t, o in group],
                validation_loss=[o.validation_loss for _, o in group],
                training_rows=[sum(o.training_rows) for _, o in group],
                budgets=[o.budget for _, o in group],
                missing_labels={t.replicate: o.missing_labels for t, o in group if o.missing_labels},
            )
            for name, group in by_variant.items()
        },
        chosen_variant=shipped_variant(losses, by_replicate=by_replicate),
    )


def _losses(recipe: Recipe, trial: Trial, outcome: Outcome) -> Any:
    """Cross-entropy of each validation row, (rows,)."""
    truth = labels_of(trial.validation.rows, recipe.labels)
    return cross_entropy(np.array(outcome.validation.probabilities), truth)


def write_distances(path: Path, trials: Sequence[Trial], features: Features) -> None:
    """Write the distance of every test item to its replicate's nearest natural training row, (replicates, items)
    float32.
    """
    firsts = {trial.replicate: trial for trial in reversed(trials)}
    distances = [nearest_natural(firsts[replicate], features) for replicate in sorted(firsts)]
    write_array(path, np.stack(distances))
