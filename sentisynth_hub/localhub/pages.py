"""Pages for people, rendered here: no script, nothing from elsewhere, readable on a phone.

Everything in a repo is hostile input. jinja2 escapes it, cards pass a sanitiser, and the Content-Security-Policy lets
a browser run nothing even if both should fail.
"""

import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import RedirectResponse, Response

from sentisynth_hub.localhub.cards import listed, split_card
from sentisynth_hub.localhub.content import HubFile, describe, find_file
from sentisynth_hub.localhub.diffs import file_diffs
from sentisynth_hub.localhub.discussions import Discussions
from sentisynth_hub.localhub.file_splits import Split
from sentisynth_hub.localhub.git import MAIN, GitRepo
from sentisynth_hub.localhub.http import Call
from sentisynth_hub.localhub.info import readme_text, repo_summary
from sentisynth_hub.localhub.markdown import render
from sentisynth_hub.localhub.names import REPO_TYPES
from sentisynth_hub.localhub.preview import Preview
from sentisynth_hub.localhub.problems import HubProblem, not_allowed
from sentisynth_hub.localhub.repos import HubRepo
from sentisynth_hub.localhub.sessions import (
    COOKIE,
    FORM_COOKIE,
    cookie_for,
    form_cookie,
    form_of,
    form_proof,
    is_form_proof,
    no_cookie,
)
from sentisynth_hub.localhub.viewer import first_file, kept_preview, make_preview, splits_at


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
    visible = [repo for kind in REPO_TYPES for repo in call.hub.repos.all(kind) if call.can_see(repo)]
    entries = [entry for entry in (_home_entry(call, repo) for repo in visible) if entry is not None]
    entries.sort(key=lambda entry: (-entry[0], entry[1].id))
    groups = [(kind, [entry for entry in entries if entry[1].type == kind]) for kind in ("datasets", "models")]
    return _page(call, "home.html", groups=groups)


def _home_entry(call: Call, repo: HubRepo) -> tuple[float, HubRepo, list[str], bool] | None:
    """When a repo changed last, the repo, its tags, and whether it is damaged; None where it was deleted meanwhile."""
    try:
        with repo.git() as git:
            return git.commit_info(git.resolve(MAIN)).time, repo, list(git.refs("refs/tags/")), False
    except Exception as error:  # whatever is wrong with it must not hide the others
        if not repo.folder.exists():
            return None
        call.hub.repos.report(repo, error)
        return repo.settings.created, repo, [], True


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


async def viewer(call: Call) -> Response:
    """The first rows of a split, its labels and lengths."""
    lanes = call.hub.lanes
    view = await lanes.usual.run(lambda: _view(call))
    preview = view.preview
    if view.file is not None and preview is None:
        file = view.file
        preview = await lanes.previews.run(lambda: make_preview(call.hub, view.repo, file))
    return await lanes.usual.run(lambda: _viewer_page(call, view, preview))


@dataclass(frozen=True)
class _View:
    """What a page of rows is about; `preview` is set where it was made before."""

    repo: HubRepo
    revision: str
    splits: list[Split]
    split: Split | None
    file: HubFile | None
    preview: Preview | None


def _view(call: Call) -> _View:
    repo = call.repo(content=True)
    with repo.git() as git:
        revision, commit = _revision(call, git)
        splits = splits_at(repo, git, commit)
        name = (call.query.get("config"), call.query.get("split"))
        split = next((split for split in splits if (split.config, split.name) == name), splits[0] if splits else None)
        file = first_file(repo, git, commit, split) if split else None
    return _View(repo, revision, splits, split, file, kept_preview(repo, file) if file else None)


def _viewer_page(call: Call, view: _View, preview: Preview | None) -> Response:
    with view.repo.git() as git:
        values = {"splits": view.splits, "chosen": view.split, "preview": preview}
        return _repo_page(call, view.repo, git, "viewer.html", "viewer", view.revision, **values)


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
    return _login_form(call, 200, "", _own_path(call.query.get("next", "/")))


def login(call: Call) -> Response:
    """Check the token that was shown and remember it in a cookie."""
    form = call.form()
    token, wanted = form.get("token", [""])[-1].strip(), _own_path(form.get("next", ["/"])[-1])
    if not is_form_proof(call.hub, call.request.cookies.get(FORM_COOKIE, ""), form.get("form", [""])[-1]):
        return _login_form(call, 403, "This form was too old; send it again.", wanted)
    if call.hub.accounts.find(token) is None:
        return _login_form(call, 403, "This is not a token of this Hub.", wanted)
    return RedirectResponse(wanted, 303, {"Set-Cookie": cookie_for(call.hub, token)})


def logout(call: Call) -> Response:
    """Forget the cookie."""
    if not is_form_proof(call.hub, call.request.cookies.get(COOKIE, ""), call.form().get("form", [""])[-1]):
        raise not_allowed("This form was not sent by a page of this Hub")
    return RedirectResponse("/", 303, {"Set-Cookie": no_cookie()})


def _login_form(call: Call, status: int, problem: str, wanted: str) -> Response:
    cookie = form_of(call.request.cookies.get(FORM_COOKIE, ""))
    proof = form_proof(call.hub, cookie)
    page = _page(call, "login.html", status, problem=problem, wanted=wanted, login_proof=proof)
    page.headers["Set-Cookie"] = form_cookie(cookie)
    return page


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
    later = {name: value for name, value in problem.headers.items() if name == "Retry-After"}
    return Response(html.encode("utf-8", "replace"), status, _HEADERS | later, "text/html")


def _own_path(address: str) -> str:
    """`address` if it is a path of this server, the home page otherwise: a login must not lead elsewhere."""
    own = address.startswith("/") and not address.startswith("//") and "\\" not in address and address.isprintable()
    return address if own else "/"


def _page(call: Call, template: str, status: int = 200, **values: Any) -> Response:
    proof = form_proof(call.hub, call.request.cookies.get(COOKIE, ""))
    html = _templates().get_template(template).render(account=call.account, logout_proof=proof, **values)
    return Response(html.encode("utf-8", "replace"), status, _HEADERS, "text/html")


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
    for model in listed(index):
        for result in listed(model.get("results")) if isinstance(model, dict) else []:
            if not isinstance(result, dict):
                continue
            named = result.get("dataset")
            dataset: dict[str, Any] = named if isinstance(named, dict) else {}
            for metric in listed(result.get("metrics")):
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
