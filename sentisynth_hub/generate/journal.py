"""The journal: one JSON object a line, appended and synced to disk before anything reads it.

Four kinds of line, told apart by `kind`:

    completion   what a generator answered, whole, before it is parsed; `batch` names the batch it was drawn in
                 (local models), `call` the reservation it settles
    reservation  a call about to be sent: its worst case in tokens and dollars counts as spent until it is settled
    release      the end of a reservation that no completion settles; `tokens` and `cost_usd` are what it did cost
    batch        the id that the Batch API gave to a reservation

Lines are ASCII (other characters are escaped), so that nothing but a newline can end one. A last line without its
newline is what a crash left of a write: it is never read, and cut off before the file is appended to again.
"""

import asyncio
import contextlib
import json
import math
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from sentisynth_hub.core.errors import StageError
from sentisynth_hub.core.files import replaced
from sentisynth_hub.core.untrusted import loads_untrusted


class Journal:
    """One process's journal, open for appending; readers use `read_journal`."""

    def __init__(self, path: Path):
        """Open it, made anew or without the torn line a crash left.

        Raises:
            StageError: The folder cannot be written to.
        """
        self.path = path
        self._lock = threading.Lock()
        self._failure: str | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            repair(path)
            self._handle = open(path, "ab", buffering=0)  # noqa: SIM115 (closed by close)
        except OSError as error:
            raise StageError(f"{path}: cannot be opened ({error.strerror}); mend that and run again") from None

    def append(self, records: Iterable[dict[str, Any]]) -> None:
        """Write the records and return when they are on the disk.

        Where that fails, every whole line that reached the file stays, a part of a line is cut off, and the journal
        takes nothing more.

        Raises:
            StageError: The disk is full or gone, now or at an earlier call.
        """
        lines = b"".join(_line(record) for record in records)
        with self._lock:
            if self._failure is not None:
                raise StageError(self._failure)
            try:
                written = 0
                while written < len(lines):
                    written += self._handle.write(lines[written:]) or 0
                os.fsync(self._handle.fileno())
            except OSError as error:
                self._fail(f"{self.path}: cannot be written to ({error.strerror}); make room and run again")
                raise StageError(str(self._failure)) from None
            except BaseException:
                self._fail(f"{self.path}: the last write was interrupted; run again")
                raise

    def _fail(self, failure: str) -> None:
        """Take nothing more, and leave the file as whole lines."""
        self._failure = failure
        self._handle.close()
        with contextlib.suppress(OSError):  # the disk is gone; the next run repairs it
            repair(self.path)

    def close(self) -> None:
        """Close the file, after a write that is under way."""
        with self._lock:
            self._failure = self._failure or f"{self.path}: is closed"
            self._handle.close()


@dataclass
class _Group:
    records: list[dict[str, Any]]
    written: bool = False


class GroupedJournal:
    """Appends for many calls at once: what piles up during one write to the disk goes into the next together."""

    def __init__(self, journal: Journal):
        self._journal = journal
        self._group = _Group([])
        self._writing = asyncio.Lock()

    async def append(self, records: list[dict[str, Any]]) -> None:
        """Return when the records are on the disk, without holding up the calls in flight."""
        group = self._group
        group.records += records
        async with self._writing:
            if not group.written:
                self._group = _Group([])
                await asyncio.shield(asyncio.to_thread(self._journal.append, group.records))
                group.written = True

    async def flush(self) -> None:
        """Write what those who were called off had answered before."""
        async with self._writing:
            if self._group.records:
                await asyncio.to_thread(self._journal.append, self._group.records)
                self._group = _Group([])


def repair(path: Path) -> int:
    """Cut off a torn last line; return how many bytes were cut."""
    if not path.exists():
        return 0
    with open(path, "rb") as handle:
        size, end = _whole(handle)
    if end < size:
        with open(path, "rb+") as handle:
            handle.truncate(end)
            os.fsync(handle.fileno())
    return size - end


