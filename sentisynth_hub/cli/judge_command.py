"""`sentisynth judge`: a verdict on two models from their prediction files."""

from pathlib import Path

import click

from sentisynth_hub.cli import options
from sentisynth_hub.core import log
from sentisynth_hub.core.errors import InputError
from sentisynth_hub.recipe.study_section import Metric


@click.command()
@click.argument("model")
@click.argument("baseline")
@click.option("--names", metavar="A,B", help="What the two models are called; default: the files' names.")
@options.metric
@click.option(
    "--margin",
    type=click.FloatRange(0, 1),
    default=0.01,
    show_default=True,
    help="Smallest difference in the metric that matters to you, from 0 to 1.",
)
@click.option(
    "--report",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write one HTML page with figures to this file (extra `report`).",
)
@options.as_json
def judge(
    model: str, baseline: str, names: str | None, metric: Metric, margin: float, report: Path | None, as_json: bool
) -> None:
    """Judge from their predictions whether MODEL is better than BASELINE.

    Each is a CSV, TSV, JSONL or Parquet file with the columns label and predicted, and item_id, seed, fold, text,
    cluster and probability_<label> where there are any; a samples file of lm-evaluation-harness; or FILE:variant of a
    study's predictions.parquet.
    """
    from sentisynth_hub.verdict.judge_models import judge as judge_models

    judgement = judge_models(model, baseline, names=_names(names), metric=metric, margin=margin)
    if report is not None:
        judgement.write_report(report)
        log.info(f"report: {report}")
    options.show({**judgement.record(), "sentence": judgement.sentence}, str(judgement).splitlines(), as_json)


def _names(names: str | None) -> tuple[str, str] | None:
    if names is None:
        return None
    first, _, second = (part.strip() for part in names.partition(","))
    if not first or not second:
        raise InputError(f"--names {names}: write two names with a comma between them, e.g. minilm,tfidf")
    return first, second
