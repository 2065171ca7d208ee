"""Keeping to a server's limits: calls and tokens a minute, and the pauses it asks for."""

import asyncio
import random
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime


_FIRST_WAIT = 0.5  # seconds
_LONGEST_WAIT = 60.0


class RateLimits:
    """A line in which every call has its place: so many a minute, each as long as its share of the tokens a minute."""

    def __init__(self, requests_per_minute: float | None, tokens_per_minute: float | None):
        self._seconds_a_call = 60 / requests_per_minute if requests_per_minute else 0.0
        self._seconds_a_token = 60 / tokens_per_minute if tokens_per_minute else 0.0
        self._free = time.monotonic()  # when the next call may leave
        self._bound = self._actual = 0

    async def wait(self, bound: int) -> None:
        """Wait for the place of a call of at most `bound` tokens; how many it will really have is told from
        earlier ones.
        """
        likely = bound * (self._actual / self._bound if self._bound else 1.0)
        now = time.monotonic()
        leaves = max(now, self._free)
        self._free = leaves + max(self._seconds_a_call, likely * self._seconds_a_token)
        while (wait := leaves - time.monotonic()) > 0:
            await asyncio.sleep(wait)

    def learn(self, bound: int, actual: int) -> None:
        """A call of at most `bound` tokens had `actual` ones."""
        self._bound += bound
        self._actual += actual

    def pause(self, seconds: float) -> None:
        """No call leaves for so many seconds: the server said so."""
        self._free = max(self._free, time.monotonic() + seconds)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds a server asks to wait, from `retry-after-ms`, or `Retry-After` in seconds or as a date; None without
    one.
    """
    try:
        if "retry-after-ms" in headers:
            return max(0.0, float(headers["retry-after-ms"]) / 1000)
        value = headers.get("retry-after", "")
        if not value:
            return None
        if value.replace(".", "", 1).isdigit():
            return float(value)
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, TypeError):
        return None


def backoff(attempt: int) -> float:
    """Seconds before attempt number `attempt` + 1: doubling, with full jitter so that clients do not come back
    together.
    """
    return random.uniform(0.0, min(_LONGEST_WAIT, _FIRST_WAIT * 2**attempt))
