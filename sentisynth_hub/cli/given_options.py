"""What `sentisynth publish FILE --to REPO` takes: publishing what is there already, without a recipe."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from sentisynth_hub.cli import options
from sentisynth_hub.core.errors import InputError


_OPTIONS = (
    click.option("--to", metavar="REPO", help="Publish a FILE or FOLDER as it is to this repo, e.g. me/reviews."),
    click.option("--text", help="With --to: column with the text; default: text."),
    click.option("--label", help="With --to: column with the label; default: label, where there is one."),
    click.option("--licence", help="With --to: licence, e.g. cc-by-4.0; the first version needs it."),
    click.option("--language", help="With --to: BCP-47 tags with commas, e.g. es,en; the first version needs them."),
    click.option("--title", help="With --to: title of the card."),
    click.option(
        "--card",
        type=click.Path(path_type=Path, dir_okay=False),
        help="With --to: Markdown file with your own words for the card; default: what stands there is kept.",
    ),
    click.option("--gate", multiple=True, help="With --to: personal_data, duplicates, leakage; not_worse of a model."),
    click.option("--test", help="With --to and a model: file with labelled rows to measure it on; not published."),
    click.option("--base-model", help="With --to and a model: Hub id of what it was trained from."),
    click.option("--trained-on", multiple=True, help="With --to and a model: Hub id of a data set, id@tag."),
    click.option("--public", is_flag=True, help="With --to: a repo that is made now is public."),
)


def given_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command these options."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def only_with_to(given: dict[str, Any]) -> None:
    """Refuse these options for a recipe.

    Raises:
        InputError: One was given without --to.
    """
    names = [name for name, value in given.items() if value]
    if names:
        option = names[0].replace("_", "-")
        raise InputError(f"--{option} belongs to --to REPO; a recipe says it in its `publish` section")


def publish_given(source: str, given: dict[str, Any], *, create_pr: bool, dry_run: bool, as_json: bool) -> None:
    """Publish a file or a folder: one with a config.json is a model's, anything else is a data set's.

    Raises:
        InputError: There is no such file, or an option does not fit.
    """
    from sentisynth_hub.publish.publish_given import publish_dataset, publish_model

    path = Path(source)
    if not path.exists():
        raise InputError(f"{source}: no such file or folder; --to publishes a file or a folder that is there")
    described = {name: given[name] for name in ("licence", "title", "card")}
    described |= {
        "language": given["language"].split(",") if given["language"] else None,
        "gates": list(given["gate"]),
        "private": not given["public"],
        "create_pr": create_pr,
        "dry_run": dry_run,
        **{name: given[name] for name in ("text", "label") if given[name]},
    }
    if path.is_dir() and ((path / "config.json").is_file() or (path / "modules.json").is_file()):
        trained_on = list(given["trained_on"]) or None
        model = {"test": given["test"], "base_model": given["base_model"], "datasets": trained_on}
        result = publish_model(path, given["to"], **described, **model)
    else:
        wrong = next((name for name in ("test", "base_model", "trained_on") if given[name]), None)
        if wrong is not None:
            raise InputError(f"--{wrong.replace('_', '-')}: {source} is a data set; this option is for a model")
        result = publish_dataset(path, given["to"], **described)
    lines = result.plan.lines() if dry_run and result.plan is not None else result.lines()
    options.show(result.record(), lines, as_json)
    options.next_step(
        "the same without --dry-run" if dry_run else f"sentisynth verify {result.repo_id}@{result.version}"
    )
