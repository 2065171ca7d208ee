"""Rows are rejected until their code-mixing is distributed as in the natural rows, or as near as enough rows allow."""

import numpy as np
import pytest

from sentisynth_hub.core.rows import Row
from sentisynth_hub.filter.mixing_match import MixingMatch, MixingMatchOptions, matched


LANGUAGES = ["hi", "en"]
_HINDI = "\u092f\u0939 \u092b\u093f\u0932\u094d\u092e \u0905\u091a\u094d\u091b\u0940"


def rows(plain: int, mixed: int, start: int = 0) -> list[Row]:
    """English texts, and texts half of whose words are Hindi in its own script."""
    texts = [f"this film was good {'very ' * (n % 3)}" for n in range(plain)]
    texts += [f"{_HINDI} was good film" for _ in range(mixed)]
    return [Row(text.strip(), "positive", request_id=str(start + n)) for n, text in enumerate(texts)]


def test_shares_become_those_of_the_natural_rows() -> None:
    options = MixingMatchOptions(bins=2, least_kept=0.1)
    match = MixingMatch(options, rows(20, 20), LANGUAGES, seed=1)
    candidates = rows(90, 10, start=100)
    decisions = match.judge(candidates)
    kept = [row for row, decision in zip(candidates, decisions, strict=True) if decision.keep]
    mixed = [row for row in kept if _HINDI in row.text]
    assert len(mixed) == 10  # what is rare stays whole
    assert len(kept) == 20
    assert {decision.reason for decision in decisions} == {None, "oversupplied_mix"}
    assert [decision.score for decision in decisions] == pytest.approx([10 / 90] * 90 + [1.0] * 10)
    assert {decision.scores["cmi"] for decision in decisions} == {0.0, 50.0}
    facts = match.facts()
    assert facts.cmi_distance_before == pytest.approx(0.4)
    assert facts.cmi_distance_after == pytest.approx(0.0)
    assert facts.i_index_distance_after < facts.i_index_distance_before


def test_enough_rows_stay_whatever_the_shares_are() -> None:
    match = MixingMatch(MixingMatchOptions(bins=2, least_kept=0.5), rows(20, 20), LANGUAGES, seed=1)
    decisions = match.judge(rows(90, 10, start=100))
    assert sum(decision.keep for decision in decisions) == pytest.approx(50, abs=1)
    facts = match.facts()
    assert 0 < facts.cmi_distance_after < facts.cmi_distance_before


def test_the_same_rows_stay_each_time_and_unknown_mixes_always() -> None:
    unknown = [Row("\u0439\u0446\u0443 \u043a\u0435\u043d", "positive", request_id="x")]
    candidates = [*rows(30, 5), *unknown]
    first, second = (
        MixingMatch(MixingMatchOptions(), rows(20, 20), LANGUAGES, seed=1).judge(candidates) for _ in range(2)
    )
    assert first == second
    assert first[-1].keep


@pytest.mark.parametrize(
    ("counts", "shares", "least", "kept"),
    [
        ([90, 10], [0.5, 0.5], 0.0, [10, 10]),
        ([10, 90], [0.5, 0.5], 0.0, [10, 10]),
        ([30, 30, 40], [0.5, 0.5, 0.0], 0.0, [30, 30, 0]),
        ([0, 50], [0.5, 0.5], 0.1, [0, 50]),
        ([50, 0], [0.0, 1.0], 0.5, [25, 0]),
    ],
)
def test_how_many_stay_of_each_range(counts: list[int], shares: list[float], least: float, kept: list[int]) -> None:
    assert matched(np.array(counts), np.array(shares), least) == kept
