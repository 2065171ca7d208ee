"""Endpoints that change a repo: what to upload how, commits, branches, tags."""

import base64
import binascii
import secrets
from pathlib import Path
from typing import Any

from starlette.responses import Response

from sentisynth_hub.localhub.accounts import Account
from sentisynth_hub.localhub.api_lfs import proposer_of
from sentisynth_hub.localhub.commits import adopt_proposals, check_parent, plan_changes, read_commit
from sentisynth_hub.localhub.content import describe
from sentisynth_hub.localhub.discussions import Discussions
from sentisynth_hub.localhub.git import MAIN, GitRepo
from sentisynth_hub.localhub.globs import Glob, git_glob, git_globs, is_ignored, is_too_much
from sentisynth_hub.localhub.http import Call, ok, spool
from sentisynth_hub.localhub.names import check_branch, check_path
from sentisynth_hub.localhub.problems import bad_request, conflict, not_allowed, revision_not_found
from sentisynth_hub.localhub.repos import HubRepo


_LARGEST_REGULAR = 5 * 1024**2  # bytes; beyond, a file comes as a large file whatever it holds
_LARGEST_ATTRIBUTES = 1024**2  # bytes of a .gitattributes that is read
_MOST_FILES = 256
_SMALL_COMMIT = 1024**2  # bytes


def preupload(call: Call) -> Response:
    """Endpoint 17: for each file, whether it comes inside the commit or as a large file, and what is there now."""
    repo, _ = call.repo_to_write(as_pull_request=call.flag("create_pr"))
    body = call.json()
    files = body.get("files")
    if not isinstance(files, list) or len(files) > _MOST_FILES or not all(isinstance(file, dict) for file in files):
        raise bad_request(f"files must be a list of at most {_MOST_FILES} files")
    paths = [_path_of(file) for file in files]
    ignored = git_globs(str(body.get("gitIgnore") or "").split("\n"))
    if is_too_much(ignored, paths):
        raise bad_request(
            f"gitIgnore holds {len(ignored):,} patterns, too many for {len(paths)} files; send fewer files"
        )
    with repo.git() as git:
        commit = git.resolve(call.params["rev"])
        large = _large_file_patterns(repo, git, commit)
        if is_too_much(large, paths):
            raise bad_request(f".gitattributes holds {len(large):,} patterns for large files; keep fewer")
        answers = [_upload_mode(repo, git, commit, large, ignored, file) for file in files]
    return ok({"files": answers})


async def commit(call: Call) -> Response:
    """Endpoint 22: everything or nothing."""
    as_pull_request = call.flag("create_pr")
    repo, account = call.repo_to_write(as_pull_request=as_pull_request)
    config = call.hub.config
    limit = (
        min(config.max_commit_bytes, config.max_proposed_bytes)
        if proposer_of(repo, account)
        else config.max_commit_bytes
    )
    spooled = call.hub.repos.incoming / secrets.token_hex(8)
    try:
        with spooled.open("xb") as file:
            await spool(call.stream(limit, "The commit"), file)
        lanes = call.hub.lanes
        lane = lanes.commits if spooled.stat().st_size <= _SMALL_COMMIT else lanes.large_commits
        return await lane.run(lambda: _commit(call, repo, account, spooled, as_pull_request))
    finally:
        spooled.unlink(missing_ok=True)


def create_branch(call: Call) -> Response:
    """Endpoint 23."""
    repo, _ = call.repo_to_write()
    if call.params["rev"].startswith("refs/"):
        raise bad_request("Cannot create a branch named refs/...")
    branch = check_branch(call.params["rev"])
    with call.hub.repos.lock(repo), repo.git() as git:
        if git.branch_of(branch) is not None:
            raise conflict(f"Reference already exists: {branch}")
        git.add_ref(f"refs/heads/{branch}", git.resolve(str(call.json().get("startingPoint") or MAIN)))
    return ok({})


def delete_branch(call: Call) -> Response:
    """Endpoint 24."""
    repo, _ = call.repo_to_write()
    branch = call.params["rev"]
    if branch == MAIN:
        raise not_allowed("The branch main cannot be deleted")
    with call.hub.repos.lock(repo), repo.git() as git:
        if not git.remove_ref(f"refs/heads/{check_branch(branch)}"):
            raise revision_not_found(branch)
    return ok({})


