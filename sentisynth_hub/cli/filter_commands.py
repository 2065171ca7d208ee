"""`sentisynth filter` and `sentisynth sweep`."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sentisynth_hub.cli import options
from sentisynth_hub.cli.filter_options import filter_alone, filter_options, named
from sentisynth_hub.core import log
from sentisynth_hub.core.distributed import is_first
from sentisynth_hub.core.errors import InputError
from sentisynth_hub.pipeline import open_pipeline
from sentisynth_hub.recipe import Recipe, load_recipe


if TYPE_CHECKING:
    from sentisynth_hub.filter.filter_result import FilteredReplicate


class _ListsFilters(click.Command):
    """A command whose help ends with the filters there are, as the table has them."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the filters and their reasons, then the example."""
        from sentisynth_hub.filter.filter_table import FILTERS

        with formatter.section("Filters (keys of the recipe's `filter:` section)"):
            formatter.write_dl([(each.name, each.help()) for each in FILTERS])
        super().format_epilog(ctx, formatter)


@click.command(
    "filter",
    cls=_ListsFilters,
)
@click.argument("source", metavar="RECIPE|FILE")
@options.overrides
@click.option("--recipe", help="Recipe whose filters judge FILE; without it, RECIPE's own candidates are filtered.")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Folder for FILE's kept and rejected rows."
)
@filter_options
@options.hub
@options.runs
@options.scale
@options.as_json
def filter_command(
    source: str,
    overrides: tuple[str, ...],
    recipe: str | None,
    out: Path | None,
    hub: str | None,
    runs: Path,
    scale: str | None,
    as_json: bool,
    **alone: Any,
) -> None:
    """Decide which candidates of RECIPE stay, or which rows of a FILE of yours.

    Every dropped row keeps its filter, reason and score. Teachers, thresholds and windows come from the natural rows
    of the replicate; for a FILE, from replicate 0's. A FILE can be filtered without a recipe, by the options that say
    so; kept and rejected rows are written beside it.
    """
    if named(alone):
        if recipe is not None:
            raise InputError("--recipe names the filters; leave it out, or the filters on the command line")
        filter_alone(Path(source), out, alone, as_json=as_json)
        return
    if recipe is None and Path(source).is_file():
        raise InputError(f"{source}: a file needs filters, e.g. --length 3,80 --near-duplicates 0.8, or --recipe")
    if recipe is None:
        results = _filter_recipe(load_recipe(source, overrides, scale=scale), hub, runs)
    else:
        results = _filter_file(Path(source), load_recipe(recipe, overrides, scale=scale), out, hub, runs)
    if not is_first():
        return
    lines = [line for number, result in sorted(results.items()) for line in _funnel_lines(number, result)]
    content = {"replicates": {str(number): result.model_dump(mode="json") for number, result in results.items()}}
    options.show(content, lines, as_json)
    options.next_step(f"sentisynth inspect {source}" + (f" --recipe {recipe}" if recipe else ""))


def _filter_recipe(recipe: Recipe, hub: str | None, runs: Path) -> "Mapping[int, FilteredReplicate]":
    pipeline = open_pipeline(recipe, hub=hub, runs=runs)
    return pipeline.through("filter").filter.replicates


def _filter_file(
    path: Path, recipe: Recipe, out: Path | None, hub: str | None, runs: Path
) -> "Mapping[int, FilteredReplicate]":
    if not path.is_file():
        raise InputError(f"{path}: no such file; give the path of a CSV, TSV, JSONL or Parquet file")
    from sentisynth_hub.filter.stage import filter_file

    pipeline = open_pipeline(recipe, hub=hub, runs=runs)
    target = out or path.with_name(f"{path.stem}-filtered")
    cache = pipeline.run / "filter" / "features"
    result = filter_file(pipeline.recipe, pipeline.samples[0], pipeline.natural, path, target, cache)
    log.info(f"Kept and rejected rows: {target}")
    return {0: result}


