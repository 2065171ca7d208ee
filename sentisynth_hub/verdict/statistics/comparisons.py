"""Differences between variants, whichever way the study was designed.

nested, conditional: replicates × items, two-way crossed (`crossed.py`). The arithmetic is the same; what differs is
what a replicate is a draw of, and so what the interval speaks about. nested: a natural sample with everything made
from it (the recipe). conditional: initialisation, order and a bootstrap of one natural sample (this corpus).
cross_fitted: repeated folds; every (repetition, fold) gives one difference on its own test fold, with the corrected
variance.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, TypedDict

import numpy as np

from sentisynth_hub.metrics.classification import METRICS, Array, confusion_counts
from sentisynth_hub.verdict.predictions import StudyPredictions
from sentisynth_hub.verdict.statistics.bootstrap import Resampled
from sentisynth_hub.verdict.statistics.crossed import (
    Estimate,
    PseudoValues,
    combine,
    contrast,
    corrected_resampled,
    joint_alpha,
    pseudo_values,
)


Design = Literal["nested", "conditional", "cross_fitted"]
Reading = Literal["better", "worse", "no difference that matters", "undecided", "no verdict"]


class BootstrapCheck(TypedDict):
    """The same difference by the crossed bootstrap; `agrees`: both intervals leave out 0, or neither does."""

    interval: tuple[float, float]
    p: float
    agrees: bool


class Comparison(TypedDict):
    """One difference `variant − baseline` on the study's metric.

    `family`: `primary` carries the verdict; the intervals of all `secondary` ones hold together. `alpha` is the level
    of this interval, and what `p` is to be held against; `parts` the shares of its variance (replicate includes
    residual). `reading` follows from the interval alone.
    """

    variant: str
    baseline: str
    family: Literal["primary", "secondary"]
    difference: float
    interval: tuple[float, float] | None
    alpha: float
    p: float | None
    standard_error: float | None
    parts: dict[str, float]
    reading: Reading
    bootstrap: BootstrapCheck | None


class Arms:
    """All variants of a study, ready to be compared on one metric."""

    def __init__(self, predictions: StudyPredictions, metric: str, design: Design):
        self.predictions, self.metric = predictions, metric
        self.crossed = design != "cross_fitted"
        measure = METRICS[metric]
        self.parts: dict[str, PseudoValues] = {}
        self.folds: dict[str, Array] = {}
        for name, predicted in predictions.variants.items():
            if self.crossed:
                self.parts[name] = pseudo_values(predictions.y, predicted, predictions.n_labels, measure)
            else:
                self.folds[name] = measure(_fold_counts(predictions, predicted))

    @property
    def units(self) -> int:
        """What varies beside the items: replicates, or fold models when cross-fitting."""
        return self.predictions.replicates if self.crossed else next(iter(self.folds.values())).size

    def scores(self, variant: str) -> Array:
        """The metric of each replicate (of each repetition and fold when cross-fitting)."""
        return self.parts[variant].scores if self.crossed else self.folds[variant]

    def estimate(self, weights: Mapping[str, float]) -> Estimate:
        """Estimate Σ weight × metric."""
        if self.crossed:
            return contrast(self.parts, weights)
        values = np.asarray(sum(weight * self.folds[name] for name, weight in weights.items()))
        return corrected_resampled(values, _test_share(self.predictions))

    def difference(self, variant: str, baseline: str) -> Estimate:
        """Estimate variant − baseline."""
        return self.estimate({variant: 1.0, baseline: -1.0})

    def alpha_each(self, variants: Sequence[str], baseline: str, alpha: float, seed: int) -> float:
        """Level for each of the differences to `baseline` so that all their intervals hold together."""
        if not self.crossed or self.units < 2:
            return alpha / max(len(variants), 1)
        contrasts = [combine(self.parts, {name: 1.0, baseline: -1.0}) for name in variants]
        return joint_alpha(contrasts, self.units - 1, alpha, seed)


def compare(
    arms: Arms,
    variant: str,
    baseline: str,
    family: Literal["primary", "secondary"],
    alpha: float,
    margin: float,
    resampled: Resampled | None,
) -> Comparison:
    """Compare `variant` with `baseline` at level `alpha`."""
    estimate = arms.difference(variant, baseline)
    interval = estimate.interval(alpha)
    known = interval is not None
    return {
        "variant": variant,
        "baseline": baseline,
        "family": family,
        "difference": estimate.value,
        "interval": interval,
        "alpha": alpha,
        "p": estimate.p_value(),
        "standard_error": estimate.standard_error if known else None,
        "parts": {
            "replicate": estimate.replicate_variance,
            "item": estimate.item_variance,
            "residual": estimate.residual_variance,
        },
        "reading": read(interval, margin),
        "bootstrap": _check(resampled, variant, baseline, interval, alpha) if resampled else None,
    }


def read(interval: tuple[float, float] | None, margin: float) -> Reading:
    """What an interval of a difference says."""
    if interval is None:
        return "no verdict"
    low, high = interval
    if low > 0:
        return "better"
    if high < 0:
        return "worse"
    return "no difference that matters" if -margin < low and high < margin else "undecided"


def _check(
    resampled: Resampled, variant: str, baseline: str, interval: tuple[float, float] | None, alpha: float
) -> BootstrapCheck:
    weights = {variant: 1.0, baseline: -1.0}
    low, high = resampled.interval(weights, alpha)
    told_apart = interval is not None and not interval[0] <= 0 <= interval[1]
    return {
        "interval": (low, high),
        "p": resampled.p_value(weights),
        "agrees": told_apart == (not low <= 0 <= high),
    }


def _fold_counts(predictions: StudyPredictions, predicted: Array) -> Array:
    """Confusion counts of every (repetition, fold), one after the other."""
    assert predictions.folds is not None
    counts = []
    for row, folds in zip(predicted, predictions.folds, strict=True):
        for fold in np.unique(folds):
            inside = folds == fold
            counts.append(confusion_counts(predictions.y[inside], row[inside], predictions.n_labels))
    return np.stack(counts)


def _test_share(predictions: StudyPredictions) -> float:
    """n_test / n_train of the folds."""
    assert predictions.folds is not None
    folds = int(predictions.folds.max()) + 1
    return 1 / (folds - 1)
