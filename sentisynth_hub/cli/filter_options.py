"""What `sentisynth filter FILE` takes without a recipe: the filters that need nothing but the rows."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sentisynth_hub.cli import options
from sentisynth_hub.core import log
from sentisynth_hub.core.errors import InputError


if TYPE_CHECKING:
    from sentisynth_hub.filter.filter_rows import FilterOrMaker

_OPTIONS = (
    click.option("--length", metavar="MIN,MAX", help="Without a recipe: words and symbols a text has, e.g. 3,80."),
    click.option("--exact-duplicates", is_flag=True, help="Without a recipe: drop texts that an earlier row has."),
    click.option(
        "--near-duplicates",
        type=click.FloatRange(0.3, 1),
        help="Without a recipe: drop texts this similar to an earlier row (Jaccard of character runs), e.g. 0.8.",
    ),
    click.option("--conflicting-labels", is_flag=True, help="Without a recipe: drop texts that have several labels."),
    click.option("--refusals", is_flag=True, help="Without a recipe: drop a model's refusals and framing phrases."),
    click.option("--personal-data", is_flag=True, help="Without a recipe: drop e-mails, telephone numbers, handles."),
    click.option(
        "--apart-from",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Without a recipe: drop texts that overlap the rows of this file, e.g. your test rows.",
    ),
    click.option("--text", default="text", show_default=True, help="Without a recipe: column with the text."),
    click.option("--label", help="Without a recipe: column with the label; default: label, where there is one."),
)


def filter_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command these options."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def named(alone: dict[str, Any]) -> bool:
    """Whether any filter is named on the command line."""
    return any(value for name, value in alone.items() if name not in ("text", "label"))


def filter_alone(path: Path, out: Path | None, alone: dict[str, Any], *, as_json: bool) -> None:
    """Filter a file by the filters on the command line, in the order in which `filter_rows` is best given them."""
    from sentisynth_hub.core.read_files import read_file
    from sentisynth_hub.filter.given_rows import filter_given_file

    label = alone["label"]
    if label is None:
        first = next(iter(read_file(path)), (0, {}))[1]
        label = "label" if "label" in first else None
    folder = out or path.with_name(f"{path.stem.split('.')[0]}-filtered")
    result = filter_given_file(path, _filters(alone, label), folder, text=alone["text"], label=label)
    kept, rejected = len(result.kept), len(result.rejected)
    lines = [f"{kept:,} of {kept + rejected:,} rows stay: {folder}"]
    lines += [f"  {step.filter:<20} {step.reason:<20} {step.rejected:>8,}" for step in result.funnel if step.rejected]
    record = {
        "kept": kept,
        "rejected": rejected,
        "folder": str(folder),
        "funnel": [step.model_dump(mode="json") for step in result.funnel],
    }
    options.show(record, lines, as_json)
    log.info("Next: sentisynth publish FOLDER --to me/data, or rows of a recipe: sentisynth init FILE")


def _filters(alone: dict[str, Any], label: str | None) -> "list[FilterOrMaker]":
    from sentisynth_hub.filter.conflicting_labels import ConflictingLabels
    from sentisynth_hub.filter.exact_duplicates import ExactDuplicates
    from sentisynth_hub.filter.given_rows import overlap_with
    from sentisynth_hub.filter.length import Length
    from sentisynth_hub.filter.near_duplicates import NearDuplicates
    from sentisynth_hub.filter.personal_data import PersonalData
    from sentisynth_hub.filter.refusals import Refusals

    filters: list[FilterOrMaker] = []
    if alone["length"]:
        filters.append(Length(*_limits(alone["length"])))
    if alone["refusals"]:
        filters.append(Refusals.unlike())
    if alone["personal_data"]:
        filters.append(PersonalData())
    if alone["conflicting_labels"]:
        if label is None:
            raise InputError("--conflicting-labels: the file has no column 'label'; name it with --label")
        filters.append(ConflictingLabels.among)
    if alone["exact_duplicates"]:
        filters.append(ExactDuplicates())
    if alone["near_duplicates"]:
        filters.append(NearDuplicates(alone["near_duplicates"]))
    if alone["apart_from"]:
        filters.append(overlap_with(alone["apart_from"], alone["text"]))
    return filters


def _limits(written: str) -> tuple[int, int]:
    first, _, second = written.partition(",")
    if not (first.strip().isdecimal() and second.strip().isdecimal()) or int(first) > int(second):
        raise InputError(f"--length {written}: write the fewest and the most words with a comma, e.g. 3,80")
    return int(first), int(second)
