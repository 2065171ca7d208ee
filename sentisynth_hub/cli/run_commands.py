"""`sentisynth run`."""

from pathlib import Path

import click

from sentisynth_hub.cli import options
from sentisynth_hub.core import log
from sentisynth_hub.core.distributed import is_first
from sentisynth_hub.recipe import load_recipe
from sentisynth_hub.run import run_recipe, summary_lines


@click.command()
@options.of_a_run
@click.option("--no-publish", is_flag=True, help="Stop before publishing; nothing leaves this machine.")
@click.option("--refresh", is_flag=True, help="Ask the generator anew although its answers are stored.")
@click.option("--create-pr", is_flag=True, help="Propose the new versions as pull requests.")
@options.as_json
def run(
    recipe: str,
    overrides: tuple[str, ...],
    hub: str | None,
    runs: Path,
    scale: str | None,
    no_publish: bool,
    refresh: bool,
    create_pr: bool,
    as_json: bool,
) -> None:
    """Run every stage of RECIPE (a name or a path), in order, and publish.

    Stages that are complete are not run again; a killed run continues. `key=value` changes the recipe for this run,
    e.g. study.replicates=10.
    """
    loaded = load_recipe(recipe, overrides, scale=scale)
    log.info(f"== {loaded.name}: {loaded.description}")
    result = run_recipe(loaded, hub=hub, runs=runs, publish=not no_publish, refresh=refresh, create_pr=create_pr)
    if not is_first():
        return
    options.show(result.record(), summary_lines(result), as_json)
