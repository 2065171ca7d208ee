"""Scores of one model with intervals over its items."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from sentisynth_hub.metrics.classification import NO_ANSWER
from sentisynth_hub.verdict.statistics.single_model import single_model_scores


def test_accuracy_has_wilsons_interval() -> None:
    y = np.array([0, 1] * 5)
    predicted = np.where(np.arange(10) < 8, y, 1 - y)
    score = single_model_scores(y, predicted, 2)["accuracy"]
    assert score.value == pytest.approx(0.8)
    assert (score.low, score.high) == pytest.approx((0.4902, 0.9433), abs=1e-4)  # Wilson 1927, z = 1.96, 8 of 10


@pytest.mark.parametrize("labels", [2, 3])
def test_a_model_that_is_always_right_is_not_certain_to_be(labels: int) -> None:
    y = np.arange(30) % labels
    for score in single_model_scores(y, y, labels).values():
        assert score.value == score.high == 1
        assert 0.85 < score.low < 0.9  # of 30 rows: Wilson's bound is 0.886


def test_f1_lies_in_its_interval_which_narrows_with_the_rows() -> None:
    random = np.random.default_rng(0)
    widths = []
    for rows in (60, 600):
        y = random.integers(3, size=rows)
        predicted = np.where(random.random(rows) < 0.7, y, random.integers(3, size=rows))
        scores = single_model_scores(y, predicted, 3)
        assert scores["macro_f1"].value == pytest.approx(f1_score(y, predicted, average="macro"))
        assert scores["weighted_f1"].value == pytest.approx(f1_score(y, predicted, average="weighted"))
        assert scores["accuracy"].value == pytest.approx(accuracy_score(y, predicted))
        assert all(score.low < score.value < score.high for score in scores.values())
        widths.append(scores["macro_f1"].high - scores["macro_f1"].low)
    assert widths[1] < 0.5 * widths[0]


def test_no_answer_is_wrong() -> None:
    y = np.array([0, 1, 0, 1])
    score = single_model_scores(y, np.array([0, NO_ANSWER, NO_ANSWER, 1]), 2)["accuracy"]
    assert score.value == 0.5
