"""The generate stage: from natural samples to journalled completions, and from these to candidate rows.

    generate(recipe, samples, folder, processes)
    corpus = load(folder)[0]                            # of replicate 0
    corpus.candidates(), corpus.unparsed(), corpus.lineage()

A replicate's folder holds `prompts.jsonl` and `requests.jsonl` (what is asked), `completions-<rank>.jsonl` (the
journal: what was answered, written before it is parsed), and at the end `candidates.parquet`, `unparsed.parquet` and
`lineage.parquet`. Completions that an earlier version of the recipe paid for are used again wherever the request is
the same.
"""

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from sentisynth_hub.core import log
from sentisynth_hub.core.distributed import Processes
from sentisynth_hub.core.errors import StageError
from sentisynth_hub.core.files import json_digest
from sentisynth_hub.core.run_folder import StageFolder
from sentisynth_hub.core.text import normalised
from sentisynth_hub.generate import parse as parsing
from sentisynth_hub.generate.answering import Answering
from sentisynth_hub.generate.answers import spent
from sentisynth_hub.generate.budget import Ledger, ModelPrice, TokenCost, worst_case
from sentisynth_hub.generate.candidates import collect
from sentisynth_hub.generate.journal import repair
from sentisynth_hub.generate.methods.method_table import method_class
from sentisynth_hub.generate.pilot import Asked, estimate
from sentisynth_hub.generate.plan_requests import plan_requests
from sentisynth_hub.generate.prompts import PromptTemplate, calls_per_label
from sentisynth_hub.generate.providers.base import Generator, provider_of
from sentisynth_hub.generate.providers.existing_rows import take_rows
from sentisynth_hub.generate.requests import Replicate, write_requests
from sentisynth_hub.generate.result import GenerateResult as GenerateResult
from sentisynth_hub.generate.result import load as load
from sentisynth_hub.generate.result import read_result
from sentisynth_hub.natural.folds import natural_of_replicate
from sentisynth_hub.natural.splits import NaturalData, Sample
from sentisynth_hub.recipe import Recipe
from sentisynth_hub.recipe.method_section import FewShotOptions
from sentisynth_hub.recipe.prompt_section import Prompting


VERSION = 1


def generate(
    recipe: Recipe,
    samples: Sequence[Sample],
    folder: StageFolder,
    processes: Processes,
    *,
    limit: int | None = None,
    refresh: int = 0,
    generator: Generator | None = None,
    natural: NaturalData | None = None,
) -> dict[str, Any]:
    """Ask for the candidates of every replicate, and parse what is answered.

    Does nothing where the stage is complete, and asks no journalled request again. Under a conditional design one
    corpus, that of replicate 0, serves all replicates.

    Args:
        limit: Only the first so many requests of each replicate (whole batches of a local model); the stage is then
            not finished.
        refresh: How often the same was asked for anew before: another number asks everything again, with other seeds.
        generator: Answers in place of the recipe's own; for tests.
        natural: All natural rows, for a method whose prompts show other texts: never those of an evaluation row.

    Returns:
        The manifest; with `limit` the same record without it being written.

    Raises:
        StageError: A budget, a diversity limit or a dead server stopped it; what was answered is kept for the next
            run.
        RecipeError, DataError: The recipe cannot be carried out; nothing was spent.
    """
    if folder.complete:
        return folder.manifest()
    if not recipe.generate.generator.has_prompt:
        return take_rows(recipe, [sample.replicate for sample in served(recipe, samples)], folder, processes)
    replicates = [
        _replicate(recipe, sample, folder, limit, refresh, held_texts(recipe, sample, natural))
        for sample in served(recipe, samples)
    ]
    answer_all(recipe, replicates, processes, generator=generator)
    result: dict[str, Any] = {}
    if processes.is_main:
        result = _result(recipe, replicates)
        if limit is None:
            folder.finish(result)
    processes.wait()
    return folder.manifest() if limit is None else result


