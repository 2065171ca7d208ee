"""Endpoints that read a repo: information, refs, history, trees."""

from typing import Any

from starlette.responses import Response

from sentisynth_hub.localhub.content import HubFile, date, describe
from sentisynth_hub.localhub.discussions import Discussions
from sentisynth_hub.localhub.git import MAIN, CommitInfo, GitRepo, TreeEntry
from sentisynth_hub.localhub.http import Call, ok
from sentisynth_hub.localhub.info import repo_info
from sentisynth_hub.localhub.repos import HubRepo


_TREE_PAGE = 1000
_EXPANDED_PAGE = 50
_COMMITS_PAGE = 50


def info(call: Call) -> Response:
    """Endpoints 10 and 11: everything about a repo, at a revision or on main."""
    repo = call.repo()
    with repo.git() as git:
        commit = git.resolve(call.params.get("rev", MAIN))
        expand = call.queries("expand") + call.queries("expand[]")
        return ok(repo_info(repo, git, commit, blobs=call.flag("blobs"), expand=expand))


def refs(call: Call) -> Response:
    """Endpoint 12: branches, tags, and with `include_prs` the heads of pull requests."""
    repo = call.repo()
    with repo.git() as git:
        answer: dict[str, Any] = {
            "branches": _refs(git, "refs/heads/"),
            "converts": [],
            "tags": _refs(git, "refs/tags/"),
        }
        if call.flag("include_prs"):
            numbers = {str(discussion.num) for discussion in Discussions(repo).all() if discussion.is_pull_request}
            answer["pullRequests"] = [item for item in _refs(git, "refs/pr/") if item["name"] in numbers]
    return ok(answer)


def commits(call: Call) -> Response:
    """Endpoint 13: history, newest first."""
    repo = call.repo()
    page, most = call.number("p", 0), call.number("limit", _COMMITS_PAGE, least=1, most=1000)
    with repo.git() as git:
        history = git.log(git.resolve(call.params["rev"]), page * most, most + 1)
    formatted = "formatted" in call.queries("expand[]") + call.queries("expand")
    more = call.page_link(p=str(page + 1)) if len(history) > most else None
    return ok([_commit(commit, formatted) for commit in history[:most]], more)


def tree(call: Call) -> Response:
    """Endpoint 14: the files and folders of a folder."""
    repo = call.repo()
    expand = call.flag("expand")
    start = call.number("cursor", 0)
    most = call.number("limit", _EXPANDED_PAGE if expand else _TREE_PAGE, 1, _TREE_PAGE)
    with repo.git() as git:
        commit = git.resolve(call.params["rev"])
        entries = list(git.entries(commit, call.params.get("path", ""), recursive=call.flag("recursive")))
        more = call.page_link(cursor=str(start + most)) if start + most < len(entries) else None
        return ok(_items(repo, git, commit, entries[start : start + most], expand), more)


def paths_info(call: Call) -> Response:
    """Endpoint 15: the files and folders at given paths; unknown ones are left out."""
    repo = call.repo()
    form = call.form()
    expand = str(form.get("expand", ["false"])[-1]).lower() in ("true", "1")
    with repo.git() as git:
        commit = git.resolve(call.params["rev"])
        entries = [git.entry(commit, str(path).strip("/")) for path in form.get("paths", [])]
        return ok(_items(repo, git, commit, [entry for entry in entries if entry is not None], expand))


def _items(repo: HubRepo, git: GitRepo, commit: str, entries: list[TreeEntry], expand: bool) -> list[dict[str, Any]]:
    last = git.last_commits(commit, [entry.path for entry in entries]) if expand else {}
    items = []
    for entry in entries:
        item: dict[str, Any]
        if entry.is_folder:
            item = {"type": "directory", "oid": entry.oid, "size": 0, "path": entry.path}
        else:
            file: HubFile = describe(repo, git, entry)
            item = file.as_tree_item()
        if entry.path in last:
            last_commit = last[entry.path]
            item["lastCommit"] = {"id": last_commit.oid, "title": last_commit.title, "date": date(last_commit.time)}
        items.append(item)
    return items


def _refs(git: GitRepo, prefix: str) -> list[dict[str, str]]:
    return [{"name": name, "ref": prefix + name, "targetCommit": oid} for name, oid in git.refs(prefix).items()]


def _commit(commit: CommitInfo, formatted: bool) -> dict[str, Any]:
    item: dict[str, Any] = {
        "id": commit.oid,
        "title": commit.title,
        "message": commit.message,
        "date": date(commit.time),
        "authors": [{"user": commit.author}],
    }
    if formatted:
        item["formatted"] = {"title": commit.title, "message": commit.message}
    return item
