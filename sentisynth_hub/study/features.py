"""Mean-pooled features of every text a study needs, computed once and kept on disk.

Texts are dealt into chunks by their length and content alone; each chunk is one file, made by one process, so that a
launch shares the work, an interrupted run goes on, and the numbers are the same whatever the number of processes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sentisynth_hub.core import log
from sentisynth_hub.core.distributed import Processes
from sentisynth_hub.core.errors import StageError
from sentisynth_hub.core.files import json_digest
from sentisynth_hub.core.rows import Row
from sentisynth_hub.pretrained.batching import best_device, model_digest, read_array, write_array
from sentisynth_hub.pretrained.embeddings import embed
from sentisynth_hub.recipe.study_section import Student


_CHUNK = 2048  # texts a file: some twenty seconds of work on two cores


@dataclass(frozen=True)
class Features:
    """Features (texts, dimensions) float32 and each text's place among them."""

    vectors: npt.NDArray[Any]
    place: dict[str, int]

    def of(self, rows: Sequence[Row]) -> npt.NDArray[Any]:
        """Features of `rows`, (rows, dimensions)."""
        return self.vectors[[self.place[row.text] for row in rows]]


def compute_features(
    texts: Iterable[str], student: Student, folder: Path, processes: Processes, *, lasting: Iterable[str] = ()
) -> Features:
    """Features of the distinct `texts` by the frozen encoder `student.model`, cut at `student.max_length` tokens.

    `lasting` texts, among them or not, are chunked by themselves: test rows stay the same from study to study while
    what is trained on changes, and a chunk is made again when one of its texts is another.
    """
    chunks: list[list[str]] = []
    kept = set(lasting)
    for part in (kept, set(texts) - kept):
        ordered = sorted(part, key=lambda text: (len(text), text))
        chunks += [ordered[i : i + _CHUNK] for i in range(0, len(ordered), _CHUNK)]
    settings = [
        model_digest(student.model, student.revision),
        student.prefix,
        student.max_length,
        student.threads,
        best_device(),
    ]
    paths = [folder / f"{json_digest([settings, chunk])[:16]}.npy" for chunk in chunks]
    pairs = processes.mine(list(zip(chunks, paths, strict=True)))
    missing = [(chunk, path) for chunk, path in pairs if _kept(path, chunk) is None]
    progress = log.Progress("features", total=sum(len(chunk) for chunk, _ in missing))
    for chunk, path in missing:
        vectors = embed(
            chunk,
            student.model,
            revision=student.revision,
            prefix=student.prefix,
            max_length=student.max_length,
            threads=student.threads,
        )
        write_array(path, vectors)
        progress.advance(len(chunk))
    if missing:
        progress.close()
    processes.wait()
    distinct = (text for chunk in chunks for text in chunk)
    parts = [_kept(path, chunk) for path, chunk in zip(paths, chunks, strict=True)]
    whole = [part for part in parts if part is not None]
    if len(whole) < len(parts):
        raise StageError(f"{folder}: features that were just computed cannot be read; check the disk and run again")
    return Features(np.concatenate(whole), {text: i for i, text in enumerate(distinct)})


def _kept(path: Path, chunk: Sequence[str]) -> npt.NDArray[Any] | None:
    """Features of a chunk, (texts, dimensions); None where they are not kept, or damaged."""
    array = read_array(path)
    return array if array is not None and array.ndim == 2 and len(array) == len(chunk) else None
