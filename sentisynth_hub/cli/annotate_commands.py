"""`sentisynth annotate make` and `annotate score`."""

import json
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sentisynth_hub.cli import options
from sentisynth_hub.core import log
from sentisynth_hub.core.errors import InputError
from sentisynth_hub.pipeline import open_pipeline
from sentisynth_hub.recipe import load_recipe
from sentisynth_hub.recipe.load import RECIPE_FILE, list_recipes


if TYPE_CHECKING:
    from sentisynth_hub.annotate.sheet import RatedCorpus
    from sentisynth_hub.pipeline import Pipeline


FEW_RATERS = 5  # docs/results/human-evaluation.md


@click.group("annotate")
def annotate() -> None:
    """Let people rate natural and synthetic rows without knowing which are which."""


@annotate.command()
@click.argument("source", metavar="RUN|RECIPE|FILE")
@options.overrides
@click.option("--rows", type=int, default=100, show_default=True, help="Rows on the page, half of them natural.")
@click.option("--raters", type=int, default=3, show_default=True, help="People who will rate; each sees every row.")
@click.option(
    "--strata",
    metavar="NAME,...",
    help="Balance synthetic rows over, and compare by: num_shots, generator, language, prompt_id, asked_label, "
    "volume, setting, or an attribute of the prompts.",
)
@click.option(
    "--setting",
    "settings",
    multiple=True,
    metavar="'KEY=VALUE ...'",
    help="Draw from the recipe's corpus with these overrides too, which must have been run. Several allowed.",
)
@click.option(
    "--accuracy-margin",
    type=click.FloatRange(0, 0.5, min_open=True, max_open=True),
    default=0.1,
    show_default=True,
    help="An accuracy this close to chance does not matter to you.",
)
@click.option(
    "--naturalness-margin",
    type=click.FloatRange(0, 4, min_open=True, max_open=True),
    default=0.5,
    show_default=True,
    help="So many points of naturalness do not matter to you.",
)
@click.option(
    "--disagreements",
    type=click.IntRange(min=2),
    metavar="N",
    help="Ask instead for labels of N texts of SOURCE, a file, on which --first and --second disagree.",
)
@click.option("--first", metavar="MODEL|FILE", help="A model (Hub id or folder), a file of predictions, FILE:variant.")
@click.option("--second", metavar="MODEL|FILE", help="What it is compared with, likewise.")
@click.option("--text", "text_column", default="text", show_default=True, help="Column of SOURCE with the text.")
@click.option("--seed", type=int, default=0, show_default=True, help="Decides the rows and every rater's order.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder to write to; default: annotate/SHEET in the run folder.",
)
@options.hub
@options.runs
@options.scale
@options.as_json
def make(
    source: str,
    overrides: tuple[str, ...],
    rows: int,
    raters: int,
    strata: str | None,
    settings: tuple[str, ...],
    accuracy_margin: float,
    naturalness_margin: float,
    disagreements: int | None,
    first: str | None,
    second: str | None,
    text_column: str,
    seed: int,
    out: Path | None,
    hub: str | None,
    runs: Path,
    scale: str | None,
    as_json: bool,
) -> None:
    """Write the page people rate rows on, a static Space with it, and the private key.

    Rows are the kept ones of replicate 0 of a recipe whose generate and filter stages are complete, and natural ones
    of train and validation. SOURCE is a recipe, or the run folder of one that ships with the toolkit.

    With --disagreements, SOURCE is a file of texts without labels: people label only texts on which two models
    disagree, and `annotate score` says how much more often one of them is right.

    \b
    Examples:
      sentisynth annotate make recipes/reviews --rows 100
      sentisynth annotate make texts.csv --disagreements 100 --first me/old --second me/new --raters 1
    """
    if disagreements is not None or first or second:
        _make_disagreements(Path(source), disagreements, first, second, text_column, raters, seed, out, hub, as_json)
        return
    from sentisynth_hub.annotate.page import write_sheet
    from sentisynth_hub.annotate.rating_files import Margins
    from sentisynth_hub.annotate.sheet import draw_sheet

    name, runs = _run_of(source, runs)
    pipeline = open_pipeline(load_recipe(name, overrides, scale=scale), hub=hub, runs=runs)
    corpora = [_corpus(pipeline, "")]
    for setting in settings:
        recipe = load_recipe(name, [*overrides, *shlex.split(setting)], scale=scale)
        corpora.append(_corpus(open_pipeline(recipe, hub=hub, runs=runs), setting))
    sheet = draw_sheet(
        pipeline.recipe.name,
        str(pipeline.run.resolve()),
        pipeline.recipe.labels,
        corpora,
        pipeline.natural,
        rows=rows,
        raters=raters,
        strata=[name.strip() for name in strata.split(",") if name.strip()] if strata else [],
        margins=Margins(accuracy=accuracy_margin, naturalness=naturalness_margin),
        seed=seed,
    )
    folder = out or pipeline.run / "annotate" / sheet.key.sheet
    written = write_sheet(sheet, folder, pipeline.recipe.publish.pretty_name or pipeline.recipe.name)
    if as_json:
        paths = {name: str(path) for name, path in written.items()}
        click.echo(json.dumps({"sheet": sheet.key.sheet, "rows": rows, "raters": raters, **paths}, indent=1))
    else:
        click.echo(f"page for raters 1 to {raters}    {written['page']}")
        click.echo(f"the same as a Space     {written['space']}")
        click.echo(f"key, for your eyes only {written['key']}")
    if not pipeline.recipe.natural.publish_rows:
        log.warn("the page holds natural rows: make the Space public only if their licence lets you")
    if raters < FEW_RATERS:
        log.info(f"{raters} raters give wide intervals: more raters buy more than more rows (docs/how-to/annotate.md)")
    log.info(f"Next: put what the raters send you into {folder}, then: sentisynth annotate score {folder}/*.json")