def create_tag(call: Call) -> Response:
    """Endpoint 25."""
    repo, account = call.repo_to_write()
    body = call.json()
    name, message = check_branch(str(body.get("tag") or "")), body.get("message")
    with call.hub.repos.lock(repo), repo.git() as git:
        target = git.resolve(call.params["rev"])
        if name in git.refs("refs/tags/"):
            raise conflict(f"Tag reference exists already: {name}")
        if message:
            target = git.add_annotated_tag(name, target, account.name, str(message))
        git.add_ref(f"refs/tags/{name}", target)
    return ok({})


def delete_tag(call: Call) -> Response:
    """Endpoint 26."""
    repo, _ = call.repo_to_write()
    name = call.params["rev"]
    with call.hub.repos.lock(repo), repo.git() as git:
        if not git.remove_ref(f"refs/tags/{check_branch(name)}"):
            raise revision_not_found(name)
    return ok({})


def _commit(call: Call, repo: HubRepo, account: Account, spooled: Path, as_pull_request: bool) -> Response:
    proposer = proposer_of(repo, account)
    planned = read_commit(repo, spooled, proposer)
    revision = call.params["rev"]
    answer: dict[str, Any] = {"success": True}
    with call.hub.repos.lock(repo), repo.git() as git:
        target = git.branch_of(revision)
        if target is None and not as_pull_request:
            raise revision_not_found(revision)
        head = git.resolve(revision)
        check_parent(planned, head)
        changes = plan_changes(repo, git, head, planned, spooled)
        if proposer:
            adopt_proposals(repo, planned, proposer)
        new = git.write_commit((head,), changes, account.name, planned.message)
        if as_pull_request:
            base = revision if target == f"refs/heads/{revision}" else MAIN
            number = _open_pull_request(repo, git, new, planned.summary, planned.description, account, base)
            answer["pullRequestUrl"] = f"{call.repo_url(repo)}/discussions/{number}"
        elif target is not None:
            git.move_ref(target, head, new)
    return ok(answer | {"commitUrl": f"{call.repo_url(repo)}/commit/{new}", "commitOid": new})


def _open_pull_request(
    repo: HubRepo, git: GitRepo, head: str, title: str, description: str, account: Account, base: str
) -> int:
    discussions = Discussions(repo)
    number = discussions.next_number()
    git.add_ref(f"refs/pr/{number}", head)
    discussions.add(title, description, account.name, is_pull_request=True, base=base)
    return number


def _large_file_patterns(repo: HubRepo, git: GitRepo, commit: str) -> list[Glob]:
    """The patterns `.gitattributes` marks with `filter=lfs`."""
    entry = git.entry(commit, ".gitattributes")
    if entry is None or entry.is_folder:
        return []
    file = describe(repo, git, entry)
    if file.pointer or file.size > _LARGEST_ATTRIBUTES:
        return []
    lines = [line.split() for line in git.read(entry.oid).decode("utf-8", "replace").split("\n")]
    patterns = [git_glob(words[0]) for words in lines if "filter=lfs" in words[1:]]
    return [pattern for pattern in patterns if pattern is not None]


def _path_of(file: dict[str, Any]) -> str:
    path = file.get("path")
    if not isinstance(path, str) or not isinstance(file.get("size"), int):
        raise bad_request("each file needs a path and a size")
    return check_path(path)


def _upload_mode(
    repo: HubRepo, git: GitRepo, commit: str, patterns: list[Glob], ignored: list[Glob], file: dict[str, Any]
) -> dict[str, Any]:
    path, size = file["path"], file["size"]
    listed = any(pattern.matches(path) for pattern in patterns)
    large = listed or size > _LARGEST_REGULAR or _is_binary(file.get("sample"))
    answer: dict[str, Any] = {
        "path": path,
        "uploadMode": "lfs" if large else "regular",
        "shouldIgnore": is_ignored(path, ignored),
    }
    entry = git.entry(commit, path)
    if entry is not None and not entry.is_folder:
        answer["oid"] = describe(repo, git, entry).etag
    return answer


def _is_binary(sample: object) -> bool:
    try:
        return b"\0" in base64.b64decode(str(sample or ""))
    except (binascii.Error, ValueError):
        return True
