"""Run folders: `runs/<recipe>/<stage>/<digest12>/`, each stage's manifest written last.

A stage is named by a digest of its part of the recipe, its inputs' digests and the version of its code, so that "is it
done?" is "is there a manifest?": running again skips what is complete and continues what is not.
"""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sentisynth_hub.core import log
from sentisynth_hub.core.errors import InputError, StageError
from sentisynth_hub.core.files import json_digest, read_json, write_json


RUNS = Path("runs")
"""Folder of all runs where none is named; a recipe's is `runs/<name>`."""
MANIFEST = "manifest.json"
CURRENT = "current.json"
"""Which folder of each stage the last run gave or found: stage to folder name."""
_HELD: set[Path] = set()  # run folders that this process holds


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
        """What the stage recorded when it finished.

        Raises:
            StageError: The manifest is damaged.
        """
        manifest = read_json(self.path / MANIFEST)
        if not isinstance(manifest, dict):
            raise StageError(f"{self.path / MANIFEST}: not a JSON object; delete the folder it is in and run again")
        return manifest

    def finish(self, result: dict[str, Any]) -> dict[str, Any]:
        """Write the manifest: the stage is complete from this moment. `result` is JSON-ready, without clock or
        paths."""
        manifest = {"digest": self.digest, "key": self.key, **result}
        write_json(self.path / MANIFEST, manifest)
        return manifest


def stage_folder(
    run: Path, stage: str, *, version: int, recipe: Any, inputs: dict[str, str] | None = None
) -> StageFolder:
    """Name the folder of a stage; nothing is made.

    Args:
        run: Folder of the recipe's runs, `runs/<recipe>`.
        stage: `natural`, `generate`, `filter`, `study`, `model`, ...
        version: The stage's code version; raised whenever the same input would give another result.
        recipe: The part of the recipe that decides the stage, JSON-ready.
        inputs: Digests of what it reads, by name.
    """
    key = {"stage": stage, "version": version, "recipe": recipe, "inputs": inputs or {}}
    digest = json_digest(key)
    return StageFolder(run / stage / digest[:12], digest, key)


def make_run_folder(run: Path) -> None:
    """Make a recipe's run folder, readable by its owner alone: it holds natural rows. One that is there and is ours
    stays open to its group, which may be a team, and to nobody else."""
    run.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = run.stat()
    if status.st_mode & stat.S_IRWXO and status.st_uid == os.getuid():
        run.chmod(stat.S_IMODE(status.st_mode) & ~stat.S_IRWXO)
        log.info(f"{run}: was open to everybody on this machine; now to its owner and group only")


def mark_current(run: Path, folder: StageFolder) -> None:
    """Note that `folder` is what the recipe gives now; readers of a run folder take it (`current_stage`)."""
    stages = _current(run)
    stage, name = folder.path.parent.name, folder.path.name
    if stages.get(stage) != name:
        write_json(run / CURRENT, {**stages, stage: name})


def current_stage(run: Path, stage: str) -> Path:
    """Folder of the stage's result that the last run of the recipe gave or found.

    Clocks decide nothing: a restored folder's files are all of one age, and an old threshold that was set again is
    current although its rows are older. Without a note, a single complete folder is the current one.

    Raises:
        InputError: No folder of the stage is complete, or several are and none is noted.
    """
    complete = sorted(path.parent for path in run.glob(f"{stage}/*/{MANIFEST}"))
    current = [folder for folder in complete if folder.name == _current(run).get(stage)] or complete
    if len(current) == 1:
        return current[0]
    if not complete:
        raise InputError(f"{run}: no complete {stage} stage in this folder; run `sentisynth {stage}` first")
    names = ", ".join(folder.name for folder in complete)
    raise InputError(
        f"{run}: {len(complete)} complete {stage} stages ({names}) and no note of the last; "
        f"run `sentisynth {stage}` once more, which recomputes nothing that is there"
    )


def _current(run: Path) -> dict[str, Any]:
    path = run / CURRENT
    stages = read_json(path) if path.exists() else {}
    return stages if isinstance(stages, dict) else {}


@contextmanager
def locked(run: Path) -> Iterator[None]:
    """Hold the run folder for this process; a second run of the same recipe at the same time is refused.

    Whoever holds it may ask again: a command holds it for all it does, the runner for each stage.

    Raises:
        InputError: Another process is running this recipe in this folder.
    """
    make_run_folder(run)
    place = run.resolve()
    if place in _HELD:
        yield
        return
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
        _HELD.add(place)
        try:
            yield
        finally:
            _HELD.discard(place)
