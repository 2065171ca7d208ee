"""Any OpenAI-compatible endpoint, many calls at once, none of them paid twice.

A call goes: place in the rate limits · worst case reserved in the ledger · reservation on disk · sent · answered ·
completions on disk · ledger settled · completion handed on. What a crash leaves between two of these steps is a
reservation without an answer, and that counts as spent.
"""

import asyncio
import itertools
import time
import uuid
from collections.abc import AsyncGenerator, Generator, Iterable, Iterator
from typing import Any

from sentisynth_hub.core.rows import Completion, Request
from sentisynth_hub.core.untrusted import one_line
from sentisynth_hub.generate.answers import completion_record
from sentisynth_hub.generate.budget import Ledger, TokenCost, worst_case
from sentisynth_hub.generate.journal import GroupedJournal, Journal
from sentisynth_hub.generate.providers import openai_protocol as protocol
from sentisynth_hub.generate.providers.call_failures import CallFailure, lost_connection, meaning, status_of
from sentisynth_hub.generate.providers.openai_client import client_settings, without_key
from sentisynth_hub.generate.providers.rate_limits import RateLimits, backoff, retry_after
from sentisynth_hub.generate.providers.server_fields import ServerFields
from sentisynth_hub.recipe import Recipe


_DEAD = 3  # so many requests in a row (or one for each call in flight) without an answer: the server is down
_REFUSALS = 30  # times a call may be told to come later, which takes a quarter of an hour and more


