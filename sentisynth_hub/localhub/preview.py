"""The first rows of a data file and what its labels and lengths look like.

`preview_of` runs this module as a process of its own, under limits, because the file is whatever somebody uploaded: if
reading it crashes or takes too long, the page says so and the server goes on. It also keeps pyarrow out of the server.
"""

import itertools
import json
import os
import resource
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO


ROWS = 20
COUNTED_ROWS = 50_000
SUFFIXES = (".parquet", ".jsonl", ".csv")
_LONGEST_CELL = 500  # characters
_SECONDS = 20
_MEMORY_BYTES = 8 * 1024**3  # of address space
_BATCH = 1_000
_BINS = 10
_TEXT_COLUMNS = ("text", "sentence", "content", "review")
_LABEL_COLUMNS = ("label", "labels", "sentiment")
_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class Preview:
    """What the page shows of a split; `counted` rows went into the two histograms, which are (name, count) pairs."""

    columns: list[str]
    rows: list[list[str | None]]
    counted: int
    labels: list[tuple[str, int]]
    lengths: list[tuple[str, int]]
    problem: str = ""


def preview_of(path: Path, suffix: str) -> Preview:
    """Read a data file in a process of its own, one at a time."""
    command = [sys.executable, "-P", "-m", "sentisynth_hub.localhub.preview", str(path), suffix]
    package = str(Path(__file__).resolve().parents[2])
    environment = {"PYTHONPATH": package, "PATH": os.environ.get("PATH", ""), "OMP_NUM_THREADS": "1"}
    try:
        with _one_at_a_time:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=2 * _SECONDS,
                check=False,
                env=environment,
            )
    except subprocess.TimeoutExpired:
        return Preview([], [], 0, [], [], "reading the file took too long")
    if done.returncode != 0:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["it was too much"]
        return Preview([], [], 0, [], [], f"the file cannot be read: {lines[-1][:300]}")
    return Preview(**json.loads(done.stdout))


def read_preview(path: Path, suffix: str) -> Preview:
    """Read a data file here and now."""
    with path.open("rb") as file:
        return _summarise(*_read(file, suffix))


def _summarise(columns: list[str], names: dict[str, list[str]], rows: Iterator[dict[str, Any]]) -> Preview:
    """The first rows and the histograms; `names` are those of the labels, by column."""
    label = next((column for column in (*names, *_LABEL_COLUMNS) if column in columns), None)
    text = next((column for column in _TEXT_COLUMNS if column in columns), None)
    shown: list[list[str | None]] = []
    counted, labels, lengths = 0, Counter[str](), list[int]()
    for row in itertools.islice(rows, COUNTED_ROWS):
        counted += 1
        if len(shown) < ROWS:
            shown.append([_cell(row.get(column), names.get(column)) for column in columns])
        if label is not None:
            labels[_cell(row.get(label), names.get(label)) or "(none)"] += 1
        if text is not None and isinstance(row.get(text), str):
            lengths.append(len(row[text]))
    known = names.get(label or "", [])
    ordered = [(name, labels[name]) for name in known]
    ordered += [item for item in labels.most_common(20) if item[0] not in known]
    return Preview(columns, shown, counted, ordered, _histogram(lengths))


def _read(file: BinaryIO, suffix: str) -> tuple[list[str], dict[str, list[str]], Iterator[dict[str, Any]]]:
    """The columns, the names of each column of labels, and the rows."""
    if suffix == ".parquet":
        import pyarrow.parquet as parquet

        table = parquet.ParquetFile(file)
        schema = table.schema_arrow
        return schema.names, _label_names(schema.metadata or {}), _parquet_rows(table)
    if suffix == ".csv":
        import csv

        reader = csv.DictReader(line.decode("utf-8", "replace") for line in file)
        return list(reader.fieldnames or []), {}, iter(reader)
    lines = (json.loads(line) for line in file if line.strip())
    first: dict[str, Any] = next(lines, {})
    return list(first), {}, itertools.chain([first] if first else [], lines)


def _parquet_rows(table: Any) -> Iterator[dict[str, Any]]:
    for batch in table.iter_batches(_BATCH):
        yield from batch.to_pylist()


def _label_names(metadata: dict[bytes, bytes]) -> dict[str, list[str]]:
    """The names of ClassLabel columns, as `datasets` writes them into a Parquet file."""
    try:
        features = json.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"]
        return {
            column: [str(name) for name in feature["names"]]
            for column, feature in features.items()
            if isinstance(feature, dict) and feature.get("_type") == "ClassLabel"
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def _cell(value: object, names: list[str] | None) -> str | None:
    if value is None:
        return None
    if names and isinstance(value, int) and 0 <= value < len(names):
        return names[value]
    shown = value if isinstance(value, str) else f"{value:.4g}" if isinstance(value, float) else str(value)
    return shown if len(shown) <= _LONGEST_CELL else shown[:_LONGEST_CELL] + "…"


def _histogram(lengths: list[int]) -> list[tuple[str, int]]:
    """How many texts have a length (in characters) within each of ten equal steps up to the longest."""
    if not lengths:
        return []
    step = max(1, -(-(max(lengths) + 1) // _BINS))
    counts = Counter(length // step for length in lengths)
    return [(f"{place * step}–{(place + 1) * step - 1}", counts[place]) for place in range(max(counts) + 1)]


def main() -> None:
    """Print the preview of a file as JSON."""
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    preview = read_preview(Path(sys.argv[1]), sys.argv[2])
    sys.stdout.write(json.dumps(preview.__dict__))


if __name__ == "__main__":
    main()
