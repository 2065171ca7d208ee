"""Answering what is still missing of a replicate: in whole batches, or call by call by an endpoint."""

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Generator as Stream
from dataclasses import dataclass, replace
from typing import Protocol

from sentisynth_hub.core import log
from sentisynth_hub.core.distributed import Processes
from sentisynth_hub.core.errors import StageError
from sentisynth_hub.core.rows import Completion, Request
from sentisynth_hub.generate import parse as parsing
from sentisynth_hub.generate.answers import completion_record
from sentisynth_hub.generate.budget import Ledger, TokenCost, worst_case
from sentisynth_hub.generate.journal import Journal
from sentisynth_hub.generate.providers.base import Generator, provider_of
from sentisynth_hub.generate.repetition import DiversityMeter
from sentisynth_hub.generate.requests import Replicate, Survey
from sentisynth_hub.recipe import Recipe


_FROM = 20  # answers before the share that is cut off is judged
_MOST_AT_LIMIT = 0.2


@dataclass(frozen=True, slots=True)
class Mark:
    """So many requests were answered at this moment, by a clock that only goes forward, in seconds."""

    at: float
    answered: int


Work = Iterator[tuple[str | None, list[Request]]]


class Caller(Protocol):
    """Journals its calls itself: each before it is sent and when it is answered."""

    stopped: str | None
    """Why it ended before every request was answered; set from outside, it sends no more."""

    def generate(self, requests: Iterable[Request]) -> Stream[Completion]:
        """Yield completions as they come, each on disk before it is yielded."""
        ...


@dataclass
class Task:
    """What one process has to answer of one replicate, and what it needs for it."""

    recipe: Recipe
    replicate: Replicate
    work: Work
    journal: Journal
    ledger: Ledger
    processes: Processes
    watch: "Watch"
    open: Callable[[], Generator]

    def in_batches(self) -> str | None:
        """Answer whole batches. A batch is journalled whole, so that an interrupted one is made again whole."""
        generator, new_tokens, slowest = self.open(), self.recipe.generate.new_tokens, 0.0
        self.watch.begin()
        for batch_id, batch in self.work:
            bounds = [worst_case(request.prompt, new_tokens) for request in batch]
            worst = self.ledger.cost(sum(bounds) - len(bounds) * new_tokens, len(bounds) * new_tokens)
            left = self.ledger.seconds_left()
            if not self.ledger.reserve(worst) or (left is not None and left < slowest):
                return self.ledger.limit_reached(worst)
            started = time.monotonic()
            completions = [self._priced(completion) for completion in in_order(batch, generator.generate(batch))]
            slowest = max(slowest, time.monotonic() - started)
            self.journal.append(completion_record(completion, batch=batch_id) for completion in completions)
            used = sum(completion.prompt_tokens + completion.completion_tokens for completion in completions)
            paid = sum(completion.cost_usd or 0.0 for completion in completions)
            self.ledger.settle(worst, TokenCost(used, None if worst.usd is None else paid))
            self.watch.add(zip(batch, completions, strict=True))
            if self.watch.stop:
                return self.watch.stop
        return None

    def by_calls(self, caller: Caller) -> str | None:
        """Answer by single calls, many at once."""
        waiting: dict[str, Request] = {}

        def requests() -> Iterator[Request]:
            for _, batch in self.work:
                for request in batch:
                    waiting[request.request_id] = request
                    yield request

        self.watch.begin()
        with contextlib.closing(caller.generate(requests())) as completions:  # calls in flight end with it
            for completion in completions:
                if completion.request_id in waiting:  # a batch may hold more than is asked for now
                    self.watch.add([(waiting.pop(completion.request_id), completion)])
                if self.watch.stop:
                    caller.stopped = caller.stopped or self.watch.stop
        return caller.stopped

    def _priced(self, completion: Completion) -> Completion:
        if completion.cost_usd is not None or self.ledger.price is None:
            return completion
        cost = self.ledger.cost(completion.prompt_tokens, completion.completion_tokens)
        return replace(completion, cost_usd=cost.usd)


def in_order(batch: Sequence[Request], completions: Iterable[Completion]) -> list[Completion]:
    """One completion for each request, in their order.

    Raises:
        StageError: The generator gave something else, or not one for each.
    """
    by_id: dict[str, Completion] = {}
    for completion in completions:
        if not isinstance(completion, Completion):
            raise StageError(f"generate.generator: it gave a {type(completion).__name__} where a Completion is due")
        by_id.setdefault(completion.request_id, completion)
    missing = [request.request_id for request in batch if request.request_id not in by_id]
    if missing:
        raise StageError(
            f"generate.generator: {len(missing):,} of {len(batch):,} requests got no completion, the first is "
            f"{missing[0]}; a generator yields one for each, `error` where it has no text"
        )
    return [by_id[request.request_id] for request in batch]


