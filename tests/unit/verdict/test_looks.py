"""Looking again: the levels of the looks keep the study's, a hopeless study stops, looks are counted."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm, ttest_1samp

from sentisynth_hub.core.rows import Row
from sentisynth_hub.verdict.evaluate import EvaluationConfig, evaluate_study
from sentisynth_hub.verdict.evaluation_text import size, verdict_sentence
from sentisynth_hub.verdict.look_count import digest_of_rows, note_look
from sentisynth_hub.verdict.statistics.crossed import Estimate
from sentisynth_hub.verdict.statistics.looks import chance_to_settle, look_levels
from tests.support.studies import made_study


QUICK = EvaluationConfig(resamples=99, margin=0.03)


def test_two_looks_at_many_replicates_are_those_of_a_bivariate_normal() -> None:
    first, second = look_levels((500, 1_000), 0.05)
    assert first == pytest.approx(0.05 / 4, rel=0.02)  # the half of the replicates spends a quarter
    ends = norm.ppf(1 - np.array([first, second]) / 2)
    joint = multivariate_normal([0, 0], [[1, 0.5**0.5], [0.5**0.5, 1]])
    inside = joint.cdf(ends, lower_limit=-ends)
    assert 1 - inside == pytest.approx(0.05, abs=0.001)


def test_few_replicates_keep_the_level_too() -> None:
    looks, rng = (5, 10, 20, 30), np.random.default_rng(3)
    draws = rng.standard_normal((20_000, 30))
    p = np.array([ttest_1samp(draws[:, :replicates], 0, axis=1).pvalue for replicates in looks])
    levels = np.array(look_levels(looks, 0.05))
    assert (p < levels[:, None]).any(axis=0).mean() == pytest.approx(0.05, abs=0.005)
    assert (p < 0.05).any(axis=0).mean() > 0.12  # what looking again costs without
    assert list(levels) == sorted(levels)


def test_the_chance_is_how_often_further_replicates_settle_it() -> None:
    """Ten replicates are there; in studies like them the last look, at 40, says *helps* or *hurts* so often."""
    rng, value, now, last = np.random.default_rng(0), 0.6, 10, 40
    found = Estimate(value, 1 / now, 0.01, 0.0, now - 1, 200.0)
    chance = chance_to_settle({"natural": found}, now, 500, last, 0.04, margin=0.05)
    true = value + rng.standard_normal(200_000) / now**0.5  # what they leave open, then the replicates to come
    final = (now * value + (last - now) * (true + rng.standard_normal(200_000) / (last - now) ** 0.5)) / last
    half = Estimate(0.0, 1 / last, 0.01, 0.0, last - 1, 200.0).spread(0.98)
    assert chance == pytest.approx((np.abs(final) > half).mean(), abs=0.01)
    hopeless = replace(found, value=0.0, item_variance=1.0)  # the test rows alone leave it open
    assert chance_to_settle({"natural": hopeless}, now, 500, last, 0.04, margin=0.05) < 0.01


def test_a_control_that_does_as_well_takes_the_hope_away() -> None:
    clear, none = (Estimate(value, 0.01, 0.0001, 0.0, 9, 200.0) for value in (0.5, 0.0))
    assert chance_to_settle({"natural": clear}, 10, 500, 40, 0.04, margin=0.05) > 0.95
    both = {"natural": clear, "repeated": none}
    assert chance_to_settle(both, 10, 500, 40, 0.04, margin=0.05) < 0.5
    assert chance_to_settle(both, 10, 500, 40, 0.04, margin=0.4) > 0.95  # then it is just more steps


def test_the_sentence_says_which_look_it_was_and_what_comes_next() -> None:
    study = made_study({"natural": 0.6, "natural_repeated": 0.6, "mixed": 0.62}, replicates=8)
    config = replace(QUICK, plan=(8, 200, 400), margin=0.001)
    evaluation = evaluate_study(study, config)
    assert evaluation.look is not None
    assert evaluation.look.chance is not None
    again = evaluation.model_copy(update={"look": evaluation.look.model_copy(update={"chance": 0.4})})
    assert again.next_look == 200
    assert " at look 1 of 3; " in verdict_sentence(again)
    assert "The study goes on to 200 replicates; the last look settles it with a probability of 40%." in (
        verdict_sentence(again)
    )
    assert "looks at 8, 200, 400 replicates were fixed beforehand" in size(again)
    over = evaluation.model_copy(update={"look": evaluation.look.model_copy(update={"chance": 0.04})})
    assert over.next_look is None
    assert "It stops here: the last look, at 400 replicates, settles it with a probability of 4%" in (
        verdict_sentence(over)
    )
    alone = evaluate_study(study, replace(QUICK, margin=0.001)).comparisons[0]
    wide, narrow = (one.interval or (0.0, 0.0) for one in (evaluation.comparisons[0], alone))
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_looks_are_counted_by_the_content_of_the_test_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENTISYNTH_CONFIG", str(tmp_path / "config"))
    rows = [Row(text, "a", request_id=str(place)) for place, text in enumerate(("നല്ല", "bad", "😀"))]
    test_set = digest_of_rows(rows)
    assert test_set == digest_of_rows([replace(row, label="b") for row in reversed(rows)])
    assert test_set != digest_of_rows(rows[:2])
    assert note_look(test_set, "reviews", "v1").sentence().endswith(" once by one recipe")
    assert note_look(test_set, "reviews", "v1").looks == 1  # told again
    assert note_look(test_set, "reviews", "v2").looks == 2
    note_look("another", "reviews", "v3")
    with (tmp_path / "config" / "looks.jsonl").open("a") as file:
        file.write("torn\n[1]\n")
    other = note_look(test_set, "other-reviews", "v4")
    assert (other.looks, other.recipes) == (3, 2)
    assert other.sentence() == f"test set {test_set[:12]} has been looked at 3 times by 2 recipes"


def test_a_folder_that_cannot_be_written_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config").write_text("a file")
    monkeypatch.setenv("SENTISYNTH_CONFIG", str(tmp_path / "config"))
    assert note_look("rows", "reviews", "v1").looks == 1
    assert "this look at the test rows is not counted" in capsys.readouterr().err
