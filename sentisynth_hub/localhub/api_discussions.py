"""Endpoints of discussions and pull requests."""

from typing import Any

from starlette.responses import Response

from sentisynth_hub.localhub.accounts import Account
from sentisynth_hub.localhub.content import date
from sentisynth_hub.localhub.discussions import Discussion, Discussions
from sentisynth_hub.localhub.git import MAIN
from sentisynth_hub.localhub.http import Call, ok
from sentisynth_hub.localhub.merging import conflicting_paths, merge_pull_request, text_diff
from sentisynth_hub.localhub.problems import HubProblem, bad_request, not_allowed
from sentisynth_hub.localhub.repos import HubRepo


_PAGE = 10
_LONGEST_TEXT = 64 * 1024  # characters


def list_all(call: Call) -> Response:
    """Endpoint 29."""
    repo = call.repo()
    kind, status, author = (call.query.get(key) for key in ("type", "status", "author"))
    kinds = {"pull_request": (True,), "discussion": (False,)}.get(kind or "all", (True, False))
    statuses = {"open": ("open", "draft"), "closed": ("closed", "merged")}.get(status or "all")
    matching = [
        discussion
        for discussion in reversed(Discussions(repo).all())
        if discussion.is_pull_request in kinds
        and (statuses is None or discussion.status in statuses)
        and author in (None, discussion.author)
    ]
    start = call.number("p", 0) * _PAGE
    items = [_item(repo, discussion) for discussion in matching[start : start + _PAGE]]
    return ok({"discussions": items, "count": len(matching), "start": start})


def create(call: Call) -> Response:
    """Endpoint 30; a pull request begins at the head of main."""
    repo, account = call.repo_to_write(as_pull_request=True)
    body = call.json()
    title, description = _text(body, "title"), str(body.get("description") or "")
    if len(description) > _LONGEST_TEXT:
        raise bad_request(f"The description is longer than {_LONGEST_TEXT:,} characters")
    is_pull_request = bool(body.get("pullRequest"))
    status = "draft" if is_pull_request else "open"  # as on the Hub: a pull request without commits is a draft
    with call.hub.repos.lock(repo), repo.git() as git:
        discussions = Discussions(repo)
        if is_pull_request:
            git.add_ref(f"refs/pr/{discussions.next_number()}", git.resolve(MAIN))
        discussion = discussions.add(title, description, account.name, is_pull_request=is_pull_request, status=status)
    return ok({"num": discussion.num, "url": f"{call.repo_url(repo)}/discussions/{discussion.num}"})


def details(call: Call) -> Response:
    """Endpoint 31."""
    repo = call.repo(content=True)
    discussion = Discussions(repo).get(_number(call))
    item = _item(repo, discussion)
    item["events"] = [_event(event_item) for event_item in _events(repo, discussion)]
    if discussion.is_pull_request:
        item["changes"] = {"base": f"refs/heads/{discussion.base}"}
        if discussion.merge_commit:
            item["changes"]["mergeCommitId"] = discussion.merge_commit
        with repo.git() as git:
            is_open = discussion.status in ("draft", "open")
            item["filesWithConflicts"] = conflicting_paths(git, discussion) if is_open else []
            item["diff"] = text_diff(repo, git, discussion) if call.flag("diff") else None
    return ok(item)


def comment(call: Call) -> Response:
    """Endpoint 32, a comment; whoever can read the repo may comment."""
    repo, account = call.repo_to_write(as_pull_request=True)
    return ok({"newMessage": _changed(call, repo, account, comment=_text(call.json(), "comment"))})


def rename(call: Call) -> Response:
    """Endpoint 32, a new title."""
    repo, account = _may_manage(call)
    title = _text(call.json(), "title")
    with call.hub.repos.lock(repo):
        discussions = Discussions(repo)
        before = discussions.get(_number(call))
        after = before.with_event("title-change", account.name, {"from": before.title, "to": title}, title=title)
        discussions.save(after)
    return ok({"newTitle": _event(after.events[-1].__dict__)})


