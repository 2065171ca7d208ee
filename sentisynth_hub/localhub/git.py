"""One bare git repository, through dulwich: revisions, trees, history, and commits that are whole or not there."""

import logging
import os
import stat
import time
import zlib
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from dulwich.errors import NotGitRepository, ObjectFormatException
from dulwich.object_store import commit_tree_changes
from dulwich.objects import Blob, Commit, Tag, Tree
from dulwich.repo import Repo

from sentisynth_hub.localhub.damage import is_damage
from sentisynth_hub.localhub.durable import fsync_folder
from sentisynth_hub.localhub.history import last_changes
from sentisynth_hub.localhub.objects import NewObjects
from sentisynth_hub.localhub.problems import (
    HubProblem,
    bad_request,
    entry_not_found,
    revision_not_found,
    unreadable,
)


MAIN = "main"
_log = logging.getLogger(__name__)
_FILE_MODE = 0o100644
_SHORTEST_PREFIX = 5


@dataclass(frozen=True)
class TreeEntry:
    """A file or folder at some commit; `oid` is git's, of the blob or tree."""

    path: str
    oid: str
    is_folder: bool


@dataclass(frozen=True)
class CommitInfo:
    """One commit as the API and the pages show it; `time` in seconds since 1970."""

    oid: str
    author: str
    time: int
    title: str
    message: str
    parents: tuple[str, ...]


@dataclass(frozen=True)
class Change:
    """One path of a commit: the blob it gets, or None to delete it."""

    path: str
    blob: str | None


