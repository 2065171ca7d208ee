"""`study` and `report` over the whole line with tiny models, cross-fitting included."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from sentisynth_hub.cli import sentisynth
from tests.support.tiny import tiny_recipe


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
    assert evaluation["sentence"] in html
    for variant in evaluation["variants"]:
        assert variant["name"] in html
    assert "<h2>Examples</h2>" in html
    assert re.search(r"Replicate 0: [\d,]+ requests, [\d,]+ rows kept", html)
    assert "generation: " in html
    assert "The model that ships" not in html  # the study was run, and no model made
    table = call(recipe, "study", str(recipe))
    assert "verdict: " in table


def test_leaving_out_prompts_shows_groups(recipe: Path) -> None:
    told = call(recipe, "study", str(recipe), "--leave-out", "prompt_id")
    assert told.startswith("without a prompt_id")
    assert len(told.splitlines()) > 1


def test_zero_shot_is_judged_beside_the_others_and_its_labels_are_counted_apart(recipe: Path) -> None:
    lines = [{"text": f"so {word} number {i}", "label": label} for i in range(9) for word, label in
             (("grim", "negative"), ("warm", "positive"))]  # fmt: skip
    (recipe / "foreign.ndjson").write_text("".join(json.dumps(line) + "\n" for line in lines))
    wanted = ["study.variants=[natural, mixed, zero_shot]", "study.zero_shot={file: foreign.ndjson, rows: 10}"]
    preprocessed = "natural.preprocess=[punctuation, emoji_names]"
    evaluation = json.loads(call(recipe, "study", str(recipe), *wanted, preprocessed, "--json"))
    budgets = {variant["name"]: variant["budget"] for variant in evaluation["variants"]}
    # it trains on none of the replicate's 16 natural labels, so all of them may choose
    assert budgets["zero_shot"]["uses"] == dict.fromkeys(budgets["mixed"]["uses"], 0) | {
        "zero_shot": 10, "validation": 16,
    }  # fmt: skip
    assert budgets["mixed"]["uses"]["zero_shot"] == 0
    generated = json.loads(call(recipe, "generate", str(recipe), *wanted, preprocessed, "--json"))
    assert generated["replicates"]["0"]["candidates"]


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
