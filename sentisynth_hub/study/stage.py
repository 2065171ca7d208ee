"""The study stage: every variant in every replicate, trained once, whatever happens on the way.

    manifest = run_study(recipe, samples, natural, corpora, folder, processes)

Each trial is one file in `trials/`, so a study that is killed goes on with the trials that are missing. When all are
there the first process writes `predictions.parquet` (test rows, read by the statistics), `validation.parquet`,
`human_labels.json` (ids of the human labels each trial used, by use), `distances.npy` and, last, the manifest.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sentisynth_hub.core import log
from sentisynth_hub.core.distributed import Processes
from sentisynth_hub.core.errors import DataError, StageError
from sentisynth_hub.core.files import read_json, replaced, write_json
from sentisynth_hub.core.run_folder import StageFolder
from sentisynth_hub.natural.folds import Folds, make_folds
from sentisynth_hub.natural.splits import NaturalData, Sample
from sentisynth_hub.pretrained.batching import fixed_threads
from sentisynth_hub.recipe import Recipe
from sentisynth_hub.study.distances import nearest_natural
from sentisynth_hub.study.features import Features, compute_features
from sentisynth_hub.study.loop import start_launch
from sentisynth_hub.study.progress import LiveTable
from sentisynth_hub.study.tracking import check_trackers, report_trial, tracked
from sentisynth_hub.study.trial import Trial, matched_steps, run_finetune, run_head
from sentisynth_hub.study.trial_predictions import TrialPredictions, item_ids, write_trials
from sentisynth_hub.study.variants import Corpus, check_corpora, publishable, reordered, variant_rows


VERSION = 5
NOT_TRAINED = "llm_classifier"  # the one variant that is asked for the test rows instead of trained


def run_study(
    recipe: Recipe,
    samples: Sequence[Sample],
    natural: NaturalData,
    corpora: Mapping[int, Corpus],
    folder: StageFolder,
    processes: Processes,
    answers: Mapping[int, Sequence[str | None]] | None = None,
) -> dict[str, Any]:
    """Train every trial that is not there yet and gather the predictions; return the manifest.

    Args:
        samples: What each replicate may see, one a replicate.
        corpora: Synthetic rows by replicate; conditional studies have those of replicate 0 only.
        answers: For the variant `llm_classifier`: by replicate, the model's label of every test row (None: no answer).

    Raises:
        DataError: A variant has no rows, or `llm_classifier` no answers, in some replicate (before anything is
            trained).
        StageError: A loss is not a finite number.
    """
    check_trackers(recipe)
    trials = plan_trials(recipe, samples, natural, corpora)
    asked = _asked(recipe, samples, natural, answers or {})
    with fixed_threads(recipe.study.student.threads):
        features = None
        if recipe.study.mode == "head":
            kept, tested = folder.path.parent / "features", (row.text for row in natural.test)
            features = compute_features(_texts(trials), recipe.study.student, kept, processes, lasting=tested)
        _train(recipe, trials, features, folder.path / "trials", processes)
        processes.wait()
        if processes.is_main:
            _gather(recipe, natural, trials, asked, features, folder)
        processes.wait()
    return folder.manifest()


def plan_trials(
    recipe: Recipe, samples: Sequence[Sample], natural: NaturalData, corpora: Mapping[int, Corpus]
) -> list[Trial]:
    """Every trial of the study, replicate by replicate."""
    check_corpora(recipe, corpora)
    folds = make_folds(recipe, natural) if recipe.study.cross_fitting else None
    trials = []
    for sample in samples:
        seen, corpus = sample_of(recipe, sample, corpora)
        known = natural if folds is None else folds.natural(sample.replicate)
        trials += plan_replicate(recipe, seen, known, corpus, recipe.study.variants)
    return trials


def _asked(
    recipe: Recipe, samples: Sequence[Sample], natural: NaturalData, answers: Mapping[int, Sequence[str | None]]
) -> list[TrialPredictions]:
    if NOT_TRAINED not in recipe.study.variants:
        return []
    ids, truth = item_ids(natural.test), [str(row.label) for row in natural.test]
    for sample in samples:
        found = len(answers.get(sample.replicate, ()))
        if found != len(ids):
            raise DataError(
                f"study: {NOT_TRAINED} has {found} answers for {len(ids)} test rows in replicate {sample.replicate}; "
                "ask the generator's model for the missing ones, or leave the variant out"
            )
    return [TrialPredictions(NOT_TRAINED, one.replicate, ids, truth, answers[one.replicate]) for one in samples]


def sample_of(recipe: Recipe, sample: Sample, corpora: Mapping[int, Corpus]) -> tuple[Sample, Corpus]:
    """The rows a replicate trains on: its own, or in the conditional design all of the one sample, and one corpus."""
    if recipe.study.design == "conditional":
        return reordered(recipe, sample), corpora[0]
    return sample, corpora[sample.replicate]


def plan_replicate(
    recipe: Recipe, sample: Sample, natural: NaturalData, corpus: Corpus, variants: Sequence[str]
) -> list[Trial]:
    """The trials of one replicate; a label without a training row is warned of, since it will never be predicted."""
    steps = matched_steps(recipe, len(sample.train) + len(corpus.kept))
    trials = []
    for variant in variants:
        if variant == NOT_TRAINED:
            continue
        rows = variant_rows(variant, recipe, sample, corpus, natural)
        if rows.missing_labels:
            log.warn(
                f"study: {variant} has no row of {', '.join(rows.missing_labels)} in replicate {sample.replicate}; "
                "it can never predict it"
            )
        trials.append(Trial(variant, sample.replicate, rows, sample.train, sample.validation, natural.test, steps))
    return trials


def _train(
    recipe: Recipe, trials: Sequence[Trial], features: Features | None, folder: Path, processes: Processes
) -> None:
    """Train this process's trials, or all of them together where each step is shared out."""
    shared = recipe.study.parallel == "data" and features is None and processes.count > 1
    mine = list(trials) if shared else processes.mine(trials)
    done = {trial.name for trial in mine if _finished(recipe, trial, folder)}
    if shared:
        processes.wait()  # all have looked at what is there before the first writes something new
    table = LiveTable(folder, [(trial.variant, trial.replicate) for trial in trials], recipe.study.metric)
    with tracked(recipe, start_launch(recipe.study, processes, shared=shared, folder=folder.parent)) as launch:
        for trial in mine:
            if trial.name in done:
                continue
            if features is not None:
                outcome = run_head(recipe, trial, features)
            else:
                outcome, _, _ = run_finetune(recipe, trial, launch, checkpoints=folder)
            if processes.is_main or not shared:
                write_json(_path(folder, trial), outcome)
            report_trial(launch, trial.name, outcome["validation"]["score"], outcome["chosen"].get("losses", ()))
            if processes.is_main:
                table.update()


