"""Downloads: `/resolve/` with ranges, straight from disk for large files.

Large files are answered here with 200, never by a redirect to the same origin: the client would follow it and then
miss the commit in the last response's headers.
"""

import re
import tempfile
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from sentisynth_hub.localhub.content import HubFile, find_file
from sentisynth_hub.localhub.http import Call
from sentisynth_hub.localhub.names import check_path
from sentisynth_hub.localhub.problems import HubProblem
from sentisynth_hub.localhub.sending import PIECE, send_file


# What a browser may show in place; everything else is text or a download, so that nothing uploaded is ever run.
_IMAGES = {"png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp"}
_TEXTS = {"md", "txt", "csv", "tsv", "json", "jsonl", "yaml", "yml", "py", "jinja2", "toml", "xml", "html", "svg"}
_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


class FileResponse(Response):
    """Part of an open file, from byte `start`, `count` bytes long; closed when it was sent."""

    def __init__(self, file: BinaryIO, start: int, count: int, status: int, headers: dict[str, str]):
        super().__init__(None, status, headers)
        self._file, self._start, self._count = file, start, count
        self.headers["content-length"] = str(count)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        with self._file:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            if scope["method"] == "HEAD":
                await send({"type": "http.response.body", "body": b""})
            else:
                await send_file(scope, send, self._file, self._start, self._count)


def download(call: Call) -> Response:
    """Endpoint 16: one file at one revision."""
    repo = call.repo(content=True)
    path = check_path(call.params["path"])
    with repo.git() as git:
        commit = git.resolve(call.params["rev"])
        file = find_file(repo, git, commit, path)
        headers = {
            "X-Repo-Commit": commit,
            "ETag": f'"{file.etag}"',
            "Accept-Ranges": "bytes",
            "X-Linked-Size": str(file.size),
            "X-Linked-Etag": f'"{file.etag}"',
            "Content-Disposition": f"{_disposition(path)}; filename*=UTF-8''{quote(path.rsplit('/', 1)[-1], safe='')}",
            "Content-Type": _content_type(path),
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; sandbox",
        }
        start, end = _range(call.request.headers.get("range"), file)
        if end - start < file.size:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{file.size}"
        status = 206 if "Content-Range" in headers else 200
        if file.pointer:
            return FileResponse(repo.lfs.path(file.pointer.oid).open("rb"), start, end - start, status, headers)
        content = git.read(file.oid)[start:end]
    if len(content) <= PIECE:
        return Response(content, status, headers)
    return FileResponse(_spooled(content, call.hub.repos.incoming), 0, len(content), status, headers)


def _spooled(content: bytes, folder: Path) -> BinaryIO:
    """The content in a file without a name: a client that stands still must not hold it in memory."""
    file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 (the response closes it)
    file.write(content)
    file.flush()
    return file


def _range(header: str | None, file: HubFile) -> tuple[int, int]:
    """First byte and the one after the last; the whole file unless one simple range was asked for.

    Raises:
        HubProblem: 416 when the range begins past the end.
    """
    match = _RANGE.fullmatch(header or "")
    if match is None or match.group(1, 2) == ("", ""):
        return 0, file.size
    first, last = match.group(1, 2)
    if not first:
        start, end = max(0, file.size - int(last)), file.size
    else:
        start, end = int(first), min(int(last) + 1 if last else file.size, file.size)
    if start >= file.size or start >= end:
        raise HubProblem(416, "Range past the end of the file", headers={"Content-Range": f"bytes */{file.size}"})
    return start, end


def _suffix(path: str) -> str:
    return path.rsplit("/", 1)[-1].rpartition(".")[2].lower()


def _content_type(path: str) -> str:
    suffix = _suffix(path)
    if suffix in _IMAGES:
        return _IMAGES[suffix]
    return "text/plain; charset=utf-8" if suffix in _TEXTS else "application/octet-stream"


def _disposition(path: str) -> str:
    return "inline" if _suffix(path) in _IMAGES or _suffix(path) in _TEXTS else "attachment"
