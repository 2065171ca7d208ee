"""Verdicts follow from the two intervals and from nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentisynth_hub.verdict.evaluation import LEAST_REPLICATES
from sentisynth_hub.verdict.outcome import Rule, conclude, decide, without_verdict
from sentisynth_hub.verdict.statistics.crossed import Estimate


def estimate(value: float, half: float = 0.01) -> Estimate:
    """An estimate whose 95 % interval is value ± about `half`, all of it from items."""
    return Estimate(value, 0.0, (half / 1.96) ** 2, 0.0, 9, 1e6)


@pytest.mark.parametrize(
    ("natural", "repeated", "outcome"),
    [
        ((0.01, 0.03), (0.005, 0.02), "helps"),
        ((0.01, 0.03), (-0.01, 0.015), "just more steps"),
        (
            (0.01, 0.03),
            (-0.01, 0.025),
            "too small to tell",
        ),  # a gain over natural_repeated that matters is not ruled out
        ((0.01, 0.03), None, "no verdict"),
        ((-0.03, -0.01), (-0.05, 0.05), "hurts"),
        ((-0.03, -0.01), None, "hurts"),
        ((-0.015, 0.015), (0.01, 0.03), "no difference that matters"),
        ((-0.015, 0.015), None, "no difference that matters"),
        ((0.001, 0.015), (-0.01, 0.03), "no difference that matters"),
        ((-0.02, 0.015), (-0.01, 0.03), "too small to tell"),  # the margin itself does matter
        ((-0.01, 0.04), (-0.01, 0.03), "too small to tell"),
        ((0.0, 0.04), (0.01, 0.03), "too small to tell"),  # an interval that touches 0 does not leave it out
    ],
)
def test_outcomes(natural: tuple[float, float], repeated: tuple[float, float] | None, outcome: str) -> None:
    assert decide(natural, repeated, margin=0.02) == outcome


ends = st.tuples(st.floats(-0.1, 0.1), st.floats(0, 0.1)).map(lambda pair: (pair[0], pair[0] + pair[1]))


@given(ends, ends, st.floats(0.001, 0.05), st.floats(0, 1), st.floats(0, 1))
def test_no_verdict_contradicts_a_truth_inside_its_intervals(
    natural: tuple[float, float], repeated: tuple[float, float], margin: float, place: float, other: float
) -> None:
    over_natural = natural[0] + place * (natural[1] - natural[0])
    over_repeated = repeated[0] + other * (repeated[1] - repeated[0])
    outcome = decide(natural, repeated, margin)
    if outcome == "helps":
        assert over_natural > 0
        assert over_repeated > 0
    if outcome == "just more steps":
        assert over_natural > 0
        assert over_repeated < margin
    if outcome == "hurts":
        assert over_natural < 0
    if outcome == "no difference that matters":
        assert abs(over_natural) < margin


def test_helps_inside_the_margin_is_said_to_be_so() -> None:
    comparisons = {name: estimate(0.01, 0.005) for name in ("natural", "repeated", "control")}
    verdict = conclude(comparisons, 10, 1_000, Rule(margin=0.02))
    assert verdict.outcome == "helps"
    assert verdict.inside_margin


@pytest.mark.parametrize("replicates", range(1, 7))
def test_under_five_replicates_no_verdict(replicates: int) -> None:
    verdict = conclude({"natural": estimate(-0.5)}, replicates, 1_000, Rule(margin=0.02))
    assert (verdict.outcome == "no verdict") == (replicates < LEAST_REPLICATES)


def test_without_the_control_a_gain_is_no_verdict() -> None:
    verdict = conclude({"natural": estimate(0.05)}, 10, 1_000, Rule(margin=0.02))
    assert verdict.outcome == "no verdict"
    assert verdict.missing == "control"
    alone = conclude({"natural": estimate(0.05)}, 10, 1_000, Rule(margin=0.02, controlled=False))
    assert (alone.outcome, alone.missing) == ("helps", None)  # two models somebody else trained have no control
    assert without_verdict("primary").outcome == "no verdict"


def test_detectable_effect_asks_more_of_two_comparisons_than_of_one() -> None:
    one = conclude({"natural": estimate(0.0)}, 10, 1_000, Rule(margin=0.001)).minimum_detectable_effect
    independent = {"natural": estimate(0.0), "repeated": estimate(0.0), "control": estimate(0.0, 0.01 * 2**0.5)}
    both = conclude(independent, 10, 1_000, Rule(margin=0.001)).minimum_detectable_effect
    equal = conclude(independent | {"control": estimate(0.0, 1e-9)}, 10, 1_000, Rule(margin=0.001))
    assert one is not None
    assert both is not None
    assert one == pytest.approx(0.01 * (1.96 + 0.8416) / 1.96, rel=0.001)
    assert both == pytest.approx(0.01 * (1.96 + 1.2501) / 1.96, rel=0.001)  # each alone with power sqrt(0.8)
    assert equal.minimum_detectable_effect == pytest.approx(one, rel=0.001)


@pytest.mark.parametrize("value", [-0.05, 0.0, 0.05])
def test_too_few_rows_of_a_label_give_no_verdict(value: float) -> None:
    estimates = {"natural": estimate(value), "repeated": estimate(value), "control": estimate(0.0)}
    verdict = conclude(estimates, 10, 1_000, Rule(margin=0.02), rare_label=True)
    assert (verdict.outcome, verdict.missing) == ("no verdict", "rare label")
    assert verdict.minimum_detectable_effect is not None
