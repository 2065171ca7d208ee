"""New git objects on their way into a repository: written under temporary names, made durable together, then named.

One fsync after another would cost a commit of 300 files more than a second; at once they share the disk's flushes.
"""

import os
import secrets
from pathlib import Path
from typing import Any

from dulwich.objects import Tree

from sentisynth_hub.localhub.durable import TEMPORARY, fsync_all


class NewObjects:
    """The objects of one change; `commit_tree_changes` takes it for an object store."""

    def __init__(self, folder: Path, store: Any):
        self._folder = folder / "objects"
        self._store = store
        self._written: dict[str, Path] = {}
        self._trees: dict[bytes, Tree] = {}

    def __getitem__(self, oid: bytes) -> Any:
        """A tree that was added, or an object of the repository."""
        return self._trees[oid] if oid in self._trees else self._store[oid]

    def add_object(self, item: Any) -> str:
        """Take an object in and return its id; what the repository has is not written again."""
        oid = str(item.id.decode())
        if isinstance(item, Tree):
            self._trees[item.id] = item
        if oid not in self._written and item.id not in self._store:
            temporary = self._folder / f"{TEMPORARY}{secrets.token_hex(8)}"
            self._written[oid] = temporary  # first, so that `discard` removes what a full disk leaves
            temporary.write_bytes(item.as_legacy_object())
            temporary.chmod(0o400)
        return oid

    def flush(self) -> None:
        """Make everything taken in durable and give it its name."""
        fsync_all(self._written.values())
        folders = {self._folder}
        for oid, temporary in self._written.items():
            target = self._folder / oid[:2] / oid[2:]
            target.parent.mkdir(exist_ok=True)
            os.replace(temporary, target)
            folders.add(target.parent)
        fsync_all(folders)
        self._written.clear()
        self._trees.clear()

    def discard(self) -> None:
        """Remove what was taken in and not flushed."""
        for temporary in self._written.values():
            temporary.unlink(missing_ok=True)
        self._written.clear()
