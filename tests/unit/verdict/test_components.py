"""Variance components of a table small enough to be worked out by hand."""

import numpy as np
import pytest

from sentisynth_hub.core.errors import DataError
from sentisynth_hub.verdict.statistics.components import Components, variance_components


TABLE = np.array([[[1.0, 3.0], [5.0, 7.0]], [[2.0, 6.0], [8.0, 12.0]]])
"""(a, b, replicates). Means: all 5.5; a 4, 7; b 3, 8; replicates 4, 7; cells 2, 6, 4, 10; total sum of squares 90."""
NAMES = {"a": ["a1", "a2"], "b": ["b1", "b2"]}


def by_name(found: Components, key: str) -> dict[str, object]:
    return {source.name: getattr(source, key) for source in found.sources}


def test_two_crossed_factors_by_hand() -> None:
    found = variance_components(TABLE, NAMES)
    # SS: a 4·(1.5²·2) = 18, b 4·(2.5²·2) = 50, a×b 2·(0.5²·4) = 2, replicates 4·(1.5²·2) = 18, rest 90 − 88 = 2 on 3
    assert by_name(found, "mean_square") == pytest.approx(
        {"a": 18, "b": 50, "a × b": 2, "replicate": 18, "residual": 2 / 3}
    )
    # (18 − 2)/4, (50 − 2)/4, (2 − 2/3)/2, (18 − 2/3)/4, 2/3: together 65/3
    assert by_name(found, "component") == pytest.approx(
        {"a": 4, "b": 12, "a × b": 2 / 3, "replicate": 13 / 3, "residual": 2 / 3}
    )
    assert by_name(found, "share") == pytest.approx(
        {"a": 12 / 65, "b": 36 / 65, "a × b": 2 / 65, "replicate": 13 / 65, "residual": 2 / 65}
    )
    assert found.levels == {"a": {"a1": 4.0, "a2": 7.0}, "b": {"b1": 3.0, "b2": 8.0}}


def test_a_factor_inside_replicates_by_hand() -> None:
    found = variance_components(TABLE, NAMES, nested="b")
    # b within replicates: means 1.5, 6.5 around 4 and 4.5, 9.5 around 7: 2·(2.5²·4) = 50 on 2; a×replicate 2·(0.5²·4)
    # = 2 on 1; the rest 90 − 18 − 18 − 50 − 2 = 2 on 2
    assert by_name(found, "df") == {"a": 1, "a × replicate": 1, "b": 2, "replicate": 1, "residual": 2}
    assert by_name(found, "mean_square") == pytest.approx(
        {"a": 18, "a × replicate": 2, "b": 25, "replicate": 18, "residual": 1}
    )
    # (18 − 2)/4, (2 − 1)/2, (25 − 1)/2, (18 − 2 − 25 + 1)/4 < 0, 1: together 17.5
    assert by_name(found, "component") == pytest.approx(
        {"a": 4, "a × replicate": 0.5, "b": 12, "replicate": 0, "residual": 1}
    )
    assert by_name(found, "share") == pytest.approx(
        {"a": 8 / 35, "a × replicate": 1 / 35, "b": 24 / 35, "replicate": 0, "residual": 2 / 35}
    )
    turned = variance_components(TABLE.swapaxes(0, 1), dict(reversed(NAMES.items())), nested="b")
    assert by_name(turned, "component") == by_name(found, "component")
    assert turned.levels == found.levels


def test_one_factor_by_hand() -> None:
    found = variance_components(np.array([[1.0, 3.0], [4.0, 8.0]]), {"a": ["x", "y"]})
    # all 4; a 2, 6; replicates 2.5, 5.5. SS: a 2·(2²·2) = 16, replicates 2·(1.5²·2) = 9, total 26, rest 1 on 1
    assert by_name(found, "mean_square") == pytest.approx({"a": 16, "replicate": 9, "residual": 1})
    assert by_name(found, "component") == pytest.approx({"a": 7.5, "replicate": 4, "residual": 1})
    # F = 16 on 1 and 1 degrees of freedom: the square of a t on 1 of 4, two-sided p = 1 − (2/π)·arctan(4)
    assert by_name(found, "p")["a"] == pytest.approx(1 - 2 / np.pi * np.arctan(4))


def test_components_are_found_again_in_a_large_table() -> None:
    random = np.random.default_rng(0)
    a, b, r = 60, 60, 60
    table = (
        2 * random.standard_normal((a, 1, 1)) + random.standard_normal((1, b, r)) + random.standard_normal((a, b, r))
    )
    names = {"prompt": [str(i) for i in range(a)], "draw": [str(i) for i in range(b)]}
    found = by_name(variance_components(table, names, nested="draw"), "component")
    assert found["prompt"] == pytest.approx(4, rel=0.4)  # 60 draws of it
    assert found["draw"] == pytest.approx(1, rel=0.06)
    assert found["residual"] == pytest.approx(1, rel=0.02)
    crossed = by_name(variance_components(table, names), "component")
    assert crossed["draw"] == pytest.approx(0, abs=0.02)  # taken as crossed, its variance hides in the residual
    assert crossed["residual"] == pytest.approx(2, rel=0.05)


def test_a_table_without_replicates_is_refused() -> None:
    with pytest.raises(DataError, match=r"2 × 2 × 1 for 2 factors"):
        variance_components(TABLE[:, :, :1], NAMES)
