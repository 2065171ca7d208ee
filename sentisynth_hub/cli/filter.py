"""`sentisynth filter`, `sentisynth sweep` and `sentisynth inspect`."""

import json
from pathlib import Path
from typing import Any

import click

from sentisynth_hub.errors import InputError
from sentisynth_hub.processes import is_first
from sentisynth_hub.recipe import Recipe, load_recipe
from sentisynth_hub.run import RUNS, open_pipeline


_OVERRIDES = click.argument("overrides", nargs=-1, metavar="[key=value ...]")
_HUB = click.option("--hub", type=click.Choice(["local"]), help="`local`: the embedded Hub.")
_RUNS = click.option(
    "--runs",
    type=click.Path(path_type=Path, file_okay=False),
    default=RUNS,
    show_default=True,
    help="Folder of run folders.",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")


@click.command("filter")
@click.argument("source", metavar="RECIPE|FILE")
@_OVERRIDES
@click.option("--recipe", help="Recipe whose filters judge FILE; without it, RECIPE's own candidates are filtered.")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Folder for FILE's kept and rejected rows."
)
@_HUB
@_RUNS
@_JSON
def filter_command(
    source: str,
    overrides: tuple[str, ...],
    recipe: str | None,
    out: Path | None,
    hub: str | None,
    runs: Path,
    as_json: bool,
) -> None:
    """Decide which candidates of RECIPE stay, or which rows of a FILE of yours.

    Every dropped row keeps its filter, reason and score. Teachers, thresholds and windows come from the natural rows
    of the replicate; for a FILE, from replicate 0's.
    """
    if recipe is None:
        results = _filter_recipe(load_recipe(source, overrides), hub, runs)
    else:
        results = _filter_file(Path(source), load_recipe(recipe, overrides), out, hub, runs)
    if not is_first():
        return
    if as_json:
        click.echo(json.dumps({"replicates": results}, ensure_ascii=False, indent=1))
        return
    for name, result in results.items():
        click.echo("\n".join(_funnel_lines(name, result)))


def _filter_recipe(recipe: Recipe, hub: str | None, runs: Path) -> dict[str, Any]:
    pipeline = open_pipeline(recipe, hub=hub, runs=runs)
    return dict(pipeline.filter().manifest()["replicates"])


def _filter_file(path: Path, recipe: Recipe, out: Path | None, hub: str | None, runs: Path) -> dict[str, Any]:
    if not path.is_file():
        raise InputError(f"{path}: no such file; give the path of a CSV, TSV, JSONL or Parquet file")
    from sentisynth_hub.filtering import filter_file

    pipeline = open_pipeline(recipe, hub=hub, runs=runs)
    target = out or path.with_name(f"{path.stem}-filtered")
    cache = pipeline.run / "filter" / "features"
    result = filter_file(pipeline.recipe, pipeline.samples[0], pipeline.natural, path, target, cache)
    click.echo(f"Kept and rejected rows: {target}", err=True)
    return {"0": result}


def _funnel_lines(replicate: str, result: dict[str, Any]) -> list[str]:
    dropped = sum(step["rejected"] for step in result["funnel"])
    lines = [f"replicate {replicate}: {result['kept']:,} of {result['kept'] + dropped:,} rows stay"]
    lines += [f"  {step['filter']:<20} {step['reason']:<20} {step['rejected']:>8,}" for step in result["funnel"]]
    labels = ", ".join(f"{name} {count:,}" for name, count in result["per_label"].items())
    return [*lines, f"  kept by label: {labels}"]
