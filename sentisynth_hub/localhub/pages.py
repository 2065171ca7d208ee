"""Pages for people, rendered here: no script, nothing from elsewhere, readable on a phone.

Everything in a repo is hostile input. jinja2 escapes it, cards pass a sanitiser, and the Content-Security-Policy lets
a browser run nothing even if both should fail.
"""

import time
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import RedirectResponse, Response

from sentisynth_hub.localhub.cards import split_card
from sentisynth_hub.localhub.content import describe, find_file
from sentisynth_hub.localhub.diffs import file_diffs
from sentisynth_hub.localhub.discussions import Discussions
from sentisynth_hub.localhub.git import MAIN, GitRepo
from sentisynth_hub.localhub.http import Call
from sentisynth_hub.localhub.info import readme_text, repo_summary
from sentisynth_hub.localhub.markdown import render
from sentisynth_hub.localhub.names import REPO_TYPES
from sentisynth_hub.localhub.problems import HubProblem, not_allowed
from sentisynth_hub.localhub.repos import HubRepo
from sentisynth_hub.localhub.sessions import cookie_for, no_cookie
from sentisynth_hub.localhub.viewer import preview_split, splits_at


TEMPLATES = Path(__file__).parent / "templates"
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_LARGEST_SHOWN = 500_000  # bytes of a text file
_COMMITS_PAGE = 50


def home(call: Call) -> Response:
    """Every repo the caller may see."""
    listed = []
    for repo_type in REPO_TYPES:
        for repo in call.hub.repos.all(repo_type):
            if call.can_see(repo):
                with repo.git() as git:
                    commit = git.resolve(MAIN)
                    tags = list(git.refs("refs/tags/"))
                    listed.append((git.commit_info(commit).time, repo, tags))
    listed.sort(key=lambda item: (-item[0], item[1].id))
    groups = [(kind, [item for item in listed if item[1].type == kind]) for kind in ("datasets", "models")]
    return _page(call, "home.html", groups=groups)


def card(call: Call) -> Response:
    """A repo's card."""
    repo = call.repo(content=True)
    with repo.git() as git:
        revision, commit = _revision(call, git)
        summary = repo_summary(repo, git, commit)
        _, body = split_card(readme_text(repo, git, commit))
        places = {name: f"/{quote(repo.web_path)}/{name}/{quote(revision, safe='')}/" for name in ("resolve", "blob")}
        html = render(body, images_at=places["resolve"], links_at=places["blob"])
        results = _results(summary["cardData"].get("model-index"))
        return _repo_page(
            call, repo, git, "card.html", "card", revision, summary=summary, html=Markup(html), results=results
        )


def tree(call: Call) -> Response:
    """The files of a folder."""
    repo = call.repo(content=True)
    folder = call.params.get("path", "")
    with repo.git() as git:
        revision, commit = _revision(call, git)
        entries = sorted(git.entries(commit, folder), key=lambda entry: (not entry.is_folder, entry.path))
        last = git.last_commits(commit, [entry.path for entry in entries])
        rows = [
            (entry, None if entry.is_folder else describe(repo, git, entry), last.get(entry.path)) for entry in entries
        ]
        return _repo_page(call, repo, git, "tree.html", "files", revision, folder=folder, rows=rows)


def blob(call: Call) -> Response:
    """One file: its text where it is text."""
    repo = call.repo(content=True)
    with repo.git() as git:
        revision, commit = _revision(call, git)
        file = find_file(repo, git, commit, call.params["path"])
        content = b"\0" if file.pointer or file.size > _LARGEST_SHOWN else git.read(file.oid)
        lines = None if b"\0" in content else content.decode("utf-8", "replace").splitlines()
        return _repo_page(call, repo, git, "blob.html", "files", revision, file=file, lines=lines)


def commits(call: Call) -> Response:
    """History."""
    repo = call.repo(content=True)
    page = call.number("p", 0)
    with repo.git() as git:
        revision, commit = _revision(call, git)
        found = git.log(commit, page * _COMMITS_PAGE, _COMMITS_PAGE + 1)
        more = len(found) > _COMMITS_PAGE
        return _repo_page(
            call, repo, git, "commits.html", "commits", revision, commits=found[:_COMMITS_PAGE], page=page, more=more
        )


def commit(call: Call) -> Response:
    """What one commit changed."""
    repo = call.repo(content=True)
    with repo.git() as git:
        oid = git.resolve(call.params["rev"])
        found = git.commit_info(oid)
        diffs = file_diffs(repo, git, found.parents[0] if found.parents else None, oid)
        return _repo_page(call, repo, git, "commit.html", "commits", oid, commit=found, diffs=diffs)


def tags(call: Call) -> Response:
    """Tags and branches."""
    repo = call.repo(content=True)
    with repo.git() as git:
        groups = [
            (title, [(name, git.commit_info(oid)) for name, oid in git.refs(prefix).items()])
            for title, prefix in (("Tags", "refs/tags/"), ("Branches", "refs/heads/"))
        ]
        return _repo_page(call, repo, git, "tags.html", "tags", MAIN, groups=groups)


