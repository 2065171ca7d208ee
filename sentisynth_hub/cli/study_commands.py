"""`sentisynth study`, `report`, `evaluate`, `compare` and `predict`."""

import sys
from pathlib import Path
from typing import Any

import click

from sentisynth_hub.cli import options
from sentisynth_hub.core import log
from sentisynth_hub.core.errors import InputError
from sentisynth_hub.core.preprocess import STEPS, Step, preprocess
from sentisynth_hub.experiments.predict_file import FORMATS, Format
from sentisynth_hub.pipeline import open_pipeline
from sentisynth_hub.recipe import load_recipe


@click.command()
@options.of_a_run
@click.option(
    "--leave-out",
    metavar="GROUPING",
    help="Say instead which group of synthetic rows is to blame: `mixed` without each asked_label, prompt_id, "
    "generator or value of an attribute, on validation rows.",
)
@click.option("--question", help="Answer a question beside the recipe, questions/NAME.yaml: every cell is a study.")
@options.as_json
def study(
    recipe: str,
    overrides: tuple[str, ...],
    hub: str | None,
    runs: Path,
    scale: str | None,
    leave_out: str | None,
    question: str | None,
    as_json: bool,
) -> None:
    """Train the variants of RECIPE and judge them; stages that are not complete are run first, a killed study
    continues.
    """
    if question is not None:
        _ask(recipe, question, overrides, hub, runs, scale, leave_out, as_json)
        return
    from sentisynth_hub.experiments.leave_out import blame_lines, rows_to_blame
    from sentisynth_hub.verdict.evaluation_text import table_lines, verdict_sentence

    pipeline = open_pipeline(load_recipe(recipe, overrides, scale=scale), hub=hub, runs=runs)
    with pipeline.lock():
        if leave_out is not None:
            groups = rows_to_blame(pipeline, leave_out)
            if pipeline.processes.is_main:
                options.show([group.model_dump(mode="json") for group in groups], blame_lines(groups), as_json)
            return
        results = pipeline.through("verdict")
    evaluation, folder = results.verdict, results.study.path
    if pipeline.processes.is_main:
        log.info(f"predictions and trials: {folder}")
        options.show(
            evaluation.record() | {"sentence": verdict_sentence(evaluation)}, table_lines(evaluation), as_json
        )


def _ask(
    recipe: str,
    question: str,
    overrides: tuple[str, ...],
    hub: str | None,
    runs: Path,
    scale: str | None,
    leave_out: str | None,
    as_json: bool,
) -> None:
    from sentisynth_hub.core.distributed import join_launch
    from sentisynth_hub.experiments.answer import answer_lines
    from sentisynth_hub.experiments.grid import ask

    if leave_out is not None:
        raise InputError("--question and --leave-out: ask one of them at a time")
    processes = join_launch()
    answer = ask(recipe, question, overrides=overrides, scale=scale, hub=hub, runs=runs, processes=processes)
    if processes.is_main:
        log.info(f"answer: {runs / answer.recipe / 'questions' / question}.json")
        options.show(answer.model_dump(mode="json"), answer_lines(answer), as_json)


@click.command()
@options.of_a_run
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), help="Where to write; default: in the run folder."
)
def report(
    recipe: str, overrides: tuple[str, ...], hub: str | None, runs: Path, scale: str | None, output: Path | None
) -> None:
    """Write the report of RECIPE's study: one HTML file with its figures inside, to be opened anywhere.

    Verdict, table, figures, the funnel of replicate 0 with examples of what was kept and dropped, what generation
    took, and the score of the model that ships, where it was made.
    """
    from sentisynth_hub.experiments.report_parts import report_parts
    from sentisynth_hub.verdict.html_report import write_report

    pipeline = open_pipeline(load_recipe(recipe, overrides, scale=scale), hub=hub, runs=runs)
    results = pipeline.through("verdict")
    if pipeline.processes.is_main:
        if pipeline.folder("model").complete:
            results = pipeline.through("model")
        path = output or pipeline.run / "report.html"
        write_report(path, pipeline.recipe.name, pipeline.recipe.description, results.verdict, report_parts(results))
        click.echo(str(path))


@click.command()
@click.argument("model")
@click.argument("dataset")
@click.option("--revision", help="Tag, branch or commit of the model.")
@click.option("--dataset-revision", help="Tag, branch or commit of the dataset.")
@click.option("--config-name", help="Subset of the dataset.")
@click.option("--split", default="test", show_default=True, help="Split of the dataset.")
@click.option("--text", "text_column", default="text", show_default=True, help="Column with the text.")
@click.option("--label-column", default="label", show_default=True, help="Column with the label.")
@click.option(
    "--label",
    "label_names",
    multiple=True,
    metavar="MODEL=DATA",
    help="What a label of the model is called in the data.",
)
@click.option(
    "--swap",
    multiple=True,
    metavar="TERM=TERM",
    help="Bias probe: how often does the label change when these words change places? Several allowed.",
)
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write the predictions here, for `compare`."
)
@options.hub
@options.as_json
def evaluate(
    model: str,
    dataset: str,
    revision: str | None,
    dataset_revision: str | None,
    config_name: str | None,
    split: str,
    text_column: str,
    label_column: str,
    label_names: tuple[str, ...],
    swap: tuple[str, ...],
    output: Path | None,
    hub: str | None,
    as_json: bool,
) -> None:
    """Score MODEL (a Hub id or a folder) on DATASET (a Hub id, or a CSV, JSONL or Parquet file)."""
    _use(hub)
    from sentisynth_hub.experiments import evaluate_model as scoring

    labelled = scoring.read_labelled(
        dataset,
        split=split,
        revision=dataset_revision,
        config_name=config_name,
        text_column=text_column,
        label_column=label_column,
    )
    score, predicted = scoring.score_model(model, labelled, revision=revision, label_names=dict(_pairs(label_names)))
    record: dict[str, Any] = dict(score)
    lines = list(score["table"])
    if swap:
        from sentisynth_hub.experiments.bias import probe, probe_lines

        record["swaps"] = probe(model, [row.text for row in labelled.rows], _pairs(swap), revision=revision)
        lines += probe_lines(record["swaps"])
    if output is not None:
        from sentisynth_hub.study.predictions import TrialPredictions, item_ids, write_trials

        truth = [str(row.label) for row in labelled.rows]
        trial = TrialPredictions(Path(model).name, 0, item_ids(labelled.rows), truth, predicted)
        write_trials(output, list(score["labels"]), [trial])
    options.show(record, lines, as_json)


