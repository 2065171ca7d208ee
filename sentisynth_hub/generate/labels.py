"""The labels stage: the generator's own model asked for labels, for `llm_classifier` and `pseudo_label`.

    label(recipe, samples, natural, generated, folder, processes)
    result = load(folder)
    result[0].answers()                                   # of the test rows, in their order; None: no answer
    result[0].pseudo_labelled()                           # natural texts with the model's labels

Everything asked is planned, journalled, budgeted and resumed as the candidates are: nothing is paid twice, and what
the generate stage spent counts against the same budget. Under a conditional design one set of answers, replicate 0's,
serves all replicates.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from sentisynth_hub.core import log
from sentisynth_hub.core.distributed import Processes
from sentisynth_hub.core.files import canonical_json, json_digest, read_json, write_json
from sentisynth_hub.core.rows import Request, Row, read_rows, write_rows
from sentisynth_hub.core.run_folder import StageFolder
from sentisynth_hub.core.text import digest
from sentisynth_hub.generate.label_prompt import answer_tokens, demonstrations, label_prompt, parse_label, pseudo_pool
from sentisynth_hub.generate.providers.base import Generator, provider_of
from sentisynth_hub.generate.requests import Replicate, write_requests
from sentisynth_hub.generate.result import GenerateResult, ManifestRecord, checked, of_replicates
from sentisynth_hub.generate.stage import answer_all, served
from sentisynth_hub.natural.splits import NaturalData, Sample
from sentisynth_hub.recipe import Recipe
from sentisynth_hub.recipe.variant_table import VARIANTS


VERSION = 2
MOST_MISSING = 0.05  # share of questions without a label from which on the model's score means little


def wanted(recipe: Recipe) -> list[str]:
    """The variants of the study that need the model's labels."""
    return [line.name for line in VARIANTS if line.corpus == "labels" and line.name in recipe.study.variants]


def label(
    recipe: Recipe,
    samples: Sequence[Sample],
    natural: NaturalData,
    generated: GenerateResult,
    folder: StageFolder,
    processes: Processes,
    *,
    generator: Generator | None = None,
) -> dict[str, Any]:
    """Ask the model for the labels the study needs; does nothing where the stage is complete.

    Args:
        generated: The generate stage: how many requests it took is how many texts are pseudo-labelled, and what it
            spent counts against the budget.
        generator: Answers in place of the recipe's own; for tests.

    Returns:
        The manifest: per replicate `requests`, `demonstration_ids`, and per variant `asked`, `answered`, `cost_usd`.

    Raises:
        DataError: The natural pool has too few texts to label.
        StageError: A budget or a dead server stopped it; what was answered is kept for the next run.
    """
    if folder.complete:
        return folder.manifest()
    asking = asking_recipe(recipe)
    plans = [
        (_replicate(asking, sample, folder), _questions(recipe, sample, natural, generated[sample.replicate].requests))
        for sample in served(recipe, samples)
    ]
    if processes.is_main:
        for replicate, questions in plans:
            write_requests(replicate, _requests(asking, replicate, questions))
    processes.wait()
    spent_before = generated.journals()
    answer_all(asking, [replicate for replicate, _ in plans], processes, generator=generator, journals=spent_before)
    if processes.is_main:
        records = {
            str(replicate.sample.replicate): _collect(recipe, replicate, questions) for replicate, questions in plans
        }
        warnings = missing_answers(records, wanted(recipe))
        for warning in warnings:
            log.warn(warning)
        folder.finish({"replicates": records, "warnings": warnings})
    processes.wait()
    return folder.manifest()


class AskedVariant(ManifestRecord):
    """How the questions for one variant of the study went."""

    questions: int = Field(ge=0, alias="asked")
    answered: int = Field(ge=0)
    """Of these, how many an answer named a label for."""
    cost_usd: float | None = Field(ge=0)
    """US dollars; None where no price is known."""

    @property
    def missing(self) -> int:
        """Questions without a label."""
        return self.questions - self.answered


