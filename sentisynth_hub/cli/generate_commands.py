"""`sentisynth generate`, `sentisynth estimate` and `sentisynth prompt show`."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sentisynth_hub.cli import options
from sentisynth_hub.core import log
from sentisynth_hub.core.errors import InputError
from sentisynth_hub.pipeline import open_pipeline
from sentisynth_hub.recipe import Recipe, load_recipe


if TYPE_CHECKING:
    from sentisynth_hub.core.rows import Request
    from sentisynth_hub.generate.result import GenerateResult
    from sentisynth_hub.pipeline import Pipeline


def _budget_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--max-minutes", type=float, help="Stop after so many minutes."),
        click.option("--max-tokens", type=int, help="Stop before more than so many tokens are spent."),
        click.option("--max-usd", type=float, help="Stop before more than so many US dollars are spent."),
    ):
        command = option(command)
    return command


def _load(recipe: str, overrides: tuple[str, ...], scale: str | None, **budget: float | None) -> Recipe:
    limits = tuple(f"generate.budget.{name}={value}" for name, value in budget.items() if value is not None)
    return load_recipe(recipe, (*overrides, *limits), scale=scale)


@click.command()
@options.of_a_run
@options.as_json
@_budget_options
@click.option("--dry-run", is_flag=True, help="Say what would be asked and what it could cost at most; ask nothing.")
@click.option("--check", is_flag=True, help="Ask the endpoint one request and say what it can do; keep no row.")
@click.option("--limit", type=click.IntRange(min=1), help="Only the first so many requests of each replicate.")
@click.option("--resume", is_flag=True, help="Only go on with what an earlier run began; refuse to begin anew.")
@click.option("--refresh", is_flag=True, help="Ask everything anew although answers are stored.")
def generate(
    recipe: str,
    overrides: tuple[str, ...],
    hub: str | None,
    runs: Path,
    scale: str | None,
    as_json: bool,
    max_usd: float | None,
    max_tokens: int | None,
    max_minutes: float | None,
    dry_run: bool,
    check: bool,
    limit: int | None,
    resume: bool,
    refresh: bool,
) -> None:
    """Generate the candidate rows of RECIPE.

    Every answer is on disk before it is read; an interrupted run goes on where it was, and a changed parser, filter or
    limit asks nothing again.
    """
    from sentisynth_hub.generate import pilot as piloting
    from sentisynth_hub.generate import stage as generation
    from sentisynth_hub.generate.providers.base import provider_of
    from sentisynth_hub.generate.result import read_result

    loaded = _load(recipe, overrides, scale, max_usd=max_usd, max_tokens=max_tokens, max_minutes=max_minutes)
    if dry_run or check or resume or refresh or limit is not None:
        _ = loaded.generate.asked  # an error where nobody is asked
    pipeline = open_pipeline(loaded, hub=hub, runs=runs, refresh=refresh)
    if check:
        request = next(_first_requests(pipeline, 0))
        record, lines = provider_of(pipeline.recipe).check(pipeline.recipe, request)
        options.show(record, lines, as_json)
        options.next_step(f"sentisynth estimate {recipe}")
        return
    if dry_run:
        plan = piloting.dry_run(pipeline.recipe, pipeline.samples, limit=limit)
        options.show(plan, _plan_lines(plan), as_json)
        return
    folder = pipeline.folder("generate")
    if resume and not folder.complete and not list(folder.path.glob("replicate-*/completions-*.jsonl")):
        raise InputError(
            f"--resume: {folder.path} holds no answers yet: the recipe, its prompt or its data changed, or nothing "
            "was run; run without --resume to begin, stored answers to the same requests are used"
        )
    with pipeline.lock():
        if limit is None:
            folder = pipeline.through("generate").folders["generate"]
            manifest = folder.manifest()
        else:
            manifest = generation.generate(
                pipeline.recipe,
                pipeline.samples,
                folder,
                pipeline.processes,
                limit=limit,
                refresh=pipeline.refreshed,
                natural=pipeline.natural,
            )
    if pipeline.processes.is_main:
        result = read_result(folder, manifest)
        options.show(manifest, _lines(result, loaded.generate.human_usd_per_row), as_json)
        options.next_step(f"sentisynth filter {recipe}")


@click.command()
@options.of_a_run
@options.as_json
@_budget_options
@click.option("--pilot", type=click.IntRange(min=2), default=20, show_default=True, help="Requests asked to find out.")
def estimate(
    recipe: str,
    overrides: tuple[str, ...],
    hub: str | None,
    runs: Path,
    scale: str | None,
    as_json: bool,
    max_usd: float | None,
    max_tokens: int | None,
    max_minutes: float | None,
    pilot: int,
) -> None:
    """Estimate tokens, cost, time and rows of RECIPE from a small pilot, with 95 % intervals.

    The pilot's answers are kept and used by `sentisynth generate`; a local model answers whole batches.
    """
    from sentisynth_hub.filter.stage import kept_of
    from sentisynth_hub.generate import pilot as piloting
    from sentisynth_hub.natural.folds import natural_of_replicate

    loaded = _load(recipe, overrides, scale, max_usd=max_usd, max_tokens=max_tokens, max_minutes=max_minutes)
    pipeline = open_pipeline(loaded, hub=hub, runs=runs)
    folder, sample = pipeline.folder("generate"), pipeline.samples[0]
    visible = natural_of_replicate(pipeline.recipe, pipeline.natural, sample.replicate)
    with pipeline.lock():
        figures = piloting.pilot(
            pipeline.recipe,
            pipeline.samples,
            folder,
            pipeline.processes,
            requests=pilot,
            keep=lambda rows: kept_of(pipeline.recipe, sample, visible, rows),
            natural=pipeline.natural,
        )
    if pipeline.processes.is_main:
        from sentisynth_hub.generate.providers.base import provider_of

        options.show(figures, _estimate_lines(figures, provider_of(loaded).cost_note(loaded.generate.asked)), as_json)
        options.next_step(f"sentisynth plan {recipe}, then sentisynth generate {recipe}")


@click.group()
def prompt() -> None:
    """Show exactly what will be sent."""


@prompt.command()
@options.of_a_run
@options.as_json
@click.option("--label", help="Label to ask for; default: the recipe's first.")
@click.option("--replicate", type=click.IntRange(min=0), default=0, show_default=True, help="Whose demonstrations.")
@click.option("--number", type=click.IntRange(min=0), default=0, show_default=True, help="Which prompt of this label.")
def show(
    recipe: str,
    overrides: tuple[str, ...],
    hub: str | None,
    runs: Path,
    scale: str | None,
    as_json: bool,
    label: str | None,
    replicate: int,
    number: int,
) -> None:
    """Print one prompt of RECIPE exactly as it is sent; with --json the whole call."""
    loaded = load_recipe(recipe, overrides, scale=scale)
    asked_label = label or loaded.labels[0]
    if asked_label not in loaded.labels:
        raise InputError(
            f"--label: {asked_label!r} is not a label of the recipe; its labels are {', '.join(loaded.labels)}"
        )
    pipeline = open_pipeline(loaded, hub=hub, runs=runs)
    if replicate >= len(pipeline.samples):
        raise InputError(f"--replicate: the recipe has {len(pipeline.samples)} replicates, 0 is the first")
    rendered, body = _one_prompt(pipeline, asked_label, replicate, number)
    if as_json:
        options.show_json(body)
        return
    text = (
        rendered
        if isinstance(rendered, str)
        else "\n\n".join(f"[{message['role']}]\n{message['content']}" for message in rendered)
    )
    click.echo(log.printable_lines(text), nl=not text.endswith("\n"))


def _one_prompt(
    pipeline: "Pipeline", label: str, replicate: int, number: int
) -> tuple[str | list[dict[str, str]], dict[str, Any]]:
    """The prompt, and the body of the call it is sent in (for a local model: the prompt and how it is drawn)."""
    from sentisynth_hub.generate.providers.base import provider_of

    recipe = pipeline.recipe
    numbers: list[str] = []
    for request in _first_requests(pipeline, replicate):
        if request.asked_label == label and request.sample_index == 0:
            numbers.append(request.prompt_id)
        if len(numbers) > number:
            return request.prompt, provider_of(recipe).call_body(recipe, request)
    raise InputError(f"--number: the recipe makes {len(numbers)} prompts for {label!r}, 0 is the first")


def _first_requests(pipeline: "Pipeline", replicate: int) -> "Iterator[Request]":
    """A replicate's requests, planned anew."""
    from sentisynth_hub.generate.plan_requests import plan_requests
    from sentisynth_hub.generate.prompts import PromptTemplate
    from sentisynth_hub.generate.stage import held_texts

    recipe, sample = pipeline.recipe, pipeline.samples[replicate]
    held = held_texts(recipe, sample, pipeline.natural)
    return plan_requests(recipe, sample, PromptTemplate(recipe), model="", sampling={}, held=held)


