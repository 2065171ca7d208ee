"""Planning agrees with what studies then show."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from sentisynth_hub.verdict.statistics.crossed import Estimate, two_way
from sentisynth_hub.verdict.statistics.power import detectable, power_each, remedy, resized


def world(rng: np.random.Generator, replicates: int, items: int, gain: float = 0.0) -> Estimate:
    """A study of differences with replicate sd 0.02, item sd 0.3 and noise sd 0.3."""
    values = gain + 0.02 * rng.standard_normal((replicates, 1)) + 0.3 * rng.standard_normal((1, items))
    values = values + 0.3 * rng.standard_normal((replicates, items))
    return two_way(values, float(values.mean()))


def test_stated_effect_is_detected_with_the_stated_power() -> None:
    rng = np.random.default_rng(0)
    stated = float(np.mean([detectable(world(rng, 10, 300), 0.05, 0.8) for _ in range(200)]))
    found = [(world(rng, 10, 300, stated).interval(0.05) or (0, 0))[0] > 0 for _ in range(600)]
    assert 0.77 <= np.mean(found) <= 0.92


@pytest.mark.parametrize("correlation", [0.0, 0.3, 0.5, 0.9])
def test_power_each_makes_both_succeed(correlation: float) -> None:
    z = norm.ppf(power_each(0.8, correlation))
    both = multivariate_normal.cdf([z, z], cov=[[1, correlation], [correlation, 1]])
    assert both == pytest.approx(0.8, abs=1e-4)
    assert power_each(0.8, 1.0) == 0.8


def test_resized_is_what_a_larger_study_finds() -> None:
    rng = np.random.default_rng(1)
    small = [world(rng, 8, 200) for _ in range(300)]
    large = [world(rng, 16, 800) for _ in range(100)]
    planned = [resized(one, 8, 200, 16, 800) for one in small]
    for part in ("replicate_variance", "item_variance"):
        expected = np.mean([getattr(one, part) for one in large])
        assert np.mean([getattr(one, part) for one in planned]) == pytest.approx(expected, rel=0.15)
    assert planned[0].replicate_df == 15


def test_remedy_is_enough_and_one_less_is_not() -> None:
    estimate = Estimate(0.0, 4e-4, 1e-5, 1e-4, 9, 999)
    found = remedy(estimate, 10, 1_000, 0.05, 0.8, target=0.02)
    assert found.by == "replicates"
    enough = found.replicates
    assert enough is not None
    assert detectable(resized(estimate, 10, 1_000, enough, 1_000), 0.05, 0.8) <= 0.02
    assert detectable(resized(estimate, 10, 1_000, enough - 1, 1_000), 0.05, 0.8) > 0.02


@pytest.mark.parametrize(
    ("estimate", "by"),
    [
        (Estimate(0.0, 1e-6, 1e-7, 0.0, 9, 999), "nothing"),
        (Estimate(0.0, 1e-6, 1e-4, 0.0, 9, 999), "test items"),
        (Estimate(0.0, 1e-4, 1e-4, 0.0, 9, 999), "both"),
    ],
)
def test_remedy_tells_items_from_replicates(estimate: Estimate, by: str) -> None:
    assert remedy(estimate, 10, 1_000, 0.05, 0.8, target=0.01).by == by
