"""Keeping to a server's limits: calls and tokens a minute, and the pauses it asks for."""

import asyncio
import math
import random
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime


_FIRST_WAIT = 0.5  # seconds
_LONGEST_WAIT = 60.0


class RateLimits:
    """A line in which every call has its place: so many a minute, each as long as its share of the tokens a minute.

    Places are moments of a clock that stands still while the server asked for a pause. So a pause holds the calls that
    wait already, and after it they leave as far apart as before.
    """

    def __init__(self, requests_per_minute: float | None, tokens_per_minute: float | None):
        self._seconds_a_call = 60 / requests_per_minute if requests_per_minute else 0.0
        self._seconds_a_token = 60 / tokens_per_minute if tokens_per_minute else 0.0
        self._paused = 0.0  # seconds of pause in all, to the end of the one that goes on
        self._pause_ends = time.monotonic()
        self._free = self._clock()  # when the next call may leave
        self._bound = self._actual = 0

    async def wait(self, bound: int) -> None:
        """Wait for the place of a call of at most `bound` tokens; how many it will really have is told from
        earlier ones.
        """
        likely = bound * (self._actual / self._bound if self._bound else 1.0)
        leaves = max(self._clock(), self._free)
        self._free = leaves + max(self._seconds_a_call, likely * self._seconds_a_token)
        while (wait := leaves - self._clock() + max(0.0, self._pause_ends - time.monotonic())) > 0:
            await asyncio.sleep(wait)

    def learn(self, bound: int, actual: int) -> None:
        """A call of at most `bound` tokens had `actual` ones."""
        self._bound += bound
        self._actual += actual

    def pause(self, seconds: float) -> None:
        """No call leaves for so many seconds: the server said so."""
        now = time.monotonic()
        if now + seconds > self._pause_ends:
            self._paused += now + seconds - max(now, self._pause_ends)
            self._pause_ends = now + seconds

    def _clock(self) -> float:
        """Seconds, without those of pauses."""
        return max(time.monotonic(), self._pause_ends) - self._paused


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds a server asks to wait, from `retry-after-ms`, or `Retry-After` in seconds or as a date; None without
    one, and where it makes no sense.
    """
    try:
        if "retry-after-ms" in headers:
            seconds = float(headers["retry-after-ms"]) / 1000
        elif not (value := headers.get("retry-after", "")):
            return None
        elif value.replace(".", "", 1).isdigit():
            seconds = float(value)
        else:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError):
        return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def backoff(attempt: int) -> float:
    """Seconds before attempt number `attempt` + 1: doubling, with full jitter so that clients do not come back
    together.
    """
    return random.uniform(0.0, min(_LONGEST_WAIT, _FIRST_WAIT * 2**attempt))
