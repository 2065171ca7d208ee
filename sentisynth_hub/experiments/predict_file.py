"""Predictions for a file of texts, one for every row and in its order: what a benchmark with hidden labels asks for.

    texts = read_texts(Path("test.jsonl"))
    write_predictions(Path("sa_spaeng.txt"), "lince", predict_texts("org/model", texts))

A row without a text is a row all the same: it gets the label it is told to have, or else what the model answers to
nothing at all, so that line n always belongs to row n.
"""

import csv
import io
import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from sentisynth_hub.core import log
from sentisynth_hub.core.cells import Columns, is_null, label_cell, text_cell
from sentisynth_hub.core.errors import DataError, InputError
from sentisynth_hub.core.files import replaced
from sentisynth_hub.core.preprocess import Step, preprocess
from sentisynth_hub.core.read_files import read_file


Format = Literal["csv", "jsonl", "lines", "lince"]
"""csv: row, id, label, probability; jsonl: the same with all probabilities; lines: a label a line; lince: as lines,
and the labels are those of LinCE's sentiment task.
"""
FORMATS: tuple[Format, ...] = get_args(Format)
LINCE_LABELS = ("negative", "neutral", "positive")
_SHOWN = 5  # rows without a text that a warning names


@dataclass(frozen=True)
class Text:
    """One row of the file: its number from 1 on, its id where it has one, and its text, empty where it has none."""

    number: int
    row_id: str | None
    text: str


@dataclass(frozen=True)
class Prediction:
    """The label of one row, and the probabilities the model gave (none for a label that was told)."""

    row: Text
    label: str
    probabilities: dict[str, float]


def read_texts(path: Path, column: str = "text") -> list[Text]:
    """The rows of a CSV, TSV, JSONL or Parquet file in their order; a list of words is joined by spaces.

    Raises:
        DataError: The file cannot be read, lacks the column, holds something else than text there, or has no rows.
    """
    columns = Columns(column, None, "choose with --text")
    rows = []
    for number, (place, record) in enumerate(read_file(path), 1):
        text = text_cell(record, columns, f"{path}: row {place}")
        row_id = None if is_null(record.get("id")) else str(record["id"])
        rows.append(Text(number, row_id, text or ""))
    if not rows:
        raise DataError(f"{path}: no rows; there is nothing to predict")
    return rows


def predict_texts(
    model: Path | str,
    rows: Sequence[Text],
    *,
    revision: str | None = None,
    steps: Collection[Step] = (),
    empty: str | None = None,
) -> list[Prediction]:
    """The label of every row by a Hub model or folder.

    Args:
        steps: Preprocessing the model was trained with.
        empty: Label of the rows without a text; None: what the model answers to an empty text.

    Raises:
        InputError: The model cannot be opened or has no trained head, or `empty` is no label of it.
    """
    from sentisynth_hub.pretrained.classifier import open_classifier

    classifier = open_classifier(model, revision)
    labels = classifier.labels
    if empty is not None and empty not in labels:
        raise InputError(f"--empty: {empty!r} is no label of the model; its labels are {', '.join(labels)}")
    blank = [row.number for row in rows if not row.text.strip()]
    if blank:
        named = ", ".join(map(str, blank[:_SHOWN])) + (", …" if len(blank) > _SHOWN else "")
        answer = "the model's answer to an empty text" if empty is None else f"the label {empty}"
        log.warn(f"{len(blank)} rows have no text (row {named}) and get {answer}")
    answered = set(blank) if empty is not None else set()
    texts = [preprocess(row.text, steps) if row.text.strip() else "" for row in rows if row.number not in answered]
    answers = iter(classifier.probabilities(texts))
    predictions = []
    for row in rows:
        if empty is not None and row.number in answered:
            predictions.append(Prediction(row, empty, {}))
        else:
            scores = next(answers)
            label = labels[int(scores.argmax())]
            predictions.append(Prediction(row, label, dict(zip(labels, scores.tolist(), strict=True))))
    return predictions