class LabelledReplicate(ManifestRecord):
    """One replicate's questions and answers."""

    path: Path
    requests: int = Field(ge=0)
    demonstration_ids: tuple[str, ...]
    """Request ids of the natural rows that every prompt shows, sorted."""
    llm_classifier: AskedVariant | None = None
    pseudo_label: AskedVariant | None = None
    digest: str

    def variant(self, name: str) -> AskedVariant | None:
        """How the questions for this variant went; None where the study does not have it."""
        return {"llm_classifier": self.llm_classifier, "pseudo_label": self.pseudo_label}.get(name)

    def answers(self) -> list[str | None]:
        """The model's label of every test row, in their order; None where it named none."""
        return list(read_json(self.path / "answers.json"))

    def pseudo_labelled(self) -> tuple[Row, ...]:
        """Natural texts under the model's labels; those it named no label for are left out."""
        return tuple(read_rows(self.path / "pseudo_labelled.parquet"))


class LabelsResult(ManifestRecord):
    """The model's own labels, for all replicates."""

    digest: str
    replicates: dict[int, LabelledReplicate]
    warnings: tuple[str, ...] = ()
    """A sentence for each variant with so many missing answers that nothing is to be claimed of it, with the count."""

    def __getitem__(self, replicate: int) -> LabelledReplicate:
        """A replicate's labels; under a conditional design they all have those of replicate 0."""
        return self.replicates.get(replicate) or self.replicates[0]

    def unanswered(self, variant: str) -> tuple[int, int] | None:
        """Questions without a label and all questions, where so many are missing that nothing is to be claimed of the
        variant's score; None where enough were answered.
        """
        parts = [part for replicate in self.replicates.values() if (part := replicate.variant(variant)) is not None]
        questions, missing = sum(part.questions for part in parts), sum(part.missing for part in parts)
        return (missing, questions) if missing > MOST_MISSING * questions else None

    def cost_usd(self, variant: str) -> float | None:
        """US dollars that a variant's labels cost one replicate; None where no price is known or it was not asked."""
        records = [replicate.variant(variant) for replicate in self.replicates.values()]
        costs = [record.cost_usd for record in records if record is not None]
        return None if not costs or None in costs else sum(cost or 0.0 for cost in costs) / len(costs)


def load(folder: StageFolder) -> LabelsResult:
    """Read a finished labels stage.

    Raises:
        StageError: Its manifest is not what this stage writes; names the key.
    """
    return checked(LabelsResult, of_replicates(folder.manifest(), folder), folder)


def missing_answers(records: Mapping[str, Any], variants: Sequence[str]) -> list[str]:
    """A sentence for each variant whose questions the model named no label for too often, with the count."""
    warnings = []
    for name in variants:
        questions = sum(record[name]["asked"] for record in records.values())
        missing = questions - sum(record[name]["answered"] for record in records.values())
        if missing > MOST_MISSING * questions:
            warnings.append(
                f"{name}: {missing:,} of {questions:,} answers name no label, so its score says little about the "
                "model; read `completions-*.jsonl` of the labels stage for what it says instead"
            )
    return warnings


def decides(recipe: Recipe) -> dict[str, Any]:
    """The parts of a recipe that decide the stage's result, for `stage_folder`."""
    prompt = recipe.generate.prompt
    return {
        **recipe.part("labels", "seed"),
        **recipe.meanings,
        "variants": wanted(recipe),
        "design": recipe.study.design,
        "prompt": {"num_shots": prompt.num_shots, "verbalizers": prompt.verbalizers, "chat": prompt.chat},
    }


def asking_recipe(recipe: Recipe) -> Recipe:
    """The recipe as it asks for labels: the same model, the likeliest answer, a few tokens, one a call."""
    content = recipe.model_dump(mode="json")
    content["generate"] |= {
        "sampling": {"temperature": 0, "max_new_tokens": answer_tokens(recipe)},
        "samples_per_prompt": 1,
    }
    content["generate"]["prompt"] |= {"texts_per_call": 1}
    return recipe.with_content(content)


