"""A verdict on any two models, from their predictions alone: no recipe, no study, nothing of ours in the files.

    evaluation = judge("minilm.csv", "tfidf.csv", margin=0.01)
    print(verdict_sentence(evaluation))

A source is a CSV, TSV, JSONL or Parquet file, a DataFrame, or a mapping of columns, one row a prediction:

    label       the true label
    predicted   the model's (empty: it gave none)
    item_id     which test row it is; left out, the rows are paired in their order
    seed        which run of the model, where there were several; run 1 of one model goes with run 1 of the other

`predictions.parquet` of a study fits too: `FILE:variant` names one of its variants.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sentisynth_hub.core.errors import InputError
from sentisynth_hub.core.read_files import read_file
from sentisynth_hub.metrics.classification import NO_ANSWER
from sentisynth_hub.recipe.study_section import Metric
from sentisynth_hub.study.predictions import StudyPredictions
from sentisynth_hub.verdict.clusters import near_duplicate_clusters
from sentisynth_hub.verdict.evaluate import EvaluationConfig, TestItems, evaluate_study
from sentisynth_hub.verdict.evaluation import Evaluation


COLUMNS = {
    "label": ("label", "true_label", "gold", "y_true", "truth"),
    "predicted": ("predicted", "prediction", "pred", "y_pred", "predicted_label"),
    "item_id": ("item_id", "id", "row_id"),
    "seed": ("seed", "replicate", "run"),
}
"""What a column may be called, by what it holds."""


@dataclass(frozen=True)
class ModelRuns:
    """The predictions of one model: true label by item, and by run the predicted label of each item."""

    name: str
    truth: dict[str, str]
    runs: list[dict[str, str | None]]


def judge(
    model: object,
    baseline: object,
    *,
    names: tuple[str, str] | None = None,
    metric: Metric = "macro_f1",
    margin: float = 0.01,
    alpha: float = 0.05,
    texts: Sequence[str] | None = None,
    clusters: Sequence[object] | None = None,
    resamples: int = 9_999,
    seed: int = 0,
) -> Evaluation:
    """Judge whether `model` is better than `baseline`.

    Args:
        model, baseline: Sources of predictions; see the module.
        names: What the two are called in the sentence; by default their files' names.
        metric: `macro_f1`, `accuracy` or `weighted_f1`.
        margin: A difference smaller than this does not matter to you.
        alpha: Rate of false verdicts allowed.
        texts: Texts of the test rows, in the order of `model`: near-duplicates then count as one, and slices are
            compared.
        clusters: In place of `texts`, or beside them: an id for each test row, the same for rows that belong together
            (author, thread, document).
        resamples: Of the bootstrap that checks the interval; 0 leaves it out.
        seed: Of the bootstrap.

    Returns:
        The evaluation. With one run each it speaks about these two trained models, with several about the way they
        are trained.

    Raises:
        InputError: A column is missing, or the two are not about the same test rows with the same true labels.
    """
    first = read_runs(model, names[0] if names else None, "model")
    second = read_runs(baseline, names[1] if names else None, "baseline")
    if first.name == second.name:
        raise InputError(f"judge: both models are called {first.name!r}; give each a name of its own")
    _check_pair(first, second)
    items = list(first.truth)
    labels = sorted({*first.truth.values()} | {label for runs in (first, second) for label in _answers(runs)})
    place: dict[str | None, int] = {None: NO_ANSWER} | {label: number for number, label in enumerate(labels)}
    study = StudyPredictions(
        tuple(labels),
        tuple(items),
        np.array([place[first.truth[item]] for item in items]),
        {runs.name: np.array([[place[run[item]] for item in items] for run in runs.runs]) for runs in (second, first)},
    )
    if clusters is None and texts is not None:
        _check_length(texts, items, "texts")
        clusters = near_duplicate_clusters(texts).tolist()
    if clusters is not None:
        _check_length(clusters, items, "clusters")
    config = EvaluationConfig(
        metric=metric,
        margin=margin,
        design="models",
        primary=first.name,
        baseline=second.name,
        control=None,
        alpha=alpha,
        resamples=resamples,
        seed=seed,
    )
    return evaluate_study(study, config, test_items=TestItems(texts=texts, clusters=clusters))


def read_runs(source: object, name: str | None = None, fallback: str = "model") -> ModelRuns:
    """The runs of one model from a file, a DataFrame or a mapping of columns.

    Raises:
        InputError: A column is missing, a prediction is there twice, or an item has two true labels.
        DataError: The file cannot be read.
    """
    records, where = _records(source)
    name = name or (where if where is not None else fallback)
    if not records:
        raise InputError(f"judge: {name} holds no prediction")
    columns = _columns(records[0], name)
    truth: dict[str, str] = {}
    runs: dict[str, dict[str, str | None]] = {}
    for record in records:
        run = _cell(record[columns["seed"]]) if "seed" in columns else ""
        answers = runs.setdefault(run or "", {})
        item = _cell(record[columns["item_id"]]) if "item_id" in columns else str(len(answers))
        label = _cell(record[columns["label"]])
        if item is None or label is None:
            raise InputError(f"judge: {name}: a row has no item id or no true label; give every row both")
        if item in answers:
            raise InputError(
                f"judge: {name}: item {item!r} is predicted twice in one run; name the runs in a column `seed`"
            )
        if truth.setdefault(item, label) != label:
            raise InputError(f"judge: {name}: item {item!r} has two true labels, {truth[item]!r} and {label!r}")
        answers[item] = _cell(record[columns["predicted"]])
    for answers in runs.values():
        if len(answers) != len(truth):
            raise InputError(
                f"judge: {name}: one run predicts {len(answers)} of {len(truth)} items; every run needs all of them"
            )
    return ModelRuns(name, truth, [runs[run] for run in sorted(runs, key=_by_value)])


def _records(source: object) -> tuple[list[Mapping[str, Any]], str | None]:
    """One mapping a row, and the name the source suggests."""
    if isinstance(source, str | Path):
        path, variant = Path(source), None
        if not path.is_file() and ":" in str(source):
            before, _, variant = str(source).rpartition(":")
            path = Path(before)
        records: list[Mapping[str, Any]] = [record for _, record in read_file(path)]
        variants = list(dict.fromkeys(str(record["variant"]) for record in records if "variant" in record))
        if variant is None and len(variants) > 1:
            raise InputError(f"judge: {path} holds {', '.join(variants)}; name one: {path}:{variants[0]}")
        if variant is not None and variant not in variants:
            raise InputError(f"judge: {path} holds no variant {variant!r}; it holds {', '.join(variants) or 'none'}")
        if variant is not None:
            return [record for record in records if str(record["variant"]) == variant], variant
        return records, path.stem
    if hasattr(source, "to_dict") and hasattr(source, "columns"):  # a DataFrame, of pandas or what imitates it
        return list(source.to_dict("records")), None
    if isinstance(source, Mapping):
        lengths = {len(column) for column in source.values()}
        if len(lengths) > 1:
            raise InputError(f"judge: the columns have {', '.join(map(str, sorted(lengths)))} rows; give as many each")
        return [dict(zip(source, row, strict=True)) for row in zip(*source.values(), strict=True)], None
    raise InputError(
        f"judge: {type(source).__name__} holds no predictions; give a file, a DataFrame or a mapping of columns"
    )


def _columns(record: Mapping[str, Any], name: str) -> dict[str, str]:
    columns = {}
    for meaning, spellings in COLUMNS.items():
        present = next((column for column in spellings if column in record), None)
        if present is not None:
            columns[meaning] = present
        elif meaning in ("label", "predicted"):
            raise InputError(
                f"judge: {name}: no column {meaning!r} ({', '.join(spellings[1:])} would do); its columns are "
                f"{', '.join(map(str, record))}"
            )
    return columns


def _cell(value: Any) -> str | None:
    """A label, id or seed as text: 1, 1.0 and "1" are the same; None where there is nothing."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, float | np.floating) and float(value).is_integer():
        value = int(value)
    text = str(value).strip()
    return text or None


def _by_value(name: str) -> tuple[int, int, str]:
    """Runs in the order of their numbers, then by name."""
    return (0, int(name), "") if name.isdecimal() else (1, 0, name)


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
