"""The predictions of one model, whatever program wrote them: a file, a DataFrame or a mapping of columns.

One row a prediction; only the first two columns are needed:

    label           the true label
    predicted       the model's (empty: it gave none)
    item_id         which test row it is; left out, the rows are paired in their order
    seed            which run of the model, where there were several
    fold            which fold the row was tested in, where every fold has a model of its own
    text, cluster   the test row's text, or an id of the rows that belong together (author, thread, document)
    probabilities   one number a label, as a list; or a column `probability_<label>` for each label

`predictions.parquet` of a study fits too (`FILE:variant` names one of its variants), and so do the samples that
lm-evaluation-harness logs (`samples_<task>_*.jsonl`).
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sentisynth_hub.core.cells import by_value
from sentisynth_hub.core.errors import InputError
from sentisynth_hub.core.read_files import read_file


COLUMNS = {
    "label": ("label", "true_label", "gold", "y_true", "truth"),
    "predicted": ("predicted", "prediction", "pred", "y_pred", "predicted_label"),
    "item_id": ("item_id", "id", "row_id"),
    "seed": ("seed", "replicate", "run"),
    "fold": ("fold", "fold_id"),
    "text": ("text", "sentence"),
    "cluster": ("cluster", "group"),
    "probabilities": ("probabilities", "probability", "proba"),
}
"""What a column may be called, by what it holds."""
PROBABILITY_OF = ("probability_", "prob_", "proba_")
"""How the name of a column with the probability of one label begins; the label follows."""
_HARNESS = ("doc_id", "target", "filtered_resps")


@dataclass
class _OneRun:
    """One run: by item, what the model said."""

    predicted: dict[str, str | None] = field(default_factory=dict)
    probabilities: dict[str, list[float]] = field(default_factory=dict)
    folds: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelRuns:
    """The predictions of one model.

    Attributes:
        truth: True label by item.
        runs: By run the predicted label of each item.
        labels: The labels that `probabilities` stand for, in their order; empty where there are none.
        probabilities: By run and item, one number a label; empty where a run lacks some.
        folds: By run and item, the fold's name; empty where there are none.
        texts, clusters: By item; empty where there are none.
    """

    name: str
    truth: dict[str, str]
    runs: list[dict[str, str | None]]
    labels: tuple[str, ...] = ()
    probabilities: tuple[dict[str, list[float]], ...] = ()
    folds: tuple[dict[str, str], ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    clusters: Mapping[str, str] = field(default_factory=dict)


def read_runs(
    source: object, name: str | None = None, fallback: str = "model", label_names: Sequence[str] | None = None
) -> ModelRuns:
    """The runs of one model from a file, a DataFrame or a mapping of columns.

    Args:
        label_names: Names of labels that are integers, and the order of `probabilities`.

    Raises:
        InputError: A column is missing, a prediction is there twice, or an item has two true labels.
        DataError: The file cannot be read.
    """
    records, suggested = _records(source)
    name = name or suggested or fallback
    if not records:
        raise InputError(f"judge: {name} holds no prediction")
    if all(key in records[0] for key in _HARNESS):
        records = list(_harness_records(records))
    columns, by_label = _columns(records[0], name)
    labels = tuple(by_label) or _label_order(records, columns, label_names)
    truth: dict[str, str] = {}
    texts: dict[str, str] = {}
    clusters: dict[str, str] = {}
    runs: dict[str, _OneRun] = {}
    for record in records:
        run = runs.setdefault((_cell(record[columns["seed"]]) if "seed" in columns else "") or "", _OneRun())
        item = _cell(record[columns["item_id"]]) if "item_id" in columns else str(len(run.predicted))
        label = _named(record[columns["label"]], label_names)
        if item is None or label is None:
            raise InputError(f"judge: {name}: a row has no item id or no true label; give every row both")
        if item in run.predicted:
            raise InputError(
                f"judge: {name}: item {item!r} is predicted twice in one run; name the runs in a column `seed`"
            )
        if truth.setdefault(item, label) != label:
            raise InputError(f"judge: {name}: item {item!r} has two true labels, {truth[item]!r} and {label!r}")
        shares = _shares(record, columns, by_label, name, item)
        if shares is not None:
            if len(shares) != len(labels):
                raise InputError(
                    f"judge: {name}: {len(shares)} probabilities for {len(labels)} labels; say which label each is "
                    "for with label_names=[...], or in columns named probability_<label>"
                )
            run.probabilities[item] = shares
        if "predicted" in columns:
            run.predicted[item] = _named(record[columns["predicted"]], label_names)
        else:
            run.predicted[item] = labels[int(np.argmax(shares))] if shares is not None else None
        for place, values in (("fold", run.folds), ("text", texts), ("cluster", clusters)):
            value = _cell(record[columns[place]]) if place in columns else None
            if value is not None:
                values[item] = value
    ordered = [runs[run] for run in sorted(runs, key=_by_number)]
    _check_whole(name, truth, ordered)
    whole = all(len(run.probabilities) == len(truth) for run in ordered)
    return ModelRuns(
        name,
        truth,
        [run.predicted for run in ordered],
        labels if whole else (),
        tuple(run.probabilities for run in ordered) if whole else (),
        tuple(run.folds for run in ordered) if any(run.folds for run in ordered) else (),
        texts if len(texts) == len(truth) else {},
        clusters if len(clusters) == len(truth) else {},
    )


def _records(source: object) -> tuple[list[Mapping[str, Any]], str | None]:
    """One mapping a row, and the name the source suggests."""
    if isinstance(source, str | Path):
        return _file_records(source)
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


def _file_records(source: str | Path) -> tuple[list[Mapping[str, Any]], str]:
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


def _harness_records(records: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """What lm-evaluation-harness logs, as label and prediction: a choice's number, or the text that was written.

    Where several filters read the same answer, the first one's reading counts.
    """
    first = records[0].get("filter")
    for record in records:
        if record.get("filter") != first:
            continue
        answers = record["filtered_resps"]
        answer: Any = answers[0] if isinstance(answers, list) and len(answers) == 1 else answers
        if isinstance(answers, list) and len(answers) > 1 and all(isinstance(pair, list) for pair in answers):
            answer = int(np.argmax([float(pair[0]) for pair in answers]))  # log-likelihood of each choice
        if isinstance(answer, list):
            answer = answer[0] if answer else None
        yield {"item_id": record["doc_id"], "label": record["target"], "predicted": answer}


def _columns(record: Mapping[str, Any], name: str) -> tuple[dict[str, str], dict[str, str]]:
    """The column of each meaning, and the column with the probability of each label."""
    columns = {}
    for meaning, spellings in COLUMNS.items():
        present = next((column for column in spellings if column in record), None)
        if present is not None:
            columns[meaning] = present
    by_label = {
        str(column)[len(start) :]: str(column)
        for column in record
        for start in PROBABILITY_OF
        if str(column).startswith(start) and len(str(column)) > len(start)
    }
    likely = by_label or "probabilities" in columns
    for meaning in ("label",) if likely else ("label", "predicted"):
        if meaning not in columns:
            raise InputError(
                f"judge: {name}: no column {meaning!r} ({', '.join(COLUMNS[meaning][1:])} would do); its columns are "
                f"{', '.join(map(str, record))}"
            )
    return columns, by_label


def _label_order(
    records: Sequence[Mapping[str, Any]], columns: Mapping[str, str], label_names: Sequence[str] | None
) -> tuple[str, ...]:
    """The labels that a list of probabilities stands for: as they were named, else in the order of their values."""
    if "probabilities" not in columns:
        return ()
    if label_names is not None:
        return tuple(str(name) for name in label_names)
    cells = (record[columns[key]] for record in records for key in ("label", "predicted") if key in columns)
    return tuple(by_value(list({label for cell in cells if (label := _cell(cell)) is not None})))


def _shares(
    record: Mapping[str, Any], columns: Mapping[str, str], by_label: Mapping[str, str], name: str, item: str
) -> list[float] | None:
    """The probabilities of a row; None where it has none."""
    cells = [record[column] for column in by_label.values()]
    if not cells and "probabilities" in columns:
        cell = record[columns["probabilities"]]
        cells = [] if cell is None or isinstance(cell, float | str) else list(cell)
    if not cells or any(_cell(cell) is None for cell in cells):
        return None
    try:
        shares = [float(cell) for cell in cells]
    except (TypeError, ValueError):
        raise InputError(
            f"judge: {name}: item {item!r}: a probability is no number; give one number a label"
        ) from None
    if not all(0 <= share <= 1 for share in shares) or not 0.99 < sum(shares) < 1.01:
        raise InputError(
            f"judge: {name}: item {item!r}: its probabilities are not from 0 to 1 with sum 1; give probabilities, "
            "not logits"
        )
    return shares


def _named(value: Any, label_names: Sequence[str] | None) -> str | None:
    """A label as text, an integer by its name where there are names."""
    cell = _cell(value)
    if cell is None or label_names is None or not cell.isdecimal() or cell in label_names:
        return cell
    if int(cell) >= len(label_names):
        raise InputError(f"judge: label {cell} is none of the {len(label_names)} in label_names; name every label")
    return str(label_names[int(cell)])


def _cell(value: Any) -> str | None:
    """A label, id or seed as text: 1, 1.0, tensor(1) and "1" are the same; None where there is nothing."""
    if hasattr(value, "item") and not isinstance(value, Mapping):  # a number of NumPy or PyTorch
        value = value.item()
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip() or None


def _check_whole(name: str, truth: Mapping[str, str], runs: Iterable[_OneRun]) -> None:
    for run in runs:
        if len(run.predicted) != len(truth):
            raise InputError(
                f"judge: {name}: one run predicts {len(run.predicted)} of {len(truth)} items; every run needs all of "
                "them"
            )
        if run.folds and len(run.folds) != len(truth):
            raise InputError(
                f"judge: {name}: {len(run.folds)} of {len(truth)} rows have a fold; give every row its fold, or none"
            )


def _by_number(name: str) -> tuple[int, int, str]:
    """Runs in the order of their numbers, then by name."""
    return (0, int(name), "") if name.isdecimal() else (1, 0, name)
