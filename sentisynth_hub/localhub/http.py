"""The small web layer: routes on the raw path, the call a handler gets, and how refusals become responses.

Routes are matched on the raw path, split on "/" and then unquoted piece by piece, because a revision arrives as ONE
encoded segment (`refs%2Fpr%2F1`) that the decoded path no longer shows.
"""

import inspect
import json
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qs, parse_qsl, quote, unquote, urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from sentisynth_hub.localhub.accounts import Account
from sentisynth_hub.localhub.names import RepoType
from sentisynth_hub.localhub.problems import (
    HubProblem,
    bad_request,
    gated,
    not_allowed,
    repo_not_found,
    too_large,
    unreadable,
)
from sentisynth_hub.localhub.repos import HubRepo


if TYPE_CHECKING:
    from sentisynth_hub.localhub.hub import Hub

Handler = Callable[["Call"], Response] | Callable[["Call"], Awaitable[Response]]
WRITE_BYTES = 1 << 20  # collected before they are handed to a thread
SMALL_BODY = 64 * 1024  # bytes; a larger one waits on disk until it is its turn
_MOST_VALUES = 200_000  # of a JSON body: a few bytes make an object of a hundred
_MOST_FIELDS = 10_000  # of a form


@dataclass(frozen=True)
class Route:
    """One endpoint: `path` is made of literal pieces, `{name}`, `{name}.git`, and `{name*}` for all that is left.

    A `page` is for people: it may be seen with the cookie of the login page, and is refused with a page. A handler
    with the lane `instant` only looks something up: it needs no thread, and so it answers however many wait for one.
    """

    method: str
    path: str
    handler: Handler
    page: bool = False
    lane: Literal["instant", "usual", "joins"] = "usual"

    def match(self, method: str, segments: list[str]) -> dict[str, str] | None:
        """The values of the path's names, or None where the route is not meant."""
        pattern = self.path.split("/")
        if method != self.method and not (method == "HEAD" and self.method == "GET"):
            return None
        rest = pattern[-1].endswith("*}")
        if len(segments) < len(pattern) if rest else len(segments) != len(pattern):
            return None
        values: dict[str, str] = {}
        for piece, segment in zip(pattern, segments, strict=False):
            if piece.startswith("{"):
                name, _, suffix = piece[1:].partition("}")
                if not segment.endswith(suffix) or (name == "type" and segment not in ("models", "datasets")):
                    return None
                values[name.rstrip("*")] = segment.removesuffix(suffix)
            elif piece != segment:
                return None
        if rest:
            name = pattern[-1][1:-2]
            values[name] = "/".join(segments[len(pattern) - 1 :])
        return values


def split_path(raw_path: bytes) -> list[str]:
    """The unquoted pieces of a raw request path.

    Raises:
        HubProblem: 400 when a piece is not UTF-8 or holds a NUL.
    """
    try:
        segments = [unquote(piece, errors="strict") for piece in raw_path.decode("ascii").strip("/").split("/")]
    except UnicodeDecodeError as error:
        raise bad_request("The path is not valid UTF-8") from error
    if any("\0" in segment for segment in segments):
        raise bad_request("The path holds a NUL character")
    return segments


