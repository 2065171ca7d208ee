"""One replicate's plan: its requests, the batches they are drawn in, and where its files are."""

import itertools
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sentisynth_hub.core.files import canonical_json, json_digest, replaced
from sentisynth_hub.core.rows import Request
from sentisynth_hub.generate.answers import Answers
from sentisynth_hub.generate.prompts import PromptTemplate, plan_requests
from sentisynth_hub.natural.splits import Sample
from sentisynth_hub.recipe import Recipe


@dataclass
class Replicate:
    """One replicate's requests and where its files are."""

    recipe: Recipe
    sample: Sample
    folder: Path
    template: PromptTemplate
    model: dict[str, Any]
    sampling: dict[str, Any]
    limit: int | None = None
    refresh: int = 0
    journals_elsewhere: list[Path] = field(default_factory=list)
    doing: str = "generating"
    texts: bool = True  # what is asked for: texts, whose diversity is watched, or something that repeats itself

    def requests(self) -> Iterator[Request]:
        """All requests, in order: read back where they are written, since rendering every prompt takes longer."""
        if self.plan.exists():
            return read_requests(self.plan)
        return plan_requests(
            self.recipe,
            self.sample,
            self.template,
            model=canonical_json(self.model),
            sampling=self.sampling,
            refresh=self.refresh,
        )

    def batches(self) -> Iterator[tuple[str | None, list[Request]]]:
        """The requests in the batches they are drawn in, each with its digest; for an endpoint every request
        stands alone.
        """
        generator = self.recipe.generate.asked
        local = generator.kind != "openai"
        size = 1 if generator.kind == "openai" else generator.batch_size
        requests, planned = self.requests(), 0
        while batch := list(itertools.islice(requests, size)):
            yield json_digest([request.request_id for request in batch])[:16] if local else None, batch
            planned += len(batch)
            if self.limit is not None and planned >= self.limit:
                return

    @property
    def plan(self) -> Path:
        """The file of what is asked, a line a request."""
        return self.folder / "requests.jsonl"

    def journals(self) -> list[Path]:
        """This folder's journals, of any number of processes."""
        return sorted(self.folder.glob("completions-*.jsonl"))

    def answers(self) -> Answers:
        """Everything that is answered already, by this run or by an earlier version of the recipe."""
        return Answers([*self.journals(), *self.journals_elsewhere])


def identity(recipe: Recipe, sample: Sample) -> tuple[dict[str, Any], dict[str, Any]]:
    """What identifies the model and how it draws: JSON-ready, and part of every request's id."""
    from sentisynth_hub.generate.providers import transformers_lm

    generator, sampling = recipe.generate.asked, recipe.generate.sampling.model_dump()
    if generator.kind == "openai":
        structured = generator.structured_output and recipe.generate.prompt.texts_per_call > 1
        return {"id": generator.model, "revision": None, "commit": None}, {**sampling, "structured_output": structured}
    model = {
        "id": transformers_lm.model_name(generator),
        "revision": generator.revision,
        "commit": transformers_lm.model_commit(generator),
    }
    if generator.kind == "fine_tuned":
        from sentisynth_hub.generate.providers import fine_tuned

        model["fine_tuning"] = fine_tuned.training_digest(generator, recipe, sample)
    return model, {**sampling, "dtype": transformers_lm.resolved_dtype(generator), "threads": generator.threads}


def write_requests(replicate: Replicate, asked: Iterable[Request] | None = None) -> None:
    """Write what is asked, every prompt once, and a line a request: the replicate's own plan, or what is `asked`."""
    if replicate.plan.exists():
        return
    written = ""
    with replaced(replicate.plan) as requests, replaced(replicate.plan.with_name(_PROMPTS)) as prompts:
        with (
            open(requests, "w", encoding="utf-8") as requests_file,
            open(prompts, "w", encoding="utf-8") as prompts_file,
        ):
            for request in replicate.requests() if asked is None else asked:
                record = {name: getattr(request, name) for name in Request.__dataclass_fields__ if name != "prompt"}
                requests_file.write(canonical_json(record) + "\n")
                if request.prompt_id != written:
                    written = request.prompt_id
                    prompts_file.write(canonical_json({"prompt_id": written, "prompt": request.prompt}) + "\n")


def read_requests(plan: Path) -> Iterator[Request]:
    """Yield the requests that `write_requests` wrote, in their order."""
    with open(plan, encoding="utf-8") as requests, open(plan.with_name(_PROMPTS), encoding="utf-8") as prompts:
        shown = {"prompt_id": "", "prompt": ""}
        for line in requests:
            record = json.loads(line)
            if record["prompt_id"] != shown["prompt_id"]:
                shown = json.loads(next(prompts))
            demonstrations = tuple(record.pop("demonstration_ids"))
            yield Request(**record, prompt=shown["prompt"], demonstration_ids=demonstrations)


_PROMPTS = "prompts.jsonl"
