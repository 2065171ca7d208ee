"""The command as a whole: what it lists, its manners, and that help stays instant."""

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from sentisynth_hub import __version__
from sentisynth_hub.cli import _COMMANDS
from sentisynth_hub.cli import sentisynth as entry


def sentisynth(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "sentisynth_hub", *arguments], capture_output=True, text=True)


@pytest.mark.parametrize("name", _COMMANDS)
def test_every_command_that_is_listed_is_there(name: str) -> None:
    done = CliRunner().invoke(entry, [name, "--help"], prog_name="sentisynth")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith(f"Usage: sentisynth {name} ")


def test_help_loads_nothing_heavy() -> None:
    heavy = "{'torch', 'datasets', 'transformers', 'numpy', 'huggingface_hub', 'openai', 'pydantic'}"
    code = (
        "import sys\nfrom sentisynth_hub.cli import main\n"
        f"try: main(['--help'])\nexcept SystemExit: print(sorted({heavy} & set(sys.modules)), file=sys.stderr)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stderr.strip() == "[]"


def test_results_go_to_stdout_and_the_rest_to_stderr() -> None:
    done = sentisynth("recipes", "list", "--json")
    assert {recipe["name"] for recipe in json.loads(done.stdout)} >= {"quickstart"}
    assert "Next:" in sentisynth("recipes", "list").stderr


def test_version_and_unknown_commands() -> None:
    assert __version__ in sentisynth("--version").stdout
    done = sentisynth("publsh")
    assert done.returncode == 2
    assert "No such command" in done.stderr


def test_a_copied_recipe_is_ones_own(tmp_path) -> None:  # type: ignore[no-untyped-def]
    target = str(tmp_path / "mine")
    assert sentisynth("recipes", "copy", "quickstart", target).returncode == 0
    assert sentisynth("recipes", "check", target).stdout.startswith("ok  quickstart")
    assert sentisynth("recipes", "copy", "quickstart", target).returncode == 2


@pytest.mark.parametrize(
    ("arguments", "where"),
    [
        (("prompt", "show", "sst2-low-resource"), "natural.dataset: stanfordnlp/sst2 cannot be looked up: "),
        (("verify", "someone/corpus@v1.0.0"), ""),
    ],
)
def test_a_hub_out_of_reach_is_one_line(
    arguments: tuple[str, ...], where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # the discard port: nothing listens
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    done = sentisynth(*arguments)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith(f"error: {where}the Hub at http://127.0.0.1:9 cannot be reached (")
    assert len(done.stderr.splitlines()) == 1
