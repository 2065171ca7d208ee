"""The prediction files of a study, their one writer and their one reader: true and predicted labels of every trial.

On disk one Parquet file a trial or one a study (`predictions.parquet`), one row for every item of every trial, with
the columns variant, replicate, item_id, label, predicted (null: no answer) and, where there are any, probability (one
number a label) and fold (cross-fitting). The label names and their order stand in the file's metadata.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sentisynth_hub.core.errors import DataError
from sentisynth_hub.core.rows import Row, read_table, write_table
from sentisynth_hub.core.untrusted import one_line
from sentisynth_hub.metrics.classification import NO_ANSWER, Array


_LABELS_KEY = b"sentisynth.labels"


@dataclass(frozen=True)
class StudyPredictions:
    """Everything the statistics read of a study; checked when it is made.

    Attributes:
        labels: Label names; integers below are places in this tuple.
        item_ids: One id a test item, unique.
        y: True labels, (items,).
        variants: Predicted labels of each variant, (replicates, items), `NO_ANSWER` (-1) where there is none.
            Replicate r of one variant and replicate r of another belong together (same natural sample).
        probabilities: Where known, (replicates, items, labels) by variant.
        folds: Cross-fitted studies only: the fold (0, 1, ...) each item was tested in, (replicates, items), where a
            replicate is one repetition of the whole division into folds.

    Raises:
        DataError: Shapes, labels or ids do not fit each other.
    """

    labels: tuple[str, ...]
    item_ids: tuple[str, ...]
    y: Array
    variants: Mapping[str, Array]
    probabilities: Mapping[str, Array] = field(default_factory=dict)
    folds: Array | None = None

    def __post_init__(self) -> None:
        items, n_labels = len(self.item_ids), len(self.labels)
        if not items or not self.variants:
            raise DataError("predictions: no test items or no variants; a study needs at least one of each")
        if len(set(self.item_ids)) != items:
            raise DataError("predictions: an item_id occurs twice; give every test item its own id")
        if self.y.shape != (items,) or self.y.min() < 0 or self.y.max() >= n_labels:
            raise DataError(f"predictions: true labels must be {items} integers from 0 to {n_labels - 1}")
        shape = next(iter(self.variants.values())).shape
        for name, predicted in self.variants.items():
            if predicted.shape != shape or predicted.ndim != 2 or predicted.shape[1] != items or not len(predicted):
                raise DataError(
                    f"predictions: variant {name!r} has shape {predicted.shape}, others {shape}, "
                    f"with {items} test items; every variant needs the same replicates over the same items"
                )
            if predicted.min() < NO_ANSWER or predicted.max() >= n_labels:
                raise DataError(f"predictions: variant {name!r} predicts a label outside the {n_labels} label names")
        for name, probability in self.probabilities.items():
            if name not in self.variants or probability.shape != (*shape, n_labels):
                raise DataError(f"predictions: probabilities of {name!r} must have shape {(*shape, n_labels)}")
        if self.folds is not None and self.folds.shape != shape:
            raise DataError(f"predictions: folds have shape {self.folds.shape}, the predictions {shape}")

    @property
    def replicates(self) -> int:
        """Replicates of every variant."""
        return int(next(iter(self.variants.values())).shape[0])

    @property
    def items(self) -> int:
        """Test items."""
        return len(self.item_ids)

    @property
    def n_labels(self) -> int:
        """Labels."""
        return len(self.labels)

    def predicted(self, variant: str) -> Array:
        """Predicted labels of `variant`, (replicates, items).

        Raises:
            DataError: The study has no such variant.
        """
        if variant not in self.variants:
            raise DataError(f"predictions: no variant {variant!r}; there are {', '.join(self.variants)}")
        return self.variants[variant]


@dataclass(frozen=True)
class TrialPredictions:
    """Predictions of one trial: true label, predicted label (None: no answer) and probabilities of every item."""

    variant: str
    replicate: int
    item_ids: Sequence[str]
    labels: Sequence[str]
    predicted: Sequence[str | None]
    probabilities: Sequence[Sequence[float]] | None = None
    folds: Sequence[int] | None = None


def item_ids(rows: Sequence[Row]) -> list[str]:
    """One id an item: the row's id, with `-2`, `-3` … where a text occurs again."""
    counts: Counter[str] = Counter()
    ids = []
    for row in rows:
        counts[row.id] += 1
        ids.append(row.id if counts[row.id] == 1 else f"{row.id}-{counts[row.id]}")
    return ids


