"""The crossed bootstrap against a spelled-out loop, its p, and its variance."""

import numpy as np
import pytest

from sentisynth_hub.metrics.classification import METRICS, NO_ANSWER, accuracy
from sentisynth_hub.verdict.statistics.bootstrap import Resampled, crossed_bootstrap
from sentisynth_hub.verdict.statistics.crossed import pseudo_values, variance_parts
from tests.support.studies import made_study


@pytest.mark.parametrize("metric", list(METRICS))
def test_resamples_are_those_of_drawing_rows_and_columns_by_hand(metric: str) -> None:
    study = made_study({"natural": 0.6, "mixed": 0.7}, replicates=3, items=12)
    predicted = {name: values.copy() for name, values in study.variants.items()}
    predicted["mixed"][0, :4] = NO_ANSWER
    found = crossed_bootstrap(study.y, predicted, 3, metric, resamples=40, seed=9)
    by_item, by_replicate = np.random.default_rng(9).spawn(2)
    items = np.argsort(study.y, kind="stable")[by_item.integers(12, size=(40, 12))]  # drawn in the order of labels
    replicates = by_replicate.integers(3, size=(40, 3))
    for name, values in predicted.items():
        for number in range(40):
            drawn, y = values[replicates[number]][:, items[number]], study.y[items[number]]
            counts = np.zeros((3, 3, 4))
            for replicate, row in enumerate(drawn):
                for true, guess in zip(y, row, strict=True):
                    counts[replicate, true, guess] += 1  # no answer, -1, is the last column
            assert found.scores[name][number] == pytest.approx(METRICS[metric](counts).mean())


def test_same_seed_same_draws_and_more_variants_change_nothing() -> None:
    study = made_study({"natural": 0.6, "mixed": 0.7, "synthetic": 0.5})
    whole = crossed_bootstrap(study.y, study.variants, 3, "macro_f1", resamples=700, seed=1)
    two = {name: study.predicted(name) for name in ("natural", "mixed")}
    fewer = crossed_bootstrap(study.y, two, 3, "macro_f1", resamples=700, seed=1)
    for name in two:
        np.testing.assert_array_equal(whole.scores[name], fewer.scores[name])


def test_memory_is_bounded_and_changes_no_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    study = made_study({"natural": 0.6, "mixed": 0.7}, items=31)
    whole = crossed_bootstrap(study.y, study.variants, 3, "macro_f1", resamples=101, seed=1)
    monkeypatch.setattr(
        "sentisynth_hub.verdict.statistics.bootstrap._COUNTS_AT_ONCE", 1_000
    )  # 3 labels x 48 columns: 6 at once
    parts = crossed_bootstrap(study.y, study.variants, 3, "macro_f1", resamples=101, seed=1)
    np.testing.assert_array_equal(whole.scores["mixed"], parts.scores["mixed"])


def test_variance_is_what_owen_says() -> None:
    study = made_study({"natural": 0.7, "mixed": 0.7}, replicates=10, items=400, labels=2)
    found = crossed_bootstrap(study.y, study.variants, 2, "accuracy", resamples=6_000, seed=2)
    first, second = (pseudo_values(study.y, study.predicted(name), 2, accuracy).values for name in study.variants)
    by_replicate, by_item, residual = variance_parts(first - second)
    expected = by_replicate * 9 / 10 + by_item * 399 / 400 + residual * 9 / 10 * 399 / 400
    assert found.draws({"natural": 1, "mixed": -1}).var() == pytest.approx(expected, rel=0.08)


def test_p_counts_the_rarer_side_and_is_never_zero() -> None:
    draws = Resampled({"a": np.array([0.1] * 97 + [-0.1, -0.2])})
    assert draws.p_value({"a": 1}) == pytest.approx(2 * 3 / 100)
    assert draws.p_value({"a": -1}) == pytest.approx(2 * 3 / 100)
    assert Resampled({"a": np.full(99, 0.1)}).p_value({"a": 1}) == pytest.approx(2 / 100)
    assert Resampled({"a": np.zeros(99)}).p_value({"a": 1}) == 1


def test_interval_holds_the_middle() -> None:
    low, high = Resampled({"a": np.arange(1_001) / 1_000}).interval({"a": 1}, 0.1)
    assert (low, high) == pytest.approx((0.05, 0.95))
