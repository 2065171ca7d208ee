"""Options and arguments that many commands share, and how they show what they found, written once."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from sentisynth_hub.core import log
from sentisynth_hub.core.run_folder import RUNS


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
metric = click.option(
    "--metric",
    type=click.Choice(["macro_f1", "accuracy", "weighted_f1"]),
    default="macro_f1",
    show_default=True,
    help="What is compared.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")


def of_a_run(command: Callable[..., None]) -> Callable[..., None]:
    """What every command of a recipe's run takes: RECIPE, overrides, --hub, --runs, --scale."""
    return click.argument("recipe")(overrides(hub(runs(scale(command)))))


def show(record: Any, lines: list[str], as_json: bool) -> None:
    """Print a result to stdout: one JSON document, or lines for people. Words of strangers are escaped here."""
    if as_json:
        show_json(record)
    else:
        click.echo("\n".join(log.printable(line.rstrip("\n")) for line in lines))


def show_json(record: Any) -> None:
    """Print one JSON document to stdout, in ASCII where stdout's encoding lacks a character of it."""
    document = log.printable_json(json.dumps(record, ensure_ascii=False, indent=1, default=str))
    try:
        document.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        document = json.dumps(record, indent=1, default=str)
    click.echo(document)


def next_step(what: str) -> None:
    """Say on stderr what one would do next; silent under -q."""
    log.info(f"Next: {what}")