def _path(folder: Path, trial: Trial) -> Path:
    return folder / f"{trial.name}.json"


def _finished(recipe: Recipe, trial: Trial, folder: Path) -> bool:
    """Whether the trial's file is there and came from the same inputs."""
    path = _path(folder, trial)
    return path.exists() and read_json(path)["digest"] == trial.digest(recipe)


def _gather(
    recipe: Recipe,
    natural: NaturalData,
    trials: Sequence[Trial],
    asked: Sequence[TrialPredictions],
    features: Features | None,
    folder: StageFolder,
) -> None:
    outcomes = []
    for trial in trials:
        if not _finished(recipe, trial, folder.path / "trials"):
            raise StageError(f"study: trial {trial.name} is missing though its process is done; run the study again")
        outcomes.append(read_json(_path(folder.path / "trials", trial)))
    pairs = list(zip(trials, outcomes, strict=True))
    if recipe.study.cross_fitting is None:
        tested = [_predictions(trial, outcome, "test") for trial, outcome in pairs]
    else:
        tested = _cross_fitted(make_folds(recipe, natural), pairs)
    write_trials(folder.path / "predictions.parquet", recipe.labels, [*tested, *asked])
    validated = [_predictions(trial, outcome, "validation") for trial, outcome in pairs]
    write_trials(folder.path / "validation.parquet", recipe.labels, validated)
    human: dict[str, dict[str, Any]] = {}
    for outcome in outcomes:
        human.setdefault(outcome["variant"], {})[str(outcome["replicate"])] = outcome["human_labels"]
    for one in asked:  # its labels stand in its prompts and are counted there
        human.setdefault(one.variant, {})[str(one.replicate)] = {}
    write_json(folder.path / "human_labels.json", human)
    if features is not None and recipe.study.cross_fitting is None:
        write_distances(folder.path / "distances.npy", trials, features)
    folder.finish(_manifest(recipe, outcomes, len(tested[0].item_ids)))


