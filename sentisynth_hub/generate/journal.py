"""The journal: one JSON object a line, appended and synced to disk before anything reads it.

Four kinds of line, told apart by `kind`:

    completion   what a generator answered, whole, before it is parsed; `batch` names the batch it was drawn in (local
    models) reservation  a call about to be sent: its worst case in tokens and dollars counts as spent until the call
    is settled release      a call that turned out not to be billed (`tokens` and `cost_usd`, if there, are what it did
    cost)
    batch        the id the Batch API gave to a reservation

A completion names its call too and thereby settles it. A line without its newline at the end of a file is what a crash
left of a
write: it is cut off before the file is appended to again, and never read.
"""

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from sentisynth_hub.core.errors import StageError


class Journal:
    """One process's journal, open for appending; readers use `read_journal`."""

    def __init__(self, path: Path):
        path.parent.mkdir(parents=True, exist_ok=True)
        repair(path)
        self.path = path
        self._handle = open(path, "ab", buffering=0)  # noqa: SIM115 (closed by close)

    def append(self, records: Iterable[dict[str, Any]]) -> None:
        """Write the records and return when they are on the disk."""
        lines = b"".join(json.dumps(record, ensure_ascii=False).encode("utf-8") + b"\n" for record in records)
        written = 0
        while written < len(lines):
            written += self._handle.write(lines[written:]) or 0
        os.fsync(self._handle.fileno())

    def close(self) -> None:
        """Close the file."""
        self._handle.close()


def repair(path: Path) -> int:
    """Cut off a torn last line; return how many bytes were cut."""
    if not path.exists():
        return 0
    with open(path, "rb+") as handle:
        size = handle.seek(0, os.SEEK_END)
        keep, block = size, 1 << 16
        while keep > 0:
            start = max(0, keep - block)
            handle.seek(start)
            newline = handle.read(keep - start).rfind(b"\n")
            if newline >= 0:
                keep = start + newline + 1
                break
            keep = start
        if keep < size:
            handle.truncate(keep)
            os.fsync(handle.fileno())
        return size - keep


def read_journal(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (byte offset, record) for every whole line.

    Raises:
        StageError: A line that is not the torn last one is not JSON: the file was changed by something else.
    """
    offset = 0
    with open(path, "rb") as handle:
        for line in handle:
            if not line.endswith(b"\n"):
                return
            try:
                record = json.loads(line)
            except ValueError:
                raise StageError(
                    f"{path}: byte {offset}: not a journal line; restore the file, or move it away"
                ) from None
            yield offset, record
            offset += len(line)


def record_at(path: Path, offset: int) -> dict[str, Any]:
    """Read the one record that `read_journal` found at `offset`."""
    with open(path, "rb") as handle:
        handle.seek(offset)
        return dict(json.loads(handle.readline()))
