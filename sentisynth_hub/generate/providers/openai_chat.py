"""Any OpenAI-compatible endpoint, many calls at once, none of them paid twice.

A call goes: place in the rate limits · worst case reserved in the ledger · reservation on disk · sent · answered ·
completions on disk · ledger settled · completion handed on. What a crash leaves between two of these steps is a
reservation without an answer, and that counts as spent.
"""

import asyncio
import itertools
import json
import os
import time
import uuid
from collections.abc import AsyncGenerator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sentisynth_hub.core.errors import InputError
from sentisynth_hub.core.rows import Completion, Request
from sentisynth_hub.generate.answers import completion_record
from sentisynth_hub.generate.budget import Cost, Ledger, worst_case
from sentisynth_hub.generate.journal import Journal
from sentisynth_hub.generate.providers import openai_protocol as protocol
from sentisynth_hub.generate.providers.rate_limits import RateLimits, backoff, retry_after
from sentisynth_hub.recipe import Recipe
from sentisynth_hub.recipe.generate_section import EndpointGenerator as EndpointSection


_DEAD = 3  # so many requests in a row (or one for each call in flight) without an answer: the server is down
_REFUSALS = 30  # times a call may be told to come later, which takes a quarter of an hour and more


@dataclass(frozen=True, slots=True)
class _Failure:
    """Why an attempt gave no text, and what follows.

    `billed`: the server may have worked for it. `retry` after `wait` seconds (None: back off), or give the request up,
    or `stop` the run. `later`: the server only asked to come again, which uses up no attempt.
    """

    why: str
    billed: bool = False
    retry: bool = True
    wait: float | None = None
    stop: bool = False
    later: bool = False