def answer_all(
    recipe: Recipe,
    replicates: Sequence[Replicate],
    processes: Processes,
    *,
    generator: Generator | None = None,
    journals: Iterable[Path] = (),
) -> None:
    """Ask what is not answered yet of every replicate's plan; everything answered is in the journals afterwards.

    Args:
        recipe: Its `generate` section says who is asked, how tokens are drawn and what may be spent.
        journals: Journals of other stages whose spending counts against the same budget.

    Raises:
        StageError: A budget, a diversity limit or a dead server stopped it.
    """
    if processes.is_main:
        for replicate in replicates:
            write_requests(replicate)
            for journal in replicate.journals():
                if repair(journal):
                    log.warn(f"{journal.name}: a line torn by a crash was cut off; its request is asked again")
    processes.wait()
    surveys = [replicate.survey() for replicate in replicates]
    before = [replicate.answers.spent for replicate in replicates] + [spent(journals)]
    processes.wait()  # every process has read the same state before one writes
    section, provider = recipe.generate.asked, provider_of(recipe)
    price, _ = provider.price(section)
    ledger = Ledger(
        recipe.generate.budget,
        price,
        model=section.name,
        spent=TokenCost(sum(cost.tokens for cost in before), sum(cost.usd or 0.0 for cost in before)),
        processes=provider.takers(section, processes.count),
    )
    answering = Answering(recipe, ledger, processes, generator)
    answering.prepare(replicates, surveys)
    stopped: str | None = None
    for replicate, survey in zip(replicates, surveys, strict=True):
        stopped = stopped or answering.answer(replicate, survey)
    processes.wait()
    for replicate, survey in zip(replicates, surveys, strict=True):
        if survey.missing:
            replicate.answers.read()
    if stopped is not None or processes.count > 1:
        _refuse_unanswered(replicates, stopped)


def pilot(
    recipe: Recipe,
    samples: Sequence[Sample],
    folder: StageFolder,
    processes: Processes,
    *,
    requests: int = 20,
    refresh: int = 0,
    generator: Generator | None = None,
    natural: NaturalData | None = None,
) -> dict[str, Any]:
    """Ask the first requests of the first replicate and estimate the whole stage from them.

    The answers are kept for the stage itself. See `generators.estimate.estimate` for what is returned.
    """
    _ = recipe.generate.asked  # an error where nobody is
    asking = served(recipe, samples)
    manifest = generate(
        recipe, asking[:1], folder, processes, limit=requests, refresh=refresh, generator=generator, natural=natural
    )
    if not processes.is_main:
        return {}
    corpus = read_result(folder, manifest)[asking[0].replicate]
    accepted = Counter(row.request_id.partition(".")[0] for row in corpus.candidates())
    by_request: dict[str, Asked] = {}
    for line in corpus.lineage():
        request_id = line["request_id"].partition(".")[0]
        before = by_request.get(request_id, Asked(0, 0, 0, accepted[request_id]))
        by_request[request_id] = Asked(
            before.prompt_tokens + line["prompt_tokens"],
            before.completion_tokens + line["completion_tokens"],
            before.rows + 1,
            before.accepted,
        )
    price, record = _price(recipe)
    total = sum(calls_per_label(recipe).values()) * len(asking)
    return {**estimate(list(by_request.values()), total, price, recipe.generate.human_usd_per_row), "prices": record}


def dry_run(recipe: Recipe, samples: Sequence[Sample], *, limit: int | None = None) -> dict[str, Any]:
    """What would be asked, and what it could cost at most.

    Nothing is asked, loaded or written; stored answers are not looked at.
    """
    price, record = _price(recipe)
    template, asking = PromptTemplate(recipe), served(recipe, samples)
    requests = tokens = 0
    usd = 0.0
    prompts: set[str] = set()
    new_tokens = recipe.generate.new_tokens
    for sample in asking:
        for request in itertools.islice(plan_requests(recipe, sample, template, model="", sampling={}), limit):
            worst = worst_case(request.prompt, new_tokens)
            requests, tokens = requests + 1, tokens + worst
            usd += price.cost(worst - new_tokens, new_tokens) if price is not None else 0.0
            prompts.add(request.prompt_id)
    return {
        "replicates": len(asking),
        "requests": requests,
        "prompts": len(prompts),
        "worst_case_tokens": tokens,
        "worst_case_usd": usd if price is not None else None,
        "prices": record,
    }


