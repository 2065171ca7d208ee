"""The generate stage: from natural samples to journalled completions, and from these to candidate rows.

    generate(recipe, samples, folder, processes)
    corpus = load(folder)[0]                            # of replicate 0
    corpus.candidates(), corpus.unparsed(), corpus.lineage()

A replicate's folder holds `prompts.jsonl` and `requests.jsonl` (what is asked), `completions-<rank>.jsonl` (the
journal: what was answered, written before it is parsed), and at the end `candidates.parquet`, `unparsed.parquet` and
`lineage.parquet`. Completions that an earlier version of the recipe paid for are used again wherever the request is
the same.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from sentisynth_hub.core import log
from sentisynth_hub.core.distributed import Processes
from sentisynth_hub.core.errors import RecipeError, StageError
from sentisynth_hub.core.files import canonical_json, json_digest
from sentisynth_hub.core.run_folder import StageFolder
from sentisynth_hub.core.text import normalised
from sentisynth_hub.generate import parse as parsing
from sentisynth_hub.generate.answering import Answering, Mark
from sentisynth_hub.generate.answers import spent
from sentisynth_hub.generate.budget import Ledger, ModelPrice, TokenCost
from sentisynth_hub.generate.candidates import collect
from sentisynth_hub.generate.journal import repair
from sentisynth_hub.generate.methods.method_table import method_class
from sentisynth_hub.generate.prompts import PromptTemplate
from sentisynth_hub.generate.providers.base import Generator, provider_of
from sentisynth_hub.generate.providers.existing_rows import take_rows
from sentisynth_hub.generate.requests import Replicate, write_requests
from sentisynth_hub.generate.result import GenerateResult as GenerateResult
from sentisynth_hub.generate.result import load as load
from sentisynth_hub.generate.top_up import Batch, Calls, calls_so_far
from sentisynth_hub.generate.writers import Writer, rounds_of, writers_of
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
    further: Sequence[Batch] = (),
    first: StageFolder | None = None,
    generator: Generator | None = None,
    natural: NaturalData | None = None,
    clock: list[Mark] | None = None,
) -> dict[str, Any]:
    """Ask for the candidates of every replicate, and parse what is answered.

    Does nothing where the stage is complete, and asks no journalled request again. Under a conditional design one
    corpus, that of replicate 0, serves all replicates.

    Args:
        limit: Only the first so many requests of each replicate (whole batches of a local model); the stage is then
            not finished.
        refresh: How often the same was asked for anew before: another number asks everything again, with other seeds.
        further: What is asked for after the first batch, round by round (`top_up.next_batch`).
        first: The stage's folder without `further`, which holds the journals of all rounds; None: there is none.
        generator: Answers in place of the recipe's own; for tests.
        natural: All natural rows, for a method whose prompts show other texts: never those of an evaluation row.
        clock: Gets a mark whenever something is answered.

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
    writers = writers_of(recipe)
    by_writer = [
        [
            _replicate(
                writer,
                sample,
                folder,
                first or folder,
                rounds_of(writers, calls_so_far(recipe, further, sample.replicate))[place],
                limit,
                refresh,
                held_texts(recipe, sample, natural),
            )
            for sample in served(recipe, samples)
        ]
        for place, writer in enumerate(writers)
    ]
    _refuse_equal(by_writer)
    for place, (writer, replicates) in enumerate(zip(writers, by_writer, strict=True)):
        others = [
            path
            for number, other in enumerate(by_writer)
            for each in other
            for path in (each.journals() if number != place else ())
        ]
        answer_all(writer.recipe, replicates, processes, generator=generator, journals=others, clock=clock)
    result: dict[str, Any] = {}
    if processes.is_main:
        result = _result(recipe, by_writer)
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
    clock: list[Mark] | None = None,
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
    answering = Answering(recipe, ledger, processes, generator, clock)
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
    for name in ("candidates", "rows", "max_requests"):  # those that were not always there only where they are set
        if generate[name] is None:
            del generate[name]
    if recipe.generate.generators:
        generate["generators"] = {
            writer.name: {"share": round(writer.share, 9), **provider_of(writer.recipe).record(writer.recipe)}
            for writer in writers_of(recipe)[1:]
        }
    else:
        del generate["generators"]
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
        **recipe.meanings,
        "generate": generate,
        "template": template.digest,
        "seed_texts": json_digest(template.seed_texts),
        "design": recipe.study.design,
        "parser": parsing.VERSION,
    }


