"""The learning curve is made monotone as scikit-learn would, inverted exactly, and never extrapolated."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import isotonic_regression

from sentisynth_hub.verdict.evaluation_parts import Worth
from sentisynth_hub.verdict.evaluation_text import worth_sentence
from sentisynth_hub.verdict.statistics.bootstrap import Resampled
from sentisynth_hub.verdict.worth import invert, isotonic, learning_curve, worth


SIZES = {"natural_50": 50, "natural_100": 100, "natural_400": 400}


def valued(score: float, spread: float = 0.0, used: int = 50) -> Worth:
    """The worth of a score on a curve 0.6, 0.7, 0.8 where every resample moves the variant by up to ± spread."""
    curve = learning_curve(SIZES, {"natural_50": 0.6, "natural_100": 0.7, "natural_400": 0.8})
    moved = np.linspace(-spread, spread, 1_001)
    scores = {name: np.full(1_001, value) for name, value in zip(curve.variants, curve.scores, strict=True)}
    return worth("mixed", score, used, curve, Resampled(scores | {"mixed": score + moved}), 0.05, 3.0)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_isotonic_is_that_of_scikit_learn(scores: list[float]) -> None:
    np.testing.assert_allclose(isotonic(np.array(scores)), isotonic_regression(scores), atol=1e-9)


def test_isotonic_works_on_stacks() -> None:
    stack = np.random.default_rng(0).random((5, 4, 6))
    assert isotonic(stack).shape == (5, 4, 6)
    np.testing.assert_allclose(isotonic(stack)[3, 2], isotonic_regression(stack[3, 2]))


@pytest.mark.parametrize(
    ("score", "labels"),
    [(0.6, 50), (0.65, np.sqrt(50 * 100)), (0.7, 100), (0.75, 200), (0.8, 400), (0.81, np.inf), (0.59, -np.inf)],
)
def test_inversion_is_linear_in_log_size(score: float, labels: float) -> None:
    found = invert(np.array([50.0, 100, 400]), np.array([[0.6, 0.7, 0.8]]), np.array([score]))
    assert found[0] == pytest.approx(labels)


def test_on_a_plateau_the_fewest_labels_count() -> None:
    found = invert(np.array([50.0, 100, 200, 400]), np.array([[0.6, 0.7, 0.7, 0.8]]), np.array([0.7]))
    assert found[0] == pytest.approx(100)


def test_worth_with_its_interval() -> None:
    found = valued(0.75, spread=0.04)
    assert found.labels == pytest.approx(200)
    assert found.censored is None
    low, high = found.interval
    assert low == pytest.approx(np.exp(np.log(100) + np.log(4) * 0.12), rel=0.01)  # score 0.712
    assert high == pytest.approx(np.exp(np.log(100) + np.log(4) * 0.88), rel=0.01)  # score 0.788
    assert found.saved == pytest.approx(150)
    assert found.saved_interval == pytest.approx((low - 50, high - 50))
    assert (
        worth_sentence(found)
        == "mixed: 3.00 dollars of generation and 50 human labels bought what 200 human labels would (118 to 339)."
    )


@pytest.mark.parametrize(("score", "words"), [(0.9, "more than 400"), (0.5, "less than 50")])
def test_outside_the_curve_nothing_is_extrapolated(score: float, words: str) -> None:
    found = valued(score)
    assert found.labels in (50, 400)
    assert found.censored is not None
    assert words in worth_sentence(found)


def test_an_end_of_the_interval_can_be_censored_alone() -> None:
    found = valued(0.79, spread=0.03)
    assert found.censored is None
    assert found.interval_censored == (None, "more than the pool")


def test_a_dip_in_the_curve_is_levelled() -> None:
    curve = learning_curve(SIZES, {"natural_100": 0.58, "natural_400": 0.8, "natural_50": 0.62})
    assert list(curve.labels) == [50, 100, 400]
    assert curve.fitted == pytest.approx([0.6, 0.6, 0.8])
