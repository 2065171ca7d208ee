"""What a pull request would change, whether that fits the branch as it is now, and the merge itself."""

from sentisynth_hub.localhub.diffs import file_diffs
from sentisynth_hub.localhub.discussions import Discussion
from sentisynth_hub.localhub.git import Change, GitRepo
from sentisynth_hub.localhub.problems import HubProblem
from sentisynth_hub.localhub.repos import HubRepo


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
    return "".join(diff.as_text() for diff in file_diffs(repo, git, git.common_ancestor(base, head), head))


def _merge(git: GitRepo, discussion: Discussion) -> tuple[list[Change], list[str]]:
    """The pull request's changes, and those that meet other changes on the branch."""
    base_head, pr_head = git.resolve(discussion.base), git.resolve(f"refs/pr/{discussion.num}")
    parted = git.common_ancestor(base_head, pr_head)
    ours = {path: blob for path, _, blob in git.changed_paths(parted, base_head)}
    theirs = {path: blob for path, _, blob in git.changed_paths(parted, pr_head)}
    conflicts = sorted(path for path in theirs if path in ours and ours[path] != theirs[path])
    changes = [Change(path, blob) for path, blob in theirs.items() if path not in ours]
    return changes, conflicts
