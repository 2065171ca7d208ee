"""`sentisynth run`."""

import json
from pathlib import Path

import click

from sentisynth_hub import log
from sentisynth_hub.processes import is_first
from sentisynth_hub.recipe import load_recipe
from sentisynth_hub.run import RUNS, run_recipe, summary_lines


@click.command()
@click.argument("recipe")
@click.argument("overrides", nargs=-1, metavar="[key=value ...]")
@click.option(
    "--hub", type=click.Choice(["local"]), help="`local`: the embedded Hub; default: the one HF_ENDPOINT names."
)
@click.option(
    "--runs",
    type=click.Path(path_type=Path, file_okay=False),
    default=RUNS,
    show_default=True,
    help="Folder of run folders.",
)
@click.option("--scale", help="A named set of overrides from the recipe's `scales`.")
@click.option("--no-publish", is_flag=True, help="Stop before publishing; nothing leaves this machine.")
@click.option("--refresh", is_flag=True, help="Ask the generator anew although its answers are stored.")
@click.option("--create-pr", is_flag=True, help="Propose the new versions as pull requests.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
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
    e.g.
    study.replicates=10.
    """
    loaded = load_recipe(recipe, overrides, scale=scale)
    log.info(f"== {loaded.name}: {loaded.description}")
    result = run_recipe(loaded, hub=hub, runs=runs, publish=not no_publish, refresh=refresh, create_pr=create_pr)
    if not is_first():
        return
    click.echo(
        json.dumps(result.record(), ensure_ascii=False, indent=1) if as_json else "\n".join(summary_lines(result))
    )
