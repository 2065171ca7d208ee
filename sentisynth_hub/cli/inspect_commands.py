"""`sentisynth inspect`."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sentisynth_hub.cli import options
from sentisynth_hub.core import log
from sentisynth_hub.core.errors import InputError
from sentisynth_hub.core.hub_endpoint import use_hub
from sentisynth_hub.core.read_files import READERS, ending_of
from sentisynth_hub.core.rows import Row
from sentisynth_hub.pipeline import open_pipeline
from sentisynth_hub.recipe import Recipe, load_recipe


if TYPE_CHECKING:
    from sentisynth_hub.metrics.corpus_report import Embed
    from sentisynth_hub.metrics.word_languages import WordTagger
    from sentisynth_hub.natural.splits import NaturalData


@click.command("inspect")
@click.argument("source", metavar="RECIPE|RUN|REPO@TAG|FILE")
@options.overrides
@click.option(
    "--recipe", help="Recipe that names the natural rows to compare with; needed for FILE and for others' datasets."
)
@click.option("--unfiltered", is_flag=True, help="Compare the candidates rather than the kept rows.")
@click.option("--figures", type=click.Path(path_type=Path, file_okay=False), help="Folder for figures.")
@options.hub
@options.runs
@options.scale
@options.as_json
def inspect(
    source: str,
    overrides: tuple[str, ...],
    recipe: str | None,
    unfiltered: bool,
    figures: Path | None,
    hub: str | None,
    runs: Path,
    scale: str | None,
    as_json: bool,
) -> None:
    """Compare a synthetic corpus with the natural training rows, at equal numbers of rows and tokens.

    SOURCE is a recipe (its kept rows of replicate 0; stages that are not complete are run first), a run folder
    (runs/NAME: what is there already), a dataset on the Hub as namespace/name@tag, or a file. A published dataset
    brings its recipe; `key=value` says where local files and models of it lie here.
    """
    from sentisynth_hub.metrics.corpus_report import compare_corpora, distributions

    use_hub(hub)
    if recipe is None and Path(source).is_dir() and not (Path(source) / "recipe.yaml").is_file():
        loaded, natural, synthetic = _of_run(Path(source), overrides, scale, source, unfiltered)
    elif recipe is None and "@" in source:
        if scale is not None:
            raise InputError(f"--scale {scale}: {source} is the recipe as it was run, at one scale; leave it out")
        loaded, natural, synthetic = _of_version(source, overrides, unfiltered)
    else:
        loaded, natural, synthetic = _of_recipe(source, overrides, scale, recipe, unfiltered, runs)
    tagger = _tagger(loaded)
    report = compare_corpora(synthetic, natural.train, embed=_embedder(loaded), tagger=tagger)
    if figures is not None:
        from sentisynth_hub.filter.sweep_figures import draw_distributions

        for path in draw_distributions(distributions(synthetic, natural.train, tagger), figures):
            log.info(str(path))
    options.show(report, _report_lines(report), as_json)


def _of_recipe(
    source: str, overrides: tuple[str, ...], scale: str | None, recipe: str | None, unfiltered: bool, runs: Path
) -> tuple[Recipe, "NaturalData", list[Row]]:
    """A recipe's own rows, or with `--recipe` those of a file, a run folder or any dataset on the Hub."""
    from sentisynth_hub.natural.stage import file_candidates, hub_candidates

    path = Path(source)
    if recipe is None and ending_of(path) in READERS:
        raise InputError(f"{source}: a file needs --recipe NAME, which says what natural rows to compare it with")
    if recipe is not None and path.is_dir():
        return _of_run(path, overrides, scale, recipe, unfiltered)
    pipeline = open_pipeline(load_recipe(recipe or source, overrides, scale=scale), runs=runs)
    if recipe is None:
        rows = (
            pipeline.through("generate").generate[0].candidates()
            if unfiltered
            else pipeline.through("filter").filter.kept(0)
        )
    elif path.is_file():
        rows = file_candidates(pipeline.recipe, path)
    else:
        repo, sign, tag = source.partition("@")
        if not sign:
            raise InputError(f"{source}: no such file; a dataset on the Hub is written namespace/name@tag")
        rows = hub_candidates(pipeline.recipe, repo, tag)
    return pipeline.recipe, pipeline.natural, rows


def _of_run(
    folder: Path, overrides: tuple[str, ...], scale: str | None, recipe: str, unfiltered: bool
) -> tuple[Recipe, "NaturalData", list[Row]]:
    """Replicate 0 of a run folder's current stage; nothing is run. Its recipe is the one of the folder's name,
    or `recipe` where that is not the folder itself."""
    from sentisynth_hub.core.rows import read_rows
    from sentisynth_hub.core.run_folder import current_stage

    stage, name = ("generate", "candidates") if unfiltered else ("filter", "kept")
    path = current_stage(folder, stage)
    loaded = load_recipe(folder.resolve().name if Path(recipe) == folder else recipe, overrides, scale=scale)
    return *_natural(loaded), read_rows(path / "replicate-0" / f"{name}.parquet")


def _of_version(source: str, overrides: tuple[str, ...], unfiltered: bool) -> tuple[Recipe, "NaturalData", list[Row]]:
    """A version that this toolkit published, with the recipe beside it."""
    from sentisynth_hub.publish.cards.published_manifest import DatasetManifest
    from sentisynth_hub.publish.dataset_tables import read_config
    from sentisynth_hub.publish.verify import published_recipe, read_version

    head = read_version(source, "dataset")
    manifest = head.manifest
    if not isinstance(manifest, DatasetManifest):
        raise InputError(f"{source}: is not a dataset; name a dataset's version")
    files = manifest.configs["unfiltered" if unfiltered else "default"]["files"]
    rows = read_config([local for path in files if (local := head.file(path)) is not None], manifest.labels)
    with tempfile.TemporaryDirectory(prefix="sentisynth-") as folder:
        return *_natural(published_recipe(head, Path(folder), overrides)), rows


def _natural(recipe: Recipe) -> tuple[Recipe, "NaturalData"]:
    """The recipe with the student's and the data's revisions pinned, and its natural rows."""
    from sentisynth_hub.natural.stage import load_natural
    from sentisynth_hub.recipe.revisions import pin_recipe

    pinned, _ = pin_recipe(recipe, ("study",))
    return pinned, load_natural(pinned)


def _embedder(recipe: Recipe) -> "Embed":
    """Features of the frozen student."""
    from sentisynth_hub.pretrained.embeddings import embed

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
        test = report["two_sample"]
        lines.append(
            f"too few rows ({test['rows']}) to see whether a classifier tells them apart"
            if test["accuracy"] is None
            else f"a classifier tells them apart with accuracy {test['accuracy']:.3f} "
            f"(0.5: cannot; p {test['p_value']:.2g}, {test['rows']:,} rows a side)"
        )
        near = report["nearest_natural"]
        line("cosine to nearest natural", near["synthetic"][1], near["natural"][1])
    return lines
