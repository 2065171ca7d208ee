"""A local HTTP server that answers each call as a function says: any status, any bytes, cut anywhere.

with ScriptedServer(lambda call: Reply(200, b"...")) as server: ... server.url, server.calls
"""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Call:
    """What was asked: the number of the call (from 0), its path and headers, and the JSON of its body."""

    number: int
    path: str
    headers: Mapping[str, str]
    body: dict[str, Any]


@dataclass(frozen=True)
class Reply:
    """What is answered; `cut` breaks the connection after so many bytes of the content."""

    status: int = 200
    content: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None


def reply(content: Any, status: int = 200, **headers: str) -> Reply:
    """A reply of JSON."""
    return Reply(
        status, json.dumps(content).encode(), {name.replace("_", "-"): value for name, value in headers.items()}
    )


def chat(text: Any, finish_reason: Any = "stop", *, usage: Any = None, **message: Any) -> dict[str, Any]:
    """The JSON of a chat completion with one choice."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text, **message}, "finish_reason": finish_reason}
    return {"model": "m", "choices": [choice], "usage": usage or {"prompt_tokens": 20, "completion_tokens": 10}}


class ScriptedServer(ThreadingHTTPServer):
    """Serves on loopback in a thread of the test."""

    daemon_threads = True

    def __init__(self, script: Callable[[Call], Reply]):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script = script
        self.calls: list[Call] = []
        self.url = f"http://127.0.0.1:{self.server_port}/v1"
        self._counting = threading.Lock()
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def count(self, path: str, headers: Mapping[str, str], body: dict[str, Any]) -> Call:
        """Number a call and remember it."""
        with self._counting:
            call = Call(len(self.calls), path, headers, body)
            self.calls.append(call)
        return call

    def __enter__(self) -> "ScriptedServer":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: ScriptedServer
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        call = self.server.count(self.path, dict(self.headers), body)
        answer = self.server.script(call)
        self.send_response(answer.status)
        headers = {"Content-Type": "application/json", **answer.headers}
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content[: answer.cut])
        if answer.cut is not None:
            self.close_connection = True

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""
