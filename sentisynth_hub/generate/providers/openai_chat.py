"""Any OpenAI-compatible endpoint, on one server or several, many calls at once, none of them paid twice.

A call goes: place in the rate limits · worst case reserved in the ledger · reservation on disk · sent · answered ·
completions on disk · ledger settled · completion handed on. What a crash leaves between two of these steps is a
reservation without an answer, and that counts as spent.

Several servers take calls from one line, each as fast as its limits let it. What one fails goes back into the line for
whoever is free, and a server that fails one call after the other is left out for the rest of the run.
"""

import asyncio
import contextlib
import time
import uuid
from collections import deque
from collections.abc import AsyncGenerator, Generator, Iterable, Iterator
from typing import Any

from sentisynth_hub.core import log
from sentisynth_hub.core.rows import Completion, Request
from sentisynth_hub.core.untrusted import one_line
from sentisynth_hub.generate.answers import completion_record
from sentisynth_hub.generate.budget import Ledger, TokenCost, worst_case
from sentisynth_hub.generate.journal import GroupedJournal, Journal
from sentisynth_hub.generate.providers import openai_protocol as protocol
from sentisynth_hub.generate.providers.call_failures import CallFailure, lost_connection, meaning, status_of
from sentisynth_hub.generate.providers.endpoint_servers import Server, WaitingCall, calls_of, paused, untried
from sentisynth_hub.generate.providers.openai_client import without_key
from sentisynth_hub.generate.providers.rate_limits import backoff, retry_after
from sentisynth_hub.recipe import Recipe


_DEAD = 3  # so many requests in a row (or one for each call in flight) without an answer: the server is down
_REFUSALS = 30  # times a call may be told to come later, which takes a quarter of an hour and more


