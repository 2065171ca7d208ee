"""Sending files: by the kernel where the server offers its connection and it is worth it, in pieces elsewhere."""

from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.types import Scope, Send

from sentisynth_hub.localhub.protocol import SENDFILE


_PIECE = 256 * 1024  # bytes; also the size up to which reading is cheaper than setting up a transfer by the kernel


async def send_file(scope: Scope, send: Send, path: Path, start: int, count: int) -> None:
    """Send `count` bytes of `path` from `start` as the body of a response that has begun."""
    by_kernel = scope.get("extensions", {}).get(SENDFILE)
    with path.open("rb") as file:
        if by_kernel is not None and count > _PIECE:
            await by_kernel["send"](file, start, count)
        else:
            file.seek(start)
            while count > 0:
                piece = await run_in_threadpool(file.read, min(_PIECE, count))
                count -= len(piece)
                await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
