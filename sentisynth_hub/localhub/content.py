"""Files as the clients see them: git's blobs, and large files in place of their pointers."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from sentisynth_hub.localhub.git import GitRepo, TreeEntry
from sentisynth_hub.localhub.lfs import LONGEST_POINTER, Pointer
from sentisynth_hub.localhub.problems import entry_not_found
from sentisynth_hub.localhub.repos import HubRepo


@dataclass(frozen=True)
class HubFile:
    """One file at one commit: `size` in bytes is the real one, `oid` the blob's, `pointer` set for a large file."""

    path: str
    oid: str
    size: int
    pointer: Pointer | None

    @property
    def etag(self) -> str:
        """What the client names the cached file by: SHA-256 for a large file, git's SHA-1 for others."""
        return self.pointer.oid if self.pointer else self.oid

    def as_tree_item(self) -> dict[str, object]:
        """The file as `tree` and `paths-info` list it."""
        item: dict[str, object] = {"type": "file", "oid": self.oid, "size": self.size, "path": self.path}
        if self.pointer:
            pointer_size = len(self.pointer.encode())
            item["lfs"] = {"oid": self.pointer.oid, "size": self.size, "pointerSize": pointer_size}
        return item

    def as_sibling(self) -> dict[str, object]:
        """The file as repo information lists it with `blobs=true`."""
        item: dict[str, object] = {"rfilename": self.path, "size": self.size, "blobId": self.oid}
        if self.pointer:
            pointer_size = len(self.pointer.encode())
            item["lfs"] = {"sha256": self.pointer.oid, "size": self.size, "pointerSize": pointer_size}
        return item


def describe(repo: HubRepo, git: GitRepo, entry: TreeEntry) -> HubFile:
    """The file an entry of the tree stands for."""
    size = git.blob_size(entry.oid)
    pointer = _pointer(repo.folder, entry.oid) if size <= LONGEST_POINTER else None
    if pointer is not None and repo.lfs.size(pointer.oid) == pointer.size:
        return HubFile(entry.path, entry.oid, pointer.size, pointer)
    return HubFile(entry.path, entry.oid, size, None)


def find_file(repo: HubRepo, git: GitRepo, commit: str, path: str) -> HubFile:
    """The file at `path`.

    Raises:
        HubProblem: 404 EntryNotFound.
    """
    entry = git.entry(commit, path)
    if entry is None or entry.is_folder:
        raise entry_not_found("Entry not found", commit)
    return describe(repo, git, entry)


def list_files(repo: HubRepo, git: GitRepo, commit: str) -> list[HubFile]:
    """Every file of a commit."""
    return [describe(repo, git, entry) for entry in git.entries(commit, recursive=True) if not entry.is_folder]


def date(seconds: float) -> str:
    """A time as the API writes it: `2026-01-02T03:04:05.678Z`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{int(seconds * 1000) % 1000:03d}Z"


@lru_cache(maxsize=65536)
def _pointer(folder: Path, oid: str) -> Pointer | None:
    with GitRepo(folder) as git:
        return Pointer.parse(git.read(oid))
