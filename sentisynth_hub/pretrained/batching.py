"""How texts go through a model: batches of similar length, planned from the texts alone, on a fixed thread count."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sentisynth_hub.core import log
from sentisynth_hub.core.files import json_digest, replaced
from sentisynth_hub.core.text import digest
from sentisynth_hub.core.untrusted import one_line


def length_sorted_batches(lengths: Sequence[int], texts: Sequence[str], size: int) -> list[list[int]]:
    """Split the indices of `texts` into batches of at most `size`, longest first, so that little is padded.

    Ties are broken by the text: the plan follows from which texts there are, not from their order. Longest first, so
    that a machine with too little memory says so at once.
    """
    order = sorted(range(len(texts)), key=lambda index: (-lengths[index], texts[index]))
    return [order[start : start + size] for start in range(0, len(order), size)]


def stored(folder: Path | None, key: Any, compute: Callable[[], npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Return the array kept in `folder` under the digest of `key` (JSON-ready), computing and keeping it if it is
    new or damaged.
    """
    if folder is None:
        return compute()
    path = folder / f"{json_digest(key)[:32]}.npy"
    kept = read_array(path)
    if kept is None:
        kept = compute()
        write_array(path, kept)
    return kept


def write_array(path: Path, array: npt.NDArray[Any]) -> None:
    """Keep an array, whole or not at all."""
    with replaced(path) as temporary, open(temporary, "wb") as handle:
        np.save(handle, array)


def read_array(path: Path) -> npt.NDArray[Any] | None:
    """The array kept in a file; None where there is none, or the file is damaged, which is said."""
    if not path.exists():
        return None
    try:
        with open(path, "rb") as handle:  # the header is read apart: `np.load` would take other kinds of files too
            array = np.lib.format.read_array(handle, allow_pickle=False)
            if handle.read(1):
                raise ValueError("has more bytes than its header says")
    except (ValueError, TypeError, EOFError, OverflowError, MemoryError, SyntaxError) as error:
        log.warn(f"{path}: damaged ({one_line(str(error), 80)})")
        return None
    return np.asarray(array)


@contextmanager
def fixed_threads(count: int) -> Iterator[None]:
    """Compute on `count` CPU threads: another number rounds otherwise, and launchers set it to what they like."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def best_device() -> str:
    """`cuda` where there is one, else `cpu`."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def model_digest(model: str, revision: str | None) -> str:
    """Name a model by what it is: a folder by its files' content, a Hub model by its id and (pinned) revision."""
    folder = Path(model).expanduser()
    if not folder.is_dir():
        return digest([model, str(revision)])
    files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    return digest(f"{path.name}\0{_sha256(path)}" for path in files)


def _sha256(path: Path) -> str:
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
