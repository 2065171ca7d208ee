"""What a pull request would change, whether that fits the branch as it is now, and the merge itself."""

import difflib

from sentisynth_hub.localhub.content import describe
from sentisynth_hub.localhub.discussions import Discussion
from sentisynth_hub.localhub.git import Change, GitRepo, TreeEntry
from sentisynth_hub.localhub.problems import HubProblem
from sentisynth_hub.localhub.repos import HubRepo


_LONGEST_DIFF = 200_000  # characters


def conflicting_paths(git: GitRepo, discussion: Discussion) -> list[str]:
    """Paths that both the branch and the pull request changed since they parted, to different content."""
    return _merge(git, discussion)[1]


def merge_pull_request(git: GitRepo, discussion: Discussion, author: str) -> str:
    """Make the merge commit and move the branch to it; returns its id. Hold the repo's lock.

    Raises:
        HubProblem: 409 when both sides changed the same file.
    """
    changes, conflicts = _merge(git, discussion)
    if conflicts:
        raise HubProblem(409, f"This pull request conflicts with {discussion.base} in {', '.join(conflicts)[:500]}")
    base_head, pr_head = git.resolve(discussion.base), git.resolve(f"refs/pr/{discussion.num}")
    message = f"{discussion.title} (#{discussion.num})"
    merged = git.write_commit((base_head, pr_head), changes, author, message)
    git.move_ref(f"refs/heads/{discussion.base}", base_head, merged)
    return merged


def text_diff(repo: HubRepo, git: GitRepo, discussion: Discussion) -> str:
    """The pull request's changes as a unified diff."""
    head = git.resolve(f"refs/pr/{discussion.num}")
    merged = discussion.merge_commit
    base = git.commit_info(merged).parents[0] if merged else git.resolve(discussion.base)
    return commit_diff(repo, git, git.common_ancestor(base, head), head)


def commit_diff(repo: HubRepo, git: GitRepo, old: str | None, new: str) -> str:
    """The difference between two commits as a unified diff; files that are not text are only named."""
    pieces = []
    for path, old_blob, new_blob in git.changed_paths(old, new):
        before, after = _lines(repo, git, path, old_blob), _lines(repo, git, path, new_blob)
        pieces.append(f"diff --git a/{path} b/{path}\n")
        if before is None or after is None:
            pieces.append("Binary files differ\n")
        else:
            names = (f"a/{path}" if old_blob else "/dev/null", f"b/{path}" if new_blob else "/dev/null")
            lines = difflib.unified_diff(before, after, *names)
            pieces += [line if line.endswith("\n") else line + "\n" for line in lines]
    return "".join(pieces)[:_LONGEST_DIFF]


def _lines(repo: HubRepo, git: GitRepo, path: str, blob: str | None) -> list[str] | None:
    if blob is None:
        return []
    file = describe(repo, git, TreeEntry(path, blob, is_folder=False))
    content = b"\0" if file.pointer or file.size > _LONGEST_DIFF else git.read(blob)
    return None if b"\0" in content else content.decode("utf-8", "replace").splitlines(keepends=True)


def _merge(git: GitRepo, discussion: Discussion) -> tuple[list[Change], list[str]]:
    """The pull request's changes, and those that meet other changes on the branch."""
    base_head, pr_head = git.resolve(discussion.base), git.resolve(f"refs/pr/{discussion.num}")
    parted = git.common_ancestor(base_head, pr_head)
    ours = {path: blob for path, _, blob in git.changed_paths(parted, base_head)}
    theirs = {path: blob for path, _, blob in git.changed_paths(parted, pr_head)}
    conflicts = sorted(path for path in theirs if path in ours and ours[path] != theirs[path])
    changes = [Change(path, blob) for path, blob in theirs.items() if path not in ours]
    return changes, conflicts
