"""The process that reads a data file for its preview: `python -m ...preview_reader FILE SUFFIX` prints it as JSON.

How much is read follows from what the file says of itself before anything is read, and from what was read so far:
columns, bytes and rows are limited, and one broken row is shown as it is, with U+FFFD where it is no text.
"""

import csv
import itertools
import json
import re
import resource
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from sentisynth_hub.localhub.preview import MEMORY_BYTES, SECONDS, Preview, problem_of


ROWS = 20
COUNTED_ROWS = 50_000
_COUNTED_BYTES = 64 * 1024**2  # after which no more rows are counted
_COLUMNS = 50
_LONGEST_CELL = 500  # characters
_LONGEST_NAME = 100  # characters of a column or label
_LABELS = 50
_COUNTED_LABELS = 5_000
_LONGEST_LINE = 4 * 1024**2  # bytes of a line of JSON
_LARGEST_FOOTER = 4 * 1024**2  # bytes in which a Parquet file describes itself
_LARGEST_GROUP = 256 * 1024**2  # bytes of the columns shown, in the first group of rows
_BATCH = 50  # rows of a Parquet file that are in memory at once: each may be of megabytes
_BINS = 10
_TEXT_COLUMNS = ("text", "sentence", "content", "review")
_LABEL_COLUMNS = ("label", "labels", "sentiment")
_SURROGATES = re.compile("[\ud800-\udfff]")

Row = dict[str, Any]


class TooMuchError(Exception):
    """The file is larger in some way than a preview reads."""


def read_preview(path: Path, suffix: str) -> Preview:
    """Read a data file here and now.

    Raises:
        TooMuchError: It is larger than a preview reads; the message says in which way.
    """
    with path.open("rb") as file:
        read = {".parquet": _read_parquet, ".csv": _read_csv}.get(suffix, _read_lines)
        return _summarise(*read(file))


def _summarise(all_columns: list[str], label_names: dict[str, list[str]], rows: Iterator[tuple[Row, int]]) -> Preview:
    """The first rows and the histograms; `label_names` by column, `rows` with the bytes each took in the file."""
    columns = _shown_columns(all_columns, label_names)
    label = next((column for column in (*label_names, *_LABEL_COLUMNS) if column in columns), None)
    text = next((column for column in _TEXT_COLUMNS if column in columns), None)
    first_rows: list[list[str | None]] = []
    counted, size, labels, lengths = 0, 0, Counter[str](), list[int]()
    for row, row_bytes in itertools.islice(rows, COUNTED_ROWS):
        counted, size = counted + 1, size + row_bytes
        if len(first_rows) < ROWS:
            first_rows.append([_cell(row.get(column), label_names.get(column)) for column in columns])
        if label is not None:
            name = (_cell(row.get(label), label_names.get(label)) or "(none)")[:_LONGEST_NAME]
            if name in labels or len(labels) < _COUNTED_LABELS:
                labels[name] += 1
        if text is not None and isinstance(row.get(text), str | bytes):
            lengths.append(len(_text(row[text])))
        if size > _COUNTED_BYTES:
            break
    declared = [name[:_LONGEST_NAME] for name in label_names.get(label or "", [])[:_LABELS]]
    ordered = [(name, labels[name]) for name in declared]
    ordered += [item for item in labels.most_common(20) if item[0] not in declared]
    names = [column[:_LONGEST_NAME] for column in columns]
    return Preview(names, first_rows, counted, ordered, _histogram(lengths), len(all_columns))


def _shown_columns(columns: list[str], label_names: dict[str, list[str]]) -> list[str]:
    """The first columns, and further on those that hold the text and the label."""
    special = {*_TEXT_COLUMNS, *_LABEL_COLUMNS, *itertools.islice(label_names, 1)}
    return columns[:_COLUMNS] + [column for column in columns[_COLUMNS:] if column in special]


def _read_parquet(file: BinaryIO) -> tuple[list[str], dict[str, list[str]], Iterator[tuple[Row, int]]]:
    """The columns, the names of each column of labels, and the rows of a Parquet file."""
    file.seek(0, 2)
    file.seek(max(0, file.tell() - 8))
    footer = int.from_bytes(file.read(4), "little")
    if footer > _LARGEST_FOOTER:
        raise TooMuchError(f"it describes itself in {footer:,} bytes; at most {_LARGEST_FOOTER:,} are read")
    import pyarrow.parquet as parquet

    table = parquet.ParquetFile(file, memory_map=False, pre_buffer=False)
    schema, metadata = table.schema_arrow, table.metadata
    names = _label_names(schema.metadata or {})
    columns = _shown_columns(schema.names, names)
    if metadata.num_row_groups:
        group = metadata.row_group(0)
        parts = (group.column(index) for index in range(group.num_columns))
        size = sum(part.total_uncompressed_size for part in parts if part.path_in_schema.split(".")[0] in columns)
        if size > _LARGEST_GROUP:
            raise TooMuchError(f"its first group of rows takes {size:,} bytes; at most {_LARGEST_GROUP:,} are read")
    return schema.names, names, _parquet_rows(table, columns)