class EndpointCaller:
    """Asks the servers; `stopped` says why it ended before every request was answered, None where it did not."""

    def __init__(self, recipe: Recipe, ledger: Ledger, journal: Journal, *, processes: int = 1, proven: bool = False):
        """Every process of a launch has its share (one of `processes`) of each server's rate limits.

        Args:
            proven: The server answered requests of this plan before. Then a last few that it refuses are at fault
                themselves, and do not stop the run.
        """
        self.recipe, self.ledger = recipe, ledger
        self.endpoint = protocol.endpoint_of(recipe)
        self.stopped: str | None = None
        self._journal = GroupedJournal(journal)
        self._servers = [Server(each, processes) for each in protocol.by_server(recipe)]
        self._returned: deque[WaitingCall] = deque()
        self._open = 0  # calls that a worker has taken and not finished
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
        calls = calls_of(requests, self.endpoint.choices_per_call)
        with asyncio.Runner() as runner:
            stream = self._stream(calls)
            try:
                while answered := runner.run(_next(stream)):
                    yield from answered
            finally:
                runner.run(stream.aclose())

    async def _stream(self, calls: Iterator[WaitingCall]) -> AsyncGenerator[list[Completion]]:
        """Yield what has been answered whenever there is something."""
        self._settled = asyncio.Condition()
        self._answers: list[Completion] = []
        self._news = asyncio.Event()
        async with contextlib.AsyncExitStack() as clients:
            for server in self._servers:
                await clients.enter_async_context(server.connect())
            workers = [
                asyncio.create_task(self._work(server, calls))
                for _ in range(self.endpoint.concurrency)
                for server in self._servers
            ]
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

    async def _work(self, server: Server, calls: Iterator[WaitingCall]) -> None:
        """Take calls while there are any, and while a call of another server may still come back."""
        while self.stopped is None and server.down is None:
            call = self._returned_for(server) or next(calls, None)
            if call is None and not self._open:
                return
            if call is None:
                async with self._settled:
                    await self._settled.wait()
                continue
            self._open += 1
            try:
                await self._answer(server, call)
            finally:
                self._open -= 1
                async with self._settled:
                    self._settled.notify_all()

    def _returned_for(self, server: Server) -> WaitingCall | None:
        """A call that another server passed on; one that this server failed before only where nobody else is left."""
        for call in self._returned:
            if server in (untried(call, self._servers) or [server]):
                self._returned.remove(call)
                return call
        return None

    async def _answer(self, server: Server, call: WaitingCall) -> None:
        """Answer the requests of one prompt: again for those an answer left out, and for all where there was none."""
        failure = CallFailure("")
        while call.attempts < self.endpoint.max_attempts and call.refusals < _REFUSALS:
            outcome = await self._attempt(server, call.waiting)
            if outcome is None:
                return
            if isinstance(outcome, list):
                server.failures = 0
                call.waiting = call.waiting[len(outcome) :]  # who ignores or refuses `n` gives one at a time
                if not call.waiting:
                    return
                call.attempts = call.refusals = 0
                continue
            failure = outcome
            if self._passes_on(server, call, failure):
                return
            if failure.stop:
                self.stop(failure.why)
                return
            if not failure.retry:
                break
            call.attempts, call.refusals = call.attempts + (not failure.later), call.refusals + failure.later
            wait = backoff(call.attempts + call.refusals) if failure.wait is None else failure.wait
            await asyncio.sleep(wait)
        await self._give_up(call.waiting, failure)

    def _passes_on(self, server: Server, call: WaitingCall, failure: CallFailure) -> bool:
        """Leave to others what this server failed, where there are any; note that it is down where it fails on and
        on.
        """
        if not (failure.stop or (failure.retry and not failure.later)):
            return False
        call.failed_by.add(server.name)
        if not untried(call, self._servers):
            return False
        server.failures += 1
        if server.down is None and (failure.stop or server.failures >= max(_DEAD, self.endpoint.concurrency)):
            server.down = failure.why
            others = ", ".join(other.name for other in self._servers if other.down is None)
            log.warn(f"{server.name} is asked nothing more in this run ({failure.why}); going on with {others}")
        self._returned.append(call)
        return True

    async def _attempt(self, server: Server, waiting: list[Request]) -> list[Completion] | CallFailure | None:
        """Make one call; return the completions, or what went wrong, or None where nothing may be sent any more.

        The first call goes alone, until it is known which fields the server takes.
        """
        if not server.fields.settled:
            async with server.probing:
                if not server.fields.settled:
                    outcome = await self._call(server, waiting)
                    if not isinstance(outcome, CallFailure) or outcome.field is None:
                        server.fields.settle(keep=isinstance(outcome, list))
                    return outcome
        return await self._call(server, waiting)

    async def _call(self, server: Server, waiting: list[Request]) -> list[Completion] | CallFailure | None:
        new_tokens = self.recipe.generate.new_tokens * len(waiting)
        bound = worst_case(waiting[0].prompt, new_tokens)
        await server.limits.wait(bound)
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
            answer = await self._send(server, waiting)
            self._slowest = max(self._slowest, time.monotonic() - started)
            if isinstance(answer, CallFailure):
                if not answer.billed:
                    await self._settle(call, worst, TokenCost(), [])
                return answer
            used = answer.usage or (bound - new_tokens, new_tokens)
            cost = self.ledger.cost(*used)
            completions = protocol.completions(waiting, answer, used, cost.usd, left_out=server.fields.left_out)
            self._silent = False
            server.limits.learn(bound, cost.tokens)
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

    async def _send(self, server: Server, waiting: list[Request]) -> protocol.ServerAnswer | CallFailure:
        import openai

        left = self.ledger.seconds_left()
        seconds = (
            self.endpoint.timeout_seconds if left is None else min(self.endpoint.timeout_seconds, max(left, 0.001))
        )
        chat = self.recipe.generate.prompt.chat
        kind: Any = server.client.chat.completions if chat else server.client.completions
        body = server.fields.apply(protocol.body(self.recipe, waiting[0], len(waiting)))
        required = {name: body[name] for name in ("model", "messages" if chat else "prompt")}
        try:
            async with asyncio.timeout(seconds):
                response = await kind.with_raw_response.create(**required, extra_body=body)
        except TimeoutError:
            return CallFailure(f"no answer within {seconds:g} seconds", billed=True)
        except openai.APIStatusError as error:
            return self._refused(server, error, body)
        except openai.APIConnectionError as error:
            return lost_connection(error)
        try:
            return protocol.read_body(response.content, self.endpoint.model)
        except protocol.AnswerError as error:
            status = status_of(error.code)
            self._silent = self._silent and not error.billed
            if error.billed or status is None:
                return CallFailure(self._mask(str(error)), billed=error.billed)
            return paused(
                server, meaning(self.recipe, status, error.code, self._mask(str(error)), retry_after(response.headers))
            )

    def _refused(self, server: Server, error: Any, body: dict[str, Any]) -> CallFailure:
        """What an HTTP error means for the call of this `body`. None of them is billed."""
        status, content = error.status_code, error.response.content
        words, code, parameter = protocol.read_refusal(content)
        if status in (400, 422):
            field = server.fields.learn(body, content[:4000].decode("utf-8", "replace"), parameter)
            if field is not None:
                return CallFailure(f"the server refuses {field}", wait=0.0, later=True, field=field)
        hint = f"; {protocol.BASE_URL_HINT}" if content.lstrip()[:1] == b"<" else ""
        why = self._mask(f"HTTP {status}: {words}{hint}")
        return paused(server, meaning(self.recipe, status, code, why, retry_after(error.response.headers)))

    def _mask(self, words: str) -> str:
        return without_key(words, self.endpoint)


async def _next(stream: AsyncGenerator[list[Completion]]) -> list[Completion]:
    return await anext(stream, [])
