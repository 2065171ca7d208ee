"""Reading a stranger's Parquet files: what they would become in memory is worked out before they become it.

A few hundred bytes can stand for gigabytes: one long text, repeated by a run length. So texts are read as places in a
dictionary first, which repeats nothing, and their whole length is added up before any text is repeated.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sentisynth_hub.core import log
from sentisynth_hub.core.errors import PublishError


_FREE_VALUES = (
    1_000_000  # values of a column that any file may hold; beyond, one a byte: each row has an id of its own
)
_FREE_BYTES = 256 << 20  # bytes in memory that any file may become
_RATIO = 100  # beyond, so many bytes a byte of the file; a published table becomes 2 to 10
_THRIFT = {"thrift_string_size_limit": 16 << 20, "thrift_container_size_limit": 1_000_000}


def read_tables(paths: Iterable[Path], columns: Iterable[str] | None = None) -> Any:
    """Read Parquet files as one Arrow table, or only some of its columns.

    Raises:
        PublishError: One is no Parquet file, the files do not fit together, or one would not fit into memory.
    """
    import pyarrow as pa

    names = None if columns is None else list(columns)
    tables = [_read(path, names) for path in paths]
    try:
        return pa.concat_tables(tables)
    except (pa.ArrowInvalid, ValueError) as error:
        raise PublishError(f"data files: not of one kind ({_line(error)}); restore them from the tag") from None


def _read(path: Path, columns: list[str] | None) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    size = path.stat().st_size
    try:
        with pq.ParquetFile(path, **_THRIFT) as file:
            _check_values(path, file.metadata, size)
            schema = file.schema_arrow
            texts = [field.name for field in schema if pa.types.is_string(field.type)]
        with pq.ParquetFile(path, read_dictionary=texts, **_THRIFT) as file:
            table = file.read(columns)
        table.validate(full=True)  # texts may be no UTF-8
        _check_bytes(path, table, size)
        return table.cast(pa.schema([schema.field(name) for name in table.column_names], metadata=schema.metadata))
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise PublishError(
            f"{_name(path)}: not a Parquet file that can be read ({_line(error)}); restore it from the version's tag"
        ) from None


def _check_values(path: Path, metadata: Any, size: int) -> None:
    """Refuse a file whose columns have more values than its bytes can tell apart."""
    for group in range(metadata.num_row_groups):
        for column in range(metadata.num_columns):
            values = metadata.row_group(group).column(column).num_values
            if max(values, metadata.num_rows) > _FREE_VALUES + size:
                raise PublishError(f"{_name(path)}: {values:,} values in {size:,} bytes; not read")


def _check_bytes(path: Path, table: Any, size: int) -> None:
    """Refuse a table whose texts would take too much once they are repeated."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    whole = 0
    for column in table.columns:
        for chunk in column.chunks:
            if not pa.types.is_dictionary(chunk.type):
                whole += chunk.nbytes
                continue
            lengths = pc.fill_null(pc.binary_length(chunk.dictionary), 0).to_numpy(zero_copy_only=False)
            places = chunk.indices.drop_null().to_numpy(zero_copy_only=False)
            whole += int(lengths.astype(np.int64)[places].sum())
    if whole > _FREE_BYTES + _RATIO * size:
        raise PublishError(f"{_name(path)}: {size:,} bytes would become {whole:,} in memory; not read")


def _name(path: Path) -> str:
    return log.printable("/".join(path.parts[-2:]), 120)


def _line(error: Exception) -> str:
    return log.printable(" ".join(str(error).split()), 160)