class Call:
    """One request, as the handlers see it."""

    def __init__(self, hub: "Hub", request: Request, params: dict[str, str], account: Account | None):
        self.hub, self.request, self.params, self.account = hub, request, params, account
        self.body = b""
        self.query = {name: values[-1] for name, values in self._queries().items()}
        self.endpoint = f"{request.url.scheme}://{request.headers.get('host', '')}"

    def queries(self, name: str) -> list[str]:
        """Every value of a query parameter that may be repeated."""
        return self._queries().get(name, [])

    def flag(self, name: str) -> bool:
        """Whether a query parameter says yes."""
        return self.query.get(name, "").lower() in ("1", "true")

    def number(self, name: str, default: int, least: int = 0, most: int = 10**9) -> int:
        """A query parameter as a whole number within bounds."""
        value = self.query.get(name, str(default))
        if not value.isdecimal() or len(value) > 18 or not least <= int(value) <= most:
            raise bad_request(f"{name}={value[:40]}: a whole number from {least} to {most} expected")
        return int(value)

    def json(self) -> dict[str, Any]:
        """The body as a JSON object (an empty body is an empty object)."""
        if sum(map(self.body.count, (b",", b"[", b"{"))) > _MOST_VALUES:
            raise bad_request(f"The body holds more than {_MOST_VALUES:,} values")
        try:
            value = json.loads(self.body or b"{}")
        except (ValueError, RecursionError) as error:
            raise bad_request(f"The body is not JSON: {error}") from error
        if not isinstance(value, dict):
            raise bad_request("The body is not a JSON object")
        return value

    def form(self) -> dict[str, list[str]]:
        """The body as a form, or as a JSON object with lists."""
        if self.request.headers.get("content-type", "").startswith("application/json"):
            return {name: value if isinstance(value, list) else [value] for name, value in self.json().items()}
        try:
            return parse_qs(self.body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
        except (UnicodeDecodeError, ValueError) as error:
            raise bad_request("The body is not a form") from error

    async def stream(self, limit: int, what: str) -> AsyncIterator[bytes]:
        """The body in pieces, refused with 413 beyond `limit` bytes."""
        if int(self.request.headers.get("content-length") or 0) > limit:
            raise too_large(what, limit)
        received = 0
        try:
            async for chunk in self.request.stream():
                received += len(chunk)
                if received > limit:
                    raise too_large(what, limit)
                yield chunk
        except ClientDisconnect as error:
            raise bad_request("The body ended before it was complete") from error

    # Who may do what.

    def user(self) -> Account:
        """The caller, who must be logged in."""
        if self.account is None:
            raise HubProblem(401, "Invalid username or password.")
        return self.account

    def writer(self) -> Account:
        """The caller, who must hold a token that may write, on a server that may be written to."""
        account = self.user()
        if self.hub.config.read_only:
            raise not_allowed("This Hub is read-only")
        if account.role != "write":
            raise not_allowed("This token may only read; a token with the role 'write' is needed")
        return account

    def repo(self, *, content: bool = False) -> HubRepo:
        """The repo the path names, which the caller must be able to see; with `content`, also what it holds.

        Raises:
            HubProblem: RepoNotFound when it is missing or private to others, GatedRepo when `content` is refused.
        """
        repo_type: RepoType = "datasets" if self.params["type"] == "datasets" else "models"
        repo = self.hub.repos.find(repo_type, self.params["ns"], self.params["name"])
        if repo is None or not self.can_see(repo):
            raise repo_not_found(self.account is None)
        if content and repo.settings.gated and not self._is_member(repo) and not self._is_granted(repo):
            raise gated(self.account is None, repo.id)
        if repo.damaged:
            raise unreadable(repo.id)
        return repo

    def repo_to_write(self, *, as_pull_request: bool = False) -> tuple[HubRepo, Account]:
        """The repo the path names and the caller, who must be allowed to change it (or only to propose a change)."""
        repo = self.repo(content=as_pull_request)
        account = self.writer()
        if not as_pull_request and not account.belongs_to(repo.namespace):
            raise not_allowed(f"You do not have the rights to write to {repo.id}")
        return repo, account

    def can_see(self, repo: HubRepo) -> bool:
        """Whether the caller may know that this repo exists."""
        return not repo.settings.private or self._is_member(repo)

    def _is_member(self, repo: HubRepo) -> bool:
        return self.account is not None and self.account.belongs_to(repo.namespace)

    def _is_granted(self, repo: HubRepo) -> bool:
        return self.account is not None and self.account.name in repo.settings.granted

    # Answers.

    def page_link(self, **changed: str) -> dict[str, str]:
        """The header that leads to the next page: this address with some query parameters changed."""
        path = self.request.scope["raw_path"].decode("ascii")
        pairs = [pair for pair in self._query_pairs() if pair[0] not in changed] + list(changed.items())
        return {"Link": f'<{self.endpoint}{path}?{urlencode(pairs)}>; rel="next"'}

    def repo_url(self, repo: HubRepo) -> str:
        """The address of a repo's page."""
        return f"{self.endpoint}/{quote(repo.web_path)}"

    def _query_pairs(self) -> list[tuple[str, str]]:
        return parse_qsl(self.request.scope["query_string"].decode("latin-1"), keep_blank_values=True)

    def _queries(self) -> dict[str, list[str]]:
        values: dict[str, list[str]] = {}
        for name, value in self._query_pairs():
            values.setdefault(name, []).append(value)
        return values


async def answer(route: Route, call: Call) -> Response:
    """Run a handler: an async one reads its body itself, the others get it whole and run in a thread."""
    handler = route.handler
    if inspect.iscoroutinefunction(handler):
        response: Response = await handler(call)
        return response
    with tempfile.SpooledTemporaryFile(max_size=SMALL_BODY, dir=str(call.hub.repos.incoming)) as spooled:
        await spool(call.stream(call.hub.config.max_json_bytes, "The body"), spooled)
        size = spooled.tell()
        spooled.seek(0)

        def handle() -> Response:
            call.body = spooled.read()
            return handler(call)  # type: ignore[return-value]

        lanes = call.hub.lanes
        if size > SMALL_BODY:
            return await lanes.large.run(handle)
        if route.lane == "instant":
            return handle()
        return await (lanes.joins if route.lane == "joins" else lanes.usual).run(handle)


async def spool(chunks: AsyncIterator[bytes], file: IO[bytes]) -> None:
    """Write a body to a file; a piece of some size in a thread, because a busy disk makes whoever writes wait."""
    waiting = bytearray()
    async for chunk in chunks:
        waiting += chunk
        if len(waiting) > WRITE_BYTES:
            await run_in_threadpool(file.write, bytes(waiting))
            waiting.clear()
    if len(waiting) > SMALL_BODY:
        await run_in_threadpool(file.write, bytes(waiting))
    else:
        file.write(waiting)


def refusal(problem: HubProblem) -> Response:
    """The response to a refused call."""
    headers = {"X-Error-Message": _header_text(problem.message)}
    if problem.code:
        headers["X-Error-Code"] = problem.code
    headers |= {name: _header_text(value) for name, value in problem.headers.items()}
    return HubJson({"error": problem.message, **problem.body}, problem.status, headers)


class HubJson(JSONResponse):
    """JSON in which halves of surrogate pairs, which are no text, have become question marks."""

    def render(self, content: Any) -> bytes:
        """The body."""
        return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode(
            "utf-8", "replace"
        )


def ok(value: object, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer."""
    return HubJson(value, headers=headers)


def _header_text(text: str) -> str:
    """What a header can hold of a text: printable ASCII on one line."""
    return "".join(letter if " " <= letter <= "~" else "?" for letter in " ".join(text.split()))
