"""uvicorn's HTTP protocol, with the one thing it lacks: sending a file without a trip through the event loop a piece.

A thread copies the file into the connection through one small buffer that stays in the processor's cache; on loopback
that was measured to be faster than `sendfile`. The application finds it under `SENDFILE` in the scope.

A thread serves a connection for as long as its client takes what it is sent, and for a slice of time at most. A client
that takes nothing waits in the event loop, which costs no thread, so however many stand still, the others go on.
"""

import asyncio
import os
import select
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import BinaryIO

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle


SENDFILE = "sentisynth.sendfile"
_BUFFER_BYTES = 256 * 1024
_THREADS = 16
_SLICE_SECONDS = 0.25  # after which the next connection in line has its turn
_PATIENCE_SECONDS = 0.02  # that a thread waits for its client before it leaves it to the event loop
_STALL_SECONDS = 60  # a client that takes nothing for so long has gone
_threads = ThreadPoolExecutor(_THREADS, "sending")


class HubProtocol(HttpToolsProtocol):
    """One connection."""

    def on_headers_complete(self) -> None:
        """Start the request, which then can send files over this connection."""
        super().on_headers_complete()
        if self.cycle is not None:  # bound now: a pipelined request replaces `self.cycle` while this one is answered
            self.scope["extensions"] = {SENDFILE: {"send": partial(self._send_file, self.cycle)}}

    async def _send_file(self, cycle: RequestResponseCycle, file: BinaryIO, start: int, count: int) -> None:
        """Send `count` bytes of `file` from `start` as body, after `http.response.start` with a content-length."""
        while self.transport.get_write_buffer_size() and not self.transport.is_closing():
            await asyncio.sleep(0.001)  # the head of the response goes first
        try:
            if self.transport.is_closing():
                raise ConnectionResetError
            with socket.socket(fileno=os.dup(self.transport.get_extra_info("socket").fileno())) as connection:
                connection.setblocking(False)
                end = start + count
                while start < end:
                    start = await self.loop.run_in_executor(_threads, _copy, file, start, end, connection)
                    if start < end:
                        await _writable(self.loop, connection)
            cycle.expected_content_length -= count
        except OSError:  # the client went away; uvicorn learns of it later than we do
            cycle.disconnected = True
            self.transport.close()


async def _writable(loop: asyncio.AbstractEventLoop, connection: socket.socket) -> None:
    """Wait until the client takes more; raises TimeoutError, an OSError, when it does not."""
    ready: asyncio.Future[None] = loop.create_future()
    descriptor = connection.fileno()
    loop.add_writer(descriptor, _settle, ready)
    try:
        async with asyncio.timeout(_STALL_SECONDS):
            await ready
    finally:
        loop.remove_writer(descriptor)


def _settle(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


def _copy(file: BinaryIO, start: int, end: int, connection: socket.socket) -> int:
    """Copy a file from `start` to `end` into a connection while it takes it; returns where it stopped."""
    buffer = memoryview(bytearray(_BUFFER_BYTES))
    poll = select.poll()
    poll.register(connection, select.POLLOUT)
    until = time.monotonic() + _SLICE_SECONDS
    with open(file.fileno(), "rb", buffering=0, closefd=False) as source:
        source.seek(start)
        while start < end and time.monotonic() < until:
            read = source.readinto(buffer[: end - start])
            if not read:
                raise ConnectionResetError  # the file is shorter than it was
            taken = _send(connection, buffer[:read], poll)
            start += taken
            if taken < read:
                break
    return start


def _send(connection: socket.socket, piece: memoryview, poll: select.poll) -> int:
    """Send a piece, with a little patience each time the connection is full; returns how much of it was taken."""
    taken = 0
    while taken < len(piece):
        try:
            taken += connection.send(piece[taken:])
        except BlockingIOError:
            if not poll.poll(1000 * _PATIENCE_SECONDS):
                break
    return taken
