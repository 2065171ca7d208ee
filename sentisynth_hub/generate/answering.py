"""Answering what is still missing of a replicate: in whole batches by a local model, or call by call by an
endpoint.
"""

import itertools
import time
from collections.abc import Iterable, Iterator, Sequence

from sentisynth_hub.core import log
from sentisynth_hub.core.distributed import Processes
from sentisynth_hub.core.rows import Completion, Request
from sentisynth_hub.generate import parse as parsing
from sentisynth_hub.generate.answers import Answers, completion_record
from sentisynth_hub.generate.budget import Cost, Ledger, worst_case
from sentisynth_hub.generate.journal import Journal
from sentisynth_hub.generate.providers.provider import Generator
from sentisynth_hub.generate.repetition import DiversityMeter
from sentisynth_hub.generate.requests import Replicate
from sentisynth_hub.recipe import Recipe


Work = Iterator[tuple[str | None, list[Request]]]


class Answering:
    """Answers for one process of a launch; a local model is loaded once for all replicates that share it."""

    def __init__(self, recipe: Recipe, ledger: Ledger, processes: Processes, given: Generator | None = None):
        """`given` answers in place of the recipe's generator."""
        self.recipe, self.ledger, self.processes = recipe, ledger, processes
        self._generator = given
        self._given = given is not None
        section = recipe.generate.asked
        self._batch_api = section.kind == "openai" and section.batch_api and not self._given

    def prepare(self, replicates: Sequence[Replicate], answered: Sequence[Answers]) -> None:
        """Train what has to be trained before anything can be asked: in the first process, while the others wait."""
        if self.recipe.generate.asked.kind == "fine_tuned" and not self._given and self.processes.is_main:
            from sentisynth_hub.generate.providers import fine_tuned

            for replicate, answers in zip(replicates, answered, strict=True):
                if any(_missing(replicate, answers)):
                    fine_tuned.train(self.recipe, replicate.sample, replicate.template, replicate.folder)
        self.processes.wait()

    def answer(self, replicate: Replicate, answers: Answers) -> str | None:
        """Answer this process's share of what is missing; return why it stopped early, None where it did not.

        The share is every so-many-th of the missing batches, counted by all processes from the same state.
        """
        rank, count = self.processes.rank, self.processes.count
        missing = _missing(replicate, answers)
        mine = itertools.islice(missing, rank, None, count)
        if self._batch_api:  # one process submits and collects for all
            mine = itertools.islice(missing, None if rank == 0 else 0)
        first = next(mine, None)
        if first is None:
            return None
        work = itertools.chain([first], mine)
        watch = Watch(replicate, answers, self.ledger, self.processes)
        journal = Journal(replicate.folder / f"completions-{self.processes.rank}.jsonl")
        try:
            if self.recipe.generate.asked.kind == "openai" and not self._given:
                return self._by_calls(replicate, work, journal, watch)
            return self._in_batches(self._local(replicate), work, journal, watch)
        finally:
            journal.close()
            watch.close()

    def _in_batches(self, generator: Generator, work: Work, journal: Journal, watch: "Watch") -> str | None:
        """Answer whole batches. A batch is journalled whole, so that an interrupted one is made again whole."""
        slowest = 0.0
        for batch_id, batch in work:
            tokens = sum(worst_case(request.prompt, self.recipe.generate.sampling.max_new_tokens) for request in batch)
            left = self.ledger.seconds_left()
            if not self.ledger.reserve(Cost(tokens)) or (left is not None and left < slowest):
                return self.ledger.limit_reached(Cost(tokens))
            started = time.monotonic()
            completions = list(generator.generate(batch))
            slowest = max(slowest, time.monotonic() - started)
            journal.append(completion_record(completion, batch=batch_id) for completion in completions)
            used = sum(completion.prompt_tokens + completion.completion_tokens for completion in completions)
            self.ledger.settle(Cost(tokens), Cost(used))
            watch.add(zip(batch, completions, strict=True))
            if watch.stop:
                return watch.stop
        return None

    def _by_calls(self, replicate: Replicate, work: Work, journal: Journal, watch: "Watch") -> str | None:
        """Answer through an endpoint, which journals each call itself: before it is sent and when it is answered."""
        from sentisynth_hub.generate.providers.openai_batch import BatchGenerator
        from sentisynth_hub.generate.providers.openai_chat import EndpointGenerator

        asked: dict[str, Request] = {}

        def requests() -> Iterator[Request]:
            for _, batch in work:
                for request in batch:
                    asked[request.request_id] = request
                    yield request

        generator: EndpointGenerator | BatchGenerator
        if self._batch_api:
            generator = BatchGenerator(self.recipe, self.ledger, journal, replicate.journals())
        else:
            generator = EndpointGenerator(self.recipe, self.ledger, journal, processes=self.processes.count)
        for completion in generator.generate(requests()):
            if completion.request_id in asked:  # a batch may hold more than is asked for now
                watch.add([(asked.pop(completion.request_id), completion)])
            if watch.stop:
                generator.stopped = generator.stopped or watch.stop
        return generator.stopped

    def _local(self, replicate: Replicate) -> Generator:
        if self._generator is not None:
            return self._generator
        from sentisynth_hub.generate.providers.transformers_lm import TransformersGenerator

        generate = self.recipe.generate
        asked = generate.asked
        assert asked.kind != "openai"
        if asked.kind == "fine_tuned":
            from sentisynth_hub.generate.providers import fine_tuned

            weights = fine_tuned.weights_folder(replicate.folder)
            return TransformersGenerator(asked, generate.sampling, generate.prompt, weights=weights)
        self._generator = TransformersGenerator(asked, generate.sampling, generate.prompt)
        return self._generator


def _missing(replicate: Replicate, answers: Answers) -> Work:
    """The batches that have a request without an answer."""
    for batch_id, batch in replicate.batches():
        if any((request.request_id, batch_id) not in answers for request in batch):
            yield batch_id, batch


class Watch:
    """The progress line of one replicate: rows, rate, accepted share, cost, diversity; and when to stop."""

    def __init__(self, replicate: Replicate, answers: Answers, ledger: Ledger, processes: Processes):
        self.recipe, self._ledger = replicate.recipe, ledger
        self.stop: str | None = None
        self._warned: set[str] = set()
        self._accepted = self._parsed = 0
        self._texts = replicate.texts
        self._meter = DiversityMeter(self.recipe.generate.diversity, [row.text for row in replicate.sample.train])
        total = sum(len(batch) for _, batch in replicate.batches())
        name = f"{replicate.doing}, replicate {replicate.sample.replicate}"
        if processes.count > 1:  # each process shows its own share
            mine = itertools.islice(_missing(replicate, answers), processes.rank, None, processes.count)
            share = sum(len(batch) for _, batch in mine)
            self._bar = log.Progress(f"{name}, process {processes.rank + 1} of {processes.count}", share)
        else:
            done = total - sum(len(batch) for _, batch in _missing(replicate, answers))
            self._bar = log.Progress(name, total, done=done)

    def add(self, answered: Iterable[tuple[Request, Completion]]) -> None:
        """Count what was just answered."""
        count = 0
        for request, completion in answered:
            count += 1
            if not self._texts:
                continue
            for parsed in parsing.parse(completion, request, self.recipe.generate.prompt.texts_per_call):
                self._parsed += 1
                if parsed.reason is None:
                    self._accepted += 1
                    self._meter.add(parsed.text)
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

    def close(self) -> None:
        """End the line."""
        self._bar.close()
