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

Where units are not independent:

- Items in clusters (near-duplicates, one author, one thread) are summed by cluster first; the clusters are then what
  "item" means above. A sum is centred on its replicate's mean, so that a cluster's size is no error of its own.
- Replicates whose natural samples share a part ρ of their rows are correlated by at most ρ (Hoeffding 1948: the
  covariance of two symmetric statistics over n rows, c of them shared, is at most c/n of the variance). Their mean has
  then the variance V_R·f − V_E·(f − 1) with f = (1 + (R − 1)ρ) / (1 − ρ); simulated, the interval
  ± sqrt(t²(R−1)·V_R·f − V_E·(f − 1) + ...) keeps its level at any ratio of the parts.
- Replicates that are all the same (a head on the same rows and the same corpus) are one, and items alone decide.
- Cross-fitting: see `cross_fitted`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

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
        values: Jackknife pseudo-values, (replicates, items), or (replicates, clusters) of items that belong together.
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
        deducted: Part of `replicate_variance` that overlapping replicates do not share, so it was counted too often.
    """

    value: float
    replicate_variance: float
    item_variance: float
    residual_variance: float
    replicate_df: float
    item_df: float
    deducted: float = 0.0

    @property
    def standard_error(self) -> float:
        """Square root of the whole variance; NaN with one replicate."""
        if not self.replicate_df:
            return math.nan
        return math.sqrt(self.replicate_variance - self.deducted + self.item_variance)

    def spread(self, probability: float) -> float:
        """Distance the estimate keeps to its true value on one side with at least this probability (> 0.5)."""
        if not self.replicate_df:
            return math.nan
        t_replicates, t_items = (float(stdtrit(df, probability)) for df in (self.replicate_df, self.item_df))
        deducted = min(t_replicates**2, 1.0) * self.deducted
        return math.sqrt(t_replicates**2 * self.replicate_variance - deducted + t_items**2 * self.item_variance)

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


def pseudo_values(
    y: Array, predicted: Array, n_labels: int, measure: Measure, clusters: Array | None = None
) -> PseudoValues:
    """Take a metric of one variant apart.

    Args:
        y: True labels, (items,).
        predicted: Predicted labels, (replicates, items).
        n_labels: Labels of the study.
        measure: Any function of confusion counts.
        clusters: The cluster of each item as an integer, (items,), where some belong together.

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
    return PseudoValues(scores, by_cluster(values, clusters), _one_item(counts, scores, measure))


def by_cluster(values: Array, clusters: Array | None) -> Array:
    """Values of items, (replicates, items), as values of clusters, (replicates, clusters), with the same means.

    >>> by_cluster(np.array([[1.0, 0.0, 0.5]]), np.array([7, 7, 9]))
    array([[0.5, 0.5]])
    """
    if clusters is None:
        return values
    _, place, sizes = np.unique(clusters, return_inverse=True, return_counts=True)
    if sizes.size == values.shape[1]:
        return values
    means = values.mean(axis=1, keepdims=True)
    sums = np.stack([np.bincount(place, weights=row, minlength=sizes.size) for row in values - means])
    return np.asarray(sums * sizes.size / values.shape[1] + means)


def contrast(parts: Mapping[str, PseudoValues], weights: Mapping[str, float]) -> Estimate:
    """Estimate Σ weight × metric over variants; {"mixed": 1, "natural": -1} is a difference, {"mixed": 1} a score."""
    value = sum(weight * float(parts[name].scores.mean()) for name, weight in weights.items())
    one_item = max(abs(weight) * parts[name].one_item for name, weight in weights.items())
    return two_way(combine(parts, weights), value, one_item)


def combine(parts: Mapping[str, PseudoValues], weights: Mapping[str, float]) -> Array:
    """Σ weight × pseudo-values, (replicates, items)."""
    return np.asarray(sum(weight * parts[name].values for name, weight in weights.items()))


