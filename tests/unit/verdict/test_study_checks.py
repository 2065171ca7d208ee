"""Numbered checks: each fires on a study made to break it, and none on twenty sound ones."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sentisynth_hub.cli import sentisynth
from sentisynth_hub.core.files import write_json
from sentisynth_hub.verdict.check_table import CHECKS, findings
from sentisynth_hub.verdict.evaluation import Evaluation
from sentisynth_hub.verdict.evaluation_parts import Look
from sentisynth_hub.verdict.evaluation_text import warnings
from sentisynth_hub.verdict.study_checks import StudyFacts
from tests.support.study_examples import BROKEN, MODEL, judged, sound_study


def test_numbers_ascend_and_each_has_an_example_and_a_way_out() -> None:
    codes = [check.code for check in CHECKS]
    assert codes == sorted(set(codes))
    assert list(BROKEN) == codes
    assert all(check.meaning.endswith(".") and check.way_out.endswith(".") for check in CHECKS)


@pytest.mark.parametrize("code", list(BROKEN))
def test_a_check_fires_on_the_study_made_to_break_it(code: str) -> None:
    found = findings(BROKEN[code]())
    assert {each.code for each in found} == {code}, "an example should break its own check alone"


@pytest.mark.parametrize("seed", range(20))
def test_nothing_is_said_against_a_sound_study(seed: int) -> None:
    assert findings(sound_study(seed)) == []


def test_summaries_and_cards_say_the_same_with_the_number() -> None:
    assert warnings(judged(looks=3)) == [
        "SH105: these test rows have been looked at 3 times; the level of the verdict assumes one look"
    ]


@pytest.mark.parametrize(("number", "messages"), [(2, 1), (3, 0), (4, 0)])
def test_looks_that_the_design_allows_for_are_no_finding(number: int, messages: int) -> None:
    look = Look(replicates=(5, 10, 20, 30), number=number, level=0.01)
    assert len(warnings(judged(looks=3).model_copy(update={"look": look}))) == messages


def test_a_constant_model_is_not_called_uniform_too() -> None:
    both = replace(MODEL, constant_label="a", confidence=0.34)
    assert [each.code for each in findings(StudyFacts(model=both))] == ["SH402"]


def test_a_model_worse_by_less_than_the_margin_is_no_finding() -> None:
    accuracies = {"natural": 0.6, "natural_repeated": 0.6, "mixed": 0.75, "synthetic": 0.58}
    assert "SH401" not in {each.code for each in findings(StudyFacts(judged(accuracies, shipped="synthetic")))}


def run_folder(folder: Path, evaluation: Evaluation) -> Path:
    stage = folder / "verdict" / "0123456789ab"
    stage.mkdir(parents=True)
    write_json(stage / Evaluation.FILE, evaluation.record())
    write_json(stage / "manifest.json", {})
    return folder


def check(*arguments: object) -> Result:
    return CliRunner().invoke(sentisynth, ["check", *map(str, arguments)])


def test_the_command_says_findings_alone_and_fails(tmp_path: Path) -> None:
    result = check(run_folder(tmp_path / "run", judged(looks=3)))
    assert result.exit_code == 1
    assert result.stdout.startswith("SH105: these test rows")
    (record,) = json.loads(check(tmp_path / "run", "--json").stdout)
    assert (record["code"], record["name"]) == ("SH105", "test rows looked at before")


def test_the_command_is_silent_about_a_sound_study(tmp_path: Path) -> None:
    result = check(run_folder(tmp_path / "run", judged()), "--json")
    assert (result.exit_code, json.loads(result.stdout)) == (0, [])


def test_a_run_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    result = check("quickstart", "--runs", tmp_path)
    assert "there is no run of quickstart yet" in str(result.exception)