def _plan_lines(plan: dict[str, Any]) -> list[str]:
    cost = "no price known" if plan["worst_case_usd"] is None else f"${plan['worst_case_usd']:,.4f}"
    return [
        f"{plan['replicates']} replicates, {plan['requests']:,} requests with {plan['prompts']:,} prompts",
        f"at most {plan['worst_case_tokens']:,} tokens ({cost})",
        "nothing was asked; `sentisynth prompt show` prints a prompt, `sentisynth estimate` asks a pilot",
    ]


def _lines(result: "GenerateResult", human_usd_per_row: float) -> list[str]:
    lines = []
    for name, corpus in result.replicates.items():
        reasons = ", ".join(f"{count} {reason}" for reason, count in corpus.reasons.items())
        lines.append(
            f"replicate {name}: {corpus.candidate_count:,} candidates of {corpus.requests:,} requests"
            + (f" (no row: {reasons})" if reasons else "")
            + f", {corpus.tokens:,} tokens"
        )
    cost, rows = result.cost_usd, sum(corpus.candidate_count for corpus in result.replicates.values())
    if cost is not None and rows:
        lines.append(
            f"${cost:,.4f}, ${cost / rows:.5f} a parsed row; the same number of human labels at "
            f"${human_usd_per_row:g} each: ${human_usd_per_row * rows:,.2f}"
        )
    return lines


