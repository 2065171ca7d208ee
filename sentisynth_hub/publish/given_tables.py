"""Rows that are there already, in whatever shape people have them, as tables that can be published.

    tables = read_given(frame, text="review", label="stars")     # or a file, a folder, a Dataset, a DatasetDict

A table is one split. Its columns keep their names and types; the label column becomes a ClassLabel.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sentisynth_hub.core.cells import by_value
from sentisynth_hub.core.errors import DataError, InputError, did_you_mean
from sentisynth_hub.core.read_files import READERS, ending_of, read_file
from sentisynth_hub.core.rows import Row
from sentisynth_hub.publish.dataset_tables import Table
from sentisynth_hub.publish.parquet_limits import read_tables
from sentisynth_hub.publish.versions.digests import lines_digest, spelled


_SPLITS = ("train", "validation", "test")
_KINDS = ("bool", "int", "uint", "float", "double", "timestamp", "date", "string")


@dataclass(frozen=True)
class _Naming:
    """Label names that were given, and those of the version before."""

    given: tuple[str, ...]
    standing: tuple[str, ...]


@dataclass(frozen=True)
class GivenTables:
    """A data set as it is handed over.

    Attributes:
        splits: One table a split, columns alike.
        labels: Label names; empty where there is no label column.
        text: Name of the column with the text.
        label: Name of the column with the label; None where there is none.
    """

    splits: dict[str, Table]
    labels: list[str]
    text: str
    label: str | None

    @property
    def columns(self) -> dict[str, str]:
        """Kind of each column."""
        return next(iter(self.splits.values())).kinds

    def rows(self, split: str) -> list[Row]:
        """The split's texts and labels."""
        return table_rows(self.splits[split].arrays, self.labels, self.text, self.label)


def read_given(
    data: object,
    *,
    text: str = "text",
    label: str | None = "label",
    label_names: Sequence[str] = (),
    standing: Sequence[str] = (),
) -> GivenTables:
    """Read a data set.

    Args:
        data: A DataFrame, a list of dictionaries, a `datasets.Dataset`, `DatasetDict` or stream, a mapping of split
            names to any of them, a file, or a folder with a file a split (train.csv, test.csv).
        text: Column with the text.
        label: Column with the label; a data set without this column has no labels.
        label_names: Names of integer labels, or the order of names; labels that are not among them come after.
        standing: Label names of the version before: their order is kept, and integers without names mean them.

    Raises:
        InputError: `data` is something else, or a column is missing or of a type that is not published.
        DataError: A file cannot be read, or a cell holds something that does not fit its column.
    """
    tables = {split: _arrow(part) for split, part in _parts(data).items()}
    columns = next(iter(tables.values())).column_names
    for split, table in tables.items():
        if text not in table.column_names:
            near = did_you_mean(text, table.column_names)
            raise InputError(
                f"split {split}: no column {text!r}{near}; it has {', '.join(table.column_names)}; name it with text="
            )
        if table.column_names != columns:
            raise InputError(f"split {split}: its columns are not those of the other splits ({', '.join(columns)})")
    column = label if label in columns else None
    naming = _Naming(tuple(map(str, label_names)), tuple(standing))
    names = _label_names(tables.values(), column, naming) if column is not None else []
    splits = {split: _table(split, table, column, names, naming) for split, table in tables.items()}
    kinds = next(iter(splits.values())).kinds
    for split, table in splits.items():
        if table.kinds != kinds:
            other = next(name for name in kinds if kinds[name] != table.kinds[name])
            raise InputError(f"split {split}: column {other!r} is {table.kinds[other]}, elsewhere {kinds[other]}")
    if kinds[text] != "string":
        raise InputError(f"column {text!r} holds {kinds[text]}, not text; name the column with the text")
    return GivenTables(splits, names, text, column)


def table_rows(arrays: Mapping[str, Any], labels: Sequence[str], text: str, label: str | None) -> list[Row]:
    """Texts and label names of a table's columns; a row without a text has an empty one."""
    texts = arrays[text].to_pylist()
    places = arrays[label].to_pylist() if label is not None else [None] * len(texts)
    return [
        Row(words or "", None if place is None else labels[place]) for words, place in zip(texts, places, strict=True)
    ]


def read_published(paths: Iterable[Path]) -> dict[str, Any]:
    """The columns of published files."""
    table = read_tables(sorted(paths))
    return {name: table.column(name) for name in table.column_names}


def table_digest(kinds: Mapping[str, str], arrays: Mapping[str, Any], labels: Sequence[str]) -> str:
    """Digest of a table's lines, every column counted, labels by name; the order of lines does not count."""
    import pyarrow as pa

    columns = []
    for name, kind in kinds.items():
        array = arrays[name]
        if kind == "label":
            array = pa.array(labels, pa.string()).take(array.combine_chunks() if hasattr(array, "chunks") else array)
        columns.append(spelled(array.combine_chunks() if hasattr(array, "chunks") else array))
    return lines_digest(columns)


def _parts(data: object) -> dict[str, Any]:
    """The splits by name."""
    if isinstance(data, str | Path):
        return _files(Path(data))
    if hasattr(data, "column_names") or hasattr(data, "columns"):  # a Dataset, a stream, a DataFrame
        return {"train": data} if not isinstance(data, Mapping) else dict(data)
    if isinstance(data, Mapping):
        if not data:
            raise InputError("nothing to publish: the mapping names no split")
        return dict(data)
    if isinstance(data, Sequence) or (isinstance(data, Iterable) and not isinstance(data, bytes)):
        return {"train": data}
    raise InputError(
        f"{type(data).__name__} is no data set; give a DataFrame, a list of dictionaries, a Dataset or a file"
    )


