"""How sure a difference is when both the replicates and the test items are samples: two-way crossed variance.

Every replicate is scored on the same items, so a mean over replicates × items has a replicate part, an item part and
a residual part. Metrics that are not means (macro-F1) become means through jackknife pseudo-values (Tukey 1958): item
i of replicate r gets N·θ_r − (N−1)·θ_r(without i), whose mean is θ_r up to O(1/N), and which for accuracy are the 0/1
hits themselves. On the (replicates, items) matrix of pseudo-values of a contrast, with mean squares as in a two-way
analysis of variance,

    V_R = MS_R / RN      the replicates' part, the residual's share included; R − 1 degrees of freedom
    V_I = MS_I / RN      the items' part, the residual's share included
    V_E = MS_E / RN      the residual's share, counted in both, hence  variance = V_R + V_I − V_E

The interval is ± sqrt(t²(R−1)·V_R + t²(ν_I)·(V_I − V_E)), after Banerjee (1960, Sankhyā 22): its level holds
whatever the ratio of the parts, where Satterthwaite's degrees of freedom err with few replicates
(docs/concepts/evidence.md shows by how much).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import stdtr, stdtrit

from sentisynth_hub.metrics.classification import Array, Measure, cell_of, count_cells


_SMALLEST_P = 1e-12


@dataclass(frozen=True)
class PseudoValues:
    """A metric of one variant, taken apart by replicate and item.

    Attributes:
        scores: The metric itself, (replicates,).
        values: Jackknife pseudo-values, (replicates, items).
        one_item: How much a pseudo-value moves, root mean square over the items, when one right answer turns wrong; 1
            for accuracy, more where a label is rare and the metric is macro-F1.
    """

    scores: Array
    values: Array
    one_item: float


@dataclass(frozen=True)
class Estimate:
    """A score or a difference with what is known of its error; all variances are of the estimate itself.

    Attributes:
        value: The estimate: a mean over replicates of the plain metric (not of pseudo-values).
        replicate_variance: V_R, or the corrected variance of cross-fitting.
        item_variance: V_I − V_E, what more replicates cannot remove.
        residual_variance: V_E, a part of `replicate_variance`, which more items or more replicates remove.
        replicate_df: Degrees of freedom of `replicate_variance`; 0 where there is one replicate, and then no interval.
        item_df: Degrees of freedom of `item_variance`.
    """

    value: float
    replicate_variance: float
    item_variance: float
    residual_variance: float
    replicate_df: float
    item_df: float

    @property
    def standard_error(self) -> float:
        """Square root of the whole variance; NaN with one replicate."""
        return math.sqrt(self.replicate_variance + self.item_variance) if self.replicate_df else math.nan

    def spread(self, probability: float) -> float:
        """Distance the estimate keeps to its true value on one side with at least this probability (> 0.5)."""
        if not self.replicate_df:
            return math.nan
        by_replicates = float(stdtrit(self.replicate_df, probability)) ** 2 * self.replicate_variance
        by_items = float(stdtrit(self.item_df, probability)) ** 2 * self.item_variance
        return math.sqrt(by_replicates + by_items)

    def interval(self, alpha: float) -> tuple[float, float] | None:
        """Two-sided interval of level 1 − `alpha`; None with one replicate."""
        if not self.replicate_df:
            return None
        half = self.spread(1 - alpha / 2)
        return self.value - half, self.value + half

    def p_value(self) -> float | None:
        """Two-sided p: the level whose interval just reaches 0 (never given below 1e-12); None with one replicate."""
        if not self.replicate_df:
            return None
        if not self.value:
            return 1.0
        if self.spread(1 - _SMALLEST_P / 2) <= abs(self.value):
            return _SMALLEST_P
        log_p = brentq(lambda x: self.spread(1 - math.exp(x) / 2) - abs(self.value), math.log(_SMALLEST_P), 0.0)
        return math.exp(float(log_p))


def pseudo_values(y: Array, predicted: Array, n_labels: int, measure: Measure) -> PseudoValues:
    """Take a metric of one variant apart; `predicted` is (replicates, items), `measure` any function of confusion
    counts.

    An item's pseudo-value depends on its cell of the confusion matrix alone, so there are only labels × (labels + 1)
    to work out.
    """
    items = y.size
    cells = cell_of(y, predicted, n_labels)
    counts = count_cells(cells, n_labels).astype(np.float64)
    scores = measure(counts)
    width = n_labels + 1
    table = np.empty((len(predicted), n_labels * width))
    for label in range(n_labels):
        without = np.repeat(counts[:, None], width, axis=1)
        without[:, np.arange(width), label, np.arange(width)] -= 1
        table[:, label * width : (label + 1) * width] = items * scores[:, None] - (items - 1) * measure(without)
    cells += np.arange(len(predicted))[:, None] * table.shape[1]
    values = table.ravel()[cells]
    return PseudoValues(scores, values, _one_item(counts, scores, measure))


def contrast(parts: Mapping[str, PseudoValues], weights: Mapping[str, float]) -> Estimate:
    """Estimate Σ weight × metric over variants; {"mixed": 1, "natural": -1} is a difference, {"mixed": 1} a score."""
    value = sum(weight * float(parts[name].scores.mean()) for name, weight in weights.items())
    one_item = max(abs(weight) * parts[name].one_item for name, weight in weights.items())
    return two_way(combine(parts, weights), value, one_item)


def combine(parts: Mapping[str, PseudoValues], weights: Mapping[str, float]) -> Array:
    """Σ weight × pseudo-values, (replicates, items)."""
    return np.asarray(sum(weight * parts[name].values for name, weight in weights.items()))


def two_way(values: Array, value: float, one_item: float = 0.0) -> Estimate:
    """Two-way crossed variance of the mean of `values` (replicates, items), reported for the estimate `value`.

    The whole variance is at least that of two items of weight `one_item`, one for and one against (Bonett and Price
    2012 add the same two to the discordant pairs of McNemar's table): variants that happen to agree on every item of a
    small test set are not known to be equal.
    """
    replicates, items = values.shape
    by_replicate, by_item, residual = variance_parts(values)
    least = 2 * one_item**2 / (items + 2) ** 2
    centred = values.mean(axis=0)
    return Estimate(
        value,
        replicate_variance=by_replicate,
        item_variance=max(by_item - residual, least - by_replicate, 0.0),
        residual_variance=min(residual, by_replicate),
        replicate_df=replicates - 1,
        item_df=_kurtosis_df(centred - centred.mean()),
    )


def variance_parts(values: Array) -> tuple[float, float, float]:
    """V_R, V_I and V_E of the mean of `values` (replicates, items); V_R and V_E are 0 with one replicate."""
    replicates, items = values.shape
    rows, columns = values.mean(axis=1), values.mean(axis=0)
    grand = float(rows.mean())
    between_rows, between_columns = float(((rows - grand) ** 2).sum()), float(((columns - grand) ** 2).sum())
    by_item = between_columns / (items * max(items - 1, 1))
    if replicates == 1:
        return 0.0, by_item, 0.0
    total = float(np.einsum("ri,ri->", values, values)) - replicates * items * grand**2
    rest = max(total - items * between_rows - replicates * between_columns, 0.0)
    residual = rest / (replicates * items * (replicates - 1) * max(items - 1, 1))
    return between_rows / (replicates * (replicates - 1)), by_item, residual


def clipped(interval: tuple[float, float] | None, bounds: tuple[float, float]) -> tuple[float, float] | None:
    """The interval without what lies outside of what the quantity can be; its level is the same."""
    return (max(interval[0], bounds[0]), min(interval[1], bounds[1])) if interval else None


def corrected_resampled(differences: Array, test_share: float) -> Estimate:
    """Estimate from cross-fitting: one difference a (repetition, fold), whose training sets overlap.

    Variance (1/J + n_test/n_train)·s² with J − 1 degrees of freedom (Nadeau and Bengio 2003, eq. 9; for repeated
    folds Bouckaert and Frank 2004). `differences` is (J,), `test_share` is n_test/n_train, 1/(folds − 1).
    """
    count = differences.size
    if count < 2:
        return Estimate(float(differences.mean()), 0.0, 0.0, 0.0, 0, 1)
    variance = (1 / count + test_share) * float(differences.var(ddof=1))
    return Estimate(float(differences.mean()), variance, 0.0, 0.0, count - 1, 1)


def joint_alpha(contrasts: Sequence[Array], df: float, alpha: float, seed: int) -> float:
    """Level for each of several intervals so that all hold together with probability 1 − `alpha` (max-T, as a level).

    The contrasts, (replicates, items) each, share natural and the items and are therefore correlated; their joint
    distribution is a normal one with the crossed correlation over independent chi denominators of `df` degrees of
    freedom, drawn 50,000 times from `seed`. Between alpha / len(contrasts) and alpha.
    """
    count = len(contrasts)
    if count < 2:
        return alpha
    rng = np.random.default_rng(seed)
    root = _correlation_root(np.stack(contrasts))
    draws = 50_000
    normal = rng.standard_normal((draws, root.shape[1])) @ root.T
    t = normal / np.sqrt(rng.chisquare(df, (draws, count)) / df)
    smallest = 2 * stdtr(df, -np.abs(t).max(axis=1))
    return float(np.clip(np.quantile(smallest, alpha), alpha / count, alpha))


def correlation(first: Estimate, second: Estimate, between: Estimate) -> float:
    """Correlation of two estimates from the standard error of their difference `between`."""
    a, b, c = first.standard_error, second.standard_error, between.standard_error
    return float(np.clip((a**2 + b**2 - c**2) / (2 * a * b), -1, 1)) if a and b else 1.0


def _one_item(counts: Array, scores: Array, measure: Measure) -> float:
    items = counts[0].sum()
    n_labels = counts.shape[-2]
    squares = np.zeros(len(counts))
    for label in range(n_labels):
        turned = counts.copy()
        turned[:, label, label] -= 1
        turned[:, label, -1] += 1
        share = counts[:, label].sum(-1) / items
        possible = counts[:, label, label] > 0
        squares += np.where(possible, share * (items * (scores - measure(turned))) ** 2, 0.0)
    return math.sqrt(float(squares.mean()))


def _kurtosis_df(centred: Array) -> float:
    """Degrees of freedom of a sample variance whose values are not normal: 2 / (2/(n−1) + κ/n), κ the excess kurtosis.

    Macro-F1 with a rare label hangs on a few items with large pseudo-values; counting all items as degrees of freedom
    would promise a precision that those few cannot give.
    """
    count = centred.size
    if count < 3:
        return 1.0
    squares = centred * centred
    square = float(squares.mean())
    kurtosis = max(float((squares * squares).mean()) / square**2 - 3, 0.0) if square > 0 else 0.0
    return max(2 / (2 / (count - 1) + kurtosis / count), 1.0)


def _correlation_root(contrasts: Array) -> Array:
    """Matrix A with A·Aᵀ the crossed correlation of `contrasts` (count, replicates, items)."""
    count, replicates, items = contrasts.shape
    by_replicate = contrasts.mean(axis=2)
    by_item = contrasts.mean(axis=1)
    grand = by_replicate.mean(axis=1)
    residual = contrasts - by_replicate[:, :, None] - by_item[:, None] + grand[:, None, None]
    flat = residual.reshape(count, -1)
    rows, columns = by_replicate - grand[:, None], by_item - grand[:, None]
    covariance = columns @ columns.T / (items * max(items - 1, 1))
    if replicates > 1:
        covariance += rows @ rows.T / (replicates * (replicates - 1))
        covariance -= flat @ flat.T / (replicates * items * (replicates - 1) * max(items - 1, 1))
    scale = np.sqrt(np.maximum(np.diagonal(covariance), 1e-18))
    values, vectors = np.linalg.eigh(covariance / np.outer(scale, scale))
    root = vectors * np.sqrt(np.maximum(values, 0))
    return np.asarray(root / np.sqrt(np.maximum((root**2).sum(axis=1, keepdims=True), 1e-18)))