def affordable(recipe: Recipe, generated: GenerateResult, replicates: int) -> bool:
    """Whether the budget is likely to reach for so many replicates, each as dear as those that are there."""
    budget, share = recipe.generate.budget, replicates / len(generated.replicates)
    tokens = share * sum(replicate.tokens for replicate in generated.replicates.values())
    return (budget.max_usd is None or share * (generated.cost_usd or 0.0) <= budget.max_usd) and (
        budget.max_tokens is None or tokens <= budget.max_tokens
    )


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
    writer: Writer,
    sample: Sample,
    folder: StageFolder,
    first: StageFolder,
    rounds: Sequence[Calls],
    limit: int | None,
    refresh: int,
    held: frozenset[str],
) -> Replicate:
    recipe, name = writer.recipe, f"replicate-{sample.replicate}"
    inner = Path(name) if writer.main else Path(name) / writer.name
    path, tables = first.path / inner, folder.path / inner
    for place in (path, tables):
        place.mkdir(parents=True, exist_ok=True)
    elsewhere = sorted(
        other for other in folder.path.parent.glob(f"*/{name}/**/completions-*.jsonl") if other.parent != path
    )
    provider = provider_of(recipe)
    model, sampling = provider.identity(recipe, sample)
    return Replicate(
        recipe, sample, path, PromptTemplate(recipe), model, sampling, provider.batch_size(recipe.generate.asked),
        limit, refresh, elsewhere, held=held, rounds=rounds,
        further_folder=None if tables == path else tables,
        writer=writer.name if writer.several else None,
    )  # fmt: skip


def _refuse_equal(by_writer: Sequence[Sequence[Replicate]]) -> None:
    """Two writers that cannot be told apart would answer each other's requests.

    Raises:
        RecipeError: There are two.
    """
    identities = [canonical_json([each.model, each.sampling]) for replicates in by_writer for each in replicates[:1]]
    if len(set(identities)) < len(identities):
        raise RecipeError(
            "generate.generators: two writers are the same model, asked in the same way; servers of one model are a "
            "list of base_url, and a larger share is `share`"
        )


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


def _result(recipe: Recipe, by_writer: Sequence[Sequence[Replicate]]) -> dict[str, Any]:
    _, price_record = price_of(recipe)
    replicates = by_writer[0]
    models = {
        each[0].writer: {name: each[0].model[name] for name in ("id", "revision", "commit")} for each in by_writer
    }
    template = replicates[0].template
    assert template is not None
    return {
        "replicates": {
            str(replicate.sample.replicate): collect(of_sample)
            | ({} if replicate.further_folder is None else {"journals_in": replicate.folder.parent.name})
            for of_sample in zip(*by_writer, strict=True)
            for replicate in of_sample[:1]
        },
        "model": models[replicates[0].writer],
        **({"writers": models} if len(by_writer) > 1 else {}),
        "prompt_digest": template.digest,
        "parser_version": parsing.VERSION,
        "sampling": replicates[0].sampling,
        "num_shots": recipe.generate.prompt.num_shots,
        "prices": price_record,
    }


def price_of(recipe: Recipe) -> tuple[ModelPrice | None, dict[str, Any] | None]:
    """What the recipe's generator costs, and the record of that for the manifest; None where no price is known."""
    return provider_of(recipe).price(recipe.generate.generator)
