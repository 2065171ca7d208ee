"""Run folders: `runs/<recipe>/<stage>/<digest12>/`, each stage's manifest written last.

A stage is named by a digest of its part of the recipe, its inputs' digests and the version of its code, so that "is it
done?" is "is there a manifest?": running again skips what is complete and continues what is not.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sentisynth_hub.core.errors import InputError
from sentisynth_hub.core.files import json_digest, read_json, write_json


MANIFEST = "manifest.json"


@dataclass(frozen=True)
class StageFolder:
    """The folder of one stage of one run.

    `digest` (64 hex digits) names everything that decides the stage's result; `key` is what it was made of, kept in
    the
    manifest so that a reader can see why two runs differ.
    """

    path: Path
    digest: str
    key: dict[str, Any]

    @property
    def complete(self) -> bool:
        """Whether the stage ran to its end: its manifest is there."""
        return (self.path / MANIFEST).exists()

    def manifest(self) -> dict[str, Any]:
        """What the stage recorded when it finished."""
        return dict(read_json(self.path / MANIFEST))

    def finish(self, result: dict[str, Any]) -> dict[str, Any]:
        """Write the manifest: the stage is complete from this moment. `result` is JSON-ready, without clock or
        paths."""
        manifest = {"digest": self.digest, "key": self.key, **result}
        write_json(self.path / MANIFEST, manifest)
        return manifest


def stage_folder(
    run: Path, stage: str, *, version: int, recipe: Any, inputs: dict[str, str] | None = None
) -> StageFolder:
    """Name (and make) the folder of a stage.

    Args:
        run: Folder of the recipe's runs, `runs/<recipe>`.
        stage: `natural`, `generate`, `filter`, `study`, `model`, ...
        version: The stage's code version; raised whenever the same input would give another result.
        recipe: The part of the recipe that decides the stage, JSON-ready.
        inputs: Digests of what it reads, by name.
    """
    key = {"stage": stage, "version": version, "recipe": recipe, "inputs": inputs or {}}
    digest = json_digest(key)
    path = run / stage / digest[:12]
    path.mkdir(parents=True, exist_ok=True)
    return StageFolder(path, digest, key)


@contextmanager
def locked(run: Path) -> Iterator[None]:
    """Hold the run folder for this process; a second run of the same recipe at the same time is refused.

    Raises:
        InputError: Another process is running this recipe in this folder.
    """
    run.mkdir(parents=True, exist_ok=True)
    with open(run / ".lock", "a+", encoding="utf-8") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            handle.seek(0)
            raise InputError(
                f"{run}: process {handle.read().strip() or 'unknown'} is running this recipe here; "
                "wait for it, or choose another folder with --runs DIR"
            ) from error
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
        yield
