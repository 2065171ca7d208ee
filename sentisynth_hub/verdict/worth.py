"""Worth N human labels: the number of human labels at which the natural learning curve reaches a variant's score.

The curve goes through the natural variants at several sizes. A size is the number of distinct human labels behind a
trial (training, validation, everything else in the label budget), and so is what the variant itself used: both sides
pay alike. The curve is made monotone (isotonic regression, each size weighing the same), is linear in log size
between two sizes, and is never extrapolated: outside it the answer is "more than" the largest size or "less than" the
smallest.
"""

from collections.abc import Mapping

import numpy as np

from sentisynth_hub.metrics.classification import Array
from sentisynth_hub.verdict.evaluation_parts import Censored, LearningCurve, Worth
from sentisynth_hub.verdict.statistics.bootstrap import Resampled


def learning_curve(sizes: Mapping[str, int], scores: Mapping[str, float]) -> LearningCurve:
    """Order the natural variants by their labels and fit the curve through their mean scores."""
    names = sorted(sizes, key=lambda name: sizes[name])
    means = np.array([scores[name] for name in names])
    return LearningCurve(
        variants=tuple(names),
        labels=tuple(sizes[name] for name in names),
        scores=tuple(means.tolist()),
        fitted=tuple(isotonic(means).tolist()),
    )


def worth(
    variant: str,
    score: float,
    used: int,
    curve: LearningCurve,
    resampled: Resampled,
    alpha: float,
    cost_usd: float | None = None,
) -> Worth:
    """Invert the natural learning curve at `score`, with the interval of the same resamples for curve and variant.

    Args:
        variant: Name of the variant.
        score: Its mean score.
        used: Distinct human labels it used in a trial.
        curve: The natural curve, at least two sizes.
        resampled: Crossed bootstrap over the variant and all variants of the curve.
        alpha: The interval has level 1 − alpha.
        cost_usd: What the variant's synthetic rows cost.
    """
    sizes = np.array(curve.labels, dtype=float)
    fits = isotonic(np.stack([resampled.scores[name] for name in curve.variants], axis=-1))
    draws = np.sort(invert(sizes, fits, resampled.scores[variant]))
    point = float(invert(sizes, np.array([curve.fitted]), np.array([score]))[0])
    ends = (
        float(np.quantile(draws, alpha / 2, method="lower")),
        float(np.quantile(draws, 1 - alpha / 2, method="higher")),
    )
    labels, censored = _bound(point, sizes)
    (low, low_censored), (high, high_censored) = _bound(ends[0], sizes), _bound(ends[1], sizes)
    return Worth(
        variant=variant,
        labels=labels,
        censored=censored,
        interval=(low, high),
        interval_censored=(low_censored, high_censored),
        used=used,
        saved=labels - used,
        saved_interval=(low - used, high - used),
        cost_usd=cost_usd,
    )


def isotonic(scores: Array) -> Array:
    """Least-squares non-decreasing fit along the last axis, (..., sizes), all sizes weighing the same.

    By the max–min formula (Barlow et al. 1972): fit_j = max over i ≤ j of min over k ≥ j of mean(score_i..score_k),
    quick for the few sizes of a curve and for thousands of resamples at once.
    """
    count = scores.shape[-1]
    sums = np.concatenate([np.zeros((*scores.shape[:-1], 1)), np.cumsum(scores, axis=-1)], axis=-1)
    fitted = np.empty(scores.shape)
    for j in range(count):
        lower = [
            np.min([(sums[..., k + 1] - sums[..., i]) / (k + 1 - i) for k in range(j, count)], axis=0)
            for i in range(j + 1)
        ]
        fitted[..., j] = np.max(lower, axis=0)
    return fitted


def invert(sizes: Array, fitted: Array, scores: Array) -> Array:
    """Smallest size at which each curve of `fitted` (curves, sizes) reaches `scores` (curves,); ±inf outside the
    curve.
    """
    reached = fitted >= scores[:, None]
    right = np.where(reached.any(axis=1), reached.argmax(axis=1), len(sizes))
    inside = (right > 0) & (right < len(sizes))
    answer = np.where(right == 0, -np.inf, np.inf)
    answer = np.where((right == 0) & (fitted[:, 0] == scores), sizes[0], answer)
    rows, at = np.flatnonzero(inside), right[inside]
    low, high = fitted[rows, at - 1], fitted[rows, at]
    step = (scores[rows] - low) / (high - low)
    answer[rows] = np.exp(np.log(sizes[at - 1]) * (1 - step) + np.log(sizes[at]) * step)
    return answer


def _bound(labels: float, sizes: Array) -> tuple[float, Censored | None]:
    if labels == np.inf:
        return float(sizes[-1]), "more than the pool"
    if labels == -np.inf:
        return float(sizes[0]), "less than the smallest"
    return labels, None