class GitRepo(AbstractContextManager["GitRepo"]):
    """An open bare repository; use it in a `with` and under the repo's lock when writing."""

    def __init__(self, folder: Path, name: str = ""):
        self.folder = folder
        self._name = name or folder.name
        try:
            self._repo = Repo(str(folder))
        except (NotGitRepository, ValueError, OSError) as error:
            _log.warning("%s: not a git repository that can be read", self._name, exc_info=error)
            raise unreadable(self._name) from error
        self._store = self._repo.object_store
        self._new = NewObjects(folder, self._store)
        self._trees: dict[str, Tree] = {}

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        self._new.discard()
        self._repo.close()
        if is_damage(error):
            _log.warning("%s: an object of it cannot be read", self._name, exc_info=error)
            raise unreadable(self._name) from error

    @staticmethod
    def create(folder: Path, author: str, files: dict[str, bytes], message: str) -> None:
        """Make a bare repository in the empty `folder`, with branch main and a first commit of `files`."""
        repo = Repo.init_bare(str(folder), default_branch=MAIN.encode())
        repo.close()
        with GitRepo(folder) as git:
            changes = [Change(path, git.add_blob(content)) for path, content in files.items()]
            git.add_ref(f"refs/heads/{MAIN}", git.write_commit((), changes, author, message))

    # Reading.

    def resolve(self, revision: str) -> str:
        """The commit `revision` stands for: branch, tag, `refs/...`, full SHA, then unique prefix of one.

        Raises:
            HubProblem: 404 RevisionNotFound.
        """
        refs = self._repo.refs
        names = [f"refs/heads/{revision}", f"refs/tags/{revision}"] + [revision] * revision.startswith("refs/")
        for name in names:
            try:
                return self._peel(refs[name.encode()])
            except (KeyError, ValueError):
                continue
        if _SHORTEST_PREFIX <= len(revision) <= 40 and all(digit in "0123456789abcdef" for digit in revision):
            matching = set(self._store.iter_prefix(revision.encode()))
            commits = [oid for oid in matching if isinstance(self._store[oid], Commit)]
            if len(commits) == 1:
                return str(commits[0].decode())
        raise revision_not_found(revision)

    def branch_of(self, revision: str) -> str | None:
        """The ref a commit to `revision` moves: a branch, or `refs/pr/N`; None when there is no such ref."""
        name = revision if revision.startswith("refs/pr/") else f"refs/heads/{revision}"
        return name if name.encode() in self._repo.refs else None

    def refs(self, prefix: str) -> dict[str, str]:
        """Short name to commit, of every ref under `prefix` (such as `refs/heads/`), sorted by name."""
        refs = self._repo.refs.as_dict(prefix.rstrip("/").encode())
        return {name.decode(): self._peel(oid) for name, oid in sorted(refs.items())}

    def entries(self, commit: str, folder: str = "", *, recursive: bool = False) -> Iterator[TreeEntry]:
        """Files and folders of `folder` at `commit`, sorted as git does.

        Raises:
            HubProblem: 404 EntryNotFound when there is no such folder.
        """
        tree = self._root(commit)
        if folder:
            entry = self.entry(commit, folder)
            if entry is None or not entry.is_folder:
                raise entry_not_found(f"{folder} does not exist on this revision", commit)
            tree = entry.oid
        return self._walk(tree, folder + "/" if folder else "", recursive)

    def entry(self, commit: str, path: str) -> TreeEntry | None:
        """The file or folder at `path`, or None."""
        oid, is_folder = self._root(commit), True
        for segment in path.split("/"):
            tree = self._tree(oid) if is_folder else None
            if tree is None or segment.encode() not in tree:
                return None
            mode, child = tree[segment.encode()]
            oid, is_folder = child.decode(), stat.S_ISDIR(mode)
        return TreeEntry(path, oid, is_folder)

    def read(self, blob: str) -> bytes:
        """The content of a blob."""
        return bytes(self._store[blob.encode()].as_raw_string())

    def blob_size(self, blob: str) -> int:
        """The size of a blob in bytes, without reading it where it is loose."""
        return _blob_size(self.folder, blob)

    def log(self, commit: str, skip: int = 0, count: int | None = None) -> list[CommitInfo]:
        """History from `commit` backwards, newest first."""
        most = None if count is None else skip + count
        walker = self._repo.get_walker(include=[commit.encode()], max_entries=most)
        return [_commit_info(entry.commit) for entry in walker][skip:]

    def commit_info(self, commit: str) -> CommitInfo:
        """One commit."""
        return _commit_info(self._store[commit.encode()])

    def last_commits(self, commit: str, paths: list[str]) -> dict[str, CommitInfo]:
        """For each path, the newest commit that changed it."""
        return {path: _commit_info(entry) for path, entry in last_changes(self._repo, commit.encode(), paths)}

    def changed_paths(self, old: str | None, new: str) -> list[tuple[str, str | None, str | None]]:
        """(path, old blob, new blob) of every file that differs; `old` None means the empty tree."""
        changes = self._store.tree_changes(self._root(old).encode() if old else None, self._root(new).encode())
        return [
            ((new_path or old_path).decode("utf-8", "replace"), _text(old_blob), _text(new_blob))
            for (old_path, new_path), _, (old_blob, new_blob) in changes
        ]

    def common_ancestor(self, left: str, right: str) -> str | None:
        """The newest commit in both histories; None where they share nothing."""
        history = {entry.commit.id for entry in self._repo.get_walker(include=[left.encode()])}
        for entry in self._repo.get_walker(include=[right.encode()]):
            if entry.commit.id in history:
                return str(entry.commit.id.decode())
        return None

    def merge_of(self, branch: str, head: str) -> CommitInfo | None:
        """The commit that merged `head` into `branch`; None where none did."""
        for entry in self._repo.get_walker(include=[self.resolve(branch).encode()]):
            if head.encode() in entry.commit.parents[1:]:
                return _commit_info(entry.commit)
        return None

    def commits_of(self, pull_request: int, base: str, merge_commit: str | None) -> list[CommitInfo]:
        """The commits a pull request adds to its base branch, oldest first."""
        until = self.commit_info(merge_commit).parents[0] if merge_commit else self.resolve(base)
        head = self.resolve(f"refs/pr/{pull_request}")
        walker = self._repo.get_walker(include=[head.encode()], exclude=[until.encode()], reverse=True)
        return [_commit_info(entry.commit) for entry in walker]

    # Writing: objects first, each durable, then one compare-and-set of the ref.

    def add_blob(self, content: bytes) -> str:
        """Take a blob in; it is stored with the commit that is written next."""
        return self._new.add_object(Blob.from_string(content))

    def write_commit(self, parents: tuple[str, ...], changes: Iterable[Change], author: str, message: str) -> str:
        """Store a commit of `changes` upon the first of `parents`; no ref moves.

        Raises:
            HubProblem: 400 when a file would take the place of a folder, or lie in a file.
        """
        changes = list(changes)
        if parents:
            self._check_places(parents[0], changes)
        tree = self._store[self._root(parents[0]).encode()] if parents else Tree()
        listed = [(change.path.encode(), *_mode_and_blob(change.blob)) for change in changes]
        root = commit_tree_changes(self._new, tree, listed)
        commit = Commit()
        commit.tree, commit.parents = root, [parent.encode() for parent in parents]
        commit.author = commit.committer = f"{author} <{author}@localhub.invalid>".encode()
        commit.author_time = commit.commit_time = int(time.time())
        commit.author_timezone = commit.commit_timezone = 0
        commit.message, commit.encoding = message.encode("utf-8", "replace"), b"UTF-8"
        oid = self._new.add_object(commit)
        self._new.flush()
        return oid

    def move_ref(self, ref: str, old: str, new: str) -> None:
        """Compare-and-set: raises 412 unless `ref` still is at `old`."""
        if not self._repo.refs.set_if_equals(ref.encode(), old.encode(), new.encode()):
            raise HubProblem(412, "A commit has happened since. Please refresh and try again.")
        fsync_folder((self.folder / ref).parent)

    def add_ref(self, ref: str, oid: str) -> None:
        """Make a new ref; raises 409 when it exists already, or would be a folder of another."""
        try:
            added = self._repo.refs.add_if_new(ref.encode(), oid.encode())
        except OSError as error:
            raise HubProblem(409, f"{ref} is in the way of a reference of a similar name, or the other way") from error
        if not added:
            raise HubProblem(409, f"Reference {ref.split('/', 2)[2]} already exists")
        fsync_folder((self.folder / ref).parent)

    def remove_ref(self, ref: str) -> bool:
        """Remove a ref; False when there is none."""
        if ref.encode() not in self._repo.refs:
            return False
        self._repo.refs.remove_if_equals(ref.encode(), None)
        return True

    def add_annotated_tag(self, name: str, commit: str, author: str, message: str) -> str:
        """Store a tag object; no ref is made."""
        tag = Tag()
        tag.name, tag.object, tag.message = name.encode(), (Commit, commit.encode()), message.encode()
        tag.tagger = f"{author} <{author}@localhub.invalid>".encode()
        tag.tag_time, tag.tag_timezone = int(time.time()), 0
        oid = self._new.add_object(tag)
        self._new.flush()
        return oid

    def _check_places(self, parent: str, changes: list[Change]) -> None:
        added = {change.path for change in changes if change.blob is not None}
        removed = {change.path for change in changes if change.blob is None}
        for path in added:
            entry = self.entry(parent, path)
            if entry is not None and entry.is_folder:
                raise bad_request(f"{path!r} is a folder; delete it in a commit of its own first")
            segments = path.split("/")
            for above in ("/".join(segments[:depth]) for depth in range(1, len(segments))):
                entry = self.entry(parent, above)
                if above in added or (entry is not None and not entry.is_folder and above not in removed):
                    raise bad_request(f"{above!r} is a file, so {path!r} cannot lie in it")

    def _peel(self, oid: bytes) -> str:
        try:
            item = self._store[oid]
            while isinstance(item, Tag):
                item = self._store[item.object[1]]
        except AssertionError as error:  # what stands in the ref is no id
            raise KeyError(oid) from error
        if not isinstance(item, Commit):
            raise KeyError(oid)
        return str(item.id.decode())

    def _tree(self, oid: str) -> Tree:
        """A tree, remembered for as long as the repo is open: a commit of many files asks for the same ones."""
        if oid not in self._trees:
            self._trees[oid] = self._store[oid.encode()]
        return self._trees[oid]

    def _root(self, commit: str) -> str:
        return str(self._store[commit.encode()].tree.decode())

    def _walk(self, tree: str, prefix: str, recursive: bool) -> Iterator[TreeEntry]:
        for item in self._store[tree.encode()].iteritems(name_order=True):
            path = prefix + item.path.decode("utf-8", "replace")
            entry = TreeEntry(path, item.sha.decode(), stat.S_ISDIR(item.mode))
            yield entry
            if recursive and entry.is_folder:
                yield from self._walk(entry.oid, entry.path + "/", True)


