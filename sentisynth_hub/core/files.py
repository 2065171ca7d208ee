"""Files that are there whole or not at all, and the canonical JSON that manifests and digests are made of."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from sentisynth_hub.core.errors import StageError
from sentisynth_hub.core.text import digest


def canonical_json(value: Any) -> str:
    """JSON with sorted keys, no spaces and plain Unicode: equal values give equal strings."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def json_digest(value: Any) -> str:
    """sha256 (64 hex digits) of a JSON-ready value, the same for the same value on every machine."""
    return digest([canonical_json(value)])


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Give a temporary name to write to; on success it is synced to disk and takes `path`'s place in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON with sorted keys, whole or not at all."""
    with replaced(path) as temporary:
        temporary.write_text(
            json.dumps(value, ensure_ascii=False, sort_keys=True, indent=1, allow_nan=False) + "\n", "utf-8"
        )


def read_json(path: Path) -> Any:
    """Read a JSON file this project wrote.

    Raises:
        StageError: The file is not JSON; it names the file and what to do.
    """
    try:
        return json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise StageError(f"{path}: not valid JSON ({error}); delete the folder it is in and run again") from error


@cache
def shipped(folder: str) -> Path:
    """Folder that ships with the package (`recipes`, `dataset_cards`), found the same way in a checkout and an
    install."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "_shipped" / folder
    return installed if installed.exists() else package.parent / folder