def _files(path: Path) -> dict[str, Path]:
    if not path.is_dir():
        return {"train": path}
    if (path / "dataset_dict.json").is_file() or (path / "dataset_info.json").is_file():
        from datasets import load_from_disk

        loaded = load_from_disk(str(path))
        return dict(loaded) if isinstance(loaded, Mapping) else {"train": loaded}
    files = {file.name.split(".")[0]: file for file in sorted(path.iterdir()) if ending_of(file) in READERS}
    if not files:
        raise InputError(f"{path}: no data file in it; give a file, or a folder with train.csv, test.csv and the like")
    return {name: files[name] for name in sorted(files, key=lambda name: (name not in _SPLITS, _rank(name), name))}


def _rank(split: str) -> int:
    return _SPLITS.index(split) if split in _SPLITS else len(_SPLITS)


def _arrow(part: Any) -> Any:
    """One split as an Arrow table; names of a ClassLabel column stay in its metadata."""
    import pyarrow as pa

    try:
        if isinstance(part, str | Path):
            path = Path(part)
            if ending_of(path) == ".parquet" and path.is_file():
                return read_tables([path])
            return pa.Table.from_pylist([record for _, record in read_file(path)])
        if hasattr(part, "with_format") and hasattr(part, "features") and hasattr(part, "select"):
            return part.with_format("arrow")[:]
        if hasattr(part, "to_dict") and hasattr(part, "columns"):
            return pa.Table.from_pandas(part, preserve_index=False)
        records = list(part)
        if not all(isinstance(record, Mapping) for record in records):
            raise InputError("rows are dictionaries, one a row, with a column name for each value")
        return pa.Table.from_pylist([dict(record) for record in records])
    except pa.ArrowException as error:
        raise DataError(f"a column holds values of several types ({' '.join(str(error).split())[:160]})") from None


def _label_words(table: Any, column: str, naming: _Naming) -> Any:
    """The label column by name: integers by the names of a ClassLabel, by those that were given, by those of the
    version before where these are words; anything else as it stands.

    Raises:
        InputError: An integer is none of the names.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    array = _plain(table.column(column))
    names = _features(table).get(column, {}).get("names") or list(naming.given)
    if not pa.types.is_integer(array.type):
        return array.cast(pa.string())
    if not names:
        words = array.cast(pa.string())
        if set(words.drop_null().unique().to_pylist()) <= set(naming.standing):
            return words
        names = [] if any(name.isdecimal() for name in naming.standing) else list(naming.standing)
        if not names:
            return words
    places = pc.if_else(pc.equal(array, -1), pa.scalar(None, array.type), array)  # `datasets` writes -1 for no label
    highest, lowest = pc.max(places).as_py(), pc.min(places).as_py()
    if highest is not None and not 0 <= lowest <= highest < len(names):
        wrong = highest if highest >= len(names) else lowest
        raise InputError(f"column {column!r}: label {wrong} is none of the {len(names)} label names")
    return pa.array([str(name) for name in names], pa.string()).take(places)


def _label_names(tables: Iterable[Any], column: str, naming: _Naming) -> list[str]:
    """Label names in a lasting order: as they were given, as the column's features have them, as in the version
    before, else by their values."""
    order: list[str] = list(naming.given)
    values: set[str] = set()
    for table in tables:
        names = _features(table).get(column, {}).get("names") or []
        order += [str(name) for name in names if str(name) not in order]
        values |= set(_label_words(table, column, naming).drop_null().unique().to_pylist())
    order += [name for name in naming.standing if name in values and name not in order]
    return order + by_value([value for value in values if value not in order])


def _table(split: str, table: Any, label: str | None, labels: Sequence[str], naming: _Naming) -> Table:
    import pyarrow as pa
    import pyarrow.compute as pc

    kinds, arrays = {}, {}
    for name in table.column_names:
        if name == label:
            words = _label_words(table, name, naming)
            kinds[name] = "label"
            arrays[name] = pc.index_in(words, value_set=pa.array(labels, pa.string())).cast(pa.int64())
            continue
        array = _plain(table.column(name))
        kinds[name], arrays[name] = _kind(name, array.type), array
    digest = table_digest(kinds, arrays, labels)
    return Table(split, kinds, arrays, digest, digest)


def _plain(column: Any) -> Any:
    """A column as one array, categories as their values, large types as the usual ones."""
    import pyarrow as pa

    array = column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_large_string(array.type) or pa.types.is_string_view(array.type) or pa.types.is_null(array.type):
        array = array.cast(pa.string())
    if pa.types.is_large_list(array.type):
        array = array.cast(pa.list_(array.type.value_type))
    return array


def _kind(name: str, kind: Any) -> str:
    """How a manifest spells an Arrow type.

    Raises:
        InputError: It is a type that is not published.
    """
    import pyarrow as pa

    if pa.types.is_list(kind):
        return f"list<{_kind(name, kind.value_type)}>"
    spelling = str(kind)
    if not spelling.startswith(_KINDS):
        raise InputError(
            f"column {name!r} holds {spelling}; text, numbers, true or false, dates and lists of them can be "
            "published: drop the column, or turn it into one of these"
        )
    return {"double": "float64", "float": "float32"}.get(spelling, spelling)


def _features(table: Any) -> dict[str, Any]:
    """The features that `datasets` wrote beside the columns; empty where it did not."""
    import json

    try:
        features = json.loads((table.schema.metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return {}
    return features if isinstance(features, dict) else {}
