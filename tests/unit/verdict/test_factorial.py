"""Imbalance or coverage: the two-by-two finds the effect that was put in, and only that one."""

import numpy as np
import pytest

from sentisynth_hub.metrics.classification import accuracy
from sentisynth_hub.verdict.statistics.crossed import pseudo_values
from sentisynth_hub.verdict.statistics.factorial import Factorial, TwoByTwo, factorial
from tests.support.studies import made_study


CELLS = TwoByTwo()


def table(repeated: float, balanced: float, new: float, both: float) -> Factorial:
    names = (CELLS.natural_repeated, CELLS.balanced_repeated, CELLS.natural_new, CELLS.balanced_new)
    study = made_study(dict(zip(names, (repeated, balanced, new, both), strict=True)), replicates=10, items=3_000)
    parts = {name: pseudo_values(study.y, study.predicted(name), 3, accuracy) for name in names}
    return factorial(parts, CELLS, 0.05, seed=0)


@pytest.mark.parametrize(
    ("scores", "found"),
    [
        ((0.6, 0.7, 0.6, 0.7), {"balanced instead of natural prior"}),
        ((0.6, 0.6, 0.7, 0.7), {"new text instead of repeated rows"}),
        ((0.65, 0.65, 0.65, 0.65), set()),
    ],
)
def test_finds_the_effect_that_is_there(scores: tuple[float, float, float, float], found: set[str]) -> None:
    effects = table(*scores).effects
    assert {e.name for e in effects if e.interval and not e.interval[0] <= 0 <= e.interval[1]} == found
    main = {e.name: e.value for e in effects}
    for name in found:
        assert main[name] == pytest.approx(0.1, abs=0.02)


def test_interaction_is_what_the_parts_leave_over() -> None:
    result = table(0.6, 0.7, 0.7, 0.6)
    cells = result.cells
    interaction = {e.name: e for e in result.effects}["interaction"]
    by_hand = cells["kept"] - cells["mixed_natural_prior"] - cells["rebalanced"] + cells["natural_repeated"]
    assert interaction.value == pytest.approx(by_hand)
    assert interaction.interval is not None
    assert interaction.interval[1] < 0


def test_three_intervals_share_the_level() -> None:
    assert 0.05 / 3 <= table(0.6, 0.6, 0.6, 0.6).alpha_each < 0.05


def test_main_effects_are_averages_over_the_other_factor() -> None:
    result = table(0.6, 0.64, 0.7, 0.72)
    cells, effects = result.cells, {e.name: e.value for e in result.effects}
    prior = np.mean([cells["rebalanced"] - cells["natural_repeated"], cells["kept"] - cells["mixed_natural_prior"]])
    assert effects["balanced instead of natural prior"] == pytest.approx(float(prior))