def _predictions(trial: Trial, outcome: dict[str, Any], split: str) -> TrialPredictions:
    rows = trial.test if split == "test" else trial.validation
    found = outcome[split]
    return TrialPredictions(
        trial.variant,
        trial.replicate,
        item_ids(rows),
        [str(row.label) for row in rows],
        found["predicted"],
        found["probabilities"],
    )


def _cross_fitted(folds: Folds, pairs: Sequence[tuple[Trial, dict[str, Any]]]) -> list[TrialPredictions]:
    """One set of predictions over all items a repetition: each item by the trial whose test fold it was in."""
    ids = item_ids(folds.rows)
    found: dict[tuple[str, int], dict[int, tuple[int, str, list[float]]]] = {}
    for trial, outcome in pairs:
        repetition, fold = divmod(trial.replicate, folds.count)
        test = outcome["test"]
        answers = zip(folds.tested(trial.replicate), test["predicted"], test["probabilities"], strict=True)
        by_item = found.setdefault((trial.variant, repetition), {})
        by_item.update({place: (fold, label, probabilities) for place, label, probabilities in answers})
    return [
        TrialPredictions(
            variant,
            repetition,
            ids,
            [str(row.label) for row in folds.rows],
            [by_item[place][1] for place in range(len(ids))],
            [by_item[place][2] for place in range(len(ids))],
            [by_item[place][0] for place in range(len(ids))],
        )
        for (variant, repetition), by_item in found.items()
    ]


def _manifest(recipe: Recipe, outcomes: Sequence[dict[str, Any]], test_items: int) -> dict[str, Any]:
    """Per variant its validation scores, rows, steps or penalties, and missing labels by replicate; and which one to
    publish.
    """
    variants: dict[str, dict[str, Any]] = {}
    for outcome in outcomes:
        found = variants.setdefault(
            outcome["variant"], {"validation": [], "training_rows": [], "chosen": [], "missing_labels": {}}
        )
        found["validation"].append(outcome["validation"]["score"])
        found["training_rows"].append(sum(outcome["training_rows"]))
        found["chosen"].append(
            {key: outcome["chosen"][key] for key in ("steps", "penalty") if key in outcome["chosen"]}
        )
        if outcome["missing_labels"]:
            found["missing_labels"][str(outcome["replicate"])] = outcome["missing_labels"]
    return {
        "mode": recipe.study.mode,
        "design": recipe.study.design,
        "replicates": recipe.study.replicates,
        "test_items": test_items,
        "variants": variants,
        "chosen_variant": best_on_validation(variants),
    }


def best_on_validation(variants: Mapping[str, dict[str, Any]]) -> str:
    """The publishable variant with the best mean validation score; of equal ones `natural`, else the first by name."""
    names = ["natural", *sorted(name for name in variants if publishable(name))]
    return max(names, key=lambda name: float(np.mean(variants[name]["validation"])))


def write_distances(path: Path, trials: Sequence[Trial], features: Features) -> None:
    """Write the distance of every test item to its replicate's nearest natural training row, (replicates, items)
    float32.
    """
    firsts = {trial.replicate: trial for trial in reversed(trials)}
    distances = [nearest_natural(firsts[replicate], features) for replicate in sorted(firsts)]
    with replaced(path) as temporary, open(temporary, "wb") as handle:
        np.save(handle, np.stack(distances))


def _texts(trials: Sequence[Trial]) -> Iterator[str]:
    seen: set[int] = set()
    for trial in trials:
        for rows in (*(stage.rows for stage in trial.rows.stages), trial.natural, trial.validation, trial.test):
            if id(rows) not in seen:  # replicates share most of their lists
                seen.add(id(rows))
                yield from (row.text for row in rows)
