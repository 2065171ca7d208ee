"""The tables of a published version as they are verified: Arrow columns, since Python values would take ten times the
memory."""

from collections.abc import Iterator
from typing import Any

from sentisynth_hub.core.text import text_id
from sentisynth_hub.publish.cards.published_manifest import ConfigRecord
from sentisynth_hub.publish.parquet_limits import read_tables
from sentisynth_hub.publish.repo_head import RepoHead


_PART = 10_000  # texts that are Python values at the same time


def version_table(head: RepoHead, record: ConfigRecord) -> Any:
    """A config's rows over all its shards as an Arrow table; without columns where none of its files is there."""
    import pyarrow as pa

    paths = [local for path in sorted(record["files"]) if (local := head.file(path)) is not None]
    return read_tables(paths) if paths else pa.table({})


def column_values(table: Any, name: str) -> list[Any]:
    """A column as Python values."""
    return list(table.column(name).to_pylist())


def text_parts(column: Any) -> Iterator[list[str | None]]:
    """A column of texts as Python values, some thousands at a time."""
    for start in range(0, len(column), _PART):
        yield column.slice(start, _PART).to_pylist()


def text_id_column(texts: Any) -> Any:
    """Arrow array of the id of every text, null where there is none."""
    import pyarrow as pa

    ids = [None if text is None else text_id(text) for part in text_parts(texts) for text in part]
    return pa.array(ids, pa.string())
