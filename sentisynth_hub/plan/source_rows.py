"""The rows that `sentisynth init` starts from: read, checked, without copies, with a word for everything left out."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sentisynth_hub.core import log
from sentisynth_hub.core.cells import (
    NO_LABEL,
    NO_TEXT,
    Columns,
    LeftOut,
    by_value,
    is_null,
    label_cell,
    text_cell,
    unique_id,
)
from sentisynth_hub.core.errors import DataError, did_you_mean
from sentisynth_hub.core.open_records import is_file_name, open_dataset, open_records
from sentisynth_hub.core.text import distinct_form


FEWEST_PER_LABEL = 12  # below this a label cannot be split into train, validation and test and still say anything
_MANY_LABELS = 20  # of which most are rare: a column of ids or texts
_RARE_SHOWN = 5
_OWN = ("id", "text", "label")


@dataclass(frozen=True)
class Source:
    """Where labelled rows are: a file or a dataset on the Hub, and how to read it."""

    name: str
    text_column: str
    label_column: str
    config_name: str | None = None
    split: str = "train"
    options: tuple[str, str] = ("--text", "--label")


@dataclass(frozen=True)
class SourceRows:
    """Rows as `id`, `text`, `label` and their other columns, the labels in the source's order, and the licence of a
    dataset on the Hub, where its card states one.
    """

    name: str
    rows: list[dict[str, Any]]
    labels: list[str]
    licence: str | None = None
    other_columns: list[str] = field(default_factory=list)


def read_source(source: Source) -> SourceRows:
    """Read a source's rows; warn of what is left out.

    Raises:
        DataError: It cannot be opened, a column is missing, a cell holds something else than text or label, or no row
            has both.
    """
    licence = None
    if is_file_name(source.name):
        records = open_records(source.name)
    else:
        dataset = open_dataset(source.name, config_name=source.config_name)
        records, licence = dataset.split(source.split), dataset.licence
    columns = Columns(source.text_column, source.label_column, "name them with " + " and ".join(source.options))
    names = records.class_names(source.label_column)
    rows: list[dict[str, Any]] = []
    left_out, taken = LeftOut(), set[str]()
    for number, record in records.rows:
        where = f"{source.name}: row {number}"
        text, label = text_cell(record, columns, where), label_cell(record, columns, where, names)
        if text is None or label is None:
            left_out.count(NO_TEXT if text is None else NO_LABEL)
            continue
        row_id = unique_id(record, number, taken)
        rows.append({"id": row_id, "text": text.strip(), "label": label, **_others(record, source)})
    rows = _without_copies(rows, left_out)
    left_out.rows = len(rows)
    left_out.say(source.name)
    if not rows:
        raise DataError(f"{source.name}: no row has both a text and a label")
    held = {row["label"] for row in rows}
    labels = [name for name in names if name in held] if names is not None else by_value(list(held))
    others = [column for column in rows[0] if column not in _OWN]
    return SourceRows(source.name, rows, labels, licence, others)


def check_labels(read: SourceRows, label_column: str) -> None:
    """Refuse what no classifier can be trained on.

    Raises:
        DataError: There is one label only, or a label has too few texts.
    """
    counts = Counter(row["label"] for row in read.rows)
    if len(counts) < 2:
        raise DataError(
            f"{read.name}: column {label_column!r} holds one value, {log.printable(repr(read.labels[0]), 60)}; a "
            "classifier needs at least two"
        )
    rare = [label for label in read.labels if counts[label] < FEWEST_PER_LABEL]
    if len(counts) > _MANY_LABELS and 2 * len(rare) > len(counts):
        raise DataError(
            f"{read.name}: column {label_column!r} holds {len(counts):,} different values, most of them in fewer than "
            f"{FEWEST_PER_LABEL} rows; is it the label? name it with --label"
        )
    if rare:
        named = ", ".join(
            f"{log.printable(repr(label), 40)} ({_texts(counts[label])})" for label in rare[:_RARE_SHOWN]
        ) + (f" and {len(rare) - _RARE_SHOWN} more" if len(rare) > _RARE_SHOWN else "")
        raise DataError(
            f"{read.name}: every label needs {FEWEST_PER_LABEL} distinct texts, and these have fewer: {named}; bring "
            "more, merge labels, or leave those rows out"
        )


def check_same_labels(given: SourceRows, labels: Sequence[str], natural: str) -> None:
    """Refuse synthetic rows of a label that the natural ones do not have.

    Raises:
        DataError: There is such a label; names it.
    """
    strange = [label for label in given.labels if label not in labels]
    if strange:
        raise DataError(
            f"{given.name}: {log.printable(repr(strange[0]), 40)} is no label of {natural}, whose labels are "
            f"{', '.join(log.printable(label, 40) for label in labels[:20])}{did_you_mean(strange[0], labels)}; "
            "rename it, or leave those rows out"
        )


def _without_copies(rows: list[dict[str, Any]], left_out: LeftOut) -> list[dict[str, Any]]:
    """The rows whose text does not stand there before, emoji told apart; those of a text with two labels go too."""
    labels_of: dict[str, set[str]] = {}
    for row in rows:
        labels_of.setdefault(distinct_form(row["text"]), set()).add(row["label"])
    kept, forms = [], set[str]()
    for row in rows:
        form = distinct_form(row["text"])
        if len(labels_of[form]) > 1:
            left_out.count("with a text that has several labels")
        elif form in forms:
            left_out.count("repeating a text")
        else:
            forms.add(form)
            kept.append(row)
    return kept


def _others(record: dict[str, Any], source: Source) -> dict[str, Any]:
    """The record's other columns, JSON-ready, under names that are not taken."""
    others = {}
    for column, value in record.items():
        if column in (source.text_column, source.label_column, "id") or not str(column).strip():
            continue
        name = f"source_{column}" if column in _OWN else str(column)
        others[name] = _plain(value)
    return others


def _plain(value: Any) -> Any:
    """A JSON-ready value: what JSON has no form for is printed."""
    if is_null(value):
        return None
    if isinstance(value, str | bool | int | float):
        return value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else value
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, dict):
        return {str(name): _plain(inner) for name, inner in value.items()}
    return str(value)


def _texts(count: int) -> str:
    return f"{count} distinct {'text' if count == 1 else 'texts'}"
