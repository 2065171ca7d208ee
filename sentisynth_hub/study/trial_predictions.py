"""The prediction files the statistics read: one row an item of a trial.

Columns variant, replicate, item_id, label, predicted (null: no answer), probability (one number a label, in the order
of the label names in the file's metadata) and fold (cross-fitting only). `sentisynth_hub.verdict.predictions` reads
them.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sentisynth_hub.core.rows import Row, write_table


LABELS_KEY = b"sentisynth.labels"


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

    schema = pa.schema(
        [
            ("variant", pa.string()),
            ("replicate", pa.int32()),
            ("item_id", pa.string()),
            ("label", pa.string()),
            ("predicted", pa.string()),
            ("probability", pa.list_(pa.float32())),
            ("fold", pa.int32()),
        ],
        metadata={LABELS_KEY: json.dumps(list(label_names), ensure_ascii=False).encode("utf-8")},
    )
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
