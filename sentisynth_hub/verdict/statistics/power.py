"""What a study can find out: the smallest effect it detects, and what it would take to detect a smaller one."""

import math
from collections.abc import Callable, Sequence
from typing import Literal

from scipy.optimize import brentq
from scipy.special import ndtr, ndtri, stdtrit

from sentisynth_hub.verdict.evaluation import Remedy
from sentisynth_hub.verdict.statistics.crossed import Estimate


MOST_REPLICATES = 1_000
MOST_ITEMS = 10_000_000
_SHARED_VARIANT = 0.5  # correlation of two differences of equal error that have one variant in common


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


def detectable_effect(
    test_items: int,
    replicates: int,
    *,
    label_shares: Sequence[float] = (),
    disagreement: float = 0.15,
    shared: float = 0.5,
    replicate_sd: float = 0.015,
    alpha: float = 0.05,
    power: float = 0.8,
) -> float:
    """Say before anything is generated what size of effect a study can detect.

    Args:
        test_items: Natural test rows.
        replicates: Replicates, at least 2.
        label_shares: Share of each label in the test rows; where given, the effect is one in macro-F1, to which an
            item of a label with share π contributes in proportion to 1/(labels·π). Without it, in accuracy.
        disagreement: Share of items on which `mixed` is right and `natural` wrong, or the other way round, in one
            replicate.
        shared: Share of that disagreement which the same items bring in every replicate.
        replicate_sd: Standard deviation over replicates of the true difference.
        alpha: Two-sided level.
        power: Probability of detection.

    Returns:
        The smallest gain over natural and natural_repeated both, on the metric's 0..1 scale, of which *helps* is said
        with probability `power`.
    """
    rarity = sum(1 / (len(label_shares) ** 2 * share) for share in label_shares) if label_shares else 1.0
    item = rarity * disagreement * shared / test_items
    residual = rarity * disagreement * (1 - shared) / (test_items * replicates)
    planned = Estimate(
        0.0, replicate_sd**2 / replicates + residual, item, residual, replicates - 1, max(test_items - 1, 1)
    )
    return detectable(planned, alpha, power_each(power, _SHARED_VARIANT))


def detectable_effect_cross_fitted(
    rows: int,
    folds: int,
    repetitions: int,
    *,
    label_shares: Sequence[float] = (),
    disagreement: float = 0.15,
    replicate_sd: float = 0.015,
    alpha: float = 0.05,
    power: float = 0.8,
) -> float:
    """Say what size of effect a cross-fitted study can detect; arguments as of `detectable_effect`.

    Each fold of each repetition gives one difference. They share training rows, so their variance is that of Nadeau
    and Bengio (2003): (1/J + n_test/n_train)·s² with J − 1 degrees of freedom, one fold being left for validation.
    """
    rarity = sum(1 / (len(label_shares) ** 2 * share) for share in label_shares) if label_shares else 1.0
    each = rarity * disagreement / (rows / folds) + replicate_sd**2
    count = folds * repetitions
    spread = math.sqrt((1 / count + 1 / (folds - 2)) * each)
    both = power_each(power, _SHARED_VARIANT)
    return float((stdtrit(count - 1, 1 - alpha / 2) + stdtrit(count - 1, both)) * spread)


def _first(effect: Callable[[int], float], start: int, limit: int, target: float) -> int | None:
    """Smallest count from `start` to `limit` at which the falling `effect` reaches `target`; None if it never does."""
    if effect(limit) > target:
        return None
    low, high = start, limit
    while high - low > 1:
        middle = math.isqrt(low * high) if high > 4 * low else (low + high) // 2
        low, high = (low, middle) if effect(middle) <= target else (middle, high)
    return high