def _estimate_lines(figures: dict[str, Any], unpriced: str) -> list[str]:
    def between(name: str, form: str) -> str:
        low, high = figures[name]["interval"]
        end = f"{low:{form}} to {high:{form}}" if high is not None else "one step only, so no interval"
        return f"{figures[name]['estimate']:{form}} ({end})"

    lines = [
        f"from {figures['pilot_requests']} of {figures['requests']:,} requests, 95 % intervals in brackets",
        f"tokens: {between('tokens', ',.0f')}",
        f"parsed share: {between('accepted_share', '.2f')}, rows: {between('accepted_rows', ',.0f')}",
    ]
    if figures["kept_rows"] is not None:
        lines.append(f"kept by the filters: {between('kept_rows', ',.0f')}; a larger corpus repeats itself more")
    if figures["minutes"] is not None:
        lines.append(f"minutes of generation: {between('minutes', ',.1f')}")
    if figures["usd"] is None:
        return [*lines, unpriced]
    lines.append(f"cost: $ {between('usd', ',.4f')} at prices of {figures['prices']['as_of']}")
    low, high = figures["usd_per_accepted_row"]["interval"]
    estimate = figures["usd_per_accepted_row"]["estimate"]
    if estimate is not None and high is not None:
        lines.append(f"a parsed row: $ {estimate:.5f} ({low:.5f} to {high:.5f})")
    lines.append(
        f"the same number of human labels at ${figures['human_usd_per_row']:g} each: ${figures['human_usd']:,.2f}"
    )
    return lines
