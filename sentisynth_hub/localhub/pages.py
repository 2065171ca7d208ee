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
from starlette.responses import Response

from sentisynth_hub.localhub.cards import listed, split_card
from sentisynth_hub.localhub.content import describe, find_file
from sentisynth_hub.localhub.diffs import file_diffs
from sentisynth_hub.localhub.discussions import Discussions
from sentisynth_hub.localhub.git import MAIN, GitRepo
from sentisynth_hub.localhub.http import Call
from sentisynth_hub.localhub.info import readme_text, repo_summary
from sentisynth_hub.localhub.markdown import render
from sentisynth_hub.localhub.names import REPO_TYPES
from sentisynth_hub.localhub.problems import HubProblem
from sentisynth_hub.localhub.repos import HubRepo
from sentisynth_hub.localhub.sessions import (
    COOKIE,
    form_proof,
)


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
    return render_page(call, "home.html", groups=groups)


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
        revision, commit = revision_of(call, git)
        summary = repo_summary(repo, git, commit)
        _, body = split_card(readme_text(repo, git, commit))
        places = {name: f"/{quote(repo.web_path)}/{name}/{quote(revision, safe='')}/" for name in ("resolve", "blob")}
        html = render(body, images_at=places["resolve"], links_at=places["blob"])
        results = _results(summary["cardData"].get("model-index"))
        return render_repo_page(
            call, repo, git, "card.html", "card", revision, summary=summary, html=Markup(html), results=results
        )


def tree(call: Call) -> Response:
    """The files of a folder."""
    repo = call.repo(content=True)
    folder = call.params.get("path", "")
    with repo.git() as git:
        revision, commit = revision_of(call, git)
        entries = sorted(git.entries(commit, folder), key=lambda entry: (not entry.is_folder, entry.path))
        last = git.last_commits(commit, [entry.path for entry in entries])
        rows = [
            (entry, None if entry.is_folder else describe(repo, git, entry), last.get(entry.path)) for entry in entries
        ]
        return render_repo_page(call, repo, git, "tree.html", "files", revision, folder=folder, rows=rows)


def blob(call: Call) -> Response:
    """One file: its text where it is text."""
    repo = call.repo(content=True)
    with repo.git() as git:
        revision, commit = revision_of(call, git)
        file = find_file(repo, git, commit, call.params["path"])
        content = b"\0" if file.pointer or file.size > _LARGEST_SHOWN else git.read(file.oid)
        lines = None if b"\0" in content else content.decode("utf-8", "replace").splitlines()
        return render_repo_page(call, repo, git, "blob.html", "files", revision, file=file, lines=lines)


def commits(call: Call) -> Response:
    """History."""
    repo = call.repo(content=True)
    page = call.number("p", 0)
    with repo.git() as git:
        revision, commit = revision_of(call, git)
        history = git.log(commit, page * _COMMITS_PAGE, _COMMITS_PAGE + 1)
        more = len(history) > _COMMITS_PAGE
        return render_repo_page(
            call, repo, git, "commits.html", "commits", revision, commits=history[:_COMMITS_PAGE], page=page, more=more
        )


def commit(call: Call) -> Response:
    """What one commit changed."""
    repo = call.repo(content=True)
    with repo.git() as git:
        oid = git.resolve(call.params["rev"])
        info = git.commit_info(oid)
        diffs = file_diffs(repo, git, info.parents[0] if info.parents else None, oid)
        return render_repo_page(call, repo, git, "commit.html", "commits", oid, commit=info, diffs=diffs)


def tags(call: Call) -> Response:
    """Tags and branches."""
    repo = call.repo(content=True)
    with repo.git() as git:
        groups = [
            (title, [(name, git.commit_info(oid)) for name, oid in git.refs(prefix).items()])
            for title, prefix in (("Tags", "refs/tags/"), ("Branches", "refs/heads/"))
        ]
        return render_repo_page(call, repo, git, "tags.html", "tags", MAIN, groups=groups)


def discussions(call: Call) -> Response:
    """Discussions and pull requests."""
    repo = call.repo(content=True)
    with repo.git() as git:
        newest_first = list(reversed(Discussions(repo).all()))
        return render_repo_page(call, repo, git, "discussions.html", "discussions", MAIN, discussions=newest_first)


def discussion(call: Call) -> Response:
    """One discussion or pull request, with what it would change."""
    repo = call.repo(content=True)
    number = call.params["num"]
    if not number.isdecimal() or len(number) > 9:
        raise HubProblem(404, "Discussion not found")
    thread = Discussions(repo).get(int(number))
    with repo.git() as git:
        diffs = []
        if thread.is_pull_request:
            until = (
                git.commit_info(thread.merge_commit).parents[0] if thread.merge_commit else git.resolve(thread.base)
            )
            head = git.resolve(f"refs/pr/{thread.num}")
            diffs = file_diffs(repo, git, git.common_ancestor(until, head), head)
        return render_repo_page(
            call, repo, git, "discussion.html", "discussions", MAIN, discussion=thread, diffs=diffs
        )


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


def render_page(call: Call, template: str, status: int = 200, **values: Any) -> Response:
    """A page of one of the templates, for the caller."""
    proof = form_proof(call.hub, call.request.cookies.get(COOKIE, ""))
    html = _templates().get_template(template).render(account=call.account, logout_proof=proof, **values)
    return Response(html.encode("utf-8", "replace"), status, _HEADERS, "text/html")


def render_repo_page(
    call: Call, repo: HubRepo, git: GitRepo, template: str, tab: str, revision: str, **values: Any
) -> Response:
    """A page of a repo, with its tabs and versions."""
    versions = [*reversed(git.refs("refs/tags/")), *git.refs("refs/heads/")]
    return render_page(call, template, repo=repo, tab=tab, revision=revision, versions=versions, **values)


def revision_of(call: Call, git: GitRepo) -> tuple[str, str]:
    """The revision a page is about, as it was asked for and as a commit."""
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
