"""Endpoints about the caller and about whole repos: who am I, make, delete, set, list, check a card."""

from typing import Any

from starlette.responses import Response

from sentisynth_hub.localhub.accounts import EVERY_ORGANISATION
from sentisynth_hub.localhub.cards import check_card
from sentisynth_hub.localhub.git import MAIN, GitRepo
from sentisynth_hub.localhub.http import SMALL_BODY, Call, ok
from sentisynth_hub.localhub.info import damaged_summary, repo_info, repo_summary
from sentisynth_hub.localhub.names import RepoType, check_repo_name
from sentisynth_hub.localhub.problems import HubProblem, bad_request, conflict, not_allowed, repo_not_found
from sentisynth_hub.localhub.repos import HubRepo


_PAGE = 100
_ORDERS = {"lastModified", "createdAt", "downloads", "likes"}


def whoami(call: Call) -> Response:
    """Endpoint 1: the caller, their organisations, and what their token may do."""
    account = call.user()
    orgs = [org for org in account.orgs if org != EVERY_ORGANISATION]
    return ok(
        {
            "type": "user",
            "id": account.name,
            "name": account.name,
            "fullname": account.name,
            "email": f"{account.name}@localhub.invalid",
            "emailVerified": True,
            "isPro": False,
            "orgs": [{"type": "org", "id": org, "name": org, "fullname": org, "roleInOrg": "write"} for org in orgs],
            "auth": {"type": "access_token", "accessToken": {"displayName": "localhub", "role": account.role}},
        }
    )


def create_repo(call: Call) -> Response:
    """Endpoint 2."""
    account = call.writer()
    repo_type, namespace, name = _named(call, account.name)
    check_repo_name(namespace, name)
    if not account.belongs_to(namespace):
        raise not_allowed(f"You don't have the rights to create a {repo_type[:-1]} under the namespace {namespace!r}")
    private = _private(call.json())
    repos = call.hub.repos
    existing = repos.find(repo_type, namespace, name)
    repo = None if existing else repos.create(repo_type, namespace, name, account.name, bool(private))
    if repo is None:  # the client reads `url` of this answer too
        existing = existing or repos.find(repo_type, namespace, name)
        assert existing is not None
        raise conflict(f"You already created this {repo_type[:-1]} repo", url=call.repo_url(existing))
    return ok({"url": call.repo_url(repo), "name": repo.id, "id": repo.id})


def delete_repo(call: Call) -> Response:
    """Endpoint 3."""
    account = call.writer()
    repo_type, namespace, name = _named(call, account.name)
    repo = call.hub.repos.find(repo_type, namespace, name)
    if repo is None or (repo.settings.private and not account.belongs_to(namespace)):
        raise repo_not_found(anonymous=False)
    if not account.belongs_to(namespace):
        raise not_allowed(f"You do not have the rights to delete {repo.id}")
    call.hub.repos.delete(repo)
    return ok({})


def update_settings(call: Call) -> Response:
    """Endpoint 5: private or public, gated or not."""
    repo, _ = call.repo_to_write()
    body = call.json()
    changed: dict[str, object] = {}
    private = _private(body)
    if private is not None:
        changed["private"] = private
    if "gated" in body:
        if body["gated"] is not False and body["gated"] not in ("auto", "manual"):
            raise bad_request("gated must be 'auto', 'manual' or false")
        changed["gated"] = body["gated"]
    call.hub.repos.update(repo, **changed)
    return ok(changed)


def grant_access(call: Call) -> Response:
    """Let one user read a gated repo (`HfApi.grant_access`)."""
    repo, _ = call.repo_to_write()
    user = call.json().get("user")
    if not isinstance(user, str):
        raise bad_request("user must be a name")
    call.hub.repos.update(repo, granted=tuple(sorted({*repo.settings.granted, user})))
    return ok({})


def check_read(call: Call) -> Response:
    """Endpoint 6: may the caller read this repo."""
    call.repo(content=True)
    return ok({})


def check_write(call: Call) -> Response:
    """Endpoint 7: may the caller write to this repo."""
    call.repo_to_write()
    return ok({})