def read_journal(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (byte offset, record) for every whole line.

    Raises:
        StageError: A line that is not the torn last one is no record: the file was changed by something else.
    """
    for offset, _, record in read_journal_from(path, 0):
        yield offset, record


def read_journal_from(path: Path, start: int) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """Yield (byte offset, offset of the next line, record) for every whole line from byte `start` on.

    Raises:
        StageError: As `read_journal`.
    """
    offset = start
    with open(path, "rb") as handle:
        handle.seek(start)
        for line in handle:
            if not line.endswith(b"\n"):
                return
            record = _record(path, offset, line)
            yield offset, offset + len(line), record
            offset += len(line)


def record_at(path: Path, offset: int) -> dict[str, Any]:
    """Read the one record that `read_journal` found at `offset`."""
    with open(path, "rb") as handle:
        handle.seek(offset)
        return _record(path, offset, handle.readline())


def union_journals(first: Path, second: Path, target: Path) -> bool:
    """Write to `target` the whole lines of `first`, then those of `second` that it lacks.

    `target` may be one of the two. Where it holds everything already, it is not touched.

    Returns:
        Whether `target` was written.

    Raises:
        StageError: A line of either is no record of a journal; `target` is what it was.
    """
    if target == second and _starts_with(second, first):
        return False
    if target == first and _starts_with(first, second):
        return False
    lines: set[bytes] = set()
    with replaced(target) as temporary, open(temporary, "wb") as union:
        for path in (first, second):
            offset = 0
            with open(path, "rb") as handle:
                for line in handle:
                    if not line.endswith(b"\n"):
                        break
                    _record(path, offset, line)
                    offset += len(line)
                    if line not in lines:
                        lines.add(line)
                        union.write(line)
    return True


def _starts_with(path: Path, start: Path) -> bool:
    """Whether a journal begins with all whole lines of another, and both can be read."""
    with open(start, "rb") as beginning, open(path, "rb") as handle:
        _, end = _whole(beginning)
        beginning.seek(0)
        left = end
        while left:
            block = beginning.read(min(_BLOCK, left))
            if block != handle.read(len(block)):
                return False
            left -= len(block)
    for _ in read_journal(path):
        pass
    return True


def _whole(handle: BinaryIO) -> tuple[int, int]:
    """The size of a file, and where its last whole line ends."""
    size = handle.seek(0, os.SEEK_END)
    end = size
    while end > 0:
        start = max(0, end - _BLOCK)
        handle.seek(start)
        newline = handle.read(end - start).rfind(b"\n")
        if newline >= 0:
            return size, start + newline + 1
        end = start
    return size, 0


_BLOCK = 1 << 16


def _line(record: dict[str, Any]) -> bytes:
    return json.dumps(record, ensure_ascii=True).encode("ascii") + b"\n"


def _record(path: Path, offset: int, line: bytes) -> dict[str, Any]:
    """Check that a line is a record whose parts are what this package reads of them."""
    try:
        record = loads_untrusted(line)
    except ValueError:
        record = None
    if isinstance(record, dict) and isinstance(record.get("kind"), str):
        parts = _PARTS.get(record["kind"], {})
        if all(check(record.get(name)) for name, check in parts.items()):
            return record
    raise StageError(
        f"{path}: byte {offset}: not a journal line; restore the file, or delete this line: its request is then "
        "asked again"
    )


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _text_or_none(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _dollars(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and 0 <= value < float("inf"))


def _number_or_none(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and math.isfinite(value))


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


_PARTS: dict[str, dict[str, Callable[[Any], bool]]] = {
    "completion": {
        "request_id": _text, "batch": _text_or_none, "call": _text_or_none, "text": _text, "finish_reason": _text,
        "model": _text, "prompt_tokens": _count, "completion_tokens": _count, "cost_usd": _dollars,
        "system_fingerprint": _text_or_none, "error": _text_or_none, "left_out": _text_or_none,
        "logprob": _number_or_none,
    },
    "reservation": {"call": _text, "request_ids": _texts, "tokens": _count, "cost_usd": _dollars},
    "release": {"call": _text, "tokens": _count, "cost_usd": _dollars},
    "batch": {"call": _text, "batch_id": _text},
}  # fmt: skip
