"""The ledger: what was spent, what is reserved, and whether one more call still fits the budget.

The worst case of a call is reserved before it is sent and settled by what it really cost, so that the budget holds at
any number of calls in flight. Prices come from the recipe or from `prices.json`, a dated table; a model without a
price is never counted as free.
"""

import json
import time
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from sentisynth_hub.core.errors import RecipeError
from sentisynth_hub.core.files import json_digest
from sentisynth_hub.recipe.generate_section import BudgetLimits
from sentisynth_hub.recipe.generator_kinds import Price


@dataclass(frozen=True, slots=True)
class TokenCost:
    """Tokens, and US dollars where a price is known."""

    tokens: int = 0
    usd: float | None = None


@dataclass(frozen=True, slots=True)
class ModelPrice:
    """US dollars a million tokens, the day they were looked up, and the share of them a Batch API call costs."""

    model: str
    input_usd_per_million: float
    output_usd_per_million: float
    as_of: str
    batch_share: float = 1.0

    def cost(self, prompt_tokens: int, completion_tokens: int) -> float:
        """US dollars of one call."""
        paid = prompt_tokens * self.input_usd_per_million + completion_tokens * self.output_usd_per_million
        return self.batch_share * paid / 1_000_000


def price_table() -> dict[str, Any]:
    """The shipped table: `as_of`, `source`, `batch_share` and `models`."""
    return dict(json.loads((files("sentisynth_hub.generate") / "prices.json").read_text("utf-8")))


def find_price(
    model: str, stated: Price | None, *, batch_api: bool = False
) -> tuple[ModelPrice | None, dict[str, Any] | None]:
    """The price of a model, and the record of it for the manifest (date, source, digest); None where it is not known.

    A table entry stands for the model of exactly that name and its dated snapshots (`gpt-4o-mini` for
    `gpt-4o-mini-2024-07-18`).
    """
    table = price_table()
    share = table["batch_share"] if batch_api else 1.0
    if stated is not None:
        price = ModelPrice(model, stated.input_usd_per_million, stated.output_usd_per_million, stated.as_of, share)
        return price, {"as_of": stated.as_of, "source": "recipe", "digest": json_digest(stated.model_dump())}
    for name, (paid_in, paid_out) in table["models"].items():
        if model == name or (model.startswith(f"{name}-") and model[len(name) + 1 :].replace("-", "").isdigit()):
            price = ModelPrice(model, paid_in, paid_out, table["as_of"], share)
            return price, {"as_of": table["as_of"], "source": table["source"], "digest": json_digest(table)}
    return None, None


class Ledger:
    """Counts for one process; with several, each gets its share of what is left.

    `spent` includes what is reserved for calls in flight.
    """

    def __init__(
        self,
        budget: BudgetLimits,
        price: ModelPrice | None,
        *,
        model: str,
        spent: TokenCost | None = None,
        processes: int = 1,
    ):
        """Start from what earlier runs `spent` of the same budget.

        Raises:
            RecipeError: The budget is in money and the model has no price.
        """
        if budget.max_usd is not None and price is None:
            raise RecipeError(
                f"generate.budget.max_usd: no price is known for {model}; for an endpoint state it as "
                "generate.generator.price (input_usd_per_million, output_usd_per_million, as_of); a model that runs "
                "here has none, so limit it by max_minutes or max_tokens and set max_usd to null"
            )
        spent = spent or TokenCost()
        self.price = price
        self.budget = budget
        self.tokens, self.usd = 0, 0.0
        self.max_tokens = None if budget.max_tokens is None else max(0, budget.max_tokens - spent.tokens) // processes
        self.max_usd = None if budget.max_usd is None else max(0.0, budget.max_usd - (spent.usd or 0.0)) / processes
        self.deadline = None if budget.max_minutes is None else time.monotonic() + 60 * budget.max_minutes

    def cost(self, prompt_tokens: int, completion_tokens: int) -> TokenCost:
        """What so many tokens cost; `usd` is None where no price is known."""
        usd = None if self.price is None else self.price.cost(prompt_tokens, completion_tokens)
        return TokenCost(prompt_tokens + completion_tokens, usd)

    def reserve(self, worst: TokenCost) -> bool:
        """Reserve a call's worst case if it fits; False where it does not."""
        if self.max_tokens is not None and self.tokens + worst.tokens > self.max_tokens:
            return False
        if self.max_usd is not None and self.usd + (worst.usd or 0.0) > self.max_usd:
            return False
        self.tokens += worst.tokens
        self.usd += worst.usd or 0.0
        return True

    def settle(self, reserved: TokenCost, actual: TokenCost) -> None:
        """Put what a call really cost in the place of what was reserved for it."""
        self.tokens += actual.tokens - reserved.tokens
        self.usd += (actual.usd or 0.0) - (reserved.usd or 0.0)

    def seconds_left(self) -> float | None:
        """Seconds until `max_minutes` are over; None without such a limit."""
        return None if self.deadline is None else self.deadline - time.monotonic()

    def limit_reached(self, worst: TokenCost) -> str:
        """Say which limit a call with this worst case would break, and what to do."""
        if self.max_tokens is not None and self.tokens + worst.tokens > self.max_tokens:
            name, limit = "max-tokens", f"{self.budget.max_tokens:,} tokens"
        elif self.max_usd is not None and self.usd + (worst.usd or 0.0) > self.max_usd:
            name, limit = "max-usd", dollars(self.budget.max_usd or 0.0)
        else:
            name, limit = "max-minutes", f"{self.budget.max_minutes:g} minutes"
        return f"the budget of {limit} is used up; raise --{name} and run the same command to go on from here"


def dollars(usd: float) -> str:
    """US dollars for people: to the cent, and below ten dollars as exactly as it takes (`$0.004`)."""
    text = f"{usd:,.2f}" if usd >= 10 else f"{usd:.6f}".rstrip("0")
    whole, _, cents = text.partition(".")
    return f"${whole}.{cents.ljust(2, '0')}"


def worst_case(prompt: str | list[dict[str, str]], new_tokens: int) -> int:
    """Tokens a call can cost at most: a token is at least a byte of the prompt, a message costs a few marks around
    it.
    """
    if isinstance(prompt, str):
        return len(prompt.encode("utf-8")) + _MARKS + new_tokens
    return sum(len(message["content"].encode("utf-8")) + _MARKS for message in prompt) + _MARKS + new_tokens


_MARKS = 16  # begin and end of a text or message, its role
