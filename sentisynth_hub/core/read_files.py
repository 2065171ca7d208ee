"""Records of the files people have: CSV, TSV, JSON, JSON lines, Parquet and Excel, plain or gzipped.

    table = read_file(Path("reviews.csv"))
    for number, record in table:            # line or row number, and the record as a dictionary
        ...
    table.class_names("label")              # names of a ClassLabel column of a Parquet file, else None

The ending says what a file is; what is inside says the rest: the delimiter, the byte order mark, whether a `.json` is
one list or an object a line.
"""

import gzip
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from sentisynth_hub.core import read_csv
from sentisynth_hub.core.errors import DataError, did_you_mean


Records = Iterator[tuple[int, dict[str, Any]]]
_BATCH = 1024  # rows of a Parquet file in memory at once
_MARKS = {b"\xff\xfe\x00\x00": "utf-32", b"\x00\x00\xfe\xff": "utf-32", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


@dataclass(frozen=True)
class FileTable:
    """The records of a file; each iteration reads the file from its beginning."""

    path: Path
    read: Callable[[Path], Records]

    def __iter__(self) -> Records:
        """Yield (line or row number, record).

        Raises:
            DataError: A line cannot be read; names the line.
        """
        try:
            yield from self.read(self.path)
        except UnicodeDecodeError as error:
            raise DataError(f"{self.path}: not UTF-8 (byte {error.start}); save it as UTF-8") from None
        except (gzip.BadGzipFile, EOFError) as error:
            raise DataError(f"{self.path}: not a whole gzip file ({error}); compress it again") from None
        except RecursionError:
            raise DataError(f"{self.path}: JSON nested too deeply; write flat objects") from None
        except OSError as error:
            raise DataError(f"{self.path}: cannot be read ({error.strerror or error})") from None

    def class_names(self, column: str) -> list[str] | None:
        """Label names of a ClassLabel column of a Parquet file that `datasets` wrote; None for any other column."""
        if self.path.suffix.lower() != ".parquet":
            return None
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            features = json.loads((pq.read_schema(self.path).metadata or {}).get(b"huggingface", b"{}"))
            names = features["info"]["features"][column]["names"]
        except (pa.ArrowException, OSError, ValueError, LookupError, TypeError, RecursionError):
            return None
        return [str(name) for name in names] if isinstance(names, list) else None


def read_file(path: Path) -> FileTable:
    """The records of a file, told apart by its ending.

    Raises:
        DataError: The file is not there, is no regular file, or has an ending nobody reads here.
    """
    if path.is_dir():
        raise DataError(f"{path}: is a folder; name one file in it")
    if not path.is_file():
        near = [other.name for other in path.parent.glob(f"*{path.suffix}")] if path.parent.is_dir() else []
        raise DataError(
            f"{path}: no such file{did_you_mean(path.name, near)}; give the path of a CSV, JSONL or Parquet file"
        )
    ending = ending_of(path)
    if ending not in READERS:
        raise DataError(
            f"{path}: ending {path.suffix or '(none)'!r} is not one of {', '.join(READERS)}; convert the file"
        )
    return FileTable(path, READERS[ending])


def ending_of(path: Path | str) -> str:
    """The ending that says what a file is, in lower case: `.csv` of both `a.CSV` and `a.csv.gz`."""
    suffixes = [suffix.lower() for suffix in Path(path).suffixes]
    if suffixes[-1:] == [".gz"]:
        return suffixes[-2] if len(suffixes) > 1 and suffixes[-2] in _TEXT else ".gz"
    return suffixes[-1] if suffixes else ""


def open_text(path: Path) -> IO[str]:
    """Open a text file whatever its byte order mark and whether it is gzipped; line ends are left as they are."""
    opened: Callable[..., IO[Any]] = gzip.open if path.suffix.lower() == ".gz" else open
    with opened(path, "rb") as handle:
        head = handle.read(4)
    encoding = next((name for mark, name in _MARKS.items() if head.startswith(mark)), "utf-8-sig")
    return opened(path, "rt", encoding=encoding, newline="")


def _read_csv(path: Path) -> Records:
    return read_csv.read_csv(path, lambda: open_text(path), tabs=ending_of(path) == ".tsv")


def _read_jsonl(path: Path) -> Records:
    with open_text(path) as handle:
        for number, line in enumerate(handle, 1):
            if not line.strip():
                continue
            if number == 1 and line.lstrip().startswith("["):
                handle.close()
                yield from _whole_json(path, f"{path}: line 1 is not a JSON object; one object a line is expected")
                return
            try:
                record = json.loads(line)
            except ValueError:
                record = None
            if not isinstance(record, dict):
                raise DataError(f"{path}: line {number} is not a JSON object; one object a line is expected")
            yield number, record


def _read_json(path: Path) -> Records:
    """A list of objects, an object that holds one, columns as pandas writes them, or an object a line."""
    with open_text(path) as handle:
        lines = [line for line in itertools.islice(handle, 3) if line.strip()]
    try:
        first = json.loads(lines[0]) if lines else None
    except ValueError:
        first = None
    if isinstance(first, dict) and len(lines) > 1:
        yield from _read_jsonl(path)
    else:
        yield from _whole_json(
            path,
            f"{path}: neither a JSON list of objects nor columns; save it as JSONL, one object a line",
        )


def _whole_json(path: Path, problem: str) -> Records:
    with open_text(path) as handle:
        try:
            content = json.load(handle)
        except ValueError as error:
            if isinstance(error, UnicodeDecodeError):
                raise
            where = f" ({error.msg}, line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
            raise DataError(f"{problem}{where}") from None
    records = _records_of(content)
    if records is None:
        raise DataError(problem)
    yield from enumerate(records, 1)


def _records_of(content: Any) -> list[dict[str, Any]] | None:
    """The records in a JSON file's content, None where it holds no table."""
    if isinstance(content, list):
        return content if all(isinstance(record, dict) for record in content) else None
    if not isinstance(content, dict) or not content:
        return None
    values = list(content.values())
    tables = [value for value in values if isinstance(value, list) and value and isinstance(value[0], dict)]
    if len(tables) == 1:  # {"version": 1, "data": [{…}, …]}
        return _records_of(tables[0])
    if all(isinstance(value, dict) for value in values):  # columns by row name, as pandas writes a frame
        keys = [list(value) for value in values]
        columns = [list(value.values()) for value in values]
        if any(other != keys[0] for other in keys):
            return None
    elif all(isinstance(value, list) for value in values):
        columns = values
    else:
        return [content]
    if len({len(column) for column in columns}) != 1:
        return None
    return [dict(zip(content, row, strict=True)) for row in zip(*columns, strict=True)]


def _read_parquet(path: Path) -> Records:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            number = 0
            for batch in file.iter_batches(_BATCH):
                for record in batch.to_pylist():
                    yield number, record
                    number += 1
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: not a Parquet file ({str(error).splitlines()[0]})") from None


def _read_excel(path: Path) -> Records:
    """The first sheet with anything in it; its first row names the columns, and numbers are what Excel shows."""
    try:
        import python_calamine
    except ImportError:
        raise DataError(
            f"{path}: Excel files need one more package: pip install 'sentisynth-hub[excel]'; or save it as CSV"
        ) from None
    try:
        with python_calamine.CalamineWorkbook.from_path(path) as book:
            sheets = {name: book.get_sheet_by_name(name).to_python() for name in book.sheet_names}
    except (python_calamine.CalamineError, ValueError, OSError) as error:
        raise DataError(f"{path}: not an Excel file ({str(error).splitlines()[0]}); save it as CSV") from None
    filled = [name for name, rows in sheets.items() if rows]
    if len(filled) > 1:
        raise DataError(f"{path}: has several sheets ({', '.join(filled)}); save the one that is meant as CSV")
    if filled:
        rows = ([_shown(cell) for cell in row] for row in sheets[filled[0]])
        yield from read_csv.records(path, enumerate(rows, 1))


def _shown(cell: Any) -> str:
    if isinstance(cell, bool):
        return str(cell).upper()
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell)


_TEXT = (".csv", ".tsv", ".jsonl", ".ndjson", ".json")
READERS: dict[str, Callable[[Path], Records]] = {
    ".csv": _read_csv,
    ".tsv": _read_csv,
    ".jsonl": _read_jsonl,
    ".ndjson": _read_jsonl,
    ".json": _read_json,
    ".parquet": _read_parquet,
    ".xlsx": _read_excel,
    ".xls": _read_excel,
    ".ods": _read_excel,
}
"""Readers by the ending of a file; those of text files also read it gzipped (`.csv.gz`)."""