def _parquet_rows(table: Any, columns: list[str]) -> Iterator[tuple[Row, int]]:
    import pyarrow as pa

    for batch in table.iter_batches(_BATCH, columns=columns, use_threads=False):
        fields = [column.dictionary_decode() if hasattr(column, "dictionary") else column for column in batch.columns]
        size = sum(field.nbytes for field in fields) // max(1, len(batch))
        # As bytes, because what says that it is text need not be.
        text = {pa.string(): pa.binary(), pa.large_string(): pa.large_binary()}
        values = [field.cast(text.get(field.type, field.type)).to_pylist() for field in fields]
        for row in zip(*values, strict=True):
            yield dict(zip(batch.schema.names, row, strict=True)), size


def _read_csv(file: BinaryIO) -> tuple[list[str], dict[str, list[str]], Iterator[tuple[Row, int]]]:
    lines = (
        line.decode("utf-8-sig" if number == 0 else "utf-8", "replace") for number, line in enumerate(_lines(file))
    )
    reader = csv.reader(lines)
    columns = next(reader, [])
    places = [(columns.index(name), name) for name in _shown_columns(columns, {})]
    rows = (({name: row[place] for place, name in places if place < len(row)}, row) for row in reader if row)
    return columns, {}, ((row, sum(map(len, fields))) for row, fields in rows)


def _read_lines(file: BinaryIO) -> tuple[list[str], dict[str, list[str]], Iterator[tuple[Row, int]]]:
    rows = _json_rows(file)
    first = next(rows, None)
    return list(first[0]) if first else [], {}, itertools.chain([first] if first else [], rows)


def _json_rows(file: BinaryIO) -> Iterator[tuple[Row, int]]:
    for number, line in enumerate(_lines(file), start=1):
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if line.strip():
            row = json.loads(line.decode("utf-8", "replace"))
            if not isinstance(row, dict):
                raise TypeError(f"line {number} is not a JSON object")
            yield row, len(line)


def _lines(file: BinaryIO) -> Iterator[bytes]:
    while line := file.readline(_LONGEST_LINE + 1):
        if len(line) > _LONGEST_LINE:
            raise TooMuchError(f"it has a line of more than {_LONGEST_LINE:,} bytes")
        yield line


def _label_names(metadata: dict[bytes, bytes]) -> dict[str, list[str]]:
    """The names of ClassLabel columns, as `datasets` writes them into a Parquet file."""
    try:
        features = json.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"]
        return {
            column: [str(name) for name in feature["names"]]
            for column, feature in features.items()
            if isinstance(feature, dict) and feature.get("_type") == "ClassLabel"
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def _cell(value: object, names: list[str] | None) -> str | None:
    if value is None:
        return None
    if names and isinstance(value, int) and 0 <= value < len(names):
        return names[value]
    text = (
        _text(value) if isinstance(value, str | bytes) else f"{value:.4g}" if isinstance(value, float) else str(value)
    )
    return text if len(text) <= _LONGEST_CELL else text[:_LONGEST_CELL] + "…"


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("utf-8", "replace")


def _histogram(lengths: list[int]) -> list[tuple[str, int]]:
    """How many texts have a length (in characters) within each of ten equal steps up to the longest."""
    if not lengths:
        return []
    step = max(1, -(-(max(lengths) + 1) // _BINS))
    counts = Counter(length // step for length in lengths)
    return [(f"{place * step}–{(place + 1) * step - 1}", counts[place]) for place in range(max(counts) + 1)]


def main() -> None:
    """Print the preview of a file as JSON."""
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        preview = read_preview(Path(sys.argv[1]), sys.argv[2])
    except TooMuchError as error:
        preview = problem_of(f"the file is too large for a preview: {error}")
    text = json.dumps(asdict(preview), ensure_ascii=False)
    sys.stdout.buffer.write(_SURROGATES.sub("\ufffd", text).encode())


if __name__ == "__main__":
    main()
