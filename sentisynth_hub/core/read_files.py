"""Records of the files people have: CSV, TSV, JSON lines and Parquet, told apart by their ending.

for number, record in read_file(Path("reviews.csv")): ...
"""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sentisynth_hub.core.errors import DataError, did_you_mean


def read_file(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line or row number, record) of a CSV, TSV, JSONL or Parquet file, told apart by its ending.

    Raises:
        DataError: The file is not there, has another ending, or a line of it cannot be read.
    """
    if not path.is_file():
        near = [other.name for other in path.parent.glob(f"*{path.suffix}")] if path.parent.is_dir() else []
        raise DataError(
            f"{path}: no such file{did_you_mean(path.name, near)}; give the path of a CSV, JSONL or Parquet file"
        )
    readers = {
        ".csv": _read_csv,
        ".tsv": _read_csv,
        ".jsonl": _read_jsonl,
        ".ndjson": _read_jsonl,
        ".parquet": _read_parquet,
    }
    if path.suffix.lower() not in readers:
        raise DataError(
            f"{path}: ending {path.suffix or '(none)'!r} is not one of {', '.join(readers)}; convert the file"
        )
    try:
        yield from readers[path.suffix.lower()](path)
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 (byte {error.start}); save it as UTF-8") from None


def _read_csv(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with open(path, encoding="utf-8-sig", newline="") as handle:
        reader = csv.DictReader(handle, delimiter="\t" if path.suffix.lower() == ".tsv" else ",", strict=True)
        try:
            for record in reader:
                if None in record or None in record.values():
                    raise DataError(
                        f"{path}: line {reader.line_num} does not have the header's {len(reader.fieldnames or [])} "
                        "columns; quote texts that hold a comma"
                    )
                yield reader.line_num, dict(record)
        except csv.Error as error:
            raise DataError(f"{path}: near line {reader.line_num}: {error}; mend the quoting there") from None


def _read_jsonl(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with open(path, encoding="utf-8") as handle:
        for number, line in enumerate(handle, 1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except ValueError:
                record = None
            if not isinstance(record, dict):
                raise DataError(f"{path}: line {number} is not a JSON object; one object a line is expected")
            yield number, record


def _read_parquet(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        records = pq.read_table(path).to_pylist()
    except pa.ArrowInvalid as error:
        raise DataError(f"{path}: not a Parquet file ({str(error).splitlines()[0]})") from None
    yield from enumerate(records)
