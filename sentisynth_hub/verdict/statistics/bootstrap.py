"""The crossed (pigeonhole) bootstrap of Owen 2007: replicates and test items are both drawn again, with replacement.

A check on the interval of `crossed.py`, and the source of the intervals of "worth N human labels". It makes no use
of a variance formula or of pseudo-values: every resample counts its own confusion matrices. Its variance is about
V_R·(R−1)/R + V_I + V_E, so it is a little wide in the items and, with few replicates, too narrow in the replicates;
the verdict never rests on it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sentisynth_hub.metrics.classification import METRICS, NO_ANSWER, Array


_COUNTS_AT_ONCE = 16_000_000  # confusion counts held in memory


@dataclass(frozen=True)
class Resampled:
    """`scores[variant]` is the resampled mean score, (resamples,), the same replicates and items for all variants."""

    scores: Mapping[str, Array]

    def interval(self, weights: Mapping[str, float], alpha: float) -> tuple[float, float]:
        """Percentile interval of Σ weight × score."""
        low, high = np.quantile(self.draws(weights), [alpha / 2, 1 - alpha / 2])
        return float(low), float(high)

    def p_value(self, weights: Mapping[str, float]) -> float:
        """Two-sided p = 2·(b + 1)/(B + 1), b the resamples on the rarer side of 0 (0 itself on both), at most 1."""
        draws = self.draws(weights)
        rarer = min(int((draws <= 0).sum()), int((draws >= 0).sum()))
        return min(1.0, 2 * (rarer + 1) / (draws.size + 1))

    def draws(self, weights: Mapping[str, float]) -> Array:
        """Σ weight × score in every resample, (resamples,)."""
        return np.asarray(sum(weight * self.scores[name] for name, weight in weights.items()))


def crossed_bootstrap(
    y: Array,
    variants: Mapping[str, Array],
    n_labels: int,
    metric: str,
    *,
    resamples: int,
    seed: int,
    clusters: Array | None = None,
) -> Resampled:
    """Resample replicates and items `resamples` times.

    Args:
        y: True labels, (items,).
        variants: Predicted labels by variant, (replicates, items) each.
        n_labels: Labels of the study.
        metric: A key of `METRICS`.
        resamples: Number of resamples B; 9,999 where a p is read off.
        seed: Decides the draws; the result does not depend on threads (the counts are exact in float32).
        clusters: The cluster of each item, (items,); items of one cluster are drawn together.
    """
    by_item, by_replicate = np.random.default_rng(seed).spawn(2)  # two streams: draws do not depend on the chunks
    replicates = next(iter(variants.values())).shape[0]
    order = np.argsort(y, kind="stable")
    ends = np.searchsorted(y[order], np.arange(n_labels + 1))
    cluster = np.arange(y.size) if clusters is None else np.unique(clusters, return_inverse=True)[1][order]
    count = int(cluster.max()) + 1
    answers = _one_hot(np.concatenate(list(variants.values()))[:, order], n_labels)
    scores = np.empty((resamples, len(variants)))
    chunk = max(1, min(500, _COUNTS_AT_ONCE // (n_labels * answers.shape[1])))
    for start in range(0, resamples, chunk):
        size = min(chunk, resamples - start)
        items = _multiplicities(by_item, size, count)[:, cluster].astype(np.float32)
        weights = _multiplicities(by_replicate, size, replicates) / replicates
        counts = np.stack(
            [items[:, low:high] @ answers[low:high] for low, high in zip(ends[:-1], ends[1:], strict=True)], axis=1
        )
        shaped = counts.reshape(size, n_labels, len(variants), replicates, n_labels + 1)
        trial_scores = METRICS[metric](np.moveaxis(shaped, 1, -2))
        scores[start : start + size] = np.einsum("bvr,br->bv", trial_scores, weights)
    return Resampled({name: scores[:, place] for place, name in enumerate(variants)})


def _one_hot(predicted: Array, n_labels: int) -> Array:
    """(trials, items) -> float32 (items, trials · (labels + 1)), the last column of a trial for no answer."""
    column = np.where(predicted == NO_ANSWER, n_labels, predicted).T
    hot = column[..., None] == np.arange(n_labels + 1)
    return np.asarray(hot.reshape(len(column), -1), dtype=np.float32)


def _multiplicities(rng: np.random.Generator, rows: int, size: int) -> Array:
    """How often each of `size` units is draws in `size` draws with replacement, for each of `rows` resamples."""
    draws = rng.integers(size, size=(rows, size)) + np.arange(rows)[:, None] * size
    return np.bincount(draws.ravel(), minlength=rows * size).reshape(rows, size)
