"""`sentisynth init FILE`: from a file of labelled texts to a recipe folder of one's own."""

from pathlib import Path
from typing import Any

import click

from sentisynth_hub.cli import ci_commands as ci
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
@click.option("--name", help="Name of the recipe; default: made from the file's name.")
@click.option(
    "--language", default="en", show_default=True, help="BCP-47 tags, comma separated for code-mixed text: es,en."
)
@click.option("--generator", help="Causal language model that writes (Hub id or folder).")
@click.option("--endpoint-model", help="Model of an OpenAI-compatible endpoint that writes, in place of --generator.")
@click.option("--synthetic", help="Synthetic rows that are there already (same columns), in place of a generator.")
@click.option("--student", help="Encoder that is trained (Hub id or folder).")
@click.option("--hub", type=click.Choice(["local"]), help="Use the models of the embedded Hub's quickstart.")
@click.option("--folder", type=click.Path(path_type=Path), help="Where to write; default: recipes/NAME here.")
def init(
    source: str,
    text_column: str,
    label_column: str,
    name: str | None,
    language: str,
    generator: str | None,
    endpoint_model: str | None,
    synthetic: str | None,
    student: str | None,
    hub: str | None,
    folder: Path | None,
) -> None:
    """Write a recipe for the labelled texts in SOURCE: a CSV, JSONL or Parquet file, or a Hub dataset id.

    Says before anything is generated what size of effect this much data can detect. `sentisynth init ci` writes a
    workflow that republishes, `sentisynth init hf-extension` makes `hf sentisynth` work.
    """
    from sentisynth_hub.core.hub_endpoint import use_hub
    from sentisynth_hub.plan import new_recipe as starter

    if synthetic and (generator or endpoint_model):
        raise InputError(
            "--synthetic: the rows are there, so nobody writes; leave --generator and --endpoint-model out"
        )
    use_hub(hub)
    made = starter.start_recipe(
        source,
        text_column=text_column,
        label_column=label_column,
        name=name,
        languages=language.split(","),
        generator=generator,
        endpoint_model=endpoint_model,
        student=student,
        synthetic=synthetic,
        embedded=hub == "local",
        folder=folder,
    )
    click.echo(str(made.folder))
    for line in made.lines:
        click.echo(line, err=True)
