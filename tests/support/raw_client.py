"""A client that sends exactly what it is told, for tests of what no well-behaved client would send."""

import base64
import hashlib
import http.client
import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit


@dataclass(frozen=True)
class Answer:
    """A response, read whole."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class RawClient:
    """One user of one server; `token` None for nobody."""

    def __init__(self, endpoint: str, token: str | None):
        self.endpoint = endpoint
        self.token = token

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Send one request on a connection of its own; a body that is not bytes is sent as JSON."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token is not None:
            sent.setdefault("Authorization", f"Bearer {self.token}")
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        connection = http.client.HTTPConnection(urlsplit(self.endpoint).netloc, timeout=30)
        try:
            connection.request(method, path, content, sent)
            response = connection.getresponse()
            received = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, received, response.read())
        finally:
            connection.close()

    def log_in(self, token: str, wanted: str = "/", **headers: str) -> Answer:
        """Fetch the login form, fill it in and send it, as a browser would."""
        form = self.send("GET", "/login")
        cookie = form.headers["set-cookie"].split(";")[0]
        body = urlencode({"token": token, "next": wanted, "form": hidden_field(form)}).encode()
        return self.send("POST", "/login", body, **{"Cookie": cookie} | headers)

    def create(self, repo_id: str, *, dataset: bool = False, private: bool = False) -> None:
        namespace, name = repo_id.split("/")
        wanted = {"name": name, "organization": namespace, "visibility": "private" if private else "public"}
        answer = self.send("POST", "/api/repos/create", wanted | ({"type": "dataset"} if dataset else {}))
        assert answer.status == 200, answer.body

    def commit(self, repo: str, *lines: dict[str, Any], parent: str | None = None, summary: str = "change") -> Answer:
        """Commit to main of `repo`, given as `models/acme/m`."""
        header = {"key": "header", "value": {"summary": summary, "parentCommit": parent}}
        body = "\n".join(json.dumps(line) for line in (header, *lines)).encode()
        return self.send("POST", f"/api/{repo}/commit/main", body)

    def upload(self, repo: str, content: bytes) -> Answer:
        """Send a large file for `repo`, given as `models/acme/m`; the answer of the last step that was needed."""
        oid = hashlib.sha256(content).hexdigest()
        answer = self.batch(repo, oid, len(content))
        actions = answer.json()["objects"][0].get("actions") if answer.status == 200 else None
        return self.put(actions["upload"]["href"], content) if actions else answer

    def batch(self, repo: str, oid: str, size: int) -> Answer:
        """Ask where to send a large file."""
        wanted = {"operation": "upload", "objects": [{"oid": oid, "size": size}]}
        return self.send("POST", f"/{repo.removeprefix('models/')}.git/info/lfs/objects/batch", wanted)

    def put(self, href: str, content: bytes) -> Answer:
        """Send bytes to a signed address, without a token as the clients do."""
        parts = urlsplit(href)
        return RawClient(self.endpoint, None).send("PUT", f"{parts.path}?{parts.query}", content)


def hidden_field(page: Answer) -> str:
    """The proof that a page's form carries."""
    match = re.search(rb'name="form" type="hidden" value="([0-9a-f]+)"', page.body)
    assert match is not None, page.body
    return match[1].decode()


def file_line(path: str, content: bytes) -> dict[str, Any]:
    """The line of a commit that adds a small file."""
    value = {"path": path, "content": base64.b64encode(content).decode(), "encoding": "base64"}
    return {"key": "file", "value": value}


def lfs_line(path: str, content: bytes) -> dict[str, Any]:
    """The line of a commit that adds a large file."""
    value = {"path": path, "algo": "sha256", "oid": hashlib.sha256(content).hexdigest(), "size": len(content)}
    return {"key": "lfsFile", "value": value}
