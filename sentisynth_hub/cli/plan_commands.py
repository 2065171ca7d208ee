"""`sentisynth plan`."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sentisynth_hub.cli import options
from sentisynth_hub.core import log
from sentisynth_hub.core.errors import DataError
from sentisynth_hub.pipeline import open_pipeline
from sentisynth_hub.recipe import load_recipe


if TYPE_CHECKING:
    from sentisynth_hub.pipeline import Pipeline
    from sentisynth_hub.plan.rehearsal import Rehearsal


@click.command()
@click.argument("recipe")
@options.overrides
@options.hub
@options.runs
@options.scale
@options.as_json
def plan(
    recipe: str, overrides: tuple[str, ...], hub: str | None, runs: Path, scale: str | None, as_json: bool
) -> None:
    """Say what a study of RECIPE could show, how probable a verdict is, what it costs, and what else that would buy.

    Reads the natural rows alone: models of them say how wide the interval will be and what more labels would gain.
    Nothing is generated and no label of a test row is read. Cost and time come from the pilot of `sentisynth
    estimate` where there was one.
    """
    from sentisynth_hub.plan.costs import cost_lines, study_cost
    from sentisynth_hub.plan.study_plan import advice, plan_lines, plan_study

    pipeline = open_pipeline(load_recipe(recipe, overrides, scale=scale), hub=hub, runs=runs)
    planned = plan_study(pipeline.recipe, pipeline.natural, pipeline.samples, _rehearse(pipeline))
    cost = study_cost(pipeline.recipe, pipeline.samples, pipeline.folder("generate"))
    if pipeline.processes.is_main:
        advised = advice(planned, cost)
        lines = [*plan_lines(planned), *cost_lines(cost), *(f"- {line}" for line in advised)]
        record = {**asdict(planned), "decided": planned.decided, "cost": asdict(cost), "advice": advised}
        options.show(record, lines, as_json)
        pilot = "" if cost.source != "upper bound" else f"sentisynth estimate {recipe}, or "
        options.next_step(f"{pilot}sentisynth run {recipe} --no-publish")


def _rehearse(pipeline: "Pipeline") -> "Rehearsal | None":
    """What the recipe's student shows of the natural rows; None, with a word, where they are too few."""
    from sentisynth_hub.plan.rehearsal import rehearse_recipe

    try:
        return rehearse_recipe(pipeline.recipe, pipeline.natural, pipeline.samples, pipeline.run, pipeline.processes)
    except DataError as error:
        log.warn(f"{error}; the plan rests on assumptions")
        return None
