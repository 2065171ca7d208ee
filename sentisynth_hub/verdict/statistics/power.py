"""What a study can find out: the smallest effect it detects, and what it would take to detect a smaller one."""

import math
from collections.abc import Callable
from typing import Literal

from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from sentisynth_hub.verdict.evaluation_parts import Remedy
from sentisynth_hub.verdict.statistics.crossed import Estimate


MOST_REPLICATES = 1_000
MOST_ITEMS = 10_000_000


def detectable(estimate: Estimate, alpha: float, power: float) -> float:
    """Smallest true difference whose interval of level 1 − `alpha` leaves out 0 with probability `power`."""
    return estimate.spread(1 - alpha / 2) + estimate.spread(power)


def power_each(power: float, correlation: float) -> float:
    """Power each of two comparisons needs so that both succeed with probability `power` (normal, `correlation` ≥ 0
    assumed).
    """
    if correlation > 0.999:
        return power
    spread = [[1.0, max(correlation, 0.0)], [max(correlation, 0.0), 1.0]]
    from scipy.stats import multivariate_normal  # slow to import, and few need it

    both = lambda z: float(multivariate_normal.cdf([z, z], cov=spread)) - power  # noqa: E731
    return float(ndtr(brentq(both, ndtri(power), ndtri((1 + power) / 2) + 1e-6)))


def remedy(estimate: Estimate, replicates: int, items: int, alpha: float, power: float, target: float) -> Remedy:
    """Find how many replicates, or test items, would make a true difference of `target` detectable."""

    def with_replicates(count: int) -> float:
        return detectable(resized(estimate, replicates, items, count, items), alpha, power)

    def with_items(count: int) -> float:
        return detectable(resized(estimate, replicates, items, replicates, count), alpha, power)

    if detectable(estimate, alpha, power) <= target:
        return Remedy(by="nothing", replicates=replicates, items=items)
    enough_replicates = _first(with_replicates, replicates, MOST_REPLICATES, target)
    enough_items = _first(with_items, items, MOST_ITEMS, target)
    by: Literal["replicates", "test items", "both"] = (
        "replicates" if enough_replicates else "test items" if enough_items else "both"
    )
    return Remedy(by=by, replicates=enough_replicates, items=enough_items)


def resized(estimate: Estimate, replicates: int, items: int, new_replicates: int, new_items: int) -> Estimate:
    """The same study with other numbers: each part of the variance shrinks with what it averages over."""
    residual = estimate.residual_variance * (replicates / new_replicates) * (items / new_items)
    own = (estimate.replicate_variance - estimate.residual_variance) * replicates / new_replicates
    return Estimate(
        estimate.value,
        replicate_variance=own + residual,
        item_variance=estimate.item_variance * items / new_items,
        residual_variance=residual,
        replicate_df=new_replicates - 1 if math.isfinite(estimate.replicate_df) else math.inf,
        item_df=estimate.item_df * new_items / items,
        deducted=estimate.deducted * (residual / estimate.residual_variance if estimate.residual_variance else 1),
    )


def _first(effect: Callable[[int], float], start: int, limit: int, target: float) -> int | None:
    """Smallest count from `start` to `limit` at which the falling `effect` reaches `target`; None if it never does."""
    if effect(limit) > target:
        return None
    low, high = start, limit
    while high - low > 1:
        middle = math.isqrt(low * high) if high > 4 * low else (low + high) // 2
        low, high = (low, middle) if effect(middle) <= target else (middle, high)
    return high
