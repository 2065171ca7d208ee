"""What a cell of somebody's table says: a text, a label, or nothing. One set of rules for every command.

    columns = Columns("review", "stars", "name them with --text and --label")
    text = text_cell(record, columns, where)             # None: empty
    label = label_cell(record, columns, where, names)    # None: unlabelled

Nothing is guessed: what is neither text nor label is refused with its place. What is left out is counted in `LeftOut`.
"""

import ast
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sentisynth_hub.core import log
from sentisynth_hub.core.errors import DataError, did_you_mean
from sentisynth_hub.core.text import nfc


UNLABELLED = -1  # what `datasets` writes into a ClassLabel column for a row that has no label
_SHOWN = 40  # characters of a cell in a message
_LONGEST_LIST = 100_000  # characters; what is longer is a document, and parsing it would take long
_NUMBERS = re.compile(r"\[[\d\s,.]*\]")  # of labels, as numpy prints them: [0 2]


@dataclass(frozen=True)
class Columns:
    """Names of the columns that hold text and label, and how the user may name other ones."""

    text: str
    label: str | None
    advice: str


@dataclass
class LeftOut:
    """Rows of a source that became no row, by reason, and those that did."""

    rows: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    def count(self, reason: str, number: int = 1) -> None:
        """Leave `number` rows out because of `reason`, as in "without a text"."""
        if number:
            self.reasons[reason] += number

    def say(self, name: str) -> None:
        """Warn of what is left out of the source called `name`, in one line; say nothing where nothing is."""
        if self.reasons:
            reasons = ", ".join(f"{count:,} {reason}" for reason, count in self.reasons.items())
            log.warn(f"{name}: left out {sum(self.reasons.values()):,} of {self.total:,} rows: {reasons}")

    @property
    def total(self) -> int:
        """All rows of the source."""
        return self.rows + sum(self.reasons.values())


NO_TEXT = "without a text"
NO_LABEL = "without a label"


def cell(record: Mapping[str, Any], column: str, columns: Columns, where: str) -> Any:
    """The cell of a column.

    Raises:
        DataError: The record has no such column; names those it has.
    """
    if column not in record:
        raise DataError(
            f"{where}: no column {column!r}{did_you_mean(column, map(str, record))}; the columns are "
            f"{', '.join(log.printable(str(name), _SHOWN) for name in record)}; {columns.advice}"
        )
    return record[column]


def text_cell(record: Mapping[str, Any], columns: Columns, where: str) -> str | None:
    """The record's text in NFC; None where it has none (null, NaN, or nothing to see).

    Words in a list are joined by spaces.

    Raises:
        DataError: The cell holds something else than text.
    """
    value = cell(record, columns.text, columns, where)
    if is_null(value):
        return None
    if isinstance(value, list | tuple) and all(isinstance(word, str) for word in value):
        value = " ".join(value)
    if isinstance(value, str) and _written_list(value, (str, dict)):
        raise DataError(
            f"{where}: column {columns.text!r} holds a list written as text ({_quoted(value)}); save the words as one "
            "text, or as a list in JSONL or Parquet"
        )
    if not isinstance(value, str):
        raise DataError(f"{where}: column {columns.text!r} holds {_kind(value)}, not text; {columns.advice}")
    text = nfc(value)
    return None if is_blank(text) else text


def label_cell(
    record: Mapping[str, Any], columns: Columns, where: str, names: Sequence[str] | None = None
) -> str | None:
    """The record's label by its name; None where it has none (null, NaN, blank, or -1 of a ClassLabel column).

    Args:
        names: Label names of a ClassLabel column, whose cells are integers.

    Raises:
        DataError: The cell holds several labels, an object, or an integer that is none of the column's labels.
    """
    assert columns.label is not None
    value = cell(record, columns.label, columns, where)
    if is_null(value):
        return None
    if isinstance(value, list | tuple) or (isinstance(value, str) and _written_list(value, (str, int, dict))):
        raise DataError(
            f"{where}: column {columns.label!r} holds a list ({_quoted(value)}): several labels a row are not "
            "supported; make it one label a row"
        )
    if not isinstance(value, str | int | float):
        raise DataError(f"{where}: column {columns.label!r} holds {_kind(value)}, not a label; {columns.advice}")
    if names is not None and isinstance(value, int):
        if value == UNLABELLED:
            return None
        if not 0 <= value < len(names):
            raise DataError(
                f"{where}: label {value} is none of the {len(names)} of column {columns.label!r} (0 to "
                f"{len(names) - 1}); mend the row"
            )
        value = names[value]
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # integers beside missing values become floats in pandas
    return nfc(str(value)).strip() or None


def is_null(value: Any) -> bool:
    """Whether a cell holds nothing: null, or not a number."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def is_blank(text: str) -> bool:
    """Whether there is nothing to see: only white space, control and invisible characters."""
    return all(unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp", "Zs") for character in text)


def by_value(labels: Sequence[str]) -> list[str]:
    """Labels in a lasting order: numbers by their value, then words by their letters."""

    def rank(label: str) -> tuple[bool, float, str]:
        try:
            value = float(label)
        except ValueError:
            value = math.inf
        return (not math.isfinite(value), value if math.isfinite(value) else 0.0, label)

    return sorted(labels, key=rank)


def unique_id(record: Mapping[str, Any], number: int, taken: set[str]) -> str:
    """The record's own `id`, or its number where it has none; a repeated one with the number added."""
    own = record.get("id")
    name = nfc(str(own)) if not is_null(own) and str(own).strip() else str(number)
    while name in taken:
        name = f"{name}-{number}"
    taken.add(name)
    return name


def _written_list(text: str, kinds: tuple[type, ...]) -> bool:
    """Whether the text is a list of `kinds`, or an object, as Python prints it: what pandas writes into a CSV."""
    stripped = text.strip()
    if (stripped[:1], stripped[-1:]) not in (("[", "]"), ("{", "}")) or len(stripped) > _LONGEST_LIST:
        return False
    if int in kinds and _NUMBERS.fullmatch(stripped):
        return True
    try:
        value = ast.literal_eval(stripped)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return False
    items = list(value) if isinstance(value, list | dict) else []
    return bool(items) and all(isinstance(item, kinds) for item in items)


def _kind(value: Any) -> str:
    if isinstance(value, list | tuple) and value and all(isinstance(item, Mapping) for item in value):
        return "a list of objects (chat messages?)"
    if isinstance(value, Mapping):
        return f"an object ({', '.join(log.printable(str(key), _SHOWN) for key in list(value)[:3])})"
    kinds = {bool: "true or false", int: "a number", float: "a number", bytes: "bytes", list: "a list"}
    return kinds.get(type(value), f"a {type(value).__name__}")


def _quoted(value: Any) -> str:
    return log.printable(str(value), _SHOWN)
