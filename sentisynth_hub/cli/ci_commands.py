"""`sentisynth init ci` and `sentisynth init hf-extension`."""

import os
from pathlib import Path

import click

from sentisynth_hub import __version__
from sentisynth_hub.core import log
from sentisynth_hub.recipe import load_recipe


@click.command("ci")
@click.argument("recipe")
@click.option(
    "--install", default=f"sentisynth-hub=={__version__}", show_default=True, help="What pip installs on the runner."
)
@click.option(
    "--requirements", help="File of this repository with every package's hash; pip then installs nothing else."
)
@click.option(
    "--store", help="Private dataset repo for the run folder; default: the published dataset's id with -runs."
)
@click.option("--cron", default="17 4 * * 1", show_default=True, help="When it runs by itself (UTC).")
@click.option("--file", default="republish.yml", show_default=True, help="Name of the file in .github/workflows.")
@click.option(
    "--hub", type=click.Choice(["local"]), help="Use the embedded Hub on the runner: a trial that publishes nothing."
)
def init_ci(
    recipe: str, install: str, requirements: str | None, store: str | None, cron: str, file: str, hub: str | None
) -> None:
    """Write a GitHub workflow here that republishes RECIPE when it, its prompt or its run changed."""
    from sentisynth_hub.publish.ci.workflow import Workflow

    loaded = load_recipe(recipe)
    folder = Path(os.path.relpath(loaded.folder)).as_posix()
    workflow = Workflow(loaded, folder, install, requirements, store, cron, file, embedded=hub == "local")
    click.echo(str(workflow.write(Path())))
    click.echo(
        "Next: add this repository as a Trusted Publisher in the settings of the repos the file names "
        "(each must exist: publish once by hand), set the secrets it names, then push",
        err=True,
    )
    if requirements is None:
        log.warn(
            "packages are pinned by version, not by hash; `uv pip compile --generate-hashes` or `pip-compile "
            "--generate-hashes` makes a file for --requirements"
        )


@click.command("hf-extension")
def init_hf_extension() -> None:
    """Register `sentisynth` with the `hf` command, so that `hf sentisynth ...` works."""
    from sentisynth_hub.publish.ci.extension import install_extension

    click.echo(str(install_extension()))
    click.echo("Next: hf sentisynth --help", err=True)
