"""`sentisynth filter`, `sentisynth sweep` and `sentisynth inspect`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sentisynth_hub.cli import options
from sentisynth_hub.errors import InputError
from sentisynth_hub.processes import is_first
from sentisynth_hub.recipe import Recipe, load_recipe
from sentisynth_hub.rows import Row
from sentisynth_hub.run import open_pipeline


if TYPE_CHECKING:
    from sentisynth_hub.metrics.corpus_report import Embed
    from sentisynth_hub.metrics.word_languages import WordTagger
    from sentisynth_hub.pipeline import Pipeline


@click.command("filter")
@click.argument("source", metavar="RECIPE|FILE")
@options.overrides
@click.option("--recipe", help="Recipe whose filters judge FILE; without it, RECIPE's own candidates are filtered.")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Folder for FILE's kept and rejected rows."
)
@options.hub
@options.runs
@options.as_json
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
@options.as_json
def sweep(
    recipe: str,
    overrides: tuple[str, ...],
    path: Path | None,
    figure: Path | None,
    hub: str | None,
    runs: Path,
    as_json: bool,
) -> None:
    """Move one threshold of RECIPE's filters and see yield, diversity and score.

    The score is macro_f1 of a logistic regression on the frozen student's features, on natural validation rows that
    had no part in setting anything. Test rows are not looked at.
    """
    from sentisynth_hub.filtering import file_candidates
    from sentisynth_hub.generation import read_candidates
    from sentisynth_hub.sweeping import sweep as move
    from sentisynth_hub.sweeping import sweep_values

    key, sign, values = overrides[0].partition("=")
    if not sign:
        raise InputError(f"{overrides[0]!r}: a sweep is written filter.KEY=start:stop:step")
    pipeline = open_pipeline(load_recipe(recipe, overrides[1:]), hub=hub, runs=runs)
    if path is not None:
        candidates, shown = {0: file_candidates(pipeline.recipe, path)}, {}
    else:
        generated = pipeline.generate()
        asked = generated.manifest()["replicates"]
        candidates = {int(name): read_candidates(generated, int(name))[0] for name in asked}
        shown = {int(name): asked[name]["demonstration_ids"] for name in asked}
    points = move(
        pipeline.recipe,
        key,
        sweep_values(values),
        pipeline.samples,
        pipeline.natural,
        candidates,
        demonstration_ids=shown,
        cache=pipeline.run / "filter" / "features",
    )
    if figure is not None:
        from sentisynth_hub.metrics.figures import draw_sweep

        draw_sweep(points, key, figure)
    if as_json:
        click.echo(json.dumps({"key": key, "points": points}, ensure_ascii=False, indent=1))
        return
    click.echo("\n".join(_sweep_lines(key, points)))


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


@click.command("inspect")
@click.argument("source", metavar="RECIPE|REPO@TAG|FILE")
@options.overrides
@click.option("--recipe", help="Recipe that names the natural rows to compare with; needed for REPO@TAG and FILE.")
@click.option("--unfiltered", is_flag=True, help="Compare RECIPE's candidates rather than its kept rows.")
@click.option("--figures", type=click.Path(path_type=Path, file_okay=False), help="Folder for figures.")
@options.hub
@options.runs
@options.as_json
def inspect(
    source: str,
    overrides: tuple[str, ...],
    recipe: str | None,
    unfiltered: bool,
    figures: Path | None,
    hub: str | None,
    runs: Path,
    as_json: bool,
) -> None:
    """Compare a synthetic corpus with the natural training rows, at equal numbers of rows and tokens.

    SOURCE is a recipe (its kept rows of replicate 0), a dataset on the Hub as namespace/name@tag, or a file.
    """
    from sentisynth_hub.metrics.corpus_report import compare_corpora, distributions

    pipeline = open_pipeline(load_recipe(recipe or source, overrides), hub=hub, runs=runs)
    synthetic = _corpus(pipeline, source if recipe else None, unfiltered)
    natural = pipeline.natural.train
    tagger = _tagger(pipeline.recipe)
    report = compare_corpora(synthetic, natural, embed=_embedder(pipeline.recipe), tagger=tagger)
    if figures is not None:
        from sentisynth_hub.metrics.figures import draw_distributions

        for path in draw_distributions(distributions(synthetic, natural, tagger), figures):
            click.echo(str(path), err=True)
    click.echo(json.dumps(report, ensure_ascii=False, indent=1) if as_json else "\n".join(_report_lines(report)))


def _corpus(pipeline: "Pipeline", source: str | None, unfiltered: bool) -> list[Row]:
    """The synthetic rows: of the recipe's replicate 0, of a file, or of a dataset on the Hub."""
    from sentisynth_hub.filtering import file_candidates, hub_candidates, read_kept
    from sentisynth_hub.generation import read_candidates

    if source is None:
        return read_candidates(pipeline.generate(), 0)[0] if unfiltered else read_kept(pipeline.filter(), 0)
    if Path(source).is_file():
        return file_candidates(pipeline.recipe, Path(source))
    repo, sign, tag = source.partition("@")
    if not sign:
        raise InputError(f"{source}: no such file; a dataset on the Hub is written namespace/name@tag")
    return hub_candidates(pipeline.recipe, repo, tag)


def _embedder(recipe: Recipe) -> "Embed":
    """Features of the frozen student."""
    from sentisynth_hub.metrics.embeddings import embed

    student = recipe.study.student
    return lambda texts: embed(
        texts, student.model, revision=student.revision, prefix=student.prefix, max_length=student.max_length
    )


def _tagger(recipe: Recipe) -> "WordTagger | None":
    """A tagger where the recipe's text is code-mixed."""
    from sentisynth_hub.metrics.word_languages import WordTagger

    return WordTagger(recipe.language) if len(recipe.language) > 1 else None


def _report_lines(report: dict[str, Any]) -> list[str]:
    lines = [f"{'':<24} {'synthetic':>12} {'natural':>12} {'distance':>9}"]

    def line(name: str, ours: Any, theirs: Any, distance: Any = "") -> None:
        lines.append(f"{name:<24} {ours:>12} {theirs:>12} {distance:>9}")

    line("rows", f"{report['rows']['synthetic']:,}", f"{report['rows']['natural']:,}")
    for label in sorted(set(report["labels"]["synthetic"]) | set(report["labels"]["natural"])):
        shares = (report["labels"][side].get(label, 0.0) for side in ("synthetic", "natural"))
        line(f"  {label}", *(f"{share:.1%}" for share in shares))
    length = report["length"]
    line("median length (tokens)", length["synthetic"][1], length["natural"][1], length["distance"])
    for name in report["diversity"]["synthetic"]:
        line(name, report["diversity"]["synthetic"][name], report["diversity"]["natural"][name])
    for name, measured in report.get("code_mixing", {}).items():
        if name != "tagger":
            line(name, measured["synthetic"], measured["natural"], measured["distance"])
    if "code_mixing" in report:
        lines.append(f"languages by {report['code_mixing']['tagger']}")
    if "two_sample" in report:
        found = report["two_sample"]
        lines.append(
            f"a classifier tells them apart with accuracy {found['accuracy']:.3f} "
            f"(0.5: cannot; p {found['p_value']:.2g}, {found['rows']:,} rows a side)"
        )
        near = report["nearest_natural"]
        line("cosine to nearest natural", near["synthetic"][1], near["natural"][1])
    return lines
