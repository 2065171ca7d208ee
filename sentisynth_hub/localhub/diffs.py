"""Differences between two commits, file by file, as unified diffs of text."""

import difflib
from dataclasses import dataclass

from sentisynth_hub.localhub.content import describe
from sentisynth_hub.localhub.git import GitRepo, TreeEntry
from sentisynth_hub.localhub.repos import HubRepo


_LARGEST_TEXT = 200_000  # bytes of one side; larger files are only named
_MOST_LINES = 2_000  # shown of one file


@dataclass(frozen=True)
class FileDiff:
    """How one file changed; `lines` is None for a file that is not text (or too much of it)."""

    path: str
    change: str  # added, removed or changed
    lines: list[str] | None

    def as_text(self) -> str:
        """The change as `git diff` writes it."""
        body = "Binary files differ\n" if self.lines is None else "".join(line + "\n" for line in self.lines)
        return f"diff --git a/{self.path} b/{self.path}\n{body}"


def file_diffs(repo: HubRepo, git: GitRepo, old: str | None, new: str) -> list[FileDiff]:
    """Every file that differs between two commits; `old` None means the empty tree."""
    return [_file_diff(repo, git, *changed) for changed in git.changed_paths(old, new)]


def _file_diff(repo: HubRepo, git: GitRepo, path: str, old_blob: str | None, new_blob: str | None) -> FileDiff:
    change = "added" if old_blob is None else "removed" if new_blob is None else "changed"
    before, after = _lines(repo, git, path, old_blob), _lines(repo, git, path, new_blob)
    if before is None or after is None:
        return FileDiff(path, change, None)
    names = (f"a/{path}" if old_blob else "/dev/null", f"b/{path}" if new_blob else "/dev/null")
    lines = list(difflib.unified_diff(before, after, *names, lineterm=""))
    return FileDiff(path, change, lines if len(lines) <= _MOST_LINES else [*lines[:_MOST_LINES], "…"])


def _lines(repo: HubRepo, git: GitRepo, path: str, blob: str | None) -> list[str] | None:
    if blob is None:
        return []
    file = describe(repo, git, TreeEntry(path, blob, is_folder=False))
    if file.pointer or file.size > _LARGEST_TEXT:
        return None
    content = git.read(blob)
    return None if b"\0" in content else content.decode("utf-8", "replace").splitlines()
