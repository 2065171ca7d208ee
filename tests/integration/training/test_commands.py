"""`study` and `report` over the whole line with tiny models, cross-fitting included."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from sentisynth_hub.cli import sentisynth
from tests.tiny import tiny_recipe


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the tiny recipe."""
    return tiny_recipe(tmp_path_factory.mktemp("study-command") / "tiny")


def call(recipe: Path, *arguments: str) -> str:
    runs = str(recipe.parent / "runs")
    done = CliRunner().invoke(sentisynth, [*arguments, "--runs", runs], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_study_then_report(recipe: Path) -> None:
    evaluation = json.loads(call(recipe, "study", str(recipe), "--json"))
    path = Path(call(recipe, "report", str(recipe)).strip())
    html = path.read_text("utf-8")
    assert evaluation["verdict"]["sentence"] in html
    for variant in evaluation["variants"]:
        assert variant["name"] in html
    table = call(recipe, "study", str(recipe))
    assert "verdict: " in table


def test_leaving_out_prompts_shows_groups(recipe: Path) -> None:
    told = call(recipe, "study", str(recipe), "--leave-out", "prompt_id")
    assert told.startswith("group left out")
    assert len(told.splitlines()) > 1


def test_cross_fitting_judges_every_natural_row(recipe: Path) -> None:
    told = call(
        recipe,
        "study",
        str(recipe),
        "study.cross_fitting={folds: 3}",
        "study.replicates=2",
        "generate.candidates=24",
        "--json",
    )
    evaluation = json.loads(told)
    assert evaluation["design"] == "cross_fitted"
    assert evaluation["replicates"] == 2
    natural = [
        line for split in recipe.glob("*.jsonl") for line in split.read_text("utf-8").splitlines() if line.strip()
    ]
    assert evaluation["items"] == len(natural)