def _mode_and_blob(blob: str | None) -> tuple[int | None, bytes | None]:
    return (None, None) if blob is None else (_FILE_MODE, blob.encode())


def _text(oid: bytes | None) -> str | None:
    return oid.decode() if oid else None


def _commit_info(commit: Any) -> CommitInfo:
    message = commit.message.decode("utf-8", "replace")
    title, _, rest = message.partition("\n")
    return CommitInfo(
        oid=commit.id.decode(),
        author=commit.author.decode("utf-8", "replace").split(" <")[0],
        time=commit.commit_time,
        title=title,
        message=rest.lstrip("\n"),
        parents=tuple(parent.decode() for parent in commit.parents),
    )


@lru_cache(maxsize=65536)
def _blob_size(folder: Path, blob: str) -> int:
    try:
        with open(os.path.join(folder, "objects", blob[:2], blob[2:]), "rb") as file:
            header = zlib.decompressobj().decompress(file.read(4096), 32)  # `blob 1234`, NUL, content
        return int(header.partition(b"\0")[0].removeprefix(b"blob "))
    except ValueError as error:
        raise ObjectFormatException(f"{blob} has no header") from error
    except FileNotFoundError:  # somebody ran `git gc`: it is in a pack
        with GitRepo(folder) as git:
            return len(git.read(blob))