def list_datasets(call: Call) -> Response:
    """Endpoint 8, datasets."""
    return _list(call, "datasets")


def list_models(call: Call) -> Response:
    """Endpoint 8, models."""
    return _list(call, "models")


def validate_card(call: Call) -> Response:
    """Endpoint 9: what is wrong with the front matter of a README."""
    if call.account is None and not _is_short_json(call):
        raise HubProblem(401, "A token is needed to check a long card, or one that is not sent as JSON")
    body = call.json()
    if not isinstance(body.get("content"), str):
        raise bad_request("content must be the text of a README")
    errors, warnings = check_card(body["content"], str(body.get("repoType")))
    answer = {
        "errors": [{"message": message} for message in errors],
        "warnings": [{"message": message} for message in warnings],
    }
    if errors:
        raise HubProblem(400, errors[0], body=dict(answer))
    return ok(answer)


def _is_short_json(call: Call) -> bool:
    """Whether this is what `RepoCard.push_to_hub` sends, which checks its card without a token.

    No web page can send JSON to another site without asking first, and we do not answer such a question.
    """
    return len(call.body) <= SMALL_BODY and call.request.headers.get("content-type", "").startswith("application/json")


def _named(call: Call, own_namespace: str) -> tuple[RepoType, str, str]:
    body = call.json()
    namespace, name = body.get("organization") or own_namespace, body.get("name")
    if isinstance(name, str) and "/" in name:
        namespace, _, name = name.partition("/")
    if not isinstance(namespace, str) or not isinstance(name, str):
        raise bad_request("name and organization must be strings")
    kind = body.get("type") or "model"
    if kind not in ("model", "dataset"):
        raise bad_request(f"This Hub holds models and datasets, no repo of type {str(kind)[:40]!r}")
    return ("datasets" if kind == "dataset" else "models"), namespace, name


def _private(body: dict[str, object]) -> bool | None:
    if body.get("visibility") is not None:
        if body["visibility"] not in ("private", "public"):
            raise bad_request("visibility must be 'private' or 'public'")
        return body["visibility"] == "private"
    return bool(body["private"]) if "private" in body else None


def _list(call: Call, repo_type: RepoType) -> Response:
    order = call.query.get("sort", "lastModified")
    filters = {tag for value in call.queries("filter") for tag in value.split(",")}
    entries = []
    for repo in call.hub.repos.all(repo_type):
        if call.can_see(repo) and call.query.get("author", repo.namespace) == repo.namespace and _searched(call, repo):
            summary, item = _listed(call, repo)
            if summary and filters <= set(summary["tags"]):
                entries.append((summary.get(order) if order in _ORDERS else 0, repo.id, item))
    entries.sort(key=lambda entry: entry[:2], reverse=call.query.get("direction") != "1")
    start = call.number("skip", 0)
    most = call.number("limit", _PAGE, least=1, most=1000)
    more = call.page_link(skip=str(start + most)) if start + most < len(entries) else None
    return ok([item for _, _, item in entries[start : start + most]], more)


def _listed(call: Call, repo: HubRepo) -> tuple[dict[str, Any], dict[str, Any]]:
    """A repo's summary and what the list shows of it; empty where it was deleted meanwhile."""
    try:
        with repo.git() as git:
            summary = repo_summary(repo, git, git.resolve(MAIN))
            return summary, _shown(call, repo, git, summary)
    except Exception as error:  # whatever is wrong with it must not hide the others
        if not repo.folder.exists():
            return {}, {}
        call.hub.repos.report(repo, error)
        summary = damaged_summary(repo)
        return summary, summary


def _searched(call: Call, repo: HubRepo) -> bool:
    return all(term.lower() in repo.id.lower() for term in call.queries("search"))


def _shown(call: Call, repo: HubRepo, git: GitRepo, summary: dict[str, Any]) -> dict[str, Any]:
    expand = call.queries("expand") + call.queries("expand[]")
    if call.flag("full") or expand:
        return repo_info(repo, git, summary["sha"], blobs=False, expand=expand)
    return summary
