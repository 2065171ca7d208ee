"""What generation will cost: from the pilot of `sentisynth estimate` where there was one, else at most so much."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sentisynth_hub.core.run_folder import StageFolder
from sentisynth_hub.generate.pilot import dry_run, read_pilot
from sentisynth_hub.natural.splits import Sample
from sentisynth_hub.recipe import Recipe


@dataclass(frozen=True)
class Amount:
    """An estimate with its 95 % interval; None: no bound on that side."""

    estimate: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class GenerationCost:
    """What a recipe's generation costs.

    Attributes:
        source: `pilot` with its requests; `upper bound` (every answer as long as it may be); `nothing` where the rows
            are there already or generated already.
        pilot_requests: Requests of the pilot.
        requests: Requests of the study.
        tokens, usd, minutes, kept_rows: None where it is not known; an upper bound has no low end.
        usd_per_label: What one human label is reckoned to cost.
    """

    source: Literal["pilot", "upper bound", "nothing"]
    pilot_requests: int
    requests: int
    tokens: Amount | None
    usd: Amount | None
    minutes: Amount | None
    kept_rows: Amount | None
    usd_per_label: float


def study_cost(recipe: Recipe, samples: Sequence[Sample], generate: StageFolder) -> GenerationCost:
    """What generation costs.

    Args:
        samples: What each replicate may see.
        generate: The folder of the recipe's generate stage, run or not.
    """
    per_label = recipe.generate.human_usd_per_row
    if generate.complete or not recipe.generate.generator.has_prompt:
        return GenerationCost("nothing", 0, 0, None, None, None, None, per_label)
    figures = read_pilot(generate)
    if figures is None:
        most = dry_run(recipe, samples)
        usd = most["worst_case_usd"]
        return GenerationCost(
            source="upper bound",
            pilot_requests=0,
            requests=most["requests"],
            tokens=Amount(most["worst_case_tokens"], None, most["worst_case_tokens"]),
            usd=None if usd is None else Amount(usd, None, usd),
            minutes=None,
            kept_rows=None,
            usd_per_label=per_label,
        )
    return GenerationCost(
        source="pilot",
        pilot_requests=figures["pilot_requests"],
        requests=figures["requests"],
        tokens=_amount(figures["tokens"]),
        usd=_amount(figures["usd"]),
        minutes=_amount(figures.get("minutes")),
        kept_rows=_amount(figures.get("kept_rows")),
        usd_per_label=per_label,
    )


def cost_lines(cost: GenerationCost) -> list[str]:
    """For people."""
    if cost.source == "nothing":
        return ["cost       nothing more: the synthetic rows are there"]
    if cost.source == "upper bound":
        assert cost.tokens is not None
        price = f"${cost.usd.estimate:,.2f}" if cost.usd is not None else "no price known"
        return [
            f"cost       {cost.requests:,} requests, at most {cost.tokens.estimate:,.0f} tokens ({price}); "
            "no pilot was asked yet"
        ]
    parts = [f"{cost.requests:,} requests"]
    for amount, form, unit in (
        (cost.tokens, ",.0f", " tokens"),
        (cost.usd, ",.4f", " dollars"),
        (cost.minutes, ",.1f", " minutes"),
        (cost.kept_rows, ",.0f", " rows kept"),
    ):
        if amount is not None:
            between = "" if amount.high is None else f" ({amount.low or 0:{form}} to {amount.high:{form}})"
            parts.append(f"{amount.estimate:{form}}{unit}{between}")
    return [f"cost       {', '.join(parts)}; from a pilot of {cost.pilot_requests} requests"]


def _amount(figure: dict[str, Any] | None) -> Amount | None:
    if figure is None:
        return None
    low, high = figure["interval"]
    return Amount(figure["estimate"], low, high)
