"""Scoring any classifier on any labelled texts, and comparing two files of predictions item by item.

    score = score_model("org/model", read_labelled("org/dataset", split="test"))
    difference = compare_predictions(read_one("a.parquet"), read_one("b.parquet"), metric="macro_f1")

Both speak of these test items only: one training run has no say on what the next one would do
(docs/concepts/evidence.md).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from sentisynth_hub.core.errors import DataError, InputError, did_you_mean
from sentisynth_hub.core.read_files import read_file
from sentisynth_hub.core.rows import Row
from sentisynth_hub.core.text import nfc


ALPHA = 0.05
RESAMPLES = 9_999


class Score(TypedDict):
    """Metrics of one model: `metrics` by name with the 95 % interval over items, `labels` F1 by label, `items` and
    `no_answer` counts.
    """

    model: str
    dataset: str
    items: int
    no_answer: int
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
    """Labelled texts to score on; `name` says what they are."""

    name: str
    rows: list[Row]


def read_labelled(
    source: str,
    *,
    split: str = "test",
    revision: str | None = None,
    config_name: str | None = None,
    text_column: str = "text",
    label_column: str = "label",
) -> Labelled:
    """Read labelled texts from a file or from a split of a Hub dataset.

    Raises:
        DataError: A file, column, split or text is missing.
    """
    path = Path(source).expanduser()
    names: Sequence[str] | None = None
    records: Any
    if path.exists() or path.suffix:
        name, records = path.name, read_file(path)
    else:
        import datasets

        parts = datasets.load_dataset(source, config_name, revision=revision)
        if split not in parts:
            raise DataError(f"{source}: no split {split!r}; it has {', '.join(parts)}; choose one with --split")
        feature = parts[split].features.get(label_column)
        names = list(feature.names) if isinstance(feature, datasets.ClassLabel) else None
        name, records = f"{source} ({split})", enumerate(parts[split])
    rows = [_row(record, f"{source}: row {number}", text_column, label_column, names) for number, record in records]
    if not rows:
        raise DataError(f"{source}: no rows; there is nothing to score")
    return Labelled(name, rows)


def score_model(
    model: str, labelled: Labelled, *, revision: str | None = None, label_names: Mapping[str, str] | None = None
) -> tuple[Score, list[str]]:
    """Predict every text with plain `pipeline()` and score the labels.

    Args:
        model: Hub id or folder of a text classifier.
        label_names: What the model's labels are called in the data, e.g. `{"LABEL_0": "negative"}`.

    Returns:
        The score, and the predicted label of every row.

    Raises:
        DataError: The data has a label that the model never gives.
    """
    from transformers import AutoConfig

    from sentisynth_hub.model.stage import best, classify

    config = AutoConfig.from_pretrained(model, revision=revision, trust_remote_code=False)
    renamed = {str(label): (label_names or {}).get(str(label), str(label)) for label in config.id2label.values()}
    labels = list(dict.fromkeys(renamed.values()))
    for row in labelled.rows:
        if row.label not in labels:
            raise DataError(
                f"{labelled.name}: label {row.label!r} is none of the model's ({', '.join(labels)})"
                f"{did_you_mean(str(row.label), labels)}; say what the model calls it with --label MODEL=DATA"
            )
    found = classify(model, [row.text for row in labelled.rows], revision=revision)
    predicted = [renamed[best(scores)] for scores in found]
    return score_labels(str(model), labelled, predicted, labels), predicted


def score_labels(model: str, labelled: Labelled, predicted: Sequence[str | None], labels: Sequence[str]) -> Score:
    """Score predicted labels (None: no answer) against the true ones."""
    import numpy as np

    from sentisynth_hub.metrics.classification import (
        METRICS,
        NO_ANSWER,
        confusion_counts,
        f1_per_class,
        precision_per_class,
        recall_per_class,
    )
    from sentisynth_hub.verdict.statistics.bootstrap import crossed_bootstrap

    place = {label: i for i, label in enumerate(labels)}
    y = np.array([place[str(row.label)] for row in labelled.rows])
    answers = np.array([NO_ANSWER if label is None else place[label] for label in predicted])
    counts = confusion_counts(y, answers, len(labels))
    metrics = {}
    for name, metric in METRICS.items():
        resampled = crossed_bootstrap(y, {"it": answers[None]}, len(labels), name, resamples=2_000, seed=0)
        metrics[name] = {"value": float(metric(counts)), "interval": resampled.interval({"it": 1.0}, ALPHA)}
    by_label = zip(
        precision_per_class(counts), recall_per_class(counts), f1_per_class(counts), counts.sum(-1), strict=True
    )
    score: Score = {
        "model": model,
        "dataset": labelled.name,
        "items": len(y),
        "no_answer": int((answers == NO_ANSWER).sum()),
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


@dataclass(frozen=True)
class OneVariant:
    """Predictions of one variant: true and predicted label by item, one list of predicted labels a replicate."""

    name: str
    labels: tuple[str, ...]
    truth: dict[str, str]
    predicted: list[dict[str, str | None]]


def read_one(source: str) -> OneVariant:
    """Read one variant of a prediction file: `FILE`, or `FILE:variant` where it holds several.

    Raises:
        DataError: The file is not ours, or holds several variants and none is named.
    """
    from sentisynth_hub.metrics.classification import NO_ANSWER
    from sentisynth_hub.verdict.predictions import read_predictions

    name, colon, variant = source.rpartition(":")
    path = Path(name if colon and not Path(source).exists() else source)
    study = read_predictions([path])
    variants = list(study.variants)
    wanted = variant if colon and path == Path(name) else variants[0] if len(variants) == 1 else None
    if wanted is None:
        raise DataError(f"{source}: holds several variants ({', '.join(variants)}); name one: {source}:{variants[0]}")
    replicates = [
        {
            item: None if place == NO_ANSWER else study.labels[place]
            for item, place in zip(study.item_ids, answers, strict=True)
        }
        for answers in study.predicted(wanted)
    ]
    truth = {item: study.labels[place] for item, place in zip(study.item_ids, study.y, strict=True)}
    return OneVariant(f"{path.name}:{wanted}" if len(variants) > 1 else f"{path}", study.labels, truth, replicates)


def compare_predictions(first: OneVariant, second: OneVariant, *, metric: str) -> Difference:
    """Compare two variants over the items both have, paired item by item (and replicate by replicate where both have
    as many).

    Raises:
        InputError: They share no item, disagree on a true label, or have different numbers of replicates.
    """
    import numpy as np

    from sentisynth_hub.metrics.classification import METRICS, NO_ANSWER, confusion_counts
    from sentisynth_hub.verdict.predictions import StudyPredictions
    from sentisynth_hub.verdict.statistics.bootstrap import crossed_bootstrap
    from sentisynth_hub.verdict.statistics.scores import mcnemar

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
        "mcnemar": [dict(one) for one in mcnemar(study, "second", "first")],
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


def _row(
    record: Mapping[str, Any], where: str, text_column: str, label_column: str, names: Sequence[str] | None
) -> Row:
    for column in (text_column, label_column):
        if column not in record:
            raise DataError(
                f"{where}: no column {column!r}{did_you_mean(column, record)}; the columns are {', '.join(record)}; "
                "choose with --text and --label-column"
            )
    text, label = record[text_column], record[label_column]
    if not isinstance(text, str) or not text.strip() or label is None:
        raise DataError(f"{where}: text or label is empty; leave the row out")
    if names is not None and isinstance(label, int) and 0 <= label < len(names):
        label = names[label]
    return Row(nfc(text), str(label).strip(), request_id=where)


def _table(score: Score) -> list[str]:
    lines = [f"{score['model']} on {score['dataset']}, {score['items']} items"]
    for name, found in score["metrics"].items():
        low, high = found["interval"]
        lines.append(f"  {name:<12} {found['value']:.4f}  95 % over items [{low:.4f}, {high:.4f}]")
    width = max(map(len, score["labels"]))
    lines.append(f"  {'label':<{width}}  precision  recall     f1  items")
    for label, found in score["labels"].items():
        scores = f"{found['precision']:9.4f}  {found['recall']:6.4f} {found['f1']:6.4f}"
        lines.append(f"  {label:<{width}}  {scores}  {found['items']:5}")
    return lines