def two_way(values: Array, value: float, one_item: float = 0.0, *, fixed: bool = False) -> Estimate:
    """Two-way crossed variance of the mean of `values` (replicates, items), reported for the estimate `value`.

    With `fixed`, `values` has one replicate and no other would be different: the items are all that varies.

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
        replicate_df=math.inf if fixed else replicates - 1,
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


def overlapping(estimate: Estimate, replicates: int, overlap: float) -> Estimate:
    """The estimate where two replicates share the part `overlap` (under 1) of their natural rows, on average."""
    factor = (1 + (replicates - 1) * overlap) / (1 - overlap)
    return replace(
        estimate,
        replicate_variance=estimate.replicate_variance * factor,
        deducted=estimate.residual_variance * (factor - 1),
    )


MOVED_TOGETHER = 1.5
"""How strongly other training rows move unstable items in one direction; found by simulation, see `cross_fitted`."""


def cross_fitted(
    values: Array,
    value: float,
    folds: Array,
    training_share: float,
    clusters: Array | None = None,
    one_item: float = 1.0,
) -> Estimate:
    """Estimate from repeated cross-fitting: every row is tested once a repetition, by a model trained on other rows.

    The rows are both test items and, in other folds, training rows, and no estimate from one data set is unbiased for
    the variance of that (Bengio and Grandvalet 2004). Three parts are added:

        V_M         between the fold models, each around what its items score on average; J − 1 degrees of freedom
        V_I − V_E   between the items, averaged over the repetitions
        V_T         what all models have in common: σ²/N · s · MOVED_TOGETHER · f/(1 − f)

    σ² is how much an item's value varies from repetition to repetition, s the same as a share of items (σ² over the
    square of one item's weight): other training rows move the score through the items that are unstable, so the common
    part grows with the square of their number. f is the share of all rows a model trains on: two models differ in a
    part 1 − f of their rows, so what they have in common is f/(1 − f) times what repetitions can show. Simulated with
    classifiers that are really trained (docs/results/cross-fitting.md), the interval covers, where Nadeau and Bengio's
    correction of fold differences (2003) is much wider than it need be.

    Args:
        values: Pseudo-values of a contrast, (repetitions, items).
        value: The estimate they belong to.
        folds: The fold each item was tested in, (repetitions, items).
        training_share: f.
        clusters: As in `pseudo_values`.
        one_item: As in `two_way`.
    """
    repetitions, items = values.shape
    common = MOVED_TOGETHER * training_share / (1 - training_share)
    units = by_cluster(values, clusters)
    _, by_item, _ = variance_parts(units)
    item_means = values.mean(axis=0)
    item_df = _kurtosis_df(units.mean(axis=0) - units.mean())
    least = 2 * one_item**2 / (units.shape[1] + 2) ** 2
    if repetitions == 1:  # an item's instability is not known; it is at most all the item shows
        models = _fold_means(values - item_means.mean(), folds)
        between = float(models.var(ddof=1)) / models.size
        together = by_item * common * min(by_item * items / one_item**2, 1.0)
        return Estimate(value, between, max(together, least - between), 0.0, models.size - 1, item_df)
    residuals = values - item_means
    bessel = repetitions / (repetitions - 1)  # residuals are taken around means of as many repetitions
    models = _fold_means(residuals, folds)
    between = float((models**2).mean()) * bessel / models.size
    unstable = float((residuals**2).mean()) * bessel
    averaged = unstable / items / repetitions
    together = unstable / items * common * min(unstable / one_item**2, 1.0)
    return Estimate(
        value,
        replicate_variance=between,
        item_variance=max(max(by_item - averaged, 0.0) + together, least - between),
        residual_variance=min(averaged, between),
        replicate_df=models.size - 1,
        item_df=item_df,
    )


def _fold_means(values: Array, folds: Array) -> Array:
    """Mean value in each fold of each repetition, (repetitions · folds,)."""
    return np.array(
        [row[fold == number].mean() for row, fold in zip(values, folds, strict=True) for number in np.unique(fold)]
    )


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