def viewer(call: Call) -> Response:
    """The first rows of a split, its labels and lengths."""
    repo = call.repo(content=True)
    with repo.git() as git:
        revision, commit = _revision(call, git)
        splits = splits_at(repo, git, commit)
        wanted = (call.query.get("config"), call.query.get("split"))
        chosen = next((split for split in splits if (split.config, split.name) == wanted), None)
        chosen = chosen or (splits[0] if splits else None)
        preview = preview_split(call.hub, repo, git, commit, chosen) if chosen else None
        return _repo_page(
            call, repo, git, "viewer.html", "viewer", revision, splits=splits, chosen=chosen, preview=preview
        )


def discussions(call: Call) -> Response:
    """Discussions and pull requests."""
    repo = call.repo(content=True)
    with repo.git() as git:
        found = list(reversed(Discussions(repo).all()))
        return _repo_page(call, repo, git, "discussions.html", "discussions", MAIN, discussions=found)


def discussion(call: Call) -> Response:
    """One discussion or pull request, with what it would change."""
    repo = call.repo(content=True)
    number = call.params["num"]
    if not number.isdecimal() or len(number) > 9:
        raise HubProblem(404, "Discussion not found")
    found = Discussions(repo).get(int(number))
    with repo.git() as git:
        diffs = []
        if found.is_pull_request:
            until = git.commit_info(found.merge_commit).parents[0] if found.merge_commit else git.resolve(found.base)
            head = git.resolve(f"refs/pr/{found.num}")
            diffs = file_diffs(repo, git, git.common_ancestor(until, head), head)
        return _repo_page(call, repo, git, "discussion.html", "discussions", MAIN, discussion=found, diffs=diffs)


def login_page(call: Call) -> Response:
    """Where a person shows their token, to see private repos."""
    return _page(call, "login.html", problem="", wanted=_own_path(call.query.get("next", "/")))


def login(call: Call) -> Response:
    """Check the token that was shown and remember it in a cookie."""
    origin = call.request.headers.get("origin", call.endpoint)
    if origin not in (call.endpoint, "null"):
        raise not_allowed("This form was sent from another site")
    form = call.form()
    token, wanted = form.get("token", [""])[-1].strip(), _own_path(form.get("next", ["/"])[-1])
    if call.hub.accounts.find(token) is None:
        return _page(call, "login.html", 403, problem="This is not a token of this Hub.", wanted=wanted)
    return RedirectResponse(wanted, 303, {"Set-Cookie": cookie_for(call.hub, token)})


def logout(call: Call) -> Response:
    """Forget the cookie."""
    return RedirectResponse("/", 303, {"Set-Cookie": no_cookie()})


def stylesheet(call: Call) -> Response:
    """The one file the pages load."""
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "max-age=300"}
    return Response((TEMPLATES / "style.css").read_bytes(), 200, headers, "text/css")


def no_icon(call: Call) -> Response:
    """Browsers ask for an icon whether a page names one or not."""
    return Response(None, 204)


def refusal_page(problem: HubProblem, path: str) -> Response:
    """The page of a refused call to `path`. What a stranger may not see is simply not there."""
    status = 404 if problem.code in ("RepoNotFound", "RevisionNotFound", "EntryNotFound") else problem.status
    template = _templates().get_template("problem.html")
    html = template.render(status=status, message=problem.message, path=path, account=None)
    return Response(html, status, _HEADERS, "text/html")


def _own_path(address: str) -> str:
    """`address` if it is a path of this server, the home page otherwise: a login must not lead elsewhere."""
    own = address.startswith("/") and not address.startswith("//") and "\\" not in address and address.isprintable()
    return address if own else "/"


def _page(call: Call, template: str, status: int = 200, **values: Any) -> Response:
    html = _templates().get_template(template).render(account=call.account, **values)
    return Response(html, status, _HEADERS, "text/html")


def _repo_page(
    call: Call, repo: HubRepo, git: GitRepo, template: str, tab: str, revision: str, **values: Any
) -> Response:
    versions = [*reversed(git.refs("refs/tags/")), *git.refs("refs/heads/")]
    return _page(call, template, repo=repo, tab=tab, revision=revision, versions=versions, **values)


def _revision(call: Call, git: GitRepo) -> tuple[str, str]:
    revision = call.params.get("rev") or call.query.get("revision") or MAIN
    return revision, git.resolve(revision)


def _results(index: object) -> list[dict[str, str]]:
    """The rows of a model-index, whatever shape its author gave it."""
    rows = []
    for model in index if isinstance(index, list) else []:
        for result in (model.get("results") or []) if isinstance(model, dict) else []:
            if not isinstance(result, dict):
                continue
            named = result.get("dataset")
            dataset: dict[str, Any] = named if isinstance(named, dict) else {}
            for metric in result.get("metrics") or []:
                if isinstance(metric, dict):
                    rows.append(
                        {
                            "dataset": str(dataset.get("name", "")),
                            "revision": str(dataset.get("revision", ""))[:12],
                            "metric": str(metric.get("name") or metric.get("type") or ""),
                            "value": str(metric.get("value", "")),
                        }
                    )
    return rows


@lru_cache(maxsize=1)
def _templates() -> Environment:
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
    environment.filters["size"] = _size
    environment.filters["segment"] = lambda text: quote(str(text), safe="")
    environment.filters["path"] = lambda text: quote(str(text))
    environment.filters["day"] = lambda seconds: time.strftime("%Y-%m-%d %H:%M", time.gmtime(seconds)) + " UTC"
    return environment


def _size(count: int) -> str:
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