def _make_disagreements(
    source: Path,
    count: int | None,
    first: str | None,
    second: str | None,
    text_column: str,
    raters: int,
    seed: int,
    out: Path | None,
    hub: str | None,
    as_json: bool,
) -> None:
    from sentisynth_hub.annotate.disagreements import draw_disagreements
    from sentisynth_hub.annotate.page import write_sheet
    from sentisynth_hub.core.hub_endpoint import use_hub
    from sentisynth_hub.experiments.predict_file import labels_for, read_texts

    if count is None or not first or not second:
        raise InputError("--disagreements N, --first and --second belong together; give all three")
    use_hub(hub)
    rows = [row for row in read_texts(source, text_column) if row.text.strip()]
    judged = [labels_for(name, rows, text_file=source) for name in (first, second)]
    labels = sorted({label for side in judged for label in side if label is not None})
    names = (Path(first).name, Path(second).name)
    sheet = draw_disagreements(
        [(row.row_id or str(row.number), row.text) for row in rows],
        *judged,
        names=(first, second) if names[0] == names[1] else names,
        labels=labels,
        count=count,
        raters=raters,
        seed=seed,
    )
    folder = out or Path("annotate") / sheet.key.sheet
    written = write_sheet(sheet, folder, source.stem)
    record = {
        "sheet": sheet.key.sheet,
        "rows": len(rows),
        "disagreements": sheet.key.disagreements,  # type: ignore[union-attr]
        "asked": len(sheet.key.items),
        **{name: str(path) for name, path in written.items()},
    }
    lines = [
        f"they disagree on {record['disagreements']:,} of {len(rows):,} texts; {record['asked']:,} of those are asked",
        f"page for raters 1 to {raters}    {written['page']}",
        f"key, for your eyes only {written['key']}",
    ]
    options.show(record, lines, as_json)
    log.info(f"Next: put what the raters send you into {folder}, then: sentisynth annotate score {folder}/*.json")


@annotate.command()
@click.argument(
    "files", nargs=-1, required=True, metavar="[KEY] EXPORT...", type=click.Path(path_type=Path, dir_okay=False)
)
@options.runs
@options.as_json
def score(files: tuple[Path, ...], runs: Path, as_json: bool) -> None:
    """Judge what raters exported: do labels hold, can people tell, does it sound natural? Of a sheet of
    disagreements: which of the two models is right more often, and by how much?

    FILES are the exports and the key, in any order: `annotate score *.json` in the folder that `annotate make` wrote.
    A key that is not among them is looked for beside the exports and in the run folders. The result is written to
    human_evaluation.json in the run folder (beside the key where other settings were compared); `sentisynth publish`
    puts it onto the dataset's card.
    """
    from sentisynth_hub.annotate.disagreements import DISAGREEMENTS_FILE, difference_lines, score_disagreements
    from sentisynth_hub.annotate.rating_files import FORMAT_RESULT, DisagreementKey, read_files
    from sentisynth_hub.annotate.score import result_path, score_exports, score_lines
    from sentisynth_hub.core.files import write_json

    where, key, exports = read_files(files, runs)
    if isinstance(key, DisagreementKey):
        difference = score_disagreements(key, exports)
        path = where.resolve().parent / DISAGREEMENTS_FILE
        content = {"format": FORMAT_RESULT, "version": 1, "sheet": key.sheet, **asdict(difference)}
        write_json(path, content)
        options.show(content | {"sentence": difference.sentence}, difference_lines(difference), as_json)
        log.info(f"written to {path}")
        return
    record = score_exports(key, exports)
    path = result_path(where, key)
    write_json(path, record)
    for warning in record["warnings"]:
        log.warn(warning)
    options.show(record, score_lines(record), as_json)
    log.info(f"written to {path}")


def _run_of(source: str, runs: Path) -> tuple[str, Path]:
    """A run folder as the name of its recipe and the folder of runs; anything else as it is."""
    folder = Path(source)
    if not folder.is_dir() or (folder / RECIPE_FILE).exists() or not (folder / "generate").is_dir():
        return source, runs
    run = folder.resolve()
    if run.name not in {path.parent.name for path in list_recipes()}:
        raise InputError(
            f"{source}: the run folder of a recipe of your own; give the recipe, with --runs {folder.parent} and the "
            "overrides it was run with"
        )
    return run.name, run.parent


def _corpus(pipeline: "Pipeline", setting: str) -> "RatedCorpus":
    """Replicate 0's kept rows; no stage is run.

    Raises:
        InputError: The generate or the filter stage is not complete.
    """
    from sentisynth_hub.annotate.sheet import RatedCorpus

    for stage in ("generate", "filter"):
        if not pipeline.folder(stage).complete:
            given = f" with {setting}" if setting else ""
            raise InputError(
                f"{pipeline.run}: the {stage} stage of recipe {pipeline.recipe.name}{given} is not complete here; "
                "run it first: `sentisynth filter RECIPE` with the same overrides, --scale and --runs"
            )
    pipeline.may_run = False
    results = pipeline.through("filter")
    attributes = {line["request_id"]: json.loads(line["attributes"] or "{}") for line in results.generate[0].lineage()}
    volume = pipeline.recipe.generate.candidates or results.generate[0].candidate_count
    return RatedCorpus(results.filter.kept(0), volume, setting, attributes)
