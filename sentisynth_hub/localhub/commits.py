"""A commit as the clients send it: lines of JSON (NDJSON), checked to the last line before anything is stored."""

import base64
import binascii
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sentisynth_hub.localhub.git import Change, GitRepo
from sentisynth_hub.localhub.lfs import LfsStore, Pointer, check_oid
from sentisynth_hub.localhub.names import check_path
from sentisynth_hub.localhub.problems import HubProblem, bad_request, entry_not_found, too_large
from sentisynth_hub.localhub.repos import HubRepo


LONGEST_LINE = 24 * 1024**2  # bytes; larger files are told to come as large files
_LONGEST_MESSAGE = 64 * 1024  # characters


@dataclass(frozen=True)
class Operation:
    """One line of a commit; `offset` is where its line begins in the spooled body."""

    kind: str
    path: str
    offset: int = 0
    pointer: Pointer | None = None


@dataclass
class PlannedCommit:
    """A commit that was read and found well-formed."""

    summary: str
    description: str
    parent: str | None
    operations: list[Operation] = field(default_factory=list)

    @property
    def message(self) -> str:
        """Title and text, as git keeps them."""
        return f"{self.summary}\n\n{self.description}" if self.description else self.summary


def read_commit(repo: HubRepo, spooled: Path, proposer: str = "") -> PlannedCommit:
    """Read and check a commit body; `proposer` is the name of an author who is no member of the repo.

    Raises:
        HubProblem: 400 for a line that is not what it should be, 413 for a file too large to come this way.
    """
    stores = [repo.lfs, *[repo.lfs.proposals_of(proposer)] * bool(proposer)]
    header: PlannedCommit | None = None
    operations: list[Operation] = []
    with spooled.open("rb") as file:
        while True:
            offset = file.tell()
            line = file.readline(LONGEST_LINE + 1)
            if not line:
                break
            if len(line) > LONGEST_LINE:
                raise too_large("A file inside a commit", LONGEST_LINE)
            if not line.strip():
                continue
            key, value = _parse_line(line)
            if key == "header":
                header = _header(value)
            else:
                operations.append(_operation(stores, key, value, offset))
    if header is None:
        raise bad_request("The commit has no header line")
    header.operations = operations
    return header


def adopt_proposals(repo: HubRepo, commit: PlannedCommit, proposer: str) -> None:
    """Take the large files that a proposer brought for this commit into the repo."""
    for operation in commit.operations:
        if operation.pointer is not None and repo.lfs.size(operation.pointer.oid) is None:
            repo.lfs.adopt(operation.pointer.oid, repo.lfs.proposals_of(proposer))


def plan_changes(repo: HubRepo, git: GitRepo, head: str, commit: PlannedCommit, spooled: Path) -> list[Change]:
    """Store the commit's blobs and say what it changes upon `head`.

    Raises:
        HubProblem: 404 EntryNotFound for the deletion of something that is not there.
    """
    changes: dict[str, str | None] = {}
    for operation in commit.operations:
        if operation.kind in ("deletedFile", "deletedFolder"):
            for path in _deleted(git, head, operation):
                changes[path] = None
        elif operation.pointer is not None:
            changes[operation.path] = git.add_blob(operation.pointer.encode())
        else:
            changes[operation.path] = git.add_blob(_content_at(spooled, operation.offset))
    return [Change(path, blob) for path, blob in changes.items()]


def check_parent(commit: PlannedCommit, head: str) -> None:
    """Raise 412 when the commit was made upon another state than `head`."""
    if commit.parent and not head.startswith(commit.parent):
        raise HubProblem(412, "A commit has happened since. Please refresh and try again.")


def _parse_line(line: bytes) -> tuple[str, dict[str, Any]]:
    try:
        item = json.loads(line)
        key, value = item["key"], item["value"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise bad_request('A line of the commit is not {"key": ..., "value": ...} in JSON') from error
    if not isinstance(key, str) or not isinstance(value, dict):
        raise bad_request("A line of the commit has a key or value of the wrong type")
    return key, value


def _header(value: dict[str, Any]) -> PlannedCommit:
    summary, description, parent = value.get("summary"), value.get("description") or "", value.get("parentCommit")
    if not isinstance(summary, str) or not summary.strip() or not isinstance(description, str):
        raise bad_request("The commit has no summary")
    if len(summary) + len(description) > _LONGEST_MESSAGE:
        raise bad_request(f"The commit message is longer than {_LONGEST_MESSAGE:,} characters")
    if parent is not None and (not isinstance(parent, str) or len(parent) < 5):
        raise bad_request("parentCommit must be a commit id of at least 5 digits")
    return PlannedCommit(summary, description, parent)


def _operation(stores: list[LfsStore], key: str, value: dict[str, Any], offset: int) -> Operation:
    path = value.get("path")
    if not isinstance(path, str):
        raise bad_request(f"A {key[:40]!r} line has no path")
    if key == "deletedFolder":
        return Operation(key, check_path(path.rstrip("/")))
    check_path(path)
    if key == "deletedFile":
        return Operation(key, path)
    if key == "file":
        if not isinstance(value.get("content"), str) or value.get("encoding", "base64") != "base64":
            raise bad_request(f"{path}: content in base64 expected")
        _decode(path, value["content"])
        return Operation(key, path, offset)
    if key == "lfsFile":
        oid = check_oid(value.get("oid"))
        size = next((size for size in (store.size(oid) for store in stores) if size is not None), None)
        if size is None or value.get("size", size) != size:
            raise bad_request(f"{path}: the LFS object {oid} was not uploaded to this repo")
        return Operation(key, path, pointer=Pointer(oid, size))
    raise bad_request(f"Unknown operation {key[:40]!r}")


def _decode(path: str, content: str) -> bytes:
    try:
        return base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError) as error:
        raise bad_request(f"{path}: the content is not base64") from error


def _content_at(spooled: Path, offset: int) -> bytes:
    with spooled.open("rb") as file:
        file.seek(offset)
        _, value = _parse_line(file.readline())
    return _decode(value["path"], value["content"])


def _deleted(git: GitRepo, head: str, operation: Operation) -> list[str]:
    entry = git.entry(head, operation.path)
    if entry is None or entry.is_folder != (operation.kind == "deletedFolder"):
        raise entry_not_found(f"A file with this name doesn't exist: {operation.path}", head)
    if not entry.is_folder:
        return [entry.path]
    return [below.path for below in git.entries(head, entry.path, recursive=True) if not below.is_folder]