class EndpointGenerator:
    """Asks a server; `stopped` says why it ended before every request was answered, None where it did not."""

    def __init__(self, recipe: Recipe, ledger: Ledger, journal: Journal, *, processes: int = 1):
        """Every process of a launch has its share (one of `processes`) of the rate limits."""
        self.recipe, self.ledger = recipe, ledger
        self.endpoint = protocol.endpoint_of(recipe)
        self.stopped: str | None = None
        self._journal = _GroupedJournal(journal)
        per_minute = self.endpoint.requests_per_minute, self.endpoint.tokens_per_minute
        self._limits = RateLimits(*(limit / processes if limit is not None else None for limit in per_minute))
        self._in_flight = 0
        self._slowest = 0.0
        self._silent = True  # the server has not answered anything yet
        self._failed: list[Completion] = []  # given up since the last answer: on disk once the server answers again

    def stop(self, why: str) -> None:
        """Send no more calls; those in flight are still answered."""
        self.stopped = self.stopped or why

    def generate(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """Yield completions as they come, each on disk before it is yielded. Memory holds only the calls in flight."""
        calls = _calls(requests, self.endpoint.choices_per_call)
        with asyncio.Runner() as runner:
            stream = self._stream(calls)
            try:
                while answered := runner.run(_next(stream)):
                    yield from answered
            finally:
                runner.run(stream.aclose())

    async def _stream(self, calls: Iterator[list[Request]]) -> AsyncGenerator[list[Completion]]:
        """Yield what has been answered whenever there is something."""
        from openai import AsyncOpenAI

        self._settled = asyncio.Condition()
        self._answers: list[Completion] = []
        self._news = asyncio.Event()
        async with AsyncOpenAI(**client_settings(self.endpoint)) as self._client:
            workers = [asyncio.create_task(self._work(calls)) for _ in range(self.endpoint.concurrency)]
            everyone = asyncio.create_task(self._finish(workers))
            try:
                while self._answers or not everyone.done():
                    await self._news.wait()
                    self._news.clear()
                    answered, self._answers = self._answers, []
                    if answered:
                        yield answered
                await everyone  # what went wrong in a worker goes wrong here
            finally:
                for task in (everyone, *workers):
                    task.cancel()
                await asyncio.gather(everyone, *workers, return_exceptions=True)

    async def _finish(self, workers: list[asyncio.Task[None]]) -> None:
        """Wait for all workers, then settle what was given up since the last answer."""
        try:
            await asyncio.gather(*workers)
            if self._silent and self._failed:
                self.stop(f"the server answered nothing; the last call ended with: {self._failed[-1].error}")
            if self.stopped is None:
                await self._hand_on_failed()
        finally:
            self._news.set()

    def _hand_on(self, completions: list[Completion]) -> None:
        self._answers += completions
        self._news.set()

    async def _work(self, calls: Iterator[list[Request]]) -> None:
        for waiting in calls:
            await self._answer(waiting)
            if self.stopped is not None:
                return

    async def _answer(self, waiting: list[Request]) -> None:
        """Answer the requests of one prompt: again for those an answer left out, and for all where there was none."""
        failure, attempts, refusals = _Failure(""), 0, 0
        while attempts < self.endpoint.max_attempts and refusals < _REFUSALS:
            outcome = await self._attempt(waiting)
            if outcome is None:
                return
            if isinstance(outcome, list):
                waiting = waiting[len(outcome) :]
                if not waiting:
                    return
                attempts += 1
                failure = _Failure(f"{len(outcome)} choices came where {len(outcome) + len(waiting)} were asked for")
                continue
            failure = outcome
            if failure.stop:
                self.stop(failure.why)
                return
            if not failure.retry:
                break
            attempts, refusals = attempts + (not failure.later), refusals + failure.later
            await asyncio.sleep(backoff(attempts + refusals) if failure.wait is None else failure.wait)
        await self._give_up(waiting, failure)

    async def _attempt(self, waiting: list[Request]) -> list[Completion] | _Failure | None:
        """Make one call; return the completions, or what went wrong, or None where nothing may be sent any more."""
        new_tokens = self.recipe.generate.sampling.max_new_tokens * len(waiting)
        bound = worst_case(waiting[0].prompt, new_tokens)
        await self._limits.wait(bound)
        worst = self.ledger.cost(bound - new_tokens, new_tokens)
        if not await self._reserve(worst):
            return None
        call = uuid.uuid4().hex
        try:
            asked = [request.request_id for request in waiting]
            await self._journal.append(
                [{"kind": "reservation", "call": call, "request_ids": asked, "tokens": bound, "cost_usd": worst.usd}]
            )
            started = time.monotonic()
            answer = await self._send(waiting)
            self._slowest = max(self._slowest, time.monotonic() - started)
            if isinstance(answer, _Failure):
                if not answer.billed:
                    await self._settle(call, worst, Cost(), [])
                return answer
            used = answer.usage or (bound - new_tokens, new_tokens)
            cost = self.ledger.cost(*used)
            self._silent = False
            self._limits.learn(bound, cost.tokens)
            made = protocol.completions(waiting, answer, used, cost.usd)
            await self._settle(call, worst, cost, [*made])
            return made or _Failure("the answer has no choices")
        finally:
            self._in_flight -= 1
            async with self._settled:
                self._settled.notify_all()

    async def _reserve(self, worst: Cost) -> bool:
        """Reserve a call, waiting for those in flight to be settled if need be; False where it cannot fit any more."""
        async with self._settled:
            while self.stopped is None:
                left = self.ledger.seconds_left()
                if left is not None and left <= self._slowest:
                    self.stop(self.ledger.limit_reached(Cost()))
                elif self.ledger.reserve(worst):
                    self._in_flight += 1
                    return True
                elif self._in_flight == 0:
                    self.stop(self.ledger.limit_reached(worst))
                else:
                    await self._settled.wait()
        return False

    async def _settle(self, call: str, reserved: Cost, cost: Cost, made: list[Completion]) -> None:
        """Put what a call gave on disk, then into the ledger, then hand it on."""
        if made:
            await self._journal.append([completion_record(completion, call=call) for completion in made])
        else:
            await self._journal.append(
                [{"kind": "release", "call": call, "tokens": cost.tokens, "cost_usd": cost.usd}]
            )
        self.ledger.settle(reserved, cost)
        if made:
            self._hand_on(made)
            await self._hand_on_failed()

    async def _give_up(self, waiting: list[Request], failure: _Failure) -> None:
        """Answer requests with an error: at once if it is their own fault, else once the server has answered
        others.
        """
        self._failed += [
            Completion(request.request_id, "", "error", self.endpoint.model, error=failure.why) for request in waiting
        ]
        if not failure.retry and not self._silent:
            await self._hand_on_failed()
        elif len(self._failed) >= max(_DEAD, self.endpoint.concurrency) * self.endpoint.choices_per_call:
            self.stop(f"the server failed {len(self._failed)} requests in a row, the last with: {failure.why}")

    async def _hand_on_failed(self) -> None:
        """Journal and hand on what was given up."""
        failed, self._failed = self._failed, []
        if failed:
            await self._journal.append([completion_record(completion) for completion in failed])
            self._hand_on(failed)

    async def _send(self, waiting: list[Request]) -> protocol.Answer | _Failure:
        import openai

        left = self.ledger.seconds_left()
        seconds = (
            self.endpoint.timeout_seconds if left is None else min(self.endpoint.timeout_seconds, max(left, 0.001))
        )
        kind = self._client.chat.completions if self.recipe.generate.prompt.chat else self._client.completions
        try:
            async with asyncio.timeout(seconds):
                response = await kind.with_raw_response.create(**protocol.body(self.recipe, waiting[0], len(waiting)))
        except TimeoutError:
            return _Failure(f"no answer within {seconds:g} seconds", billed=True)
        except openai.APIStatusError as error:
            return self._refused(error)
        except openai.APIConnectionError as error:
            return _lost(error)
        try:
            return protocol.read_answer(json.loads(response.text), self.endpoint.model)
        except ValueError:
            return _Failure("the answer is not JSON", billed=True)
        except protocol.AnswerError as error:
            return _Failure(str(error), billed=True)

    def _refused(self, error: Any) -> _Failure:
        """What an HTTP error means: wait, try again, give this request up, or stop the run. None of them is billed."""
        status, wait = error.status_code, retry_after(error.response.headers)
        why = f"HTTP {status}: {str(error.message).splitlines()[0][:200] if error.message else 'no message'}"
        if status == 429 and error.code == "insufficient_quota":
            return _Failure(f"{why}; the account has no credit left", stop=True)
        if status in (401, 403, 404):
            return _Failure(
                f"{why}; check the key in {self.endpoint.api_key_variable}, the model and base_url", stop=True
            )
        if status == 429 or (status >= 500 and wait is not None):
            if wait is not None:
                self._limits.pause(wait)
            return _Failure(why, wait=None if wait is None else 0.0, later=True)
        return _Failure(why, retry=status >= 500 or status in (408, 409))


def client_settings(endpoint: EndpointSection) -> dict[str, Any]:
    """Arguments of the `openai` client of an endpoint; it retries nothing, as every attempt has its own reservation.

    Raises:
        InputError: No key is set and the server is not one of the user's own.
    """
    key = os.environ.get(endpoint.api_key_variable)
    if not key and endpoint.base_url is None and "OPENAI_BASE_URL" not in os.environ:
        raise InputError(f"no key in the environment variable {endpoint.api_key_variable}; set it, or set base_url")
    return {"api_key": key or "none", "base_url": endpoint.base_url, "max_retries": 0, "timeout": None}


@dataclass
class _Group:
    records: list[dict[str, Any]]
    written: bool = False


class _GroupedJournal:
    """Appends for many calls at once: what piles up during one write to the disk goes into the next together."""

    def __init__(self, journal: Journal):
        self._journal = journal
        self._group = _Group([])
        self._writing = asyncio.Lock()

    async def append(self, records: list[dict[str, Any]]) -> None:
        """Return when the records are on the disk, without holding up the calls in flight."""
        group = self._group
        group.records += records
        async with self._writing:
            if not group.written:
                self._group = _Group([])
                await asyncio.to_thread(self._journal.append, group.records)
                group.written = True


def _calls(requests: Iterable[Request], size: int) -> Iterator[list[Request]]:
    """Requests of one prompt, up to `size` in a call."""
    for _, group in itertools.groupby(requests, key=lambda request: request.prompt_id):
        while call := list(itertools.islice(group, size)):
            yield call


async def _next(stream: AsyncGenerator[list[Completion]]) -> list[Completion]:
    return await anext(stream, [])


def _lost(error: Any) -> _Failure:
    """A connection that was never made costs nothing; one that was cut may have been worked for."""
    made = type(error.__cause__).__name__ not in ("ConnectError", "ConnectTimeout")
    return _Failure("the connection was cut" if made else "no connection to the server", billed=made)
