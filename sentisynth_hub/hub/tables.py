"""From rows to published tables: which columns, what is hidden, the digests, the Parquet files.

    default     rows that passed every filter
    unfiltered  every candidate that may be shown, with `kept`, `filter`, `reason`
    rejected    what was dropped, with `filter`, `reason`, `score`; no text where the text must not get out
    lineage     where every candidate came from

A table is columns of plain Python values first. Digests are taken of those, never of Parquet bytes.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sentisynth_hub.cards.manifest import ConfigRecord
from sentisynth_hub.hub.release import DatasetRelease
from sentisynth_hub.rows import Rejected, Row, content_digest
from sentisynth_hub.text import digest, nfc


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


@dataclass(frozen=True)
class Table:
    """One config: column kinds (Arrow's names, `label`, `list<...>`), columns of equal length, and the digest of its
    content."""

    name: str
    kinds: dict[str, str]
    columns: dict[str, list[Any]]
    digest: str
    values_digest: str

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(next(iter(self.columns.values())))


def dataset_tables(release: DatasetRelease, hidden: Sequence[bool], salt: str) -> dict[str, Table]:
    """The tables of every config.

    Args:
        hidden: For each of `release.rejected`: whether its text must not get out.
        salt: Key of the hashes that stand for hidden texts; not published.
    """
    order = {line["request_id"]: place for place, line in enumerate(release.lineage)}
    shown: list[tuple[Row, Rejected | None]] = [(row, None) for row in release.kept]
    shown += [
        (item.row, item) for item, hide in zip(release.rejected, hidden, strict=True) if not hide and item.row.label
    ]
    shown.sort(key=lambda pair: order.get(pair[0].request_id, len(order)))
    labels = release.recipe.labels
    tables = [
        _table("default", ROW_COLUMNS, _row_columns(release.kept), digest=content_digest(release.kept)),
        _unfiltered(shown),
        _rejected(release.rejected, hidden, salt),
        _table("lineage", _LINEAGE_COLUMNS, _lineage_columns(release.lineage)),
    ]
    if release.recipe.natural.publish_rows:
        natural = [row for part in (release.natural.train, release.natural.validation) for row in part]
        kinds = {name: ROW_COLUMNS[name] for name in ("id", "text", "label", "language")}
        columns = _row_columns(natural)
        tables.append(_table("natural", kinds, {name: columns[name] for name in kinds}))
    return {table.name: _with_label_numbers(table, labels) for table in tables}


def write_parquet(table: Table, folder: Path, labels: Sequence[str]) -> tuple[ConfigRecord, dict[str, Path]]:
    """Write a table's shards under `folder`; return its record and the local file of each path in the repo."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrow = pa.table(
        [pa.array(table.columns[name], _arrow_type(kind)) for name, kind in table.kinds.items()],
        schema=_schema(table, labels),
    )
    shards = max(1, -(-table.rows // _SHARD_ROWS))
    written: dict[str, Path] = {}
    for shard in range(shards):
        path = f"{FOLDERS[table.name]}/train-{shard:05d}-of-{shards:05d}.parquet"
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
    """
    import pyarrow.parquet as pq

    return [
        Row(
            line["text"],
            labels[line["label"]],
            language=line["language"],
            generator=line["generator"],
            scores={name: line[name] for name in SCORES if line.get(name) is not None},
        )
        for path in sorted(paths)
        for line in pq.read_table(path).to_pylist()
    ]


def table_digests(kinds: Mapping[str, str], columns: Mapping[str, Sequence[Any]]) -> tuple[str, str]:
    """Digest of a table's lines without its floats, and with them (6 significant digits). A text counts by its id or
    hash."""
    exact = [name for name, kind in kinds.items() if kind != "float64" and name != "text"]
    floats = [name for name, kind in kinds.items() if kind == "float64"]
    lines = ["\0".join(values) for values in zip(*(_spelled(columns[name]) for name in exact), strict=True)]
    if not floats:
        return (whole := digest(sorted(lines))), whole
    measured = zip(*(_spelled(columns[name]) for name in floats), strict=True)
    full = [line + "\0" + "\0".join(values) for line, values in zip(lines, measured, strict=True)]
    return digest(sorted(lines)), digest(sorted(full))


def _spelled(column: Sequence[Any]) -> Iterator[str]:
    """Each value of a column as digests spell it: no two values of a column alike, and no line break."""
    for value in column:
        if value is None:
            yield "\1"
        elif isinstance(value, str):
            yield value.replace("\n", "\\n") if "\n" in value else value
        elif isinstance(value, float):
            yield f"{value:.6g}"
        elif isinstance(value, list | tuple):
            yield "\2".join(_spelled(value))
        else:
            yield str(value)


def _table(name: str, kinds: Mapping[str, str], columns: dict[str, list[Any]], digest: str | None = None) -> Table:
    exact, values = table_digests(kinds, columns)
    return Table(name, dict(kinds), columns, digest or exact, values)


def _with_label_numbers(table: Table, labels: Sequence[str]) -> Table:
    """Labels as the integers of the ClassLabel; their digests were taken by name."""
    number = {label: place for place, label in enumerate(labels)} | {None: None}
    columns = {
        name: [number[value] for value in table.columns[name]] if kind == "label" else table.columns[name]
        for name, kind in table.kinds.items()
    }
    return Table(table.name, table.kinds, columns, table.digest, table.values_digest)


def _row_columns(rows: Sequence[Row]) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {
        "id": [row.id for row in rows],
        "text": [nfc(row.text) for row in rows],
        "label": [row.label for row in rows],
        "language": [row.language for row in rows],
        "generator": [row.generator for row in rows],
        "prompt_id": [row.prompt_id for row in rows],
        "num_shots": [row.num_shots for row in rows],
        "asked_label": [row.asked_label for row in rows],
    }
    return columns | {name: [row.scores.get(name) for row in rows] for name in SCORES}


def _unfiltered(shown: Sequence[tuple[Row, Rejected | None]]) -> Table:
    columns = {"request_id": [row.request_id for row, _ in shown], **_row_columns([row for row, _ in shown])}
    columns |= {
        "kept": [item is None for _, item in shown],
        "filter": [item and item.filter for _, item in shown],
        "reason": [item and item.reason for _, item in shown],
    }
    return _table(
        "unfiltered",
        {"request_id": "string", **ROW_COLUMNS, "kept": "bool", "filter": "string", "reason": "string"},
        columns,
    )


def _rejected(rejected: Sequence[Rejected], hidden: Sequence[bool], salt: str) -> Table:
    columns = _row_columns([item.row for item in rejected])
    hashes = [digest([salt, item.row.id])[:16] if hide else None for item, hide in zip(rejected, hidden, strict=True)]
    for name in ("id", "text"):  # an unsalted hash of a hidden text would let anyone test a guess
        columns[name] = [None if hide else value for value, hide in zip(columns[name], hidden, strict=True)]
    columns = {"request_id": [item.row.request_id for item in rejected], **columns, "text_hash": hashes}
    columns |= {
        "filter": [item.filter for item in rejected],
        "reason": [item.reason for item in rejected],
        "score": [item.score for item in rejected],
    }
    return _table(
        "rejected",
        {
            "request_id": "string",
            **ROW_COLUMNS,
            "text_hash": "string",
            "filter": "string",
            "reason": "string",
            "score": "float64",
        },
        columns,
    )


def _lineage_columns(lineage: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    columns = {name: [line[name] for line in lineage] for name in _LINEAGE_COLUMNS}
    for name in ("sampling", "attributes"):
        columns[name] = [
            value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
            for value in columns[name]
        ]
    return columns


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
    return {
        "label": pa.int64(),
        "string": pa.string(),
        "bool": pa.bool_(),
        "int32": pa.int32(),
        "int64": pa.int64(),
        "float64": pa.float64(),
    }[kind]
