"""The `sentisynth` command.

Commands live in one module a topic and are imported when used, so that `--help` stays instant. Results go to stdout,
everything
else to stderr; exit code 0 done, 1 failed or drifted, 2 wrong usage or input.
"""

import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

import click

from sentisynth_hub import __version__
from sentisynth_hub.cli.examples import EXAMPLES, with_example
from sentisynth_hub.core import log
from sentisynth_hub.core.distributed import is_first, share_cores
from sentisynth_hub.core.errors import SentisynthError
from sentisynth_hub.core.hub_endpoint import unreachable
from sentisynth_hub.core.machine_failures import machine_failure


_COMMANDS = {  # name: (module, one line for --help, so that listing the commands imports none of them)
    "run": ("run_commands", "Run every stage of a recipe, in order."),
    "init": ("init_commands", "Start a recipe from your own data, or write a workflow."),
    "recipes": ("recipe_commands", "List, check and copy recipes."),
    "schema": ("recipe_commands", "Print the JSON Schema of a recipe."),
    "plan": ("plan_commands", "Say what a study could show and cost, before it is paid for."),
    "prompt": ("generate_commands", "Show exactly what will be sent."),
    "estimate": ("generate_commands", "Estimate tokens, cost and time from a small pilot."),
    "generate": ("generate_commands", "Generate candidate rows."),
    "filter": ("filter_commands", "Decide which candidates stay."),
    "inspect": ("inspect_commands", "Compare a synthetic corpus with the natural one."),
    "sweep": ("filter_commands", "Move a threshold and see yield, diversity and score."),
    "study": ("study_commands", "Train the variants and judge them."),
    "check": ("check_commands", "Say what a reader should know before believing a study."),
    "report": ("study_commands", "Write the report of a study."),
    "evaluate": ("study_commands", "Score a model on a dataset."),
    "compare": ("study_commands", "Compare two prediction files, paired."),
    "judge": ("judge_command", "Judge two models from their predictions."),
    "predict": ("study_commands", "Classify texts with a model."),
    "annotate": ("annotate_commands", "Let people rate rows, blind."),
    "publish": ("publish_commands", "Publish the dataset and the model."),
    "diff": ("publish_commands", "Show what changed between two versions."),
    "verify": ("publish_commands", "Recompute a published version's digests and numbers."),
    "runs": ("publish_commands", "Keep a run folder in a private dataset repo."),
    "jobs": ("publish_commands", "Run a recipe as a Hugging Face Job."),
    "trust": ("trust_commands", "Allow a server to get API keys, or a recipe to name code."),
    "hub": ("hub_commands", "The embedded Hub."),
}


class _LazyGroup(click.Group):
    """A group that imports a command's module when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(f"sentisynth_hub.cli.{_COMMANDS[cmd_name][0]}")
        command = getattr(module, f"{cmd_name}_command", None) or getattr(module, cmd_name)
        assert isinstance(command, click.Command)
        return with_example(command, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in _COMMANDS.items()])


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=f"\b\nExample:\n  {EXAMPLES['sentisynth']}",
)
@click.version_option(__version__, prog_name="sentisynth-hub")
@click.option("-q", "--quiet", is_flag=True, help="No progress; warnings and errors only.")
def sentisynth(quiet: bool) -> None:
    """Generate, filter, judge and publish synthetic text-classification data.

    Start with the quickstart, or with `sentisynth init reviews.csv` for data of your own.
    """
    if quiet or not is_first():
        log.set_quiet(True)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line; errors raised on purpose become one line on stderr and their exit code."""
    share_cores()
    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal of another encoding loses a letter, not a result
        sys.stdout.reconfigure(errors="backslashreplace")
    # The libraries below speak of their own inner life; the stages say what the user needs to know.
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    try:
        sentisynth(args=arguments, prog_name="sentisynth", standalone_mode=True)
    except SentisynthError as error:
        click.echo(f"error: {log.printable(str(error))}", err=True)
        raise SystemExit(error.exit_code) from None
    except Exception as error:
        if (why := machine_failure(error) or unreachable(error)) is None:
            raise  # a bug of ours keeps its traceback
        click.echo(f"error: {log.printable(why)}", err=True)
        raise SystemExit(1) from None
    raise SystemExit(0)
