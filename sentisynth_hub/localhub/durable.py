"""Writing files so that a kill or a power cut leaves either the old content or the new one."""

import fcntl
import json
import os
import secrets
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path


TEMPORARY = ".half-"  # every half-written file starts so; the sweep on start removes them
_threads = ThreadPoolExecutor(16, "fsync")


def write_file(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Replace `path` by `content`: a temporary name in the same folder, fsync, rename, fsync of the folder."""
    temporary = path.with_name(f"{TEMPORARY}{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:  # the disk is full, for one
        temporary.unlink(missing_ok=True)
        raise
    fsync_folder(path.parent)


def write_json(path: Path, value: object, *, mode: int = 0o644) -> None:
    """Replace `path` by `value` as JSON."""
    write_file(path, json.dumps(value, ensure_ascii=False, indent=1).encode(), mode=mode)


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the lock file `path` against every other process and thread that asks for it."""
    with open(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "rb+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def fsync_all(paths: Iterable[Path]) -> None:
    """Make files and folders durable, all at once: they share the disk's flushes."""
    list(_threads.map(_fsync, paths))


def fsync_folder(folder: Path) -> None:
    """Make the names in `folder` durable."""
    _fsync(folder)


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
