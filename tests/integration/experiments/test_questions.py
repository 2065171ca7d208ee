"""Questions on a tiny recipe: cells share what does not differ, a killed one continues, every mistake is one line."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from sentisynth_hub.verdict.statistics.components import variance_components
from tests.support.command import sentisynth
from tests.support.tiny import tiny_recipe


SENSITIVITY = {
    "question": "Does the number of rows matter, or which of them a prompt shows?",
    "factors": {
        "rows": {4: {"natural.rows_per_label": 4}, 12: {"natural.rows_per_label": 12}},
        "draw": {"first": {"generate.prompt.draw": 0}, "second": {"generate.prompt.draw": 1}},
    },
    "within_replicates": "draw",
    "compare": ["mixed", "synthetic"],
}
RATIOS = {
    "question": "Imbalance or coverage?",
    "reported": "nothing",
    "set": {
        "natural.rows_per_label": None,
        "natural.rows": 20,
        "study.variants": ["natural", "natural_repeated", "rebalanced", "mixed", "kept", "mixed_natural_prior"],
    },
    "settings": {
        "50:50": {"natural.label_shares": {"negative": 0.5, "positive": 0.5}},
        "80:20": {"natural.label_shares": {"negative": 0.8, "positive": 0.2}},
    },
}
ORACLE = {"question": "What does an oracle teacher change?", "set": {"filter.teacher.labels": "oracle"}}


def ask(recipe: Path, name: str, *more: str) -> dict[str, Any]:
    return dict(json.loads(sentisynth("study", str(recipe), "--question", name, "--json", *more, cwd=recipe).stdout))


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tiny_recipe(tmp_path_factory.mktemp("questions") / "tiny")
    (folder / "questions").mkdir()
    for name, content in {"sensitivity": SENSITIVITY, "ratios": RATIOS, "oracle": ORACLE}.items():
        (folder / "questions" / f"{name}.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    return folder


@pytest.fixture(scope="module")
def sensitivity(recipe: Path) -> dict[str, Any]:
    return ask(recipe, "sensitivity")


def test_every_cell_is_a_row_with_its_interval_and_verdict(sensitivity: dict[str, Any], recipe: Path) -> None:
    cells = [(row["cell"]["rows"], row["cell"]["draw"], row["variant"]) for row in sensitivity["rows"]]
    assert cells == [(n, d, v) for n in ("4", "12") for d in ("first", "second") for v in ("mixed", "synthetic")]
    assert len(list((recipe / "runs/tiny/generate").glob("*/manifest.json"))) == 4
    for row in sensitivity["rows"]:
        assert row["difference"] == pytest.approx(np.mean(row["differences"]))
        assert row["score"] - row["natural"] == pytest.approx(row["difference"])
        assert row["natural_rows"] == 2 * int(row["cell"]["rows"])  # two labels, and no further rows to validate on
        assert row["rows"] >= row["natural_rows"] if row["variant"] == "mixed" else row["rows"] == row["kept"]
    assert {row["reads"] for row in sensitivity["rows"] if row["variant"] == "mixed"} == {"no verdict"}  # 2 replicates
    assert json.loads((recipe / "runs/tiny/questions/sensitivity.json").read_text()) == sensitivity


def test_variance_shares_are_those_of_the_table(sensitivity: dict[str, Any]) -> None:
    found = sensitivity["variance"]["mixed"]
    table = [row["differences"] for row in sensitivity["rows"] if row["variant"] == "mixed"]
    names = {"rows": ["4", "12"], "draw": ["first", "second"]}
    expected = variance_components(np.array(table).reshape(2, 2, 2), names, nested="draw")
    assert found == expected.model_dump(mode="json")
    assert found["nested"] == "draw"
    assert [source["name"] for source in found["sources"]][:3] == ["rows", "rows × replicate", "draw"]
    assert sum(source["share"] for source in found["sources"]) == pytest.approx(1)


def test_asking_again_runs_nothing_again(sensitivity: dict[str, Any], recipe: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (recipe / "runs/tiny").glob("*/*/manifest.json")}
    assert ask(recipe, "sensitivity") == sensitivity
    assert before == {path: path.stat().st_mtime_ns for path in (recipe / "runs/tiny").glob("*/*/manifest.json")}


def test_a_killed_question_continues_to_the_same_answer(sensitivity: dict[str, Any], recipe: Path) -> None:
    runs = recipe / "killed"
    command = [sys.executable, "-m", "sentisynth_hub", "study", str(recipe), "--question", "sensitivity"]
    running = subprocess.Popen(
        [*command, "--runs", str(runs)], cwd=recipe, stderr=subprocess.DEVNULL, start_new_session=True
    )
    deadline = time.monotonic() + 120
    while not list((runs / "tiny/verdict").glob("*/manifest.json")):  # in the second cell, or on its way there
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    assert not (runs / "tiny/questions").exists()
    assert ask(recipe, "sensitivity", "--runs", str(runs)) == sensitivity


def test_class_ratios_and_the_two_by_two(recipe: Path) -> None:
    answer = ask(recipe, "ratios", "generate.prompt.num_shots=2")
    assert [row["cell"] for row in answer["rows"]] == [{"setting": "50:50"}, {"setting": "80:20"}]
    assert answer["overrides"] == ["generate.prompt.num_shots=2"]
    assert answer["variance"] == {}
    skewed = next(one for one in answer["factorials"] if one["cell"] == {"setting": "80:20"})
    assert set(skewed["factorial"]["cells"]) == {"natural_repeated", "rebalanced", "kept", "mixed_natural_prior"}
    shown = sentisynth("study", str(recipe), "--question", "ratios", "generate.prompt.num_shots=2", cwd=recipe).stdout
    assert "imbalance or coverage? (setting=80:20)" in shown
    trials = [json.loads(path.read_text("utf-8")) for path in (recipe / "runs/tiny/trials").glob("*.json")]
    rebalanced = {tuple(trial["training_rows"]) for trial in trials if trial["option"] == "rebalanced"}
    assert sorted(rebalanced) == [(20,), (32,)]  # 16 of each label at 80:20


def test_an_oracle_teacher_is_counted_and_said(recipe: Path) -> None:
    answer = ask(recipe, "oracle")
    # 240 reviews, 96 of them test and 48 validation rows: 96 are left to train on, 16 of them a replicate's own, of
    # which a fifth calibrates the teacher and does not teach it
    assert answer["oracle_teacher"] == 96 - 4
    assert answer["rows"][0]["human_labels"] == 96
    assert any(warning.startswith("SH101: oracle teacher") for warning in answer["warnings"])
    filtered = [json.loads(path.read_text()) for path in (recipe / "runs/tiny/filter").glob("*/manifest.json")]
    marked = [one["replicates"]["0"]["facts"]["teacher"]["labels"] for one in filtered]
    assert marked.count("oracle") == 1
    shown = sentisynth("study", str(recipe), "filter.teacher.labels=oracle", cwd=recipe).stdout
    assert "oracle teacher: it learned from 92" in shown


def test_check_looks_at_every_cell(recipe: Path) -> None:
    shown = sentisynth("recipes", "check", str(recipe), cwd=recipe).stdout
    assert "ok  tiny --question sensitivity (4 cells)" in shown
    assert "ok  tiny --question oracle (1 cell)" in shown


MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "typo": ({"settings": {"a": {"generate.candidats": 5}}}, "setting=a: "),
    "nowhere": ({"settings": {"a": {"generatte.candidates": 5}}}, "unknown key 'generatte'"),
    "absent": ({"compare": "mixed_2x"}, "compare: 'mixed_2x' is not in study.variants"),
    "both": ({"settings": {"a": {}}, "factors": {"f": {"x": {}, "y": {}}}}, "both `factors` and `settings`"),
    "single": ({"factors": {"f": {"x": {}}}}, "has 1 level"),
    "twice": (
        {"factors": {"f": {"x": {"seed": 1}, "y": {"seed": 2}}, "g": {"x": {"seed": 3}, "y": {"seed": 4}}}},
        "two of them set 'seed'",
    ),
    "unknown": ({"factor": {}}, "unknown key 'factor'; did you mean 'factors'?"),
    "three": ({"factors": {name: {"x": {}, "y": {}} for name in "fgh"}}, "factors: "),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_wrong_question_is_one_line(recipe: Path, name: str) -> None:
    content, message = MISTAKES[name]
    folder = recipe.parent / f"wrong-{name}"
    (folder / "questions").mkdir(parents=True)
    for file in ("recipe.yaml", "prompt.jinja2", "train.jsonl"):
        (folder / file).write_text((recipe / file).read_text())
    (folder / "questions" / "q.yaml").write_text(yaml.safe_dump({"question": "?", **content}))
    for command in (["study", str(folder), "--question", "q"], ["recipes", "check", str(folder)]):
        done = sentisynth(*command, cwd=folder, code=2)
        assert message in done.stderr
        assert len([line for line in done.stderr.splitlines() if line.startswith("error:")]) == 1
    assert not (folder / "runs").exists()


def test_an_unknown_question_is_one_line(recipe: Path) -> None:
    for name, message in (
        ("sensitivty", "no question 'sensitivty'; did you mean 'sensitivity'?; its questions are oracle, ratios,"),
        ("../recipe", "no question '../recipe'"),
    ):
        done = sentisynth("study", str(recipe), "--question", name, cwd=recipe, code=2)
        assert message in done.stderr
    done = sentisynth("study", str(recipe), "--question", "ratios", "natural.label_shares=null", cwd=recipe, code=2)
    assert "natural.label_shares is what this question varies" in done.stderr
    done = sentisynth("study", str(recipe), "--question", "oracle", "--leave-out", "prompt_id", cwd=recipe, code=2)
    assert "one of them at a time" in done.stderr
