"""Digests of published tables: of what their columns say, spelled out line by line, never of Parquet bytes.

    exact, with_scores = table_digests(kinds, columns)

A line is its row's values joined by NUL; None is U+0001, a list's items are joined by U+0002, floats have 6
significant digits. Lines are sorted and each is closed by a line feed before the sha256. Arrow does the work on whole
columns.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any


_ID_BYTES = 16
_NONE, _BETWEEN_ITEMS, _BETWEEN_VALUES = "\1", "\2", "\0"


def table_digests(kinds: Mapping[str, str], columns: Mapping[str, Any], plain: str | None = None) -> tuple[str, str]:
    """Digest of a table's lines without its floats, and with them. A text counts by its id; the hash that stands for
    a hidden one is left out, since its key is random and another machine may have another.

    Args:
        kinds: Column kinds by name, as `tables.Table` has them.
        columns: Arrow arrays or lists of Python values by name, labels by name; floats may be spelled already.
        plain: The first digest, where another one stands in its place.
    """
    exact = [name for name, kind in kinds.items() if kind != "float64" and name not in ("text", "text_hash")]
    floats = [name for name, kind in kinds.items() if kind == "float64"]
    words = {name: spelled(columns[name]) for name in (*exact, *floats)}
    if plain is None:
        plain = lines_digest([words[name] for name in exact])
        if not floats:
            return plain, plain
    return plain, lines_digest([words[name] for name in (*exact, *floats)])


def rows_digest(ids: Any, labels: Any, split: str = "train") -> str:
    """`rows.content_digest` of rows whose ids and label names are given as Arrow arrays of strings."""
    import pyarrow as pa

    return lines_digest([pa.scalar(split, pa.large_string()), spelled(ids), spelled(labels)])


def lines_digest(columns: Sequence[Any]) -> str:
    """sha256 over the sorted lines that columns of spelled values make."""
    import pyarrow as pa
    import pyarrow.compute as pc

    between, nothing, end = (pa.scalar(text, pa.large_string()) for text in (_BETWEEN_VALUES, "", "\n"))
    *others, last = columns
    closed = pc.binary_join_element_wise(*others, pc.binary_join_element_wise(last, nothing, end), between)
    order = _order_of_ids(closed, others[0] if others else last)
    if order is None:  # by bytes, which for UTF-8 is by code points
        order = pc.sort_indices(pc.binary_join_element_wise(*columns, between))
    ordered = closed.take(order)
    running = hashlib.sha256()
    for chunk in ordered.chunks if isinstance(ordered, pa.ChunkedArray) else [ordered]:
        running.update(_bytes(chunk))
    return running.hexdigest()


def _order_of_ids(lines: Any, first: Any) -> Any:
    """The order of lines that all differ in the 16 bytes which they begin with, as those of most tables do: an id
    stands there, after what `first` puts before every line where it is a single value. None for other lines.

    Comparing numbers takes a third of the time that comparing lines takes.
    """
    import numpy as np
    import pyarrow as pa

    if not isinstance(lines, pa.Array) or len(lines) < 2 or lines.offset:
        return None
    _, places, data = lines.buffers()
    offsets = np.frombuffer(places, dtype=np.int64)[: len(lines) + 1]
    begins = offsets[:-1] + (len(first.as_py().encode()) + 1 if isinstance(first, pa.Scalar) else 0)
    if np.any(offsets[1:] - begins <= _ID_BYTES):  # the end of a line would be compared with letters
        return None
    characters = np.frombuffer(data, dtype=np.uint8)
    keys = characters[begins[:, None] + np.arange(_ID_BYTES)].view(">u8").astype(np.uint64)
    order = np.lexsort((keys[:, 1], keys[:, 0]))
    ordered = keys[order]
    if np.any(np.all(ordered[1:] == ordered[:-1], axis=1)):
        return None
    return pa.array(order)


def _bytes(strings: Any) -> Any:
    """The texts of a large_string array, one after the other, as they lie in memory."""
    import numpy as np

    if not len(strings):
        return b""
    _, places, data = strings.buffers()
    offsets = np.frombuffer(places, dtype=np.int64)[strings.offset : strings.offset + len(strings) + 1]
    return memoryview(data)[int(offsets[0]) : int(offsets[-1])]


def spelled(column: Any) -> Any:
    """Each value of a column as digests spell it: no two values of a column alike, and no line break."""
    import pyarrow as pa
    import pyarrow.compute as pc

    array = column if isinstance(column, pa.Array) else pa.array(column)
    kind = array.type
    if pa.types.is_null(kind):
        return pa.array([_NONE], pa.large_string()).take(pa.array([0] * len(array), pa.int64()))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        words = pc.binary_join(_spelled_items(array), pa.scalar(_BETWEEN_ITEMS, pa.large_string()))
    elif pa.types.is_floating(kind):
        words = _spelled_floats(array)
    elif pa.types.is_boolean(kind):
        words = pc.if_else(array, "True", "False").cast(pa.large_string())
    else:
        words = array.cast(pa.large_string())
        if pc.any(pc.match_substring(words, "\n")).as_py():
            words = pc.replace_substring(words, "\n", "\\n")
    return pc.fill_null(words, pa.scalar(_NONE, pa.large_string()))


def _spelled_items(lists: Any) -> Any:
    """An array of lists with every item spelled; None stays None."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int64())
    items = pa.LargeListArray.from_arrays(offsets, spelled(lists.flatten()))
    return pc.if_else(lists.is_valid(), items, pa.scalar(None, items.type))


def _spelled_floats(array: Any) -> Any:
    """Six significant digits each; Arrow has no such format, so Python writes them."""
    import pyarrow as pa

    if array.null_count == len(array):
        return pa.nulls(len(array), pa.large_string())
    values, valid = array.to_numpy(zero_copy_only=False).tolist(), array.is_valid().to_pylist()
    return pa.array([f"{v:.6g}" if ok else None for v, ok in zip(values, valid, strict=True)], pa.large_string())
