"""The refusals of the embedded Hub, with the status and `X-Error-Code` that make the clients raise the right class.

On plain http a refusal without `X-Error-Code` is a bare `HfHubHTTPError`, so `repo_exists`, `push_to_hub` and
`load_dataset` depend on these names.
"""


class HubProblem(Exception):
    """A request that is refused; the application turns it into a JSON response.

    Args:
        status: the HTTP status, 4xx.
        message: one line for the person behind the client.
        code: the value of `X-Error-Code`, where the clients know one.
        headers: further response headers.
        body: further keys of the JSON body.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str = "",
        headers: dict[str, str] | None = None,
        body: dict[str, object] | None = None,
    ):
        super().__init__(message)
        self.status, self.message, self.code = status, message, code
        self.headers = headers or {}
        self.body = body or {}


def bad_request(message: str) -> HubProblem:
    """400: what was sent cannot be understood or is not allowed."""
    return HubProblem(400, message)


def repo_not_found(anonymous: bool) -> HubProblem:
    """The repo is missing, or it is private and not the caller's: the two answers are the same, byte for byte."""
    return HubProblem(401 if anonymous else 404, "Repository not found", code="RepoNotFound")


def revision_not_found(revision: str) -> HubProblem:
    """404: no branch, tag, ref or commit of this name."""
    return HubProblem(404, f"Invalid rev id: {revision}", code="RevisionNotFound")


def entry_not_found(message: str, commit: str = "") -> HubProblem:
    """404: no file or folder of this name; with the commit, so that the client can remember the absence."""
    return HubProblem(404, message, code="EntryNotFound", headers={"X-Repo-Commit": commit} if commit else {})


def gated(anonymous: bool, repo_id: str) -> HubProblem:
    """The repo shows that it exists, not what it holds."""
    reason = "you must be logged in and granted access" if anonymous else "you have not been granted access"
    return HubProblem(401 if anonymous else 403, f"Access to {repo_id} is restricted: {reason}", code="GatedRepo")


def not_allowed(message: str) -> HubProblem:
    """403: the caller is known and may not do this."""
    return HubProblem(403, message)


def too_large(what: str, limit: int) -> HubProblem:
    """413: more bytes than this server takes."""
    return HubProblem(413, f"{what} is larger than the {limit:,} bytes this server accepts")


def unreadable(repo_id: str) -> HubProblem:
    """403, as the Hub answers for a repo it has disabled: what is stored of it is damaged.

    Not a 5xx, after which the clients would ask again and again for half a minute.
    """
    return HubProblem(
        403,
        f"{repo_id} is damaged on this server's disk and cannot be read; its server.log says more",
        headers={"X-Error-Message": "Access to this resource is disabled."},
    )


def storage_full() -> HubProblem:
    """507: the disk is full; nothing was changed. The clients do not repeat it, as they would a 500."""
    return HubProblem(507, "The disk of this Hub is full: nothing was stored; make room and try again")


def busy(what: str) -> HubProblem:
    """503: too many callers want the same thing at once; the clients try again."""
    return HubProblem(503, f"Too many {what} at once; try again in a moment", headers={"Retry-After": "2"})


def conflict(message: str, **body: object) -> HubProblem:
    """409: it already exists."""
    return HubProblem(409, message, body=body)