def decides(recipe: Recipe) -> dict[str, Any]:
    """The parts of a recipe that decide the stage's result, for `stage_folder`.

    Left out is what only decides when and at what price an answer comes: changing it must not start anew.
    """
    steps = sorted(recipe.natural.preprocess)
    common = ({"preprocess": steps} if steps else {}) | recipe.part("labels", "language", "seed")
    section = provider_of(recipe).record(recipe)
    if not recipe.generate.generator.has_prompt:
        return common | {"given": section, "candidates": recipe.generate.candidates}
    generate = recipe.model_dump(mode="json")["generate"] | {
        "generator": section,
        "sampling": recipe.generate.sampling.record(),
    }
    for name in ("budget", "diversity", "human_usd_per_row"):
        del generate[name]
    # Stages made before there were other draws, methods and names of a text stay what they were.
    if not generate["prompt"]["draw"]:
        del generate["prompt"]["draw"]
    if recipe.generate.prompt.text_name == Prompting().text_name:
        del generate["prompt"]["text_name"]
    if recipe.generate.method == FewShotOptions():
        del generate["method"]
    else:
        generate["method"]["version"] = method_class(recipe.generate.method.kind).version
    template = PromptTemplate(recipe)
    return {
        **common,
        "generate": generate,
        "template": template.digest,
        "seed_texts": json_digest(template.seed_texts),
        "design": recipe.study.design,
        "parser": parsing.VERSION,
    }


def served(recipe: Recipe, samples: Sequence[Sample]) -> list[Sample]:
    """The replicates that have a corpus of their own: all of them, or under a conditional design the first."""
    return [sample for sample in samples if recipe.study.design == "nested" or sample.replicate == 0]


def reads_texts(recipe: Recipe) -> bool:
    """Whether prompts show texts that are no rows of the replicate, so that evaluation rows have to be kept out."""
    return method_class(recipe.generate.method.kind).reads_texts


def held_texts(recipe: Recipe, sample: Sample, natural: NaturalData | None) -> frozenset[str]:
    """Normalised texts of the rows the replicate is evaluated on, where the recipe's method shows other texts."""
    if natural is None or not reads_texts(recipe):
        return frozenset()
    visible = natural_of_replicate(recipe, natural, sample.replicate)
    return frozenset(normalised(row.text) for row in [*visible.test, *visible.validation, *sample.validation])


def _replicate(
    recipe: Recipe,
    sample: Sample,
    folder: StageFolder,
    limit: int | None,
    refresh: int,
    held: frozenset[str] = frozenset(),
) -> Replicate:
    name = f"replicate-{sample.replicate}"
    path = folder.path / name
    path.mkdir(parents=True, exist_ok=True)
    elsewhere = sorted(
        other for other in folder.path.parent.glob(f"*/{name}/completions-*.jsonl") if other.parent != path
    )
    provider = provider_of(recipe)
    model, sampling = provider.identity(recipe, sample)
    return Replicate(
        recipe, sample, path, PromptTemplate(recipe), model, sampling, provider.batch_size(recipe.generate.asked),
        limit, refresh, elsewhere, held=held,
    )  # fmt: skip


def _refuse_unanswered(replicates: Sequence[Replicate], stopped: str | None) -> None:
    """Every request of the plan has its answer, or the stage stops here.

    Raises:
        StageError: Says why it stopped and how many requests are answered.
    """
    for replicate in replicates:
        requests = answered = 0
        for batch_id, batch in replicate.batches():
            requests += len(batch)
            answered += sum((request.request_id, batch_id) in replicate.answers for request in batch)
        if answered < requests:
            why = stopped or "another process of this launch stopped early; its message says why"
            raise StageError(
                f"{replicate.doing}: {answered:,} of {requests:,} requests of replicate "
                f"{replicate.sample.replicate} answered: "
                f"{why}"
            )


def _result(recipe: Recipe, replicates: Sequence[Replicate]) -> dict[str, Any]:
    _, price_record = _price(recipe)
    return {
        "replicates": {str(replicate.sample.replicate): collect(replicate) for replicate in replicates},
        "model": {name: replicates[0].model[name] for name in ("id", "revision", "commit")},
        "prompt_digest": replicates[0].template.digest,
        "parser_version": parsing.VERSION,
        "sampling": replicates[0].sampling,
        "num_shots": recipe.generate.prompt.num_shots,
        "prices": price_record,
    }


def _price(recipe: Recipe) -> tuple[ModelPrice | None, dict[str, Any] | None]:
    return provider_of(recipe).price(recipe.generate.generator)
