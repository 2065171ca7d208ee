"""Prices and budgets."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentisynth_hub.core.errors import RecipeError
from sentisynth_hub.generate.budget import Ledger, ModelPrice, TokenCost, find_price, price_table, worst_case
from sentisynth_hub.recipe.generate_section import BudgetLimits
from sentisynth_hub.recipe.generator_kinds import Price


PRICE = ModelPrice("m", 1.0, 4.0, "2026-01-01")


@given(
    limit=st.integers(1, 500),
    calls=st.lists(st.tuples(st.integers(1, 100), st.integers(0, 100)), max_size=50),
    spent=st.integers(0, 600),
)
def test_reservations_never_pass_the_budget(limit: int, calls: list[tuple[int, int]], spent: int) -> None:
    """Whatever is reserved and however it settles at no more than that, what is counted stays within what is left."""
    ledger = Ledger(BudgetLimits(max_tokens=limit), None, model="m", spent=TokenCost(spent))
    for worst, share in calls:
        if ledger.reserve(TokenCost(worst)):
            assert spent + ledger.tokens <= limit
            ledger.settle(TokenCost(worst), TokenCost(worst * share // 100))
        else:
            assert spent + ledger.tokens + worst > limit
    assert spent >= limit or spent + ledger.tokens <= limit


def test_processes_share_what_is_left() -> None:
    parts = [Ledger(BudgetLimits(max_tokens=100), None, model="m", spent=TokenCost(10), processes=4) for _ in range(4)]
    taken = sum(sum(ledger.reserve(TokenCost(1)) for _ in range(100)) for ledger in parts)
    assert taken == 88


def test_money_is_counted_in_and_out() -> None:
    ledger = Ledger(BudgetLimits(max_usd=0.01), PRICE, model="m")
    assert ledger.cost(1000, 500) == TokenCost(1500, pytest.approx(0.003))
    assert [ledger.reserve(TokenCost(0, 0.004)) for _ in range(3)] == [True, True, False]
    ledger.settle(TokenCost(0, 0.004), TokenCost(0, 0.001))
    assert ledger.reserve(TokenCost(0, 0.004))
    assert "$0.01 is used up; raise --max-usd" in ledger.limit_reached(TokenCost(0, 0.004))


def test_a_budget_in_money_needs_a_price() -> None:
    with pytest.raises(
        RecipeError, match="no price is known for m; for an endpoint state it as generate.generator.price"
    ):
        Ledger(BudgetLimits(max_usd=1), None, model="m")


def test_minutes_run_down() -> None:
    ledger = Ledger(BudgetLimits(max_minutes=1), None, model="m")
    left = ledger.seconds_left()
    assert left is not None
    assert 59 < left <= 60
    assert Ledger(BudgetLimits(), None, model="m").seconds_left() is None
    assert ledger.deadline is not None
    assert ledger.deadline > time.monotonic()


def test_the_shipped_table_is_dated_and_stands_for_snapshots_only() -> None:
    table = price_table()
    price, record = find_price("gpt-4o-mini-2024-07-18", None)
    assert price is not None
    assert (price.input_usd_per_million, price.output_usd_per_million) == tuple(table["models"]["gpt-4o-mini"])
    assert record is not None
    assert record["as_of"] == table["as_of"]
    assert len(record["digest"]) == 64
    assert find_price("gpt-4o-audio-preview", None) == (None, None)
    assert find_price("SmolLM2", None) == (None, None)


def test_the_batch_api_costs_its_share() -> None:
    live, _ = find_price("gpt-4.1-nano", None)
    batch, _ = find_price("gpt-4.1-nano", None, batch_api=True)
    assert live is not None
    assert batch is not None
    assert batch.cost(1000, 1000) == pytest.approx(price_table()["batch_share"] * live.cost(1000, 1000))


def test_a_stated_price_wins_over_the_table() -> None:
    stated = Price(input_usd_per_million=7, output_usd_per_million=9, as_of="2026-11-01")
    price, record = find_price("gpt-4o-mini", stated)
    assert price is not None
    assert price.cost(1_000_000, 1_000_000) == 16
    assert record is not None
    assert (record["as_of"], record["source"]) == ("2026-11-01", "recipe")


@pytest.mark.parametrize("prompt", ["Positive review:", "നല്ല പടം " * 20, [{"role": "user", "content": "hóla 🎬"}]])
def test_the_worst_case_is_a_token_for_every_byte(prompt: str | list[dict[str, str]]) -> None:
    text = prompt if isinstance(prompt, str) else prompt[0]["content"]
    assert worst_case(prompt, 50) >= len(text.encode()) + 50
