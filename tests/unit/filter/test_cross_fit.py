"""The cross-fitted classifier: calibrated, and honest about what it knows."""

from dataclasses import replace

import numpy as np
import pytest

from sentisynth_hub.filter.cross_fit import Skill, balance, calibration_error, cross_fit, fit_held_out


def draw(rows: int, signal: float, seed: int, dimensions: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Features that hold little truth, or none, and much noise."""
    random = np.random.default_rng(seed)
    y = random.permutation(np.arange(rows) % 2)
    x = random.normal(size=(rows, dimensions)).astype(np.float32)
    x[:, 0] += signal * y
    return x, y


def folds(rows: int, repetitions: int = 3) -> np.ndarray:
    return np.stack([np.random.default_rng(r).permutation(np.arange(rows) % 5) for r in range(repetitions)])


def test_confidence_is_about_accuracy() -> None:
    """Without calibration, confidence would be far from accuracy."""
    (x, y), (x_new, y_new) = draw(200, 1.5, 0, dimensions=20), draw(4000, 1.5, 1, dimensions=20)
    models = cross_fit(x, y, 2, folds(200))
    assert calibration_error(models.probabilities(x_new), y_new) < 0.08
    sharp = replace(models, temperature=0.2 * models.temperature)
    assert calibration_error(sharp.probabilities(x_new), y_new) > 0.1


def test_calibration_error_by_hand() -> None:
    probabilities = np.array([[0.95, 0.05], [0.95, 0.05], [0.65, 0.35], [0.35, 0.65]])
    # bin .9-1: confidence .95, accuracy 1/2, weight 1/2; bin .6-.7: confidence .65, accuracy 1, weight 1/2
    assert calibration_error(probabilities, np.array([0, 1, 0, 1])) == pytest.approx(0.45 / 2 + 0.35 / 2)


@pytest.mark.parametrize("rows", [20, 60])
def test_no_skill_is_claimed_where_there_is_none(rows: int) -> None:
    """Of 40 classifiers that cannot know anything, at most two may be said to beat a guess: the level is 2.5 %."""
    claims = 0
    for seed in range(40):
        x, y = draw(rows, 0.0, seed, dimensions=30)
        claims += cross_fit(x, y, 2, folds(rows)).skill.beats_a_guess
    assert claims <= 3


def test_skill_is_seen_where_there_is_some() -> None:
    x, y = draw(100, 4.0, 0, dimensions=20)
    skill = cross_fit(x, y, 2, folds(100)).skill
    assert skill.beats_a_guess
    assert skill.low < skill.balanced_accuracy < skill.high
    x_new, y_new = draw(2000, 4.0, 1, dimensions=20)
    assert skill.low < (cross_fit(x, y, 2, folds(100)).probabilities(x_new).argmax(1) == y_new).mean() < skill.high


def test_the_skill_of_held_out_rows_is_theirs() -> None:
    x, y = draw(120, 4.0, 0, dimensions=20)
    held = np.arange(120) >= 80
    models = fit_held_out(x, y, 2, held)
    assert models.skill.rows == 40
    right = models.probabilities(x[held]).argmax(1) == y[held]
    recalls = [right[y[held] == label].mean() for label in (0, 1)]
    assert models.skill.balanced_accuracy == pytest.approx(np.mean(recalls), abs=1e-4)


def test_naming_the_commonest_label_is_no_skill() -> None:
    """Nine in ten right, and nothing known."""
    y = np.repeat([0, 1], [90, 10])
    skill = Skill.of(np.zeros(100, dtype=int), y, 2)
    assert skill.balanced_accuracy == 0.5
    assert not skill.beats_a_guess


def test_few_rows_that_are_all_right_leave_doubt() -> None:
    assert not Skill.of(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 1]), 2).beats_a_guess
    y = np.repeat([0, 1], 10)
    assert Skill.of(y, y, 2).beats_a_guess


def test_every_label_weighs_the_same() -> None:
    weights = balance(np.array([0, 0, 0, 1]), 2)
    assert weights.tolist() == pytest.approx([2 / 3, 2 / 3, 2 / 3, 2])
