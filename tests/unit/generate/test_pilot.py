"""Estimates from a pilot: right on average, with intervals that hold what they promise."""

import numpy as np
import pytest

from sentisynth_hub.generate.budget import ModelPrice
from sentisynth_hub.generate.pilot import Asked, estimate, wilson


PRICE = ModelPrice("m", 1.0, 4.0, "2026-01-01")


def test_a_pilot_that_is_everything_alike_is_scaled_up() -> None:
    made = estimate([Asked(300, 20, 1, 1)] * 10 + [Asked(300, 20, 1, 0)] * 10, 1000, PRICE, 0.2)
    assert made["tokens"] == {"estimate": 320_000, "interval": [320_000, 320_000]}
    assert made["usd"]["estimate"] == pytest.approx(0.38)
    assert made["accepted_rows"]["estimate"] == 500
    assert made["usd_per_accepted_row"]["estimate"] == pytest.approx(0.38 / 500)
    assert made["human_usd"] == pytest.approx(100)


def test_no_price_is_no_cost() -> None:
    made = estimate([Asked(300, 20, 1, 1)] * 3, 10, None, 0.2)
    assert made["usd"] is None
    assert made["usd_per_accepted_row"] is None


def test_no_accepted_row_has_no_price() -> None:
    made = estimate([Asked(300, 20, 1, 0)] * 3, 10, PRICE, 0.2)
    assert made["usd_per_accepted_row"]["estimate"] is None
    assert made["usd_per_accepted_row"]["interval"][1] is None


def test_wilson_against_its_published_example() -> None:
    """81 of 263 (Newcombe 1998, table I): .2553 to .3662."""
    assert wilson(81, 263) == pytest.approx([0.2553, 0.3662], abs=5e-5)
    assert wilson(0, 10)[0] == 0.0
    assert wilson(10, 10)[1] == pytest.approx(1.0)


def test_the_interval_of_the_tokens_holds_the_truth_in_95_of_100_pilots() -> None:
    random = np.random.default_rng(4)
    held = 0
    for _ in range(400):
        written = random.normal(30, 8, 20)
        made = estimate([Asked(300, round(100 * tokens), 1, 1) for tokens in written], 1, PRICE, 0.2)
        low, high = made["tokens"]["interval"]
        held += low <= 300 + 3000 <= high
    assert 366 <= held <= 394  # 380 expected, five standard deviations of sampling 4.4 each, rounded inwards


def test_rows_of_one_call_are_told_from_rows_asked_for() -> None:
    made = estimate([Asked(300, 200, 5, 4), Asked(300, 200, 5, 5)], 10, PRICE, 0.2)
    assert made["accepted_share"]["estimate"] == pytest.approx(0.9)
    assert made["accepted_rows"]["estimate"] == pytest.approx(45)


def test_time_is_that_of_the_steps_and_rows_kept_those_of_the_filters() -> None:
    asked = [Asked(300, 20, 1, 1, kept=1)] * 12 + [Asked(300, 20, 1, 1, kept=0)] * 8
    made = estimate(asked, 600, None, 0.2, [(0.0, 0), (20.0, 10), (10.0, 5), (10.0, 5)])
    assert made["minutes"] == {"estimate": pytest.approx(20), "interval": [pytest.approx(20), pytest.approx(20)]}
    assert made["kept_rows"]["estimate"] == pytest.approx(360)
    assert made["kept_rows"]["interval"] == pytest.approx([600 * end for end in wilson(12, 20)])


def test_the_interval_of_the_time_holds_the_truth_in_95_of_100_pilots() -> None:
    random = np.random.default_rng(5)
    held = 0
    for _ in range(400):
        steps = [(float(seconds), 4) for seconds in random.gamma(16, 0.5, 10)]  # two seconds a request, on average
        low, high = estimate([Asked(300, 20, 1, 1)] * 40, 30, None, 0.2, steps)["minutes"]["interval"]
        held += low <= 1.0 <= high
    assert 360 <= held <= 397


def test_nothing_timed_and_nothing_filtered_is_not_estimated() -> None:
    made = estimate([Asked(300, 20, 1, 1)] * 3, 10, PRICE, 0.2)
    assert made["minutes"] is None
    assert made["kept_rows"] is None
