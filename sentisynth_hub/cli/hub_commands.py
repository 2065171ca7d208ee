"""`sentisynth hub`: the embedded Hub on this machine."""

import json
import os
import shlex
from pathlib import Path

import click

from sentisynth_hub.core import log
from sentisynth_hub.core.errors import InputError, PublishError
from sentisynth_hub.core.hub_endpoint import hub_api
from sentisynth_hub.localhub import control
from sentisynth_hub.localhub.config import DEFAULT_PORT


_DATA = click.option(
    "--data",
    "data_dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="The Hub's folder. Default: $SENTISYNTH_HUB_HOME, or ~/.sentisynth/hub.",
)


@click.group("hub")
def hub() -> None:
    """The embedded Hub: the Hub's protocol on this machine, for rehearsals, tests and air-gapped work."""


@hub.command()
@_DATA
@click.option("--port", type=int, help=f"Default: $SENTISYNTH_HUB_PORT, or {DEFAULT_PORT}; 0 for a free one.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; others can reach it then.")
@click.option("--read-only", is_flag=True, help="Refuse everything that would change a repo.")
@click.option(
    "--tokens",
    "tokens_file",
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    help="JSON file of further users, for tests.",
)
def start(data_dir: Path | None, port: int | None, host: str, read_only: bool, tokens_file: Path | None) -> None:
    """Start the embedded Hub and leave it running. Harmless when it already runs."""
    running = control.status(data_dir)
    state = control.start(data_dir, port, host=host, read_only=read_only, tokens_file=tokens_file)
    answers = "already answers" if running else "answers"
    log.info(f"the embedded Hub {answers} at {state.endpoint} (folder {state.data})")
    option = f" --data {shlex.quote(str(data_dir))}" if data_dir else ""
    log.info(f'to use it from this shell:  eval "$(sentisynth hub env{option})"')


@hub.command()
@_DATA
def stop(data_dir: Path | None) -> None:
    """Stop the embedded Hub. Everything in it stays."""
    log.info("stopped" if control.stop(data_dir) else "the embedded Hub is not running")


@hub.command()
@_DATA
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def status(data_dir: Path | None, as_json: bool) -> None:
    """Say whether the embedded Hub runs, and where."""
    state = control.status(data_dir)
    if as_json:
        click.echo(json.dumps({"running": state is not None} | ({} if state is None else _shown(state))))
    elif state is None:
        click.echo("not running")
    else:
        mode = ", read-only" if state.read_only else ""
        click.echo(f"running at {state.endpoint} (folder {state.data}, process {state.pid}{mode})")


@hub.command()
@_DATA
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of shell exports.")
def env(data_dir: Path | None, as_json: bool) -> None:
    """Print every export a shell needs for its clients to use the embedded Hub; a token is among them."""
    variables = control.client_environment(_running(data_dir))
    if as_json:
        click.echo(json.dumps(variables, indent=1))
    else:
        for name, value in variables.items():
            click.echo(f"export {name}={shlex.quote(value)}")


@hub.command("import")
@_DATA
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("repo_id")
@click.option("--type", "repo_type", type=click.Choice(["dataset", "model"]), default="dataset", show_default=True)
@click.option("--tag", help="Tag the imported state, such as v1.0.0.")
@click.option("--public", is_flag=True, help="Make a new repo public.")
def import_folder(
    data_dir: Path | None, folder: Path, repo_id: str, repo_type: str, tag: str | None, public: bool
) -> None:
    """Bring a FOLDER, such as a snapshot of a repo of the real Hub, into REPO_ID as one commit."""
    os.environ.update(control.client_environment(_running(data_dir)))
    from huggingface_hub.errors import HfHubHTTPError

    try:
        api = hub_api()
        api.create_repo(repo_id, repo_type=repo_type, private=not public, exist_ok=True)
        commit = api.upload_folder(
            repo_id=repo_id, repo_type=repo_type, folder_path=folder, commit_message=f"Import {folder.name}"
        )
        if tag:
            api.create_tag(repo_id, repo_type=repo_type, tag=tag)
    except (HfHubHTTPError, ValueError) as error:
        raise PublishError(f"{repo_id}: {' '.join(str(error).split())}") from error
    click.echo(commit.commit_url)


@hub.group()
def token() -> None:
    """Tokens for further users."""


@token.command("create")
@_DATA
@click.option("--name", required=True, help="The user the token belongs to.")
@click.option("--org", "orgs", multiple=True, help="An organisation of the user; may be repeated.")
@click.option("--role", type=click.Choice(["read", "write"]), default="write", show_default=True)
def create_token(data_dir: Path | None, name: str, orgs: tuple[str, ...], role: str) -> None:
    """Issue a token and print it, once: it is stored as a digest. A running Hub accepts it at once."""
    from sentisynth_hub.localhub.accounts import create_token as issue
    from sentisynth_hub.localhub.config import default_data_dir

    data = data_dir or default_data_dir()
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    click.echo(issue(data, name, orgs, "read" if role == "read" else "write"))


def _running(data_dir: Path | None) -> control.HubState:
    state = control.status(data_dir)
    if state is None:
        raise InputError("the embedded Hub is not running; start it with: sentisynth hub start")
    return state


def _shown(state: control.HubState) -> dict[str, object]:
    """A state without its token."""
    return {"endpoint": state.endpoint, "pid": state.pid, "data": str(state.data), "read_only": state.read_only}