def labels_for(source: str, rows: Sequence[Text], *, text_file: Path) -> list[str | None]:
    """A label for every row: from a file of predictions, or by a model.

    Args:
        source: A file with the column `predicted`, or `label` where it has none (what `predict --file` writes), by
            `id` where it has all of the rows' ids, else in their order; FILE:variant of a study's predictions; or a
            model, Hub id or folder.
        text_file: Where the rows came from, for messages.

    Raises:
        DataError: The file is about other rows.
        InputError: It is neither a file nor a model that can be opened.
    """
    path = Path(source).expanduser()
    if not path.is_file() and not Path(source.rpartition(":")[0]).is_file():
        return [each.label for each in predict_texts(source, rows)]
    if path.is_file() and path.suffix.lower() != ".parquet":
        table = list(read_file(path))
        column = "predicted" if table and "predicted" in table[0][1] else "label"
        columns = Columns("", column, "`predict --file` writes it")
        labels = [label_cell(record, columns, f"{path}: row {place}", None) for place, record in table]
        ids = [str(record.get("id")) for _, record in table]
    else:
        from sentisynth_hub.experiments.prediction_tables import read_variant

        predicted = read_variant(source).predicted[0]
        ids, labels = list(predicted), list(predicted.values())
    by_id = dict(zip(ids, labels, strict=True))
    if len(by_id) == len(ids) and all(row.row_id in by_id for row in rows):
        return [by_id[str(row.row_id)] for row in rows]
    if len(labels) != len(rows):
        raise DataError(
            f"{source}: {len(labels):,} predictions for {len(rows):,} rows of {text_file}, and their ids do not fit; "
            "predict that file, or give its rows ids"
        )
    return labels


def write_predictions(path: Path | None, form: Format, predictions: Sequence[Prediction]) -> str:
    """Write predictions, whole or not at all; return what was written (with no path, only that).

    Raises:
        InputError: `lince`, and the model's labels are not LinCE's.
    """
    if form == "lince":
        labels = {label for each in predictions for label in (each.label, *each.probabilities)}
        if other := sorted(labels - set(LINCE_LABELS)):
            raise InputError(
                f"--format lince: the model says {', '.join(map(repr, other))}, LinCE's labels are "
                f"{', '.join(LINCE_LABELS)}; name the recipe's labels so, or use --format lines"
            )
    written = {"csv": _csv, "jsonl": _jsonl, "lines": _lines, "lince": _lines}[form](predictions)
    if path is not None:
        with replaced(path) as temporary:
            temporary.write_text(written, encoding="utf-8", newline="\n")
    return written


def _lines(predictions: Sequence[Prediction]) -> str:
    return "".join(f"{each.label}\n" for each in predictions)


def _csv(predictions: Sequence[Prediction]) -> str:
    lines = [_csv_line("row", "id", "label", "probability")]
    for each in predictions:
        probability = f"{each.probabilities[each.label]:.6f}" if each.probabilities else ""
        lines.append(
            _csv_line(each.row.number, _no_formula(each.row.row_id or ""), _no_formula(each.label), probability)
        )
    return "".join(lines)


def _csv_line(*cells: str | int) -> str:
    held = io.StringIO()
    csv.writer(held, lineterminator="\r\n").writerow(cells)  # only so are cells quoted that hold either character
    return held.getvalue().removesuffix("\r\n") + "\n"


def _no_formula(cell: str) -> str:
    """The cell, with an apostrophe before what a spreadsheet would run: ids and labels may be a stranger's."""
    return f"'{cell}" if cell.lstrip()[:1] in ("=", "+", "-", "@") and not _NUMBER.fullmatch(cell) else cell


_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")


def _jsonl(predictions: Sequence[Prediction]) -> str:
    records = (
        {"row": each.row.number, "id": each.row.row_id, "label": each.label, "probabilities": each.probabilities}
        for each in predictions
    )
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