def write_trials(path: Path, label_names: Sequence[str], trials: Sequence[TrialPredictions]) -> None:
    """Write the predictions of all trials to one Parquet file, whole or not at all."""
    import pyarrow as pa

    names = json.dumps(list(label_names), ensure_ascii=False).encode("utf-8")
    schema = pa.schema(
        [
            ("variant", pa.string()), ("replicate", pa.int32()), ("item_id", pa.string()), ("label", pa.string()),
            ("predicted", pa.string()), ("probability", pa.list_(pa.float32())), ("fold", pa.int32()),
        ],
        metadata={_LABELS_KEY: names},
    )  # fmt: skip
    tables = []
    for trial in trials:
        count = len(trial.item_ids)
        columns = {
            "variant": [trial.variant] * count,
            "replicate": [trial.replicate] * count,
            "item_id": list(trial.item_ids),
            "label": list(trial.labels),
            "predicted": list(trial.predicted),
            "probability": [None] * count
            if trial.probabilities is None
            else [list(row) for row in trial.probabilities],
            "fold": [None] * count if trial.folds is None else list(trial.folds),
        }
        tables.append(pa.table(columns, schema=schema))
    write_table(path, pa.concat_tables(tables))


def read_predictions(paths: Sequence[Path]) -> StudyPredictions:
    """Read one study from its Parquet files (a file a study, or a file a trial).

    Raises:
        DataError: A file is missing or not ours, the trials are not over the same items with the same true labels, a
            trial is there twice, or a variant lacks a replicate another one has.
    """
    import pyarrow as pa

    if not paths:
        raise DataError("predictions: no file given; run the study first")
    tables, labels = [], None
    for path in paths:
        if not path.exists():
            raise DataError(f"{path}: no such file; run the study that writes it")
        try:
            table = read_table(path)
        except ValueError as error:
            raise DataError(f"{path}: damaged ({one_line(str(error), 120)}); run the study that writes it") from error
        names = (table.schema.metadata or {}).get(_LABELS_KEY)
        if names is None:
            raise DataError(f"{path}: no label names in its metadata; it was not written by `sentisynth study`")
        if labels is not None and names != labels:
            raise DataError(f"{path}: its label names {names.decode()} differ from {labels.decode()} of {paths[0]}")
        labels = names
        tables.append(table.replace_schema_metadata())
    assert labels is not None
    return _from_frame(pa.concat_tables(tables).to_pandas(), tuple(json.loads(labels)), str(paths[0]))


def _from_frame(frame: Any, labels: tuple[str, ...], where: str) -> StudyPredictions:
    frame["variant"] = frame["variant"].astype(str)
    if frame.duplicated(["variant", "replicate", "item_id"]).any():
        raise DataError(
            f"{where}: a trial's prediction for an item is there twice; remove the second file of that trial"
        )
    truth = frame.drop_duplicates(["item_id", "label"])
    if truth["item_id"].duplicated().any():
        raise DataError(f"{where}: an item has two true labels in different trials; they do not belong to one study")
    item_ids = tuple(truth["item_id"])
    code = {name: place for place, name in enumerate(labels)}
    unknown = set(frame["label"]) | set(frame["predicted"].dropna())
    if not unknown <= set(code):
        raise DataError(f"{where}: labels {sorted(unknown - set(code))} are not among the label names {list(labels)}")
    place = {item: number for number, item in enumerate(item_ids)}
    replicates = sorted(frame["replicate"].unique())
    shape = (len(replicates), len(item_ids))
    variants, probabilities = {}, {}
    folds = np.full(shape, -1) if frame["fold"].notna().all() else None
    for variant, rows in frame.groupby("variant", sort=False):
        if len(rows) != shape[0] * shape[1]:
            raise DataError(
                f"{where}: variant {variant!r} has {len(rows)} predictions, {shape[0]} replicates x {shape[1]} items "
                f"need {shape[0] * shape[1]}; a trial is missing: run the study again, it continues where it stopped"
            )
        at = (np.searchsorted(replicates, rows["replicate"]), rows["item_id"].map(place).to_numpy())
        variants[str(variant)] = np.full(shape, NO_ANSWER)
        variants[str(variant)][at] = rows["predicted"].map(code).fillna(NO_ANSWER).astype(int)
        if rows["probability"].notna().all():
            probabilities[str(variant)] = np.zeros((*shape, len(labels)))
            probabilities[str(variant)][at] = np.stack(rows["probability"])
        if folds is not None:
            folds[at] = rows["fold"].astype(int)
    y = np.array([code[label] for label in truth["label"]])
    return StudyPredictions(labels, item_ids, y, variants, probabilities, folds)
