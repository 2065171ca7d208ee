"""Sending large files: by the kernel (`sendfile`) where the server offers its connection, in pieces elsewhere."""

from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.types import Scope, Send


_PIECE = 1 << 20


async def send_file(scope: Scope, send: Send, path: Path, start: int, count: int) -> None:
    """Send `count` bytes of `path` from `start` as the body of a response that has begun."""
    with path.open("rb") as file:
        file.seek(start)
        while count > 0:
            piece = await run_in_threadpool(file.read, min(_PIECE, count))
            count -= len(piece)
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
