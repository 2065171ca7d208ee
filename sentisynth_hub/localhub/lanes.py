"""Which requests share threads, and how many of a kind may run and wait at once.

A request that waits for its lane waits in the event loop and holds no thread, so whatever fills one lane, the others
go on. Beyond what a lane lets wait, callers are told to come again (503).
"""

from collections.abc import Callable
from typing import TypeVar

import anyio
from anyio.to_thread import run_sync

from sentisynth_hub.localhub.problems import busy


T = TypeVar("T")


class Lane:
    """Some threads of one kind of work.

    Args:
        what: what waits here, for the person who is told to come again.
        threads: how many run at once.
        waiting: how many more may wait.
    """

    def __init__(self, what: str, threads: int, waiting: int):
        self._what, self._most = what, threads + waiting
        self._threads = anyio.CapacityLimiter(threads)
        self._present = 0

    async def run(self, action: Callable[[], T]) -> T:
        """What `action` returns, called in a thread when it is its turn.

        Raises:
            HubProblem: 503 when too many are here already.
        """
        if self._present >= self._most:
            raise busy(self._what)
        self._present += 1
        try:
            return await run_sync(action, limiter=self._threads)
        finally:
            self._present -= 1


class Lanes:
    """The lanes of one server."""

    def __init__(self) -> None:
        self.usual = Lane("requests", 16, 1_000)
        self.large = Lane("large requests", 2, 256)  # parsing them takes memory
        self.commits = Lane("commits", 8, 1_000)
        self.large_commits = Lane("large commits", 2, 64)
        self.joins = Lane("uploads", 4, 64)  # minutes of copying
        self.previews = Lane("previews", 1, 8)
