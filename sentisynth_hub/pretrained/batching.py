"""How texts go through a model: batches of similar length, planned from the texts alone, on a fixed thread count."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sentisynth_hub.core.files import json_digest, replaced
from sentisynth_hub.core.text import digest


def length_sorted_batches(lengths: Sequence[int], texts: Sequence[str], size: int) -> list[list[int]]:
    """Split the indices of `texts` into batches of at most `size`, longest first, so that little is padded.

    Ties are broken by the text: the plan follows from which texts there are, not from their order. Longest first, so
    that a machine with too little memory says so at once.
    """
    order = sorted(range(len(texts)), key=lambda index: (-lengths[index], texts[index]))
    return [order[start : start + size] for start in range(0, len(order), size)]


def stored(folder: Path | None, key: Any, compute: Callable[[], npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Return the array kept in `folder` under the digest of `key` (JSON-ready), computing and keeping it if it is
    new.
    """
    if folder is None:
        return compute()
    path = folder / f"{json_digest(key)[:32]}.npy"
    if not path.exists():
        with replaced(path) as temporary, open(temporary, "wb") as handle:
            np.save(handle, compute())
    return np.asarray(np.load(path))


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