class Answering:
    """Answers for one process of a launch; what is opened once for all replicates is kept open."""

    def __init__(
        self,
        recipe: Recipe,
        ledger: Ledger,
        processes: Processes,
        given: Generator | None = None,
        clock: "list[Mark] | None" = None,
    ):
        """`given` answers in place of the recipe's generator; `clock` notes when how much was answered."""
        self.recipe, self.ledger, self.processes, self.clock = recipe, ledger, processes, clock
        self._provider = None if given is not None else provider_of(recipe)
        self._generator = given

    def prepare(self, replicates: Sequence[Replicate], surveys: Sequence[Survey]) -> None:
        """Train what has to be trained before anything can be asked: in the first process, while the others wait."""
        if self._provider is not None and self.processes.is_main:
            for replicate, survey in zip(replicates, surveys, strict=True):
                if survey.missing:
                    self._provider.prepare(self.recipe, replicate.sample, replicate.folder)
        self.processes.wait()

    def answer(self, replicate: Replicate, survey: Survey) -> str | None:
        """Answer this process's share of what is missing; return why it stopped early, None where it did not.

        The share is every so-many-th of the missing batches, counted by all processes from the same state.
        """
        rank, takers = self.processes.rank, self.processes.count
        if self._provider is not None:
            takers = self._provider.takers(self.recipe.generate.asked, takers)
        share = survey.missing[rank::takers] if rank < takers else []
        if not share:
            return None
        watch = Watch(replicate, survey, share, self.ledger, self.processes, self.clock)
        journal = Journal(replicate.folder / f"completions-{rank}.jsonl")
        try:
            work = replicate.some_batches(number for number, _ in share)
            task = Task(
                self.recipe, replicate, work, journal, self.ledger, self.processes, watch,
                lambda: self._open(replicate),
            )  # fmt: skip
            return task.in_batches() if self._provider is None else self._provider.answer(task)
        finally:
            journal.close()
            watch.close()

    def _open(self, replicate: Replicate) -> Generator:
        if self._generator is not None:
            return self._generator
        assert self._provider is not None
        generator = self._provider.open(self.recipe, replicate.folder)
        if self._provider.shared:
            self._generator = generator
        return generator


class Watch:
    """The progress line of one replicate: rows, rate, accepted share, cost, diversity; and when to stop."""

    def __init__(
        self,
        replicate: Replicate,
        survey: Survey,
        share: Sequence[tuple[int, int]],
        ledger: Ledger,
        processes: Processes,
        clock: "list[Mark] | None" = None,
    ):
        """`share`: the batches this process answers (number, requests)."""
        self._clock: list[Mark] = [] if clock is None else clock
        self.recipe, self._ledger = replicate.recipe, ledger
        self.stop: str | None = None
        self._warned: set[str] = set()
        self._accepted = self._parsed = 0
        self._ended = self._at_limit = 0
        self._texts = replicate.texts
        self._meter = DiversityMeter(self.recipe.generate.diversity, [row.text for row in replicate.sample.train])
        name = f"{replicate.doing}, replicate {replicate.sample.replicate}"
        self.answered = survey.answered  # before this run
        if processes.count > 1:  # each process shows its own share
            name = f"{name}, process {processes.rank + 1} of {processes.count}"
            self._bar = log.Progress(name, sum(size for _, size in share))
        else:
            self._bar = log.Progress(name, survey.total, done=survey.answered)

    def begin(self) -> None:
        """The model is loaded and the first request is about to be asked."""
        self._clock.append(Mark(time.monotonic(), 0))

    def add(self, answered: Iterable[tuple[Request, Completion]]) -> None:
        """Count what was just answered."""
        now, count = time.monotonic(), 0
        for request, completion in answered:
            count += 1
            self._ended += completion.finish_reason != "error"
            self._at_limit += completion.finish_reason == "length"
            if not self._texts:
                continue
            for parsed in parsing.parse(completion, request, self.recipe.generate.prompt.texts_per_call):
                self._parsed += 1
                if parsed.reason is None:
                    self._accepted += 1
                    self._meter.add(parsed.text)
        self._clock.append(Mark(now, count))
        self._warn_of_limit()
        cost = f" · ${self._ledger.usd:.4f}" if self._ledger.price is not None else ""
        if not self._texts:
            self._bar.advance(count, note=cost.removeprefix(" · "))
            return
        note = f"parsed {100 * self._accepted / self._parsed:.0f} %{cost} · {self._meter.note()}"
        self._bar.advance(count, note=note)
        breach = self._meter.breach()
        if breach is not None and self.recipe.generate.diversity.on_breach == "stop":
            self.stop = f"the texts repeat themselves: {breach}; change the prompt or the sampling, or raise the limit"
        elif breach is not None and (kind := breach.partition("(")[2]) not in self._warned:
            self._warned.add(kind)
            log.warn(f"the texts repeat themselves: {breach}")

    def _warn_of_limit(self) -> None:
        """Say early that the token limit cuts many texts off: all of them are paid, and none becomes a row."""
        if self._ended < _FROM or self._at_limit <= _MOST_AT_LIMIT * self._ended or "limit" in self._warned:
            return
        self._warned.add("limit")
        setting = "generate.sampling.max_new_tokens" if self._texts else "the longest label"
        log.warn(
            f"{self._at_limit:,} of the first {self._ended:,} answers reached the limit of "
            f"{self.recipe.generate.new_tokens} tokens ({setting}) and are cut off; "
            + (
                "raise it (Ctrl-C keeps every answer). A model that reasons first needs generator.thinking_tokens"
                if self._texts
                else "a model that reasons first needs generate.generator.thinking_tokens"
            )
        )

    def close(self) -> None:
        """End the line."""
        self._bar.close()
