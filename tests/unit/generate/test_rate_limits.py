"""Calls leave at the server's pace."""

import asyncio
import time
from email.utils import formatdate

import pytest

from sentisynth_hub.generate.providers.rate_limits import RateLimits, backoff, retry_after


def leaving(limits: RateLimits, bounds: list[int]) -> list[float]:
    """Seconds after the first call at which calls that all come at once may leave."""

    async def together() -> list[float]:
        async def one(bound: int) -> float:
            await limits.wait(bound)
            return time.monotonic()

        return await asyncio.gather(*(one(bound) for bound in bounds))

    times = asyncio.run(together())
    return [moment - times[0] for moment in times]


def test_calls_a_minute() -> None:
    times = leaving(RateLimits(1200, None), [10] * 5)
    assert all(later >= 0.05 * place - 0.005 for place, later in enumerate(times))
    assert times[-1] < 1


def test_tokens_a_minute() -> None:
    assert leaving(RateLimits(None, 60_000), [200, 200, 200])[2] >= 0.395


def test_tokens_are_those_calls_turn_out_to_have() -> None:
    limits = RateLimits(None, 60_000)
    limits.learn(200, 50)
    assert 0.045 <= leaving(limits, [200, 200])[1] < 0.195


def test_a_pause_holds_every_call() -> None:
    limits = RateLimits(None, None)
    limits.pause(0.2)
    started = time.monotonic()
    leaving(limits, [1, 1, 1])
    assert time.monotonic() - started >= 0.2


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "soon"}, None),
        ({"retry-after": formatdate(0)}, 0.0),
    ],
)
def test_what_a_server_asks_for(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


def test_a_date_is_seconds_from_now() -> None:
    wait = retry_after({"retry-after": formatdate(time.time() + 30, usegmt=True)})
    assert wait is not None
    assert 28 < wait <= 30


def test_backoff_doubles_is_jittered_and_bounded() -> None:
    for attempt, most in ((0, 0.5), (3, 4.0), (30, 60.0)):
        waits = [backoff(attempt) for _ in range(300)]
        assert all(0 <= wait <= most for wait in waits)
        assert max(waits) > 0.9 * most
        assert min(waits) < 0.1 * most


def test_a_pause_holds_calls_that_wait_already_and_keeps_them_apart() -> None:
    """Six calls 50 ms apart; after 70 ms the server asks for 200 ms: the four that wait leave 50 ms apart."""
    limits = RateLimits(1200, None)
    started = time.monotonic()

    async def together() -> list[float]:
        async def call() -> float:
            await limits.wait(10)
            return time.monotonic() - started

        calls = [asyncio.create_task(call()) for _ in range(6)]
        await asyncio.sleep(0.07)
        limits.pause(0.2)
        return await asyncio.gather(*calls)

    times = asyncio.run(together())
    assert all(moment >= 0.2 + 0.05 * place - 0.005 for place, moment in enumerate(times) if place > 1)


def test_a_pause_within_a_pause_is_the_longer_of_both() -> None:
    limits = RateLimits(None, None)
    started = time.monotonic()
    limits.pause(0.2)
    limits.pause(0.1)
    leaving(limits, [1])
    assert 0.2 <= time.monotonic() - started < 0.29


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "9" * 400, "²", ""])
def test_a_wait_that_makes_no_sense_is_none(value: str) -> None:
    assert retry_after({"retry-after-ms": value}) is None
    assert retry_after({"retry-after": value}) is None
