"""Filtering a file without a recipe: the filters that need nothing but the rows, and what became of each row."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sentisynth_hub.core.errors import InputError
from sentisynth_hub.core.files import replaced
from sentisynth_hub.core.read_files import ending_of, read_file
from sentisynth_hub.core.rows import Row
from sentisynth_hub.filter.filter_rows import FilteredRows, FilterOrMaker, filter_rows
from sentisynth_hub.filter.overlap import Overlap


def filter_given_file(
    path: Path, filters: Sequence[FilterOrMaker], folder: Path, *, text: str = "text", label: str | None = None
) -> FilteredRows:
    """Filter the rows of a file and write `kept` and `rejected` into `folder`, in the form of the file.

    Raises:
        DataError: The file cannot be read, or a column is missing.
        InputError: No filter is named, or `folder` holds other files of these names already.
    """
    if not filters:
        raise InputError(f"{path}: no filter is named, so every row would stay; name one, or --recipe")
    records = [record for _, record in read_file(path)]
    result = filter_rows(records, *filters, text=text, label=label)
    ending = ".csv" if ending_of(path) in (".csv", ".tsv", ".xlsx", ".xls", ".ods") else ".jsonl"
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in (("kept", result.kept), ("rejected", result.rejected)):
        _write(folder / f"{name}{ending}", rows)
    return result


def overlap_with(path: Path, text: str) -> Overlap:
    """A filter that drops what overlaps the rows of a file: whole, as a run of eight words, or lightly rewritten."""
    rows = [Row(str(record.get(text) or ""), None) for _, record in read_file(path)]
    if not any(row.text for row in rows):
        raise InputError(f"{path}: no row has a text in a column {text!r}; name the column with --text")
    return Overlap.against({"test": [row for row in rows if row.text]})


def _write(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """A table, whole or not at all; JSON for cells that are no text or number."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with replaced(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as handle:
        if path.suffix == ".csv":
            writer = csv.DictWriter(handle, columns)
            writer.writeheader()
            writer.writerows(rows)
        else:
            handle.writelines(json.dumps(dict(row), ensure_ascii=False, default=str) + "\n" for row in rows)
