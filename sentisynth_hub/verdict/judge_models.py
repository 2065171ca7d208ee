"""A verdict on any two models, from their predictions alone: no recipe, no study, nothing of ours in the files.

    judgement = judge("minilm.csv", "tfidf.csv", margin=0.01)
    print(judgement)

`model_runs.py` says what a source may be and which columns it may have.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from sentisynth_hub.core.errors import InputError
from sentisynth_hub.metrics.classification import NO_ANSWER, Array
from sentisynth_hub.recipe.study_section import Metric
from sentisynth_hub.study.predictions import StudyPredictions
from sentisynth_hub.verdict.clusters import near_duplicate_clusters
from sentisynth_hub.verdict.evaluate import EvaluationConfig, TestItems, evaluate_study
from sentisynth_hub.verdict.evaluation import LEAST_REPLICATES
from sentisynth_hub.verdict.judgement import Judgement
from sentisynth_hub.verdict.model_runs import ModelRuns, read_runs


def judge(
    model: object,
    baseline: object,
    *,
    names: tuple[str, str] | None = None,
    metric: Metric = "macro_f1",
    margin: float = 0.01,
    alpha: float = 0.05,
    label_names: Sequence[str] | None = None,
    texts: Sequence[str] | None = None,
    clusters: Sequence[object] | None = None,
    resamples: int = 9_999,
    seed: int = 0,
) -> Judgement:
    """Judge whether `model` is better than `baseline`, from their predictions.

    A source is a CSV, TSV, JSONL or Parquet file, a DataFrame, or a mapping of columns (lists, NumPy arrays, tensors),
    one row a prediction: `label` and `predicted`, and where there are any `item_id`, `seed` (run 1 of one model goes
    with run 1 of the other), `fold` (every fold has a model of its own), `text`, `cluster`, and `probabilities` or
    `probability_<label>`.

    Args:
        model: Predictions of the model in question.
        baseline: Predictions of what it is compared with.
        names: What the two are called in the sentence; by default their files' names.
        metric: `macro_f1`, `accuracy` or `weighted_f1`. With probabilities, log-loss and Brier stand beside it.
        margin: A difference smaller than this does not matter to you.
        alpha: Rate of false verdicts allowed.
        label_names: Names of labels that are integers; the order of `probabilities`.
        texts: Texts of the test rows, in the order of `model`, in place of a column `text`: near-duplicates then
            count as one, and slices are compared.
        clusters: An id for each test row, the same for rows that belong together (author, thread, document), in place
            of a column `cluster`.
        resamples: Of the bootstrap that checks the interval; 0 leaves it out.
        seed: Of the bootstrap.

    Returns:
        The judgement. With one run each it speaks about these two trained models, with several, or with folds, about
        the way they are trained.

    Raises:
        InputError: A column is missing, or the two are not about the same test rows with the same true labels.
        DataError: A file cannot be read.
    """
    first = read_runs(model, names[0] if names else None, "model", label_names)
    second = read_runs(baseline, names[1] if names else None, "baseline", label_names)
    if first.name == second.name:
        raise InputError(
            f"judge: both models are called {first.name!r}; give each a name: names=(...), or --names A,B"
        )
    _check_pair(first, second)
    items = list(first.truth)
    labels = sorted({*first.truth.values(), *first.labels, *second.labels} | {*_answers(first), *_answers(second)})
    place: dict[str | None, int] = {None: NO_ANSWER} | {label: number for number, label in enumerate(labels)}
    folds = _folds(first, second, items)
    study = StudyPredictions(
        tuple(labels),
        tuple(items),
        np.array([place[first.truth[item]] for item in items]),
        {runs.name: np.array([[place[run[item]] for item in items] for run in runs.runs]) for runs in (second, first)},
        {runs.name: _probabilities(runs, items, labels) for runs in (second, first) if runs.probabilities},
        folds,
    )
    if texts is None and first.texts:
        texts = [first.texts[item] for item in items]
    if clusters is None and first.clusters:
        clusters = [first.clusters[item] for item in items]
    if texts is not None:
        _check_length(texts, items, "texts")
        clusters = near_duplicate_clusters(texts).tolist() if clusters is None else clusters
    if clusters is not None:
        _check_length(clusters, items, "clusters")
    config = EvaluationConfig(
        metric=metric,
        margin=margin,
        design="models" if folds is None else "models_by_fold",
        primary=first.name,
        baseline=second.name,
        control=None,
        alpha=alpha,
        resamples=resamples,
        seed=seed,
    )
    return Judgement.of(evaluate_study(study, config, test_items=TestItems(texts=texts, clusters=clusters)))


def _folds(first: ModelRuns, second: ModelRuns, items: Sequence[str]) -> Array | None:
    """The fold of every prediction, (runs, items); None where neither model has folds.

    Raises:
        InputError: The two were not tested in the same folds, or there are too few fold models for a verdict.
    """
    if not first.folds and not second.folds:
        return None
    if first.folds != second.folds:
        raise InputError(
            f"judge: {first.name} and {second.name} were not tested in the same folds; divide the rows once, train "
            "both on it, and give both files the column `fold`"
        )
    numbers = [{name: place for place, name in enumerate(sorted(set(run.values())))} for run in first.folds]
    count = sum(len(names) for names in numbers)
    if len({len(names) for names in numbers}) > 1 or len(numbers[0]) < 2 or count < LEAST_REPLICATES:
        raise InputError(
            f"judge: {count} fold models in {len(numbers)} repetition(s) are too few for a verdict; it needs "
            f"{LEAST_REPLICATES}, such as 5 folds, or 3 folds twice (told apart by `seed`), as many folds each time"
        )
    return np.array([[names[run[item]] for item in items] for names, run in zip(numbers, first.folds, strict=True)])


def _probabilities(runs: ModelRuns, items: Sequence[str], labels: Sequence[str]) -> Array:
    """(runs, items, labels); 0 for labels the model does not have."""
    shares = np.zeros((len(runs.runs), len(items), len(labels)))
    places = [labels.index(label) for label in runs.labels]
    shares[:, :, places] = [[run[item] for item in items] for run in runs.probabilities]
    return shares


def _answers(runs: ModelRuns) -> Iterable[str]:
    return (label for run in runs.runs for label in run.values() if label is not None)


def _check_pair(first: ModelRuns, second: ModelRuns) -> None:
    missing = [item for item in first.truth if item not in second.truth]
    if missing or len(first.truth) != len(second.truth):
        shared = len(first.truth) - len(missing)
        raise InputError(
            f"judge: {first.name} has {len(first.truth)} items, {second.name} {len(second.truth)}, and {shared} are "
            "in both; predict the same test rows with both models"
        )
    differing = [item for item, label in first.truth.items() if second.truth[item] != label]
    if differing:
        raise InputError(
            f"judge: the true label of {len(differing)} items differs between the two, e.g. of {differing[0]!r}; "
            "score both against the same version of the data"
        )
    if len(first.runs) != len(second.runs):
        raise InputError(
            f"judge: {first.name} has {len(first.runs)} runs, {second.name} {len(second.runs)}; give as many of each"
        )


def _check_length(values: Sequence[object], items: Sequence[str], what: str) -> None:
    if len(values) != len(items):
        raise InputError(f"judge: {len(values)} {what} for {len(items)} test rows; give one for each")
