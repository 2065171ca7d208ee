"""The embedded Hub as an ASGI application: every endpoint in one table."""

import errno
import ipaddress
import logging
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from sentisynth_hub.localhub import (
    api_account,
    api_discussions,
    api_lfs,
    api_read,
    api_write,
    pages,
    pages_login,
    pages_rows,
    resolve,
)
from sentisynth_hub.localhub.accounts import Account
from sentisynth_hub.localhub.http import Call, Route, answer, refusal, split_path
from sentisynth_hub.localhub.hub import Hub
from sentisynth_hub.localhub.problems import HubProblem, bad_request, not_allowed, storage_full
from sentisynth_hub.localhub.sessions import account_of


_log = logging.getLogger(__name__)
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_REPO = "api/{type}/{ns}/{name}"
_DISCUSSIONS = f"{_REPO}/discussions"
ROUTES = [
    Route("GET", "api/whoami-v2", api_account.whoami, lane="instant"),
    Route("POST", "api/repos/create", api_account.create_repo),
    Route("DELETE", "api/repos/delete", api_account.delete_repo),
    Route("POST", "api/validate-yaml", api_account.validate_card),
    Route("GET", "api/datasets", api_account.list_datasets),
    Route("GET", "api/models", api_account.list_models),
    Route("PUT", f"{_REPO}/settings", api_account.update_settings),
    Route("POST", f"{_REPO}/user-access-request/grant", api_account.grant_access),
    Route("GET", f"{_REPO}/auth-check", api_account.check_read),
    Route("GET", f"{_REPO}/auth-check/write", api_account.check_write),
    Route("GET", _REPO, api_read.info),
    Route("GET", f"{_REPO}/revision/{{rev}}", api_read.info),
    Route("GET", f"{_REPO}/refs", api_read.refs),
    Route("GET", f"{_REPO}/commits/{{rev}}", api_read.commits),
    Route("GET", f"{_REPO}/tree/{{rev}}", api_read.tree),
    Route("GET", f"{_REPO}/tree/{{rev}}/{{path*}}", api_read.tree),
    Route("POST", f"{_REPO}/paths-info/{{rev}}", api_read.paths_info),
    Route("POST", f"{_REPO}/preupload/{{rev}}", api_write.preupload),
    Route("POST", f"{_REPO}/commit/{{rev}}", api_write.commit),
    Route("POST", f"{_REPO}/branch/{{rev}}", api_write.create_branch),
    Route("DELETE", f"{_REPO}/branch/{{rev}}", api_write.delete_branch),
    Route("POST", f"{_REPO}/tag/{{rev}}", api_write.create_tag),
    Route("DELETE", f"{_REPO}/tag/{{rev}}", api_write.delete_tag),
    Route("GET", _DISCUSSIONS, api_discussions.list_all),
    Route("POST", _DISCUSSIONS, api_discussions.create),
    Route("GET", f"{_DISCUSSIONS}/{{num}}", api_discussions.details),
    Route("POST", f"{_DISCUSSIONS}/{{num}}/comment", api_discussions.comment),
    Route("POST", f"{_DISCUSSIONS}/{{num}}/title", api_discussions.rename),
    Route("POST", f"{_DISCUSSIONS}/{{num}}/status", api_discussions.change_status),
    Route("POST", f"{_DISCUSSIONS}/{{num}}/merge", api_discussions.merge),
    Route("PUT", "api/lfs/object/{type}/{ns}/{name}/{oid}", api_lfs.put_object),
    Route("PUT", "api/lfs/part/{type}/{ns}/{name}/{oid}", api_lfs.put_part),
    Route("POST", "api/lfs/complete/{type}/{ns}/{name}/{oid}", api_lfs.complete, lane="joins"),
    Route("GET", "", pages.home, page=True),
    Route("GET", "login", pages_login.login_page, page=True, lane="instant"),
    Route("POST", "login", pages_login.login, page=True),
    Route("POST", "logout", pages_login.logout, page=True),
    Route("GET", "static/style.css", pages.stylesheet, page=True, lane="instant"),
    Route("GET", "favicon.ico", pages.no_icon, page=True, lane="instant"),
]
# What is addressed like a page: under `datasets/` for a dataset, at the root for a model.
WEB_ROUTES = [
    Route("POST", "{ns}/{name}.git/info/lfs/objects/batch", api_lfs.batch),
    Route("POST", "{ns}/{name}.git/info/lfs/verify", api_lfs.verify),
    Route("GET", "{ns}/{name}/resolve/{rev}/{path*}", resolve.download),
    Route("GET", "{ns}/{name}", pages.card, page=True),
    Route("GET", "{ns}/{name}/tree/{rev}", pages.tree, page=True),
    Route("GET", "{ns}/{name}/tree/{rev}/{path*}", pages.tree, page=True),
    Route("GET", "{ns}/{name}/blob/{rev}/{path*}", pages.blob, page=True),
    Route("GET", "{ns}/{name}/commits/{rev}", pages.commits, page=True),
    Route("GET", "{ns}/{name}/commit/{rev}", pages.commit, page=True),
    Route("GET", "{ns}/{name}/tags", pages.tags, page=True),
    Route("GET", "{ns}/{name}/viewer", pages_rows.viewer, page=True),
    Route("GET", "{ns}/{name}/discussions", pages.discussions, page=True),
    Route("GET", "{ns}/{name}/discussions/{num}", pages.discussion, page=True),
]


