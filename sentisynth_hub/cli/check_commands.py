"""`sentisynth check`."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sentisynth_hub.cli import options
from sentisynth_hub.core import log
from sentisynth_hub.core.errors import InputError
from sentisynth_hub.core.run_folder import current_stage


if TYPE_CHECKING:
    from sentisynth_hub.verdict.study_checks import StudyFacts


@click.command()
@click.argument("study", metavar="RECIPE|RUN|REPO@TAG")
@options.hub
@options.runs
@options.as_json
def check(study: str, hub: str | None, runs: Path, as_json: bool) -> None:
    """Say what a reader should know before believing a study, and nothing else; exit code 1 where there is anything.

    STUDY is a recipe or a run folder whose study is done, or a published version. Nothing is run. Every check has a
    number; docs/reference/checks.md says what it means and what to do.
    """
    from sentisynth_hub.core.hub_endpoint import use_hub
    from sentisynth_hub.verdict.check_table import findings

    use_hub(hub)
    facts = _of_version(study) if "@" in study else _of_run(_run_folder(study, runs))
    notes = findings(facts)
    options.show([asdict(each) for each in notes], [each.line for each in notes], as_json)
    if not notes:
        log.info("nothing to say against it")
        return
    raise SystemExit(1)


def _run_folder(study: str, runs: Path) -> Path:
    """The folder itself, or the run folder of the recipe of that name or path."""
    from sentisynth_hub.recipe import load_recipe

    folder = Path(study)
    if folder.is_dir() and any((folder / stage).is_dir() for stage in ("verdict", "study", "generate")):
        return folder
    run = runs / load_recipe(study).name
    if not run.is_dir():
        raise InputError(f"{run}: there is no run of {study} yet; run it first, or name its folder with --runs DIR")
    return run


def _of_run(run: Path) -> "StudyFacts":
    from sentisynth_hub.core.run_folder import StageFolder
    from sentisynth_hub.model import stage as model_stage
    from sentisynth_hub.verdict.evaluation import Evaluation, read_evaluation
    from sentisynth_hub.verdict.study_checks import StudyFacts

    evaluation = read_evaluation(current_stage(run, "verdict") / Evaluation.FILE)
    model = None
    if list(run.glob("model/*/manifest.json")):
        model = model_stage.load(StageFolder(current_stage(run, "model"), "", {})).facts
    return StudyFacts(evaluation, model)


def _of_version(spec: str) -> "StudyFacts":
    from sentisynth_hub.publish.verify import read_version
    from sentisynth_hub.verdict.evaluation import parse_evaluation
    from sentisynth_hub.verdict.study_checks import StudyFacts

    manifest = read_version(spec).manifest
    if manifest is None or manifest.evaluation is None:
        raise InputError(f"{spec}: no study was published with it, so there is nothing to check")
    return StudyFacts(parse_evaluation(manifest.evaluation, spec))
