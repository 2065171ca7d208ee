"""Differences between two commits, file by file, as unified diffs of text."""

import difflib
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

from sentisynth_hub.localhub.content import describe
from sentisynth_hub.localhub.git import GitRepo, TreeEntry
from sentisynth_hub.localhub.repos import HubRepo


_LARGEST_TEXT = 200_000  # bytes of one side; larger files are only named
_MOST_LINES = 2_000  # shown of one file
_MOST_FILES = 300  # shown of one commit; the others are only named
_MOST_STEPS = 2_000_000  # of a comparison; a second or two


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
    changed = git.changed_paths(old, new)
    diffs = [_file_diff(repo, git, *paths) for paths in changed[:_MOST_FILES]]
    return diffs + [FileDiff(path, _change(before, after), None) for path, before, after in changed[_MOST_FILES:]]


def _file_diff(repo: HubRepo, git: GitRepo, path: str, old_blob: str | None, new_blob: str | None) -> FileDiff:
    change = _change(old_blob, new_blob)
    before, after = _lines(repo, git, path, old_blob), _lines(repo, git, path, new_blob)
    if before is None or after is None or _takes_long(before, after):
        return FileDiff(path, change, None)
    names = (f"a/{path}" if old_blob else "/dev/null", f"b/{path}" if new_blob else "/dev/null")
    lines = list(difflib.unified_diff(before, after, *names, lineterm=""))
    return FileDiff(path, change, lines if len(lines) <= _MOST_LINES else [*lines[:_MOST_LINES], "…"])


def _change(old_blob: str | None, new_blob: str | None) -> str:
    return "added" if old_blob is None else "removed" if new_blob is None else "changed"


def _takes_long(before: list[str], after: list[str]) -> bool:
    """Whether comparing would: `difflib` goes through the lines again for each stretch that both sides share, and
    looks at each line together with every equal one, but for the most frequent.
    """
    times = Counter(after)
    popular = len(after) // 100 + 1 if len(after) >= 200 else len(after)
    shared = [0 < times[line] <= popular for line in before]
    stretches = sum(here and not earlier for earlier, here in pairwise([False, *shared]))
    pairs = sum(times[line] for line, both in zip(before, shared, strict=True) if both)
    return pairs + stretches * len(before) > _MOST_STEPS


def _lines(repo: HubRepo, git: GitRepo, path: str, blob: str | None) -> list[str] | None:
    if blob is None:
        return []
    file = describe(repo, git, TreeEntry(path, blob, is_folder=False))
    if file.pointer or file.size > _LARGEST_TEXT:
        return None
    content = git.read(blob)
    return None if b"\0" in content else content.decode("utf-8", "replace").splitlines()
