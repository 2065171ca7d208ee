"""CSV as programs and people write it: any delimiter, `sep=;` lines, padding, blank lines, cells of any size.

The header decides the delimiter: the one that splits it, and the lines after it, into equally many columns.
"""

import csv
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from sentisynth_hub.core.errors import DataError


DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
_LOOKED_AT = 50  # records that decide between delimiters
_MOST_CHARACTERS = 2**31 - 1  # of a cell: the csv module's own limit is 131,072, less than a long document


def read_csv(path: Path, opened: Callable[[], IO[str]], *, tabs: bool = False) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number, record) of a CSV file.

    Args:
        opened: Opens the text anew, line ends untouched.
        tabs: The file's ending says that tabs separate its columns.

    Raises:
        DataError: A line has another number of columns than the header, or its quoting is broken.
    """
    csv.field_size_limit(_MOST_CHARACTERS)
    with opened() as handle:
        first = handle.readline(16)
    named_delimiter = first.lower().startswith("sep=") and len(first.rstrip("\r\n")) == len("sep=") + 1
    delimiter = first[4] if named_delimiter else "\t" if tabs else _delimiter(opened)
    with opened() as handle:
        lines: Iterator[str] = itertools.islice(handle, 1 if named_delimiter else 0, None)
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        skipped = 1 if named_delimiter else 0
        try:
            yield from records(path, ((reader.line_num + skipped, row) for row in reader), delimiter)
        except csv.Error as error:
            line = reader.line_num + skipped
            raise DataError(f"{path}: near line {line}: {error}; mend the quoting there") from None


def records(
    path: Path, rows: Iterable[tuple[int, Sequence[str]]], delimiter: str = ","
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (number, record) of numbered rows of cells whose first row that is not blank names the columns."""
    header: list[str] | None = None
    for number, row in rows:
        blank = not any(map(str.strip, row))
        if not row or (blank and (header is None or len(row) == 1 < len(header))):
            continue
        if header is None:
            header = _header(path, row)
            continue
        cells = list(row)
        while len(cells) > len(header) and not cells[-1].strip():
            cells.pop()
        if len(cells) != len(header):
            raise DataError(
                f"{path}: line {number} does not have the header's {len(header)} columns but {len(cells)} (they are "
                f"separated by {DELIMITERS.get(delimiter, repr(delimiter))}s); quote texts that hold one"
            )
        yield number, dict(zip(header, cells, strict=True))


def _header(path: Path, row: Sequence[str]) -> list[str]:
    names = [name.strip() for name in row]
    while names and not names[-1]:  # padding
        names.pop()
    for name in names:
        if name and names.count(name) > 1:
            raise DataError(f"{path}: the header names column {name!r} twice; rename one of them")
    return names


def _delimiter(opened: Callable[[], IO[str]]) -> str:
    """The delimiter that splits the header and the lines after it into equally many columns, or else the header
    into most; a comma where nothing does.
    """
    best, rank = ",", (False, 1)
    for delimiter in DELIMITERS:
        with opened() as handle:
            try:
                rows = [
                    row
                    for row in itertools.islice(csv.reader(handle, delimiter=delimiter), _LOOKED_AT)
                    if any(map(str.strip, row))
                ]
            except csv.Error:
                continue
        if not rows or len(rows[0]) < 2:
            continue
        same = all(len(row) == len(rows[0]) for row in rows)
        if (same, len(rows[0])) > rank:
            best, rank = delimiter, (same, len(rows[0]))
    return best
