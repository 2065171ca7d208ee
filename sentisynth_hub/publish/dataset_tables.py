"""From rows to published tables: which columns, what is hidden, the digests, the Parquet files.

    default     rows that passed every filter
    unfiltered  every candidate that may be shown, with `kept`, `filter`, `reason`
    rejected    what was dropped, with `filter`, `reason`, `score`; no text where the text must not get out
    lineage     where every candidate came from

A table is Arrow columns first. Digests are taken of what those say (`hub.digests`), never of Parquet bytes.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Any

from sentisynth_hub.core.errors import PublishError
from sentisynth_hub.core.rows import Rejected, Row
from sentisynth_hub.core.text import digest, nfc, text_ids
from sentisynth_hub.publish.cards.published_manifest import ConfigRecord
from sentisynth_hub.publish.parquet_limits import read_tables
from sentisynth_hub.publish.release import DatasetRelease
from sentisynth_hub.publish.versions.digests import rows_digest, spelled, table_digests


SCORES = ("teacher_confidence", "perplexity", "cmi")
FOLDERS = {
    "default": "data",
    "unfiltered": "unfiltered",
    "rejected": "rejected",
    "lineage": "lineage",
    "natural": "natural",
}
_SHARD_ROWS = 500_000
_GROUP_ROWS = 20_000  # rows a row group: what a viewer or a streaming reader fetches at once
ROW_COLUMNS = {
    "id": "string",
    "text": "string",
    "label": "label",
    "language": "string",
    "generator": "string",
    "prompt_id": "string",
    "num_shots": "int32",
    "asked_label": "string",
    **dict.fromkeys(SCORES, "float64"),
}
_LINEAGE_COLUMNS = {
    "request_id": "string",
    "prompt_id": "string",
    "demonstration_ids": "list<string>",
    "model": "string",
    "model_revision": "string",
    "system_fingerprint": "string",
    "sampling": "string",
    "attributes": "string",
    "seed": "int64",
    "sample_index": "int32",
    "prompt_tokens": "int32",
    "completion_tokens": "int32",
    "cost_usd": "float64",
}


_READ = ("text", "label", "language", "generator")


@dataclass(frozen=True)
class Table:
    """One config: column kinds (Arrow's names, `label`, `list<...>`), Arrow arrays of equal length (labels as their
    integers), and the digests of its content."""

    name: str
    kinds: dict[str, str]
    arrays: dict[str, Any]
    digest: str
    values_digest: str

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(next(iter(self.arrays.values())))

    def column(self, name: str) -> list[Any]:
        """A column as Python values."""
        return list(self.arrays[name].to_pylist())

    def distinct(self, name: str) -> Any:
        """Arrow array of every text that stands in a column of texts or of lists of texts, once."""
        import pyarrow.compute as pc

        array = self.arrays[name]
        values = array.flatten() if self.kinds[name].startswith("list<") else array
        return pc.unique(values.drop_null())


def dataset_tables(release: DatasetRelease, hidden: Sequence[bool], salt: str) -> dict[str, Table]:
    """The tables of every config.

    Args:
        hidden: For each of `release.rejected`: whether its text must not get out.
        salt: Key of the hashes that stand for hidden texts; not published.
    """
    labels = release.recipe.labels
    # Every column is made once, over kept and rejected rows; the configs are parts of it.
    columns = _row_arrays([*release.kept, *(item.row for item in release.rejected)])
    kept = {name: column.slice(0, len(release.kept)) for name, column in columns.items()}
    rejected = {name: column.slice(len(release.kept)) for name, column in columns.items()}
    tables = [
        _table("default", ROW_COLUMNS, kept, labels, digest=rows_digest(kept["id"], kept["label"])),
        _unfiltered(release, columns, hidden, labels),
        _rejected(release.rejected, rejected, hidden, salt, labels),
        _table("lineage", _LINEAGE_COLUMNS, _lineage_arrays(release.lineage), labels),
    ]
    if release.recipe.natural.publish_rows:
        natural = [row for part in (release.natural.train, release.natural.validation) for row in part]
        kinds = {name: ROW_COLUMNS[name] for name in ("id", "text", "label", "language")}
        tables.append(_table("natural", kinds, _row_arrays(natural), labels))
    return {table.name: table for table in tables}


def write_parquet(
    table: Table, folder: Path, labels: Sequence[str], *, place: str | None = None, split: str = "train"
) -> tuple[ConfigRecord, dict[str, Path]]:
    """Write a table's shards under `folder`; return its record and the local file of each path in the repo.

    Args:
        place: Folder in the repo; None: the one of the config that the table is.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrow = pa.table([table.arrays[name] for name in table.kinds], schema=_schema(table, labels))
    shards = max(1, -(-table.rows // _SHARD_ROWS))
    written: dict[str, Path] = {}
    for shard in range(shards):
        path = f"{place or FOLDERS[table.name]}/{split}-{shard:05d}-of-{shards:05d}.parquet"
        local = folder / path
        local.parent.mkdir(parents=True, exist_ok=True)
        start = shard * table.rows // shards
        part = arrow.slice(start, (shard + 1) * table.rows // shards - start)
        pq.write_table(part, local, row_group_size=_GROUP_ROWS)
        written[path] = local
    record = ConfigRecord(
        rows=table.rows,
        digest=table.digest,
        values_digest=table.values_digest,
        columns=table.kinds,
        num_bytes=arrow.nbytes,
        files={path: local.stat().st_size for path, local in written.items()},
    )
    return record, written


def read_config(paths: Iterable[Path], labels: Sequence[str]) -> list[Row]:
    """Rows of a published `default` config, labels by name.

    A row keeps its published id only through its text, so a changed text shows as another row.

    Raises:
        PublishError: A file cannot be read, or holds other columns or labels than such a config.
    """
    table = read_tables(sorted(paths))
    lacking = [name for name in _READ if name not in table.column_names]
    if lacking:
        raise PublishError(f"config default: its files have no column {lacking[0]!r}; restore them from the tag")
    text, label, language, generator = (table.column(name).to_pylist() for name in _READ)
    if not all(isinstance(value, int) and 0 <= value < len(labels) for value in label):
        raise PublishError(f"config default: a label is none of the {len(labels)}; restore its files from the tag")
    if not all(isinstance(value, str) for value in text):
        raise PublishError("config default: a row has no text; restore its files from the tag")
    names = [name for name in SCORES if name in table.column_names]
    measured = zip(*(table.column(name).to_pylist() for name in names), strict=True) if names else repeat(())
    return [
        Row(
            text[i],
            labels[label[i]],
            language=language[i],
            generator=generator[i],
            scores={name: value for name, value in zip(names, values, strict=True) if value is not None},
        )
        for i, values in zip(range(table.num_rows), measured, strict=False)
    ]


def _table(
    name: str, kinds: Mapping[str, str], columns: Mapping[str, Any], labels: Sequence[str], digest: str | None = None
) -> Table:
    """A table of the columns that `kinds` names. Digests are taken with labels by name; the columns of a ClassLabel
    hold integers."""
    import pyarrow as pa
    import pyarrow.compute as pc

    spelled = {column: columns.get(_spelling(column), columns[column]) for column in kinds}
    exact, values = table_digests(kinds, spelled, digest)
    arrays = {
        column: pc.index_in(columns[column], value_set=pa.array(labels, pa.string())).cast(pa.int64())
        if kind == "label"
        else columns[column]
        for column, kind in kinds.items()
    }
    return Table(name, dict(kinds), arrays, exact, values)


def _row_arrays(rows: Sequence[Row]) -> dict[str, Any]:
    """The columns that rows have in every config, labels by name, `request_id`, and the scores as digests spell
    them."""
    import pyarrow as pa

    texts = [nfc(row.text) for row in rows]
    columns: dict[str, list[Any]] = {
        "request_id": [row.request_id for row in rows],
        "id": text_ids(texts),
        "text": texts,
        "label": [row.label for row in rows],
        "language": [row.language for row in rows],
        "generator": [row.generator for row in rows],
        "prompt_id": [row.prompt_id for row in rows],
        "num_shots": [row.num_shots for row in rows],
        "asked_label": [row.asked_label for row in rows],
    }
    columns |= {name: [row.scores.get(name) for row in rows] for name in SCORES}
    kinds = {"request_id": "string", **ROW_COLUMNS, "label": "string"}
    arrays = {name: pa.array(values, _arrow_type(kinds[name])) for name, values in columns.items()}
    return arrays | {_spelling(name): spelled(arrays[name]) for name in SCORES}


def _spelling(name: str) -> str:
    """Key of a column as digests spell it."""
    return f"{name} spelled"


def _unfiltered(
    release: DatasetRelease, columns: Mapping[str, Any], hidden: Sequence[bool], labels: Sequence[str]
) -> Table:
    """Kept rows, and rejected ones that may be shown, in the order they were asked for."""
    import numpy as np
    import pyarrow as pa

    number = len(release.kept)
    places = [*range(number)] + [
        number + place
        for place, (item, hide) in enumerate(zip(release.rejected, hidden, strict=True))
        if not hide and item.row.label
    ]
    order = {line["request_id"]: place for place, line in enumerate(release.lineage)}
    requests = columns["request_id"].to_pylist()
    in_order = np.argsort([order.get(requests[place], len(order)) for place in places], kind="stable")
    taken = pa.array(np.array(places, dtype=np.int64)[in_order])
    nothing = [None] * number
    whole = {
        **columns,
        "kept": pa.array([True] * number + [False] * len(release.rejected)),
        "filter": pa.array(nothing + [item.filter for item in release.rejected], pa.string()),
        "reason": pa.array(nothing + [item.reason for item in release.rejected], pa.string()),
    }
    kinds = {"request_id": "string", **ROW_COLUMNS, "kept": "bool", "filter": "string", "reason": "string"}
    return _table("unfiltered", kinds, {name: column.take(taken) for name, column in whole.items()}, labels)


def _rejected(
    rejected: Sequence[Rejected],
    columns: Mapping[str, Any],
    hidden: Sequence[bool],
    salt: str,
    labels: Sequence[str],
) -> Table:
    import pyarrow as pa
    import pyarrow.compute as pc

    ids = columns["id"].to_pylist()
    hashes = [digest([salt, row_id])[:16] if hide else None for row_id, hide in zip(ids, hidden, strict=True)]
    mask = pa.array(hidden, pa.bool_())
    # an unsalted hash of a hidden text would let anyone test a guess
    covered = {name: pc.if_else(mask, pa.scalar(None, pa.string()), columns[name]) for name in ("id", "text")}
    whole = {
        **columns,
        **covered,
        "text_hash": pa.array(hashes, pa.string()),
        "filter": pa.array([item.filter for item in rejected], pa.string()),
        "reason": pa.array([item.reason for item in rejected], pa.string()),
        "score": pa.array([item.score for item in rejected], pa.float64()),
    }
    own = {"text_hash": "string", "filter": "string", "reason": "string", "score": "float64"}
    return _table("rejected", {"request_id": "string", **ROW_COLUMNS, **own}, whole, labels)


def _lineage_arrays(lineage: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    import pyarrow as pa

    columns = {name: [line[name] for line in lineage] for name in _LINEAGE_COLUMNS}
    for name in ("sampling", "attributes"):
        columns[name] = [
            value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
            for value in columns[name]
        ]
    return {name: pa.array(values, _arrow_type(_LINEAGE_COLUMNS[name])) for name, values in columns.items()}


def _schema(table: Table, labels: Sequence[str]) -> Any:
    """Arrow schema with the `datasets` features in its metadata, so that a lone Parquet file knows its label names
    too."""
    import pyarrow as pa

    features = {name: _feature(kind, labels) for name, kind in table.kinds.items()}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    return pa.schema([(name, _arrow_type(kind)) for name, kind in table.kinds.items()], metadata=metadata)


def _feature(kind: str, labels: Sequence[str]) -> dict[str, Any]:
    if kind == "label":
        return {"names": list(labels), "_type": "ClassLabel"}
    if kind.startswith("list<"):
        return {"feature": _feature(kind[5:-1], labels), "_type": "List"}
    return {"dtype": kind, "_type": "Value"}


def _arrow_type(kind: str) -> Any:
    import pyarrow as pa

    if kind.startswith("list<"):
        return pa.list_(_arrow_type(kind[5:-1]))
    return pa.int64() if kind == "label" else pa.type_for_alias(kind)
