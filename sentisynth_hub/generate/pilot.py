"""What the whole stage will cost, told from a pilot: tokens, money and accepted rows, each with a 95 % interval.

Totals: Student's t interval of the mean of a request, times the number of requests. Accepted share: Wilson's interval
(Wilson 1927). Cost of an accepted row: the ends of both, the dearer with the rarer.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sentisynth_hub.generate.budget import ModelPrice


_Z = 1.959964  # 97.5 % quantile of the normal distribution


@dataclass(frozen=True, slots=True)
class Asked:
    """One request of the pilot: its tokens, and how many rows it was asked for and gave."""

    prompt_tokens: int
    completion_tokens: int
    rows: int
    accepted: int


def estimate(
    pilot: Sequence[Asked], requests: int, price: ModelPrice | None, human_usd_per_row: float
) -> dict[str, Any]:
    """Estimate a stage of `requests` requests; every interval is [low, high], money is None where no price is
    known.
    """
    tokens = [float(request.prompt_tokens + request.completion_tokens) for request in pilot]
    rows = sum(request.rows for request in pilot)
    accepted = sum(request.accepted for request in pilot)
    share = wilson(accepted, rows)
    all_rows = requests * rows / len(pilot)
    figures: dict[str, Any] = {
        "pilot_requests": len(pilot),
        "requests": requests,
        "tokens": _total(tokens, requests),
        "accepted_share": {"estimate": accepted / rows, "interval": share},
        "accepted_rows": {"estimate": all_rows * accepted / rows, "interval": [all_rows * end for end in share]},
        "usd": None,
        "usd_per_accepted_row": None,
        "human_usd_per_row": human_usd_per_row,
        "human_usd": human_usd_per_row * all_rows * accepted / rows,
    }
    if price is not None:
        costs = [price.cost(request.prompt_tokens, request.completion_tokens) for request in pilot]
        figures["usd"] = _total(costs, requests)
        low, high = figures["usd"]["interval"]
        figures["usd_per_accepted_row"] = {
            "estimate": sum(costs) / accepted if accepted else None,
            "interval": [low / (all_rows * share[1]), high / (all_rows * share[0]) if share[0] > 0 else None],
        }
    return figures


def wilson(successes: int, trials: int) -> list[float]:
    """95 % interval of a share."""
    share, spread = successes / trials, _Z**2 / trials
    half = _Z * math.sqrt(share * (1 - share) / trials + spread / (4 * trials))
    return [max(0.0, (share + spread / 2 - half) / (1 + spread)), min(1.0, (share + spread / 2 + half) / (1 + spread))]


def _total(values: Sequence[float], count: int) -> dict[str, Any]:
    """`count` times the mean of `values`, with its interval; a single value has none."""
    import numpy as np
    from scipy.stats import t

    mean = float(np.mean(values))
    if len(values) < 2:
        return {"estimate": count * mean, "interval": [0.0, math.inf]}
    half = float(t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values)))
    return {"estimate": count * mean, "interval": [count * max(0.0, mean - half), count * (mean + half)]}
