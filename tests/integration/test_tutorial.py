"""Every command of the tutorial "Your language, your data, in an hour", typed as it stands on the page.

Small models of random weights stand where the page's models would; everything else is as a reader has it.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from sentisynth_hub.localhub.control import stop
from tests.support.tiny import tiny_encoder
from tests.support.worlds import tiny_model


ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "tutorial" / "your-language.md"


def commands() -> str:
    """The page's shell blocks as one script that stops at the first failure and says what it runs."""
    blocks = re.findall(r"^```bash\n(.*?)^```$", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    assert len(blocks) >= 9
    return "set -ev\n" + "\n".join(blocks)


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


@pytest.fixture(scope="module")
def typed(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """The page from top to bottom, in an empty folder that holds the tutorial's script."""
    home = tmp_path_factory.mktemp("tutorial")
    (home / "docs" / "tutorial").mkdir(parents=True)
    shutil.copy(PAGE.with_name("peliculas.py"), home / "docs" / "tutorial")
    tiny_model(home / "models" / "SmolLM2-135M-Instruct", reads=1024)
    tiny_encoder(home / "models" / "multilingual-e5-small")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "SENTISYNTH_"))}
    environment = kept | {
        "HOME": str(home),
        "MODELS": str(home / "models"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "SENTISYNTH_HUB_HOME": str(home / "hub"),
        "SENTISYNTH_HUB_PORT": str(free_port()),
        "PYTHONPATH": str(ROOT),
    }
    try:
        return subprocess.run(
            ["bash", "-c", commands()], cwd=home, env=environment, capture_output=True, text=True, check=False
        )
    finally:
        stop(home / "hub")


def test_the_page_names_commands_that_there_are() -> None:
    from sentisynth_hub.cli import _COMMANDS

    named = re.findall(r"^(?:eval \"\$\()?sentisynth (\S+)", commands(), re.MULTILINE)
    assert len(named) >= 13
    assert set(named) <= set(_COMMANDS)


@pytest.mark.slow  # some twenty commands, each starting Python; three minutes of one core
def test_every_command_does_what_the_page_says(typed: subprocess.CompletedProcess[str]) -> None:
    assert typed.returncode == 0, typed.stdout[-3000:] + typed.stderr[-3000:]
    said, told = typed.stdout, typed.stderr
    assert "120 train, 60 validation, 120 test" in told
    assert "Use this model: runs/peliculas/model/" in said
    assert "dataset my-name/peliculas-synthetic: v1.0.0 (first version)" in said  # the dry run
    assert "dataset my-name/peliculas-synthetic v1.0.0: first version" in said
    assert "model my-name/peliculas-classifier v1.0.0: first version" in said
    assert "Nothing changed: the Hub already has what this recipe gives." in said
    assert re.search(r"dataset my-name/peliculas-synthetic v1\.0\.1: recipe\.yaml changed", said)
    assert "features: ['id', 'text', 'label'" in said
    assert "checks, none disagrees" in told
