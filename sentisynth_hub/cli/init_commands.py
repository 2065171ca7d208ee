"""`sentisynth init FILE`: from a file of labelled texts to a recipe folder of one's own."""

from pathlib import Path
from typing import Any

import click

from sentisynth_hub.cli import ci_commands as ci
from sentisynth_hub.core import log
from sentisynth_hub.core.errors import InputError


class _Init(click.Command):
    """`init ci` and `init hf-extension` are commands of their own; anything else is the SOURCE of `init SOURCE`."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        others: dict[str, click.Command] = {"ci": ci.init_ci, "hf-extension": ci.init_hf_extension}
        if args and args[0] in others:
            return others[args[0]].make_context(f"{info_name} {args[0]}", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)


@click.command(cls=_Init)
@click.argument("source")
@click.option("--text", "text_column", default="text", show_default=True, help="Column with the text.")
@click.option("--label", "label_column", default="label", show_default=True, help="Column with the label.")
@click.option("--cluster", help="Column that says which rows belong together: author, thread, document.")
@click.option("--config-name", help="Configuration (subset) of a Hub dataset.")
@click.option("--split", default="train", show_default=True, help="Split of a Hub dataset.")
@click.option("--name", help="Name of the recipe; default: made from the name of the source.")
@click.option(
    "--language",
    default="en",
    show_default=True,
    help="Languages of the text as BCP-47 tags, separated by commas: es,en.",
)
@click.option("--generator", help="Causal language model that writes (Hub id or folder).")
@click.option("--endpoint-model", help="Model of an OpenAI-compatible endpoint that writes, in place of --generator.")
@click.option("--synthetic", help="Synthetic rows that are there already, in place of a generator.")
@click.option("--synthetic-text", help="Their column with the text; default: as --text.")
@click.option("--synthetic-label", help="Their column with the label; default: as --label.")
@click.option("--student", help="Encoder that is trained (Hub id or folder).")
@click.option("--hub", type=click.Choice(["local"]), help="Use the models of the embedded Hub's quickstart.")
@click.option("--folder", type=click.Path(path_type=Path), help="Where to write; default: recipes/NAME here.")
def init(
    source: str,
    text_column: str,
    label_column: str,
    cluster: str | None,
    config_name: str | None,
    split: str,
    name: str | None,
    language: str,
    generator: str | None,
    endpoint_model: str | None,
    synthetic: str | None,
    synthetic_text: str | None,
    synthetic_label: str | None,
    student: str | None,
    hub: str | None,
    folder: Path | None,
) -> None:
    """Write a recipe for the labelled texts in SOURCE: a file (CSV, JSONL, Parquet or Excel) or a Hub dataset id.

    Says before anything is generated what size of effect this much data can detect, and what was left out and why.
    With fewer than 1,000 rows no test split is set aside: the study is cross-fitted. `sentisynth init ci` writes a
    workflow that republishes, `sentisynth init hf-extension` makes `hf sentisynth` work.

    \b
    Examples:
      sentisynth init reviews.csv --text review --label stars
      sentisynth init cardiffnlp/tweet_sentiment_multilingual --config-name hindi --language hi
    """
    from sentisynth_hub.core.hub_endpoint import use_hub
    from sentisynth_hub.plan.new_recipe import Choices, start_recipe
    from sentisynth_hub.plan.source_rows import Source

    if synthetic and (generator or endpoint_model):
        raise InputError(
            "--synthetic: the rows are there, so nobody writes; leave --generator and --endpoint-model out"
        )
    if not synthetic and (synthetic_text or synthetic_label):
        raise InputError(
            "--synthetic-text and --synthetic-label belong to --synthetic; name the rows, or leave them out"
        )
    use_hub(hub)
    choices = Choices(name, language.split(","), generator, endpoint_model, student, hub == "local", folder, cluster)
    rows = Source(
        synthetic or "",
        synthetic_text or text_column,
        synthetic_label or label_column,
        options=("--synthetic-text", "--synthetic-label"),
    )
    started = start_recipe(
        Source(source, text_column, label_column, config_name, split),
        choices,
        synthetic=rows if synthetic else None,
    )
    click.echo(str(started.folder))
    for line in started.lines:
        click.echo(log.printable(line), err=True)