@click.command()
@click.argument("first")
@click.argument("second")
@options.metric
@options.as_json
def compare(first: str, second: str, metric: str, as_json: bool) -> None:
    """Compare two prediction files item by item: FIRST and SECOND are FILE or FILE:variant.

    A file is a study's predictions, or any CSV, JSONL or Parquet table with the columns `label` (the true one),
    `predicted`, and `id` where the rows have one.
    """
    from sentisynth_hub.experiments.evaluate_model import compare_predictions
    from sentisynth_hub.experiments.prediction_tables import read_variant

    comparison = compare_predictions(read_variant(first), read_variant(second), metric=metric)
    low, high = comparison["interval"]
    lines = [
        f"{comparison['first']}  {metric} {comparison['scores'][0]:.4f}",
        f"{comparison['second']}  {metric} {comparison['scores'][1]:.4f}",
        f"difference {comparison['difference']:+.4f}  95 % [{low:+.4f}, {high:+.4f}]  p = {comparison['p']:.4f}  "
        f"({comparison['items']} items)",
        comparison["sentence"],
    ]
    options.show(dict(comparison), lines, as_json)


@click.command()
@click.argument("model")
@click.argument("texts", nargs=-1)
@click.option("--revision", help="Tag, branch or commit of the model.")
@click.option(
    "--file",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A CSV, JSONL or Parquet file in place of TEXTS; every row gets a label, in the file's order.",
)
@click.option("--text", "column", default="text", show_default=True, help="Column of the file with the text.")
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default="jsonl",
    show_default=True,
    help="How a file's predictions are written; `lince`: a label a line, LinCE's names.",
)
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), help="Where a file's predictions go; default: stdout."
)
@click.option("--empty", metavar="LABEL", help="Label of rows without a text; default: the model's answer to nothing.")
@click.option(
    "--preprocess",
    "steps",
    multiple=True,
    type=click.Choice(STEPS),
    help="What was done to the text the model was trained on (`natural.preprocess`). Several allowed.",
)
@options.hub
@options.as_json
def predict(
    model: str,
    texts: tuple[str, ...],
    revision: str | None,
    path: Path | None,
    column: str,
    form: Format,
    output: Path | None,
    empty: str | None,
    steps: tuple[Step, ...],
    hub: str | None,
    as_json: bool,
) -> None:
    """Classify TEXTS, or the rows of a file, with MODEL, a Hub id or a folder."""
    if bool(texts) == (path is not None):
        raise InputError("give either texts to classify, or a file of them with --file")
    if path is None and (output is not None or empty is not None):
        raise InputError("--output and --empty belong to --file; leave them out, or name a file")
    _use(hub)
    if path is not None:
        from sentisynth_hub.experiments.predict_file import predict_texts, read_texts, write_predictions

        rows = read_texts(path, column)
        written = write_predictions(
            output, form, predict_texts(model, rows, revision=revision, steps=steps, empty=empty)
        )
        if output is None:
            # A file's predictions are data; on a terminal they are looked at.
            click.echo(log.printable_lines(written) if sys.stdout.isatty() else written, nl=False)
        else:
            log.info(f"{output}: {len(rows)} predictions")
        return
    from sentisynth_hub.pretrained.classifier import open_classifier

    classifier = open_classifier(model, revision)
    probabilities = classifier.probabilities([preprocess(text, steps) for text in texts])
    labels = [classifier.labels[place] for place in probabilities.argmax(1)]
    records = [
        {"text": text, "label": label, "probabilities": dict(zip(classifier.labels, scores.tolist(), strict=True))}
        for text, label, scores in zip(texts, labels, probabilities, strict=True)
    ]
    lines = [
        f"{label}  {scores.max():.3f}  {text}"
        for text, label, scores in zip(texts, labels, probabilities, strict=True)
    ]
    options.show(records, lines, as_json)


def _use(hub: str | None) -> None:
    from sentisynth_hub.core.hub_endpoint import use_hub

    use_hub(hub)


def _pairs(written: tuple[str, ...]) -> list[tuple[str, str]]:
    pairs = []
    for pair in written:
        left, sign, right = pair.partition("=")
        if not sign or not left or not right:
            raise InputError(f"{pair!r}: write two words with an equals sign between them, e.g. he=she")
        pairs.append((left, right))
    return pairs