def _funnel_lines(replicate: int, result: "FilteredReplicate") -> list[str]:
    dropped = sum(step.rejected for step in result.funnel)
    lines = [f"replicate {replicate}: {result.kept:,} of {result.kept + dropped:,} rows stay"]
    lines += [f"  {step.filter:<20} {step.reason:<20} {step.rejected:>8,}" for step in result.funnel]
    labels = ", ".join(f"{name} {count:,}" for name, count in result.per_label.items())
    lines.append(f"  kept by label: {labels}")
    if result.teacher is not None:
        abstains = "abstains, so it drops no row" if result.teacher.abstains else "judges"
        lines.append(f"  the teacher {abstains}: {result.teacher.skill.sentence()}")
    return lines


@click.command()
@click.argument("recipe")
@click.argument("overrides", nargs=-1, required=True, metavar="filter.KEY=START:STOP:STEP [key=value ...]")
@click.option(
    "--file", "path", type=click.Path(path_type=Path), help="Rows of this file in place of RECIPE's candidates."
)
@click.option(
    "--figure", type=click.Path(path_type=Path, dir_okay=False), help="Draw the points to this file (png, svg)."
)
@options.hub
@options.runs
@options.scale
@options.as_json
def sweep(
    recipe: str,
    overrides: tuple[str, ...],
    path: Path | None,
    figure: Path | None,
    hub: str | None,
    runs: Path,
    scale: str | None,
    as_json: bool,
) -> None:
    """Move one threshold of RECIPE's filters and see yield, diversity and score.

    The score is macro_f1 of a logistic regression on the frozen student's features, on natural validation rows that
    had no part in setting anything. Test rows are not looked at.
    """
    from sentisynth_hub.filter.threshold_sweep import sweep as move
    from sentisynth_hub.filter.threshold_sweep import sweep_values
    from sentisynth_hub.natural.stage import file_candidates

    key, sign, values = overrides[0].partition("=")
    if not sign:
        raise InputError(f"{overrides[0]!r}: a sweep is written filter.KEY=start:stop:step")
    pipeline = open_pipeline(load_recipe(recipe, overrides[1:], scale=scale), hub=hub, runs=runs)
    if path is not None:
        candidates, demonstration_ids, parents = {0: file_candidates(pipeline.recipe, path)}, {}, {}
    else:
        generated = pipeline.through("generate").generate
        candidates = {number: corpus.candidates() for number, corpus in generated.replicates.items()}
        demonstration_ids = {number: corpus.demonstration_ids for number, corpus in generated.replicates.items()}
        made_of_rows = pipeline.recipe.generate.method.has_parents
        parents = {number: each.parents() for number, each in generated.replicates.items() if made_of_rows}
    points = move(
        pipeline.recipe,
        key,
        sweep_values(values),
        pipeline.samples,
        pipeline.natural,
        candidates,
        demonstration_ids=demonstration_ids,
        parents=parents,
        cache=pipeline.run / "filter" / "features",
    )
    if figure is not None:
        from sentisynth_hub.filter.sweep_figures import draw_sweep

        draw_sweep(points, key, figure)
    options.show({"key": key, "points": points}, _sweep_lines(key, points), as_json)


def _sweep_lines(key: str, points: list[dict[str, Any]]) -> list[str]:
    lines = [f"{key:<32} {'kept':>8} {'yield':>7} {'distinct_2':>10} {'macro_f1':>9} {'sd':>7}"]
    for point in points:
        spread = "" if point["macro_f1_sd"] is None else f"{point['macro_f1_sd']:.4f}"
        distinct = "" if point["distinct_2"] is None else f"{point['distinct_2']:.4f}"
        lines.append(
            f"{point['value']:<32g} {point['kept']:>8,.0f} {point['yield']:>7.1%} {distinct:>10} "
            f"{point['macro_f1']:>9.4f} {spread:>7}"
        )
    return [*lines, f"without synthetic rows: macro_f1 {points[0]['natural_macro_f1']:.4f} (natural validation rows)"]
