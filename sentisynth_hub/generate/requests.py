"""One replicate's plan: its requests, the batches they are drawn in, and where its files are."""

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from sentisynth_hub.core.files import canonical_json, json_digest, replaced
from sentisynth_hub.core.rows import Request
from sentisynth_hub.generate.answers import Answers
from sentisynth_hub.generate.plan_requests import plan_requests
from sentisynth_hub.generate.prompts import PromptTemplate
from sentisynth_hub.natural.splits import Sample
from sentisynth_hub.recipe import Recipe


@dataclass
class Replicate:
    """One replicate's requests and where its files are.

    `rounds` holds the completions to ask for by label, round by round; empty: the plan is given to `write_requests`.
    Plan and tables of a further round lie in `tables`; journals, and what a provider trained, stay in `folder`.
    """

    recipe: Recipe
    sample: Sample
    folder: Path
    template: PromptTemplate | None  # None: the plan is given to `write_requests`
    model: dict[str, Any]
    sampling: dict[str, Any]
    batch_size: int | None = None  # requests drawn together; None: each stands alone
    limit: int | None = None
    refresh: int = 0
    journals_elsewhere: list[Path] = field(default_factory=list)
    doing: str = "generating"
    held: frozenset[str] = frozenset()  # normalised texts that no prompt may show
    rounds: Sequence[Mapping[str, int]] = ()
    further_folder: Path | None = None  # of a further round
    writer: str | None = None  # whose plan this is, where a recipe has several
    texts: bool = True  # what is asked for: texts, whose diversity is watched, or something that repeats itself

    def requests(self) -> Iterator[Request]:
        """All requests, in order: read back where they are written, since rendering every prompt takes longer."""
        if self.plan.exists():
            return read_requests(self.plan)
        assert self.template is not None
        return plan_requests(
            self.recipe,
            self.sample,
            self.template,
            model=canonical_json(self.model),
            sampling=self.sampling,
            refresh=self.refresh,
            held=self.held,
            rounds=self.rounds,
        )

    def batches(self) -> Iterator[tuple[str | None, list[Request]]]:
        """The requests in the batches they are drawn in, each with its digest; where each stands alone, one by one.

        No batch spans two rounds, so that a further round leaves those before it as they were.
        """
        size, planned = self.batch_size, 0
        requests = self.requests()
        sizes: list[int | None] = [sum(calls.values()) for calls in self.rounds]
        for count in sizes or [None]:
            of_round = itertools.islice(requests, count)
            while batch := list(itertools.islice(of_round, size or 1)):
                yield json_digest([request.request_id for request in batch])[:16] if size is not None else None, batch
                planned += len(batch)
                if self.limit is not None and planned >= self.limit:
                    return

    def some_batches(self, numbers: Iterable[int]) -> Iterator[tuple[str | None, list[Request]]]:
        """The batches of these numbers, which ascend."""
        batches = enumerate(self.batches())
        for number in numbers:
            for place, batch in batches:
                if place == number:
                    yield batch
                    break

    def survey(self) -> "Survey":
        """Count what is asked and what is answered already, in one pass over the plan."""
        total, missing = 0, []
        for number, (batch_id, batch) in enumerate(self.batches()):
            total += len(batch)
            if any((request.request_id, batch_id) not in self.answers for request in batch):
                missing.append((number, len(batch)))
        return Survey(total, missing)

    @property
    def plan(self) -> Path:
        """The file of what is asked, a line a request."""
        return self.tables / "requests.jsonl"

    @property
    def tables(self) -> Path:
        """Where plan and tables are."""
        return self.further_folder or self.folder

    def journals(self) -> list[Path]:
        """This folder's journals, of any number of processes."""
        return sorted(self.folder.glob("completions-*.jsonl"))

    @cached_property
    def answers(self) -> Answers:
        """Everything that is answered, by this run or by an earlier version of the recipe; `read` fetches what came
        since.
        """
        return Answers(self.journals, self.journals_elsewhere)


@dataclass(frozen=True)
class Survey:
    """How far a replicate is: requests in all, and the batches (number, requests) that are not wholly answered."""

    total: int
    missing: list[tuple[int, int]]

    @property
    def answered(self) -> int:
        """Requests that need not be asked."""
        return self.total - sum(size for _, size in self.missing)


def write_requests(replicate: Replicate, plan: Iterable[Request] | None = None) -> None:
    """Write what is asked, every prompt once, and a line a request: the replicate's own plan, or what is `asked`."""
    if replicate.plan.exists():
        return
    written = ""
    with replaced(replicate.plan) as requests, replaced(replicate.plan.with_name(_PROMPTS)) as prompts:
        with (
            open(requests, "w", encoding="utf-8") as requests_file,
            open(prompts, "w", encoding="utf-8") as prompts_file,
        ):
            for request in replicate.requests() if plan is None else plan:
                record = {name: getattr(request, name) for name in Request.__dataclass_fields__ if name != "prompt"}
                requests_file.write(canonical_json(record) + "\n")
                if request.prompt_id != written:
                    written = request.prompt_id
                    prompts_file.write(canonical_json({"prompt_id": written, "prompt": request.prompt}) + "\n")


def read_requests(plan: Path) -> Iterator[Request]:
    """Yield the requests that `write_requests` wrote, in their order."""
    with open(plan, encoding="utf-8") as requests, open(plan.with_name(_PROMPTS), encoding="utf-8") as prompts:
        prompt = {"prompt_id": "", "prompt": ""}
        for line in requests:
            record = json.loads(line)
            if record["prompt_id"] != prompt["prompt_id"]:
                prompt = json.loads(next(prompts))
            demonstrations = tuple(record.pop("demonstration_ids"))
            yield Request(**record, prompt=prompt["prompt"], demonstration_ids=demonstrations)


_PROMPTS = "prompts.jsonl"
