"""Options and arguments that many commands share, written once."""

from pathlib import Path

import click

from sentisynth_hub.run import RUNS


overrides = click.argument("overrides", nargs=-1, metavar="[key=value ...]")
hub = click.option("--hub", type=click.Choice(["local"]), help="`local`: the embedded Hub.")
runs = click.option(
    "--runs",
    type=click.Path(path_type=Path, file_okay=False),
    default=RUNS,
    show_default=True,
    help="Folder of run folders.",
)
scale = click.option("--scale", help="A named set of overrides from the recipe's `scales`.")
as_json = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