class EndpointCaller:
    """Asks a server; `stopped` says why it ended before every request was answered, None where it did not."""

    def __init__(self, recipe: Recipe, ledger: Ledger, journal: Journal, *, processes: int = 1, proven: bool = False):
        """Every process of a launch has its share (one of `processes`) of the rate limits.

        Args:
            proven: The server answered requests of this plan before. Then a last few that it refuses are at fault
                themselves, and do not stop the run.
        """
        self.recipe, self.ledger = recipe, ledger
        self.endpoint = protocol.endpoint_of(recipe)
        self.stopped: str | None = None
        self._journal = GroupedJournal(journal)
        per_minute = self.endpoint.requests_per_minute, self.endpoint.tokens_per_minute
        self._limits = RateLimits(*(limit / processes if limit is not None else None for limit in per_minute))
        self._fields = ServerFields(protocol.host(self.endpoint), self.endpoint.model)
        self._in_flight = 0
        self._slowest = 0.0
        self._proven = proven
        self._silent = True  # the server has not answered anything yet
        # What was given up since the last answer, and why: on disk once the server answers again.
        self._failed: list[tuple[Completion, CallFailure]] = []

    def stop(self, why: str) -> None:
        """Send no more calls; those in flight are still answered."""
        self.stopped = self.stopped or why

    def generate(self, requests: Iterable[Request]) -> Generator[Completion]:
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
        self._probing = asyncio.Lock()
        self._answers: list[Completion] = []
        self._news = asyncio.Event()
        async with AsyncOpenAI(**client_settings(self.recipe)) as self._client:
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
                await self._journal.flush()

    async def _finish(self, workers: list[asyncio.Task[None]]) -> None:
        """Wait for all workers, then settle what was given up since the last answer."""
        try:
            await asyncio.gather(*workers)
            at_fault = self._proven and not any(failure.retry for _, failure in self._failed)
            if self._silent and self._failed and not at_fault:
                self.stop(f"the server answered nothing; the last call ended with: {self._failed[-1][1].why}")
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
        failure, attempts, refusals = CallFailure(""), 0, 0
        while attempts < self.endpoint.max_attempts and refusals < _REFUSALS:
            outcome = await self._attempt(waiting)
            if outcome is None:
                return
            if isinstance(outcome, list):
                waiting = waiting[len(outcome) :]  # a server that ignores or refuses `n` gives one at a time
                if not waiting:
                    return
                attempts = refusals = 0
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

    async def _attempt(self, waiting: list[Request]) -> list[Completion] | CallFailure | None:
        """Make one call; return the completions, or what went wrong, or None where nothing may be sent any more.

        The first call goes alone, until it is known which fields the server takes.
        """
        if not self._fields.settled:
            async with self._probing:
                if not self._fields.settled:
                    outcome = await self._call(waiting)
                    if not isinstance(outcome, CallFailure) or outcome.field is None:
                        self._fields.settle(keep=isinstance(outcome, list))
                    return outcome
        return await self._call(waiting)

    async def _call(self, waiting: list[Request]) -> list[Completion] | CallFailure | None:
        new_tokens = self.recipe.generate.new_tokens * len(waiting)
        bound = worst_case(waiting[0].prompt, new_tokens)
        await self._limits.wait(bound)
        worst = self.ledger.cost(bound - new_tokens, new_tokens)
        if not await self._reserve(worst):
            return None
        call = uuid.uuid4().hex
        try:
            request_ids = [request.request_id for request in waiting]
            await self._journal.append(
                [
                    {
                        "kind": "reservation",
                        "call": call,
                        "request_ids": request_ids,
                        "tokens": bound,
                        "cost_usd": worst.usd,
                    }
                ]
            )
            started = time.monotonic()
            answer = await self._send(waiting)
            self._slowest = max(self._slowest, time.monotonic() - started)
            if isinstance(answer, CallFailure):
                if not answer.billed:
                    await self._settle(call, worst, TokenCost(), [])
                return answer
            used = answer.usage or (bound - new_tokens, new_tokens)
            cost = self.ledger.cost(*used)
            completions = protocol.completions(waiting, answer, used, cost.usd, left_out=self._fields.left_out)
            self._silent = False
            self._limits.learn(bound, cost.tokens)
            await self._settle(call, worst, cost, completions)
            if completions:
                return completions
            words = next((choice.error for choice in answer.choices if choice.error), None)
            return CallFailure("the answer has no choices" if words is None else self._mask(one_line(words)))
        finally:
            self._in_flight -= 1
            async with self._settled:
                self._settled.notify_all()

    async def _reserve(self, worst: TokenCost) -> bool:
        """Reserve a call, waiting for those in flight to be settled if need be; False where it cannot fit any more."""
        async with self._settled:
            while self.stopped is None:
                left = self.ledger.seconds_left()
                if left is not None and left <= self._slowest:
                    self.stop(self.ledger.limit_reached(TokenCost()))
                elif self.ledger.reserve(worst):
                    self._in_flight += 1
                    return True
                elif self._in_flight == 0:
                    self.stop(self.ledger.limit_reached(worst))
                else:
                    await self._settled.wait()
        return False

    async def _settle(self, call: str, reserved: TokenCost, cost: TokenCost, completions: list[Completion]) -> None:
        """Put what a call gave on disk, then into the ledger, then hand it on."""
        if completions:
            await self._journal.append([completion_record(completion, call=call) for completion in completions])
        else:
            await self._journal.append(
                [{"kind": "release", "call": call, "tokens": cost.tokens, "cost_usd": cost.usd}]
            )
        self.ledger.settle(reserved, cost)
        if completions:
            self._hand_on(completions)
            await self._hand_on_failed()

    async def _give_up(self, waiting: list[Request], failure: CallFailure) -> None:
        """Answer requests with an error: at once if it is their own fault, else once the server has answered
        others.
        """
        text, finish_reason = (failure.why, "refusal") if failure.refusal else ("", "error")
        error, nothing = None if failure.refusal else failure.why, self.ledger.cost(0, 0).usd
        for request in waiting:
            completion = Completion(
                request.request_id, text, finish_reason, self.endpoint.model, cost_usd=nothing, error=error
            )
            self._failed.append((completion, failure))
        self._silent = self._silent and not failure.refusal
        if not failure.retry and not self._silent:
            await self._hand_on_failed()
        elif len(self._failed) >= max(_DEAD, self.endpoint.concurrency) * self.endpoint.choices_per_call:
            self.stop(f"the server failed {len(self._failed)} requests in a row, the last with: {failure.why}")

    async def _hand_on_failed(self) -> None:
        """Journal and hand on what was given up."""
        failed, self._failed = [completion for completion, _ in self._failed], []
        if failed:
            await self._journal.append([completion_record(completion) for completion in failed])
            self._hand_on(failed)

    async def _send(self, waiting: list[Request]) -> protocol.ServerAnswer | CallFailure:
        import openai

        left = self.ledger.seconds_left()
        seconds = (
            self.endpoint.timeout_seconds if left is None else min(self.endpoint.timeout_seconds, max(left, 0.001))
        )
        chat = self.recipe.generate.prompt.chat
        kind: Any = self._client.chat.completions if chat else self._client.completions
        body = self._fields.apply(protocol.body(self.recipe, waiting[0], len(waiting)))
        required = {name: body[name] for name in ("model", "messages" if chat else "prompt")}
        try:
            async with asyncio.timeout(seconds):
                response = await kind.with_raw_response.create(**required, extra_body=body)
        except TimeoutError:
            return CallFailure(f"no answer within {seconds:g} seconds", billed=True)
        except openai.APIStatusError as error:
            return self._refused(error, body)
        except openai.APIConnectionError as error:
            return lost_connection(error)
        try:
            return protocol.read_body(response.content, self.endpoint.model)
        except protocol.AnswerError as error:
            status = status_of(error.code)
            self._silent = self._silent and not error.billed
            if error.billed or status is None:
                return CallFailure(self._mask(str(error)), billed=error.billed)
            return self._paused(
                meaning(self.recipe, status, error.code, self._mask(str(error)), retry_after(response.headers))
            )

    def _refused(self, error: Any, body: dict[str, Any]) -> CallFailure:
        """What an HTTP error means for the call of this `body`. None of them is billed."""
        status, content = error.status_code, error.response.content
        words, code, parameter = protocol.read_refusal(content)
        if status in (400, 422):
            field = self._fields.learn(body, content[:4000].decode("utf-8", "replace"), parameter)
            if field is not None:
                return CallFailure(f"the server refuses {field}", wait=0.0, later=True, field=field)
        hint = f"; {protocol.BASE_URL_HINT}" if content.lstrip()[:1] == b"<" else ""
        why = self._mask(f"HTTP {status}: {words}{hint}")
        return self._paused(meaning(self.recipe, status, code, why, retry_after(error.response.headers)))

    def _paused(self, failure: CallFailure) -> CallFailure:
        """Hold all calls where the server asked for a pause."""
        if failure.pause is not None:
            self._limits.pause(failure.pause)
        return failure

    def _mask(self, words: str) -> str:
        return without_key(words, self.endpoint)


def _calls(requests: Iterable[Request], size: int) -> Iterator[list[Request]]:
    """Requests of one prompt, up to `size` in a call."""
    for _, group in itertools.groupby(requests, key=lambda request: request.prompt_id):
        while call := list(itertools.islice(group, size)):
            yield call


async def _next(stream: AsyncGenerator[list[Completion]]) -> list[Completion]:
    return await anext(stream, [])
