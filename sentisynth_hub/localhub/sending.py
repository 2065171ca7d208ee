"""Sending files: by a thread of their own where the server offers its connection and it is worth it."""

from typing import BinaryIO

from starlette.concurrency import run_in_threadpool
from starlette.types import Scope, Send

from sentisynth_hub.localhub.protocol import SENDFILE


PIECE = 256 * 1024  # bytes; also the size up to which a thread of its own is not worth it


async def send_file(scope: Scope, send: Send, file: BinaryIO, start: int, count: int) -> None:
    """Send `count` bytes of `file` from `start` as the body of a response that has begun."""
    by_thread = scope.get("extensions", {}).get(SENDFILE)
    if by_thread is not None and count > PIECE:
        await by_thread["send"](file, start, count)
    else:
        file.seek(start)
        while count > 0:
            piece = await run_in_threadpool(file.read, min(PIECE, count))
            count -= len(piece)
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