def change_status(call: Call) -> Response:
    """Endpoint 32, closed or open again."""
    repo, account = _may_manage(call)
    status = call.json().get("status")
    if status not in ("open", "closed"):
        raise bad_request("status must be 'open' or 'closed'")
    with call.hub.repos.lock(repo):
        discussions = Discussions(repo)
        discussion = discussions.get(_number(call))
        if discussion.status == "merged":
            raise bad_request("A merged pull request cannot be opened or closed")
        if call.json().get("comment"):
            discussion = discussion.with_comment(account.name, _text(call.json(), "comment"))
        discussion = discussion.with_event("status-change", account.name, {"status": status}, status=status)
        discussions.save(discussion)
    return ok({"newStatus": _event(discussion.events[-1].__dict__)})


def merge(call: Call) -> Response:
    """Endpoint 33."""
    repo, account = call.repo_to_write()
    with call.hub.repos.lock(repo), repo.git() as git:
        discussions = Discussions(repo)
        discussion = discussions.get(_number(call))
        if not discussion.is_pull_request or discussion.status not in ("draft", "open"):
            raise bad_request("This is not an open pull request")
        if call.json().get("comment"):
            discussion = discussion.with_comment(account.name, _text(call.json(), "comment"))
        merged = merge_pull_request(git, discussion, account.name)
        data = {"status": "merged"}
        discussions.save(
            discussion.with_event("status-change", account.name, data, status="merged", merge_commit=merged)
        )
    return ok({"mergeCommitId": merged})


def _changed(call: Call, repo: HubRepo, account: Account, *, comment: str) -> dict[str, Any]:
    with call.hub.repos.lock(repo):
        discussions = Discussions(repo)
        discussion = discussions.get(_number(call)).with_comment(account.name, comment)
        discussions.save(discussion)
    return _event(discussion.events[-1].__dict__)


def _may_manage(call: Call) -> tuple[HubRepo, Account]:
    """The author of a discussion and the members of the repo's namespace may rename, close and reopen it."""
    repo, account = call.repo_to_write(as_pull_request=True)
    if not account.belongs_to(repo.namespace) and Discussions(repo).get(_number(call)).author != account.name:
        raise not_allowed("Only its author and the repo's owners may change a discussion")
    return repo, account


def _number(call: Call) -> int:
    if not call.params["num"].isdecimal() or len(call.params["num"]) > 9:
        raise HubProblem(404, "Discussion not found")
    return int(call.params["num"])


def _text(body: dict[str, Any], key: str) -> str:
    value = body.get(key)
    if not isinstance(value, str) or not value.strip() or len(value) > _LONGEST_TEXT:
        raise bad_request(f"{key} must be a text of at most {_LONGEST_TEXT:,} characters")
    return value


def _item(repo: HubRepo, discussion: Discussion) -> dict[str, Any]:
    return {
        "num": discussion.num,
        "title": discussion.title,
        "status": discussion.status,
        "createdAt": date(discussion.created),
        "isPullRequest": discussion.is_pull_request,
        "author": {"name": discussion.author},
        "repo": {"name": repo.id, "type": repo.type[:-1]},
    }


def _events(repo: HubRepo, discussion: Discussion) -> list[dict[str, Any]]:
    """What happened, with the commits of a pull request where they belong in time."""
    events = [dict(event.__dict__) for event in discussion.events]
    if discussion.is_pull_request:
        with repo.git() as git:
            for commit in git.commits_of(discussion.num, discussion.base, discussion.merge_commit):
                data = {"subject": commit.title, "oid": commit.oid}
                author, created = commit.author, float(commit.time)
                events.append({"id": commit.oid, "type": "commit", "author": author, "created": created, "data": data})
    return sorted(events, key=lambda event: event["created"])


def _event(event: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": event["id"],
        "type": event["type"],
        "createdAt": date(event["created"]),
        "author": {"name": event["author"]},
        "data": event["data"],
    }
