"""Every command's help ends with an example, and every example is one that the command takes."""

import re
import shlex

import click
import pytest

from sentisynth_hub.cli import sentisynth
from sentisynth_hub.cli.examples import commands_below


COMMANDS = dict(commands_below(sentisynth, "sentisynth"))


def example_lines(path: str, command: click.Command) -> list[str]:
    text = command.get_help(click.Context(command, info_name=path, terminal_width=200, max_content_width=200))
    _, _, after = text.rpartition("xample")
    return [line.strip() for line in after.split("\n")[1:] if "sentisynth" in line]


@pytest.mark.parametrize("path", COMMANDS)
def test_help_ends_with_an_example_that_the_command_takes(path: str) -> None:
    lines = example_lines(path, COMMANDS[path])
    assert lines, f"{path} --help shows no example"
    for line in lines:
        call = re.search(r"sentisynth [^|>)#&;]*", line)
        assert call is not None, line
        words = shlex.split(call[0].replace("$(", ""))[1:]
        takes(sentisynth, words, line)


def takes(command: click.Command, words: list[str], line: str) -> None:
    """Parse the words as the command line would; a word it does not know raises."""
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        inner = command.get_command(click.Context(command), words[0])
        if inner is None:
            break
        command, words = inner, words[1:]
    parser = command.make_parser(click.Context(command))
    try:
        parser.parse_args(args=list(words))
    except click.UsageError as error:
        pytest.fail(f"{line}: {error.message}")