class HubApp:
    """The application around one `Hub`."""

    def __init__(self, hub: Hub):
        self._hub = hub

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; anything that is not a request of HTTP is ignored."""
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        await (await self._response(request))(scope, receive, send)

    async def _response(self, request: Request) -> Response:
        page = False
        try:
            self._check_host(request)
            segments = split_path(request.scope["raw_path"])
            route, params = _find_route(request.method, segments)
            page = route.page
            self._check_origin(request, route)
            return await answer(route, Call(self._hub, request, params, self._account(request, segments)))
        except Exception as error:
            problem = _problem(error)
        return pages.refusal_page(problem, request.scope["raw_path"].decode("ascii")) if page else refusal(problem)

    def _account(self, request: Request, segments: list[str]) -> Account | None:
        """Who the token belongs to; where there is none, and only to look at pages and files, who the cookie does.

        Raises:
            HubProblem: 401 for a token that is not known.
        """
        header = request.headers.get("authorization")
        if header is None:
            looks = request.method in ("GET", "HEAD") and segments[0] != "api"
            return account_of(self._hub, request.headers.get("cookie")) if looks else None
        scheme, _, token = header.partition(" ")
        account = self._hub.accounts.find(token.strip()) if scheme.lower() == "bearer" else None
        if account is None:
            raise HubProblem(401, "Invalid credentials in Authorization header")
        return account

    def _check_host(self, request: Request) -> None:
        """Refuse foreign host names on loopback, so that no web page reaches us by pointing its name at 127.0.0.1."""
        try:
            host = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
        except ValueError as error:
            raise bad_request("The Host header is not a host") from error
        if is_loopback(self._hub.config.host) and not is_loopback(host):
            raise HubProblem(421, "This Hub listens on loopback only")

    def _check_origin(self, request: Request, route: Route) -> None:
        """Refuse what a web page of another site sends: a browser says whose page it is, the clients say nothing.

        Our own forms come from `null`, by the policy of our pages; those carry a secret of their own.
        """
        origin = request.headers.get("origin")
        own = f"{request.url.scheme}://{request.headers.get('host', '')}"
        if origin in (None, own) or request.method in ("GET", "HEAD") or (origin == "null" and route.page):
            return
        raise not_allowed("This request was sent by a page of another site")


def _problem(error: Exception) -> HubProblem:
    """What a failed call is refused with; what nobody expected is written to the log."""
    if isinstance(error, HubProblem):
        return error
    if isinstance(error, UnicodeEncodeError):
        return bad_request("The request holds text that is not valid Unicode")
    if isinstance(error, OSError) and error.errno in _FULL:
        _log.error("nothing can be stored: %s", error)
        return storage_full()
    _log.error("a request failed", exc_info=error)
    return HubProblem(500, "The Hub failed to answer; its server.log says why")


def _find_route(method: str, segments: list[str]) -> tuple[Route, dict[str, str]]:
    for route in ROUTES:
        params = route.match(method, segments)
        if params is not None:
            return route, params
    repo_type = "datasets" if segments[0] == "datasets" else "models"
    for route in WEB_ROUTES if segments[0] != "api" else []:
        params = route.match(method, segments[1:] if repo_type == "datasets" else segments)
        if params is not None:
            return route, params | {"type": repo_type}
    raise HubProblem(404, "Not found")


def is_loopback(host: str) -> bool:
    """Whether a host name or address can only mean this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
