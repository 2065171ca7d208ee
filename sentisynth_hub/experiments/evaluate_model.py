"""Scoring any classifier on any labelled texts, and comparing two files of predictions item by item.

    score, predicted = score_model("org/model", read_labelled("org/dataset", split="test"))

    from sentisynth_hub.experiments.prediction_tables import read_variant
    difference = compare_predictions(read_variant("a.parquet"), read_variant("b.parquet"), metric="macro_f1")

Both speak of these test items only: one training run has no say on what the next one would do
(docs/concepts/evidence.md).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

from sentisynth_hub.core.cells import NO_LABEL, NO_TEXT, Columns, LeftOut, label_cell, text_cell
from sentisynth_hub.core.errors import DataError, InputError, did_you_mean
from sentisynth_hub.core.open_records import is_file_name, open_records
from sentisynth_hub.core.rows import Row
from sentisynth_hub.experiments.prediction_tables import OneVariant


ALPHA = 0.05
RESAMPLES = 9_999


class Score(TypedDict):
    """Metrics of one model: `metrics` by name with the 95 % interval over items, `labels` F1 by label, `items`,
    `no_answer` and `left_out` (by reason) counts.
    """

    model: str
    dataset: str
    items: int
    no_answer: int
    left_out: dict[str, int]
    metrics: dict[str, dict[str, Any]]
    labels: dict[str, dict[str, float]]
    confusion: list[list[int]]
    table: list[str]


class Difference(TypedDict):
    """`second − first` on one metric over the items both predicted, with interval and p over items (and replicates
    where there are any).
    """

    first: str
    second: str
    metric: str
    items: int
    replicates: int
    scores: tuple[float, float]
    difference: float
    interval: tuple[float, float]
    p: float
    mcnemar: list[Any]
    sentence: str


@dataclass(frozen=True)
class Labelled:
    """Labelled texts to score on; `name` says what they are, `left_out` how many rows are none and why."""

    name: str
    rows: list[Row]
    left_out: dict[str, int] = field(default_factory=dict)


def read_labelled(
    source: str,
    *,
    split: str = "test",
    revision: str | None = None,
    config_name: str | None = None,
    text_column: str = "text",
    label_column: str = "label",
) -> Labelled:
    """Read labelled texts from a file or from a split of a Hub dataset; warn of the rows that lack text or label.

    Raises:
        DataError: A file, column or split is missing, a cell holds something else than text or label, or no row has
            both.
    """
    records = open_records(source, split=split, revision=revision, config_name=config_name)
    columns = Columns(text_column, label_column, "choose with --text and --label-column")
    names = records.class_names(label_column)
    rows, left_out = [], LeftOut()
    for number, record in records.rows:
        where = f"{source}: row {number}"
        text, label = text_cell(record, columns, where), label_cell(record, columns, where, names)
        if text is None or label is None:
            left_out.count(NO_TEXT if text is None else NO_LABEL)
        else:
            rows.append(Row(text, label, request_id=where))
    if not rows:
        raise DataError(f"{source}: no row has both a text and a label; there is nothing to score")
    left_out.rows = len(rows)
    left_out.say(records.name)
    name = Path(source).name if is_file_name(source) else records.name
    return Labelled(name, rows, dict(left_out.reasons))


def score_model(
    model: str, labelled: Labelled, *, revision: str | None = None, label_names: Mapping[str, str] | None = None
) -> tuple[Score, list[str]]:
    """Predict every text and score the labels.

    Args:
        model: Hub id or folder of a text classifier.
        label_names: What the model's labels are called in the data, e.g. `{"LABEL_0": "negative"}`.

    Returns:
        The score, and the predicted label of every row.

    Raises:
        DataError: The data has a label that the model never gives.
        InputError: The model cannot be opened, or has no trained classification head.
    """
    from sentisynth_hub.pretrained.classifier import open_classifier

    classifier = open_classifier(model, revision)
    renamed = {label: (label_names or {}).get(label, label) for label in classifier.labels}
    labels = list(dict.fromkeys(renamed.values()))
    for row in labelled.rows:
        if row.label not in labels:
            raise DataError(
                f"{labelled.name}: label {row.label!r} is none of the model's ({', '.join(labels)})"
                f"{did_you_mean(str(row.label), labels)}; say what the model calls it with --label MODEL=DATA"
            )
    predicted = [renamed[label] for label in classifier.predict([row.text for row in labelled.rows])]
    return score_labels(str(model), labelled, predicted, labels), predicted


def score_labels(model: str, labelled: Labelled, predicted: Sequence[str | None], labels: Sequence[str]) -> Score:
    """Score predicted labels (None: no answer) against the true ones."""
    import numpy as np

    from sentisynth_hub.metrics.classification import (
        NO_ANSWER,
        confusion_counts,
        f1_per_class,
        precision_per_class,
        recall_per_class,
    )
    from sentisynth_hub.verdict.statistics.single_model import single_model_scores

    place = {label: i for i, label in enumerate(labels)}
    y = np.array([place[str(row.label)] for row in labelled.rows])
    answers = np.array([NO_ANSWER if label is None else place[label] for label in predicted])
    counts = confusion_counts(y, answers, len(labels))
    metrics: dict[str, dict[str, Any]] = {
        name: {"value": result.value, "interval": (result.low, result.high)}
        for name, result in single_model_scores(y, answers, len(labels)).items()
    }
    by_label = zip(
        precision_per_class(counts), recall_per_class(counts), f1_per_class(counts), counts.sum(-1), strict=True
    )
    score: Score = {
        "model": model,
        "dataset": labelled.name,
        "items": len(y),
        "no_answer": int((answers == NO_ANSWER).sum()),
        "left_out": labelled.left_out,
        "metrics": metrics,
        "labels": {
            label: {"precision": float(p), "recall": float(r), "f1": float(f1), "items": int(items)}
            for label, (p, r, f1, items) in zip(labels, by_label, strict=True)
        },
        "confusion": counts.tolist(),
        "table": [],
    }
    score["table"] = _table(score)
    return score


def compare_predictions(first: OneVariant, second: OneVariant, *, metric: str) -> Difference:
    """Compare two variants over the items both have, paired item by item (and replicate by replicate where both have
    as many).

    Raises:
        InputError: They share no item, disagree on a true label, or have different numbers of replicates.
    """
    import numpy as np

    from sentisynth_hub.metrics.classification import METRICS, NO_ANSWER, confusion_counts
    from sentisynth_hub.study.predictions import StudyPredictions
    from sentisynth_hub.verdict.statistics.bootstrap import crossed_bootstrap
    from sentisynth_hub.verdict.statistics.scores import by_replicate

    shared = [item for item in first.truth if item in second.truth]
    if not shared:
        raise InputError(
            f"compare: {first.name} and {second.name} share no item; they are not about the same test rows"
        )
    disagreeing = [item for item in shared if first.truth[item] != second.truth[item]]
    if disagreeing:
        raise InputError(
            f"compare: the true label of {len(disagreeing)} items differs between the files, e.g. {disagreeing[0]}; "
            "score both against the same version of the data"
        )
    if len(first.predicted) != len(second.predicted):
        raise InputError(
            f"compare: {first.name} has {len(first.predicted)} replicates, {second.name} has {len(second.predicted)}; "
            "compare variants of one study, or one trial with one trial"
        )
    labels = list(dict.fromkeys([*first.labels, *second.labels]))
    place: dict[str | None, int] = {None: NO_ANSWER, **{label: i for i, label in enumerate(labels)}}
    y = np.array([place[first.truth[item]] for item in shared])
    arms = {
        name: np.array([[place[answers[item]] for item in shared] for answers in variant.predicted])
        for name, variant in (("first", first), ("second", second))
    }
    resampled = crossed_bootstrap(y, arms, len(labels), metric, resamples=RESAMPLES, seed=0)
    scores = {
        name: float(METRICS[metric](confusion_counts(y, answers, len(labels))).mean())
        for name, answers in arms.items()
    }
    weights = {"second": 1.0, "first": -1.0}
    interval, p = resampled.interval(weights, ALPHA), resampled.p_value(weights)
    study = StudyPredictions(tuple(labels), tuple(shared), y, arms)
    difference = scores["second"] - scores["first"]
    return {
        "first": first.name,
        "second": second.name,
        "metric": metric,
        "items": len(shared),
        "replicates": len(first.predicted),
        "scores": (scores["first"], scores["second"]),
        "difference": difference,
        "interval": interval,
        "p": p,
        "mcnemar": [counts.model_dump() for counts in by_replicate(study, "second", "first", clustered=False)],
        "sentence": _sentence(first.name, second.name, metric, interval, len(first.predicted)),
    }


def _sentence(first: str, second: str, metric: str, interval: tuple[float, float], replicates: int) -> str:
    about = (
        f"over {replicates} replicates and the items"
        if replicates > 1
        else "of these two models, not of how they were trained"
    )
    if interval[0] > 0:
        return f"{second} has the better {metric} ({about})"
    if interval[1] < 0:
        return f"{first} has the better {metric} ({about})"
    return f"these items cannot tell which has the better {metric} ({about})"


def _table(score: Score) -> list[str]:
    lines = [f"{score['model']} on {score['dataset']}, {score['items']} items"]
    for name, metric in score["metrics"].items():
        low, high = metric["interval"]
        lines.append(f"  {name:<12} {metric['value']:.4f}  95 % over items [{low:.4f}, {high:.4f}]")
    width = max(map(len, score["labels"]))
    lines.append(f"  {'label':<{width}}  precision  recall     f1  items")
    for label, of_label in score["labels"].items():
        scores = f"{of_label['precision']:9.4f}  {of_label['recall']:6.4f} {of_label['f1']:6.4f}"
        lines.append(f"  {label:<{width}}  {scores}  {of_label['items']:5}")
    return lines