def _replicate(asking: Recipe, sample: Sample, folder: StageFolder) -> Replicate:
    path = folder.path / f"replicate-{sample.replicate}"
    path.mkdir(parents=True, exist_ok=True)
    provider = provider_of(asking)
    model, sampling = provider.identity(asking, sample)
    elsewhere = [
        journal for journal in folder.path.parent.glob(f"*/{path.name}/completions-*.jsonl") if journal.parent != path
    ]
    return Replicate(
        asking, sample, path, None, model, sampling, provider.batch_size(asking.generate.asked),
        journals_elsewhere=sorted(elsewhere), doing="asking for labels", texts=False,
    )  # fmt: skip


def _questions(recipe: Recipe, sample: Sample, natural: NaturalData, count: int) -> list[tuple[str, Row]]:
    """The variant each text is asked for, and the text."""
    questions = [("llm_classifier", row) for row in natural.test] if "llm_classifier" in recipe.study.variants else []
    if "pseudo_label" in recipe.study.variants:
        questions += [("pseudo_label", row) for row in pseudo_pool(recipe, sample, natural, count)]
    return questions


def _requests(asking: Recipe, replicate: Replicate, questions: Sequence[tuple[str, Row]]) -> Iterator[Request]:
    examples = demonstrations(asking, replicate.sample)
    for index, (variant, row) in enumerate(questions):
        text = label_prompt(asking, examples, row.text)
        prompt: str | list[dict[str, str]] = text
        if asking.generate.prompt.chat:
            prompt = [{"role": "user", "content": f"{text}\n\nAnswer with the label and nothing else."}]
        prompt_id = json_digest(prompt)[:16]
        seed = int(digest([f"{asking.seed} label {replicate.sample.replicate} {index}"])[:8], 16) >> 1
        yield Request(
            request_id=json_digest([prompt_id, canonical_json(replicate.model), replicate.sampling, seed, 0])[:32],
            index=index,
            prompt_id=prompt_id,
            prompt=prompt,
            sample_index=0,
            seed=seed,
            asked_label="",  # nothing is asked to be written
            demonstration_ids=tuple(example.request_id for example in examples),
            attributes={"variant": variant},
        )


def _collect(recipe: Recipe, replicate: Replicate, questions: Sequence[tuple[str, Row]]) -> dict[str, Any]:
    """Read the answers, write them as labels, and return the replicate's part of the manifest."""
    journal = replicate.answers
    answers: list[str | None] = []
    pseudo: list[Row] = []
    costs: dict[str, list[float | None]] = {name: [] for name in wanted(recipe)}
    answered = dict.fromkeys(costs, 0)
    requests = ((batch_id, request) for batch_id, batch in replicate.batches() for request in batch)
    for (variant, row), (batch_id, request) in zip(questions, requests, strict=True):
        completion = journal.completion(request.request_id, batch_id)
        assert completion is not None
        answer = None
        if completion.finish_reason not in ("error", "refusal"):
            answer = parse_label(recipe, completion.text, cut=completion.finish_reason != "stop")
        costs[variant].append(completion.cost_usd)
        answered[variant] += answer is not None
        if variant == "llm_classifier":
            answers.append(answer)
        elif answer is not None:
            pseudo.append(Row(row.text, answer, request_id=row.request_id, language=row.language))
    write_json(replicate.folder / "answers.json", answers)
    write_rows(replicate.folder / "pseudo_labelled.parquet", pseudo)
    return {
        "requests": len(questions),
        "demonstration_ids": sorted({row.request_id for row in demonstrations(recipe, replicate.sample)}),
        **{
            name: {
                "asked": len(paid),
                "answered": answered[name],
                "cost_usd": None if None in paid else math.fsum(cost or 0.0 for cost in paid),
            }
            for name, paid in costs.items()
        },
        "digest": json_digest([answers, [[row.id, row.label] for row in pseudo]]),
    }
