"""What natural rows alone show: components that are those of the world, curves that rise, and honest refusals."""

import numpy as np
import pytest
from scipy.stats import norm
from scipy.stats import t as student_t

from sentisynth_hub.core.errors import DataError
from sentisynth_hub.metrics.classification import METRICS, Array
from sentisynth_hub.plan.rehearsal import FOLDS, OF_A_DOUBLING, Gain, VarianceParts, components, rehearse
from sentisynth_hub.verdict.statistics.crossed import pseudo_values
from sentisynth_hub.verdict.statistics.power import detectable, power_each


def blobs(rows: int, seed: int, *, distance: float = 1.2, dimensions: int = 24) -> tuple[Array, Array]:
    """Two classes of points, half a row a class, whose means are so far apart; features are not of length 1."""
    random = np.random.default_rng(seed)
    y = np.arange(rows) % 2
    x = random.standard_normal((rows, dimensions)) + 3.0
    x[:, 0] += distance * (2 * y - 1)
    return x.astype(np.float32), y


def test_more_test_rows_and_replicates_detect_smaller_effects() -> None:
    def effect(items: int, replicates: int, parts: VarianceParts = VarianceParts()) -> float:  # noqa: B008
        return detectable(parts.crossed(items, replicates), 0.05, 0.8)

    assert effect(5_000, 10) < effect(500, 10) < effect(500, 5)
    assert effect(500, 10, VarianceParts().for_shares((0.475, 0.475, 0.05))) > effect(500, 10)
    assert effect(500, 10, VarianceParts().for_shares((0.5, 0.5))) == pytest.approx(effect(500, 10))


def test_a_planned_effect_is_that_of_the_variances_it_assumes() -> None:
    each = power_each(0.8, 0.5)
    many = detectable(VarianceParts(0.0, 0.1, 0.0).crossed(1_000, 400), 0.05, each)
    assert many == pytest.approx((1.96 + norm.ppf(each)) * np.sqrt(0.1 / 1_000), rel=0.005)
    few = detectable(VarianceParts(0.02**2, 0.075, 0.075).crossed(10**9, 5), 0.05, each)
    assert few == pytest.approx((2.776 + student_t.ppf(each, 4)) * 0.02 / np.sqrt(5), rel=0.005)


def test_components_are_those_of_the_world_they_come_from() -> None:
    """Accuracy, item effects and luck of every fold model of a known size."""
    random = np.random.default_rng(0)
    items, repetitions = 4_000, 6
    y = np.zeros(items, dtype=np.int64)
    folds = np.stack([random.permutation(items) % FOLDS for _ in range(repetitions)])
    hard = random.random(items)
    luck = 0.08 * random.standard_normal((2, repetitions, FOLDS))
    parts = []
    for side in range(2):
        chance = 0.3 + 0.4 * (hard > 0.5) + np.take_along_axis(luck[side], folds, axis=1)
        wrong = (random.random((repetitions, items)) > chance).astype(np.int64)
        parts.append(pseudo_values(y, wrong, 2, METRICS["accuracy"]))
    measured = components(parts[0], parts[1], folds)
    assert measured.residual == pytest.approx(OF_A_DOUBLING * 2 * 0.21, rel=0.06)  # two draws of chance 0.3 or 0.7
    assert measured.item == pytest.approx(0.0, abs=0.01)  # both sides find the same items hard
    assert np.sqrt(measured.replicate) == pytest.approx(0.08, rel=0.3)  # of one side's 30 models


def test_more_labels_score_better_and_their_gain_goes_on() -> None:
    shown = rehearse(*blobs(600, 1), 2, metric="macro_f1", labels=80, seed=3)
    assert [point.labels for point in shown.curve] == [20, 40, 80]
    assert shown.curve[0].score < shown.curve[2].score
    assert shown.doubling.interval[0] < shown.doubling.value < shown.doubling.interval[1]
    assert shown.doubling.value == pytest.approx(shown.curve[2].score - shown.curve[1].score)
    assert shown.more_labels(80).value == pytest.approx(shown.doubling.value)
    assert shown.more_labels(240).value == pytest.approx(2 * shown.doubling.value)
    assert shown.unlabelled > 300  # outside the fold, 80 of 480 are labelled
    again = rehearse(*blobs(600, 1), 2, metric="macro_f1", labels=80, seed=3)
    assert again == shown


def test_what_cannot_be_learned_promises_nothing() -> None:
    """Features that say nothing of the label: the curve is flat within its interval."""
    x, y = blobs(400, 2, distance=0.0)
    shown = rehearse(x, y, 2, metric="accuracy", labels=160, seed=0)
    low, high = shown.doubling.interval
    assert low < 0 < high
    assert shown.curve[-1].score == pytest.approx(0.5, abs=0.08)


def test_too_few_rows_are_said() -> None:
    x, y = blobs(8, 0)
    with pytest.raises(DataError, match="a label has 4, and at least 5"):
        rehearse(x, y, 2, metric="macro_f1", labels=8, seed=0)
    x, y = blobs(30, 0)
    with pytest.raises(DataError, match="a replicate learns from 4 of 2 labels"):
        rehearse(x, y, 2, metric="macro_f1", labels=4, seed=0)


def test_a_gain_of_no_labels_is_none() -> None:
    shown = rehearse(*blobs(200, 1), 2, metric="accuracy", labels=40, seed=0)
    assert shown.more_labels(0) == Gain(0.0, (0.0, 0.0))
