"""Differences between variants, whichever way the study was designed.

nested, conditional: replicates × items, two-way crossed (`crossed.py`). The arithmetic is the same; what differs is
what a replicate is a draw of, and so what the interval speaks about. nested: a natural sample with everything made
from it (the recipe). conditional: initialisation, order and a bootstrap of one natural sample (this corpus).
cross_fitted: repeated folds; a replicate is one repetition, which tests every row once. Models of somebody else have
one of the two forms.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from sentisynth_hub.metrics.classification import METRICS, Array
from sentisynth_hub.study.predictions import StudyPredictions
from sentisynth_hub.verdict.evaluation_parts import BY_FOLD, BootstrapCheck, Comparison, Design, Reading, RowGains
from sentisynth_hub.verdict.statistics.bootstrap import Resampled
from sentisynth_hub.verdict.statistics.crossed import (
    Estimate,
    combine,
    cross_fitted,
    joint_alpha,
    overlapping,
    pseudo_values,
    two_way,
)


@dataclass(frozen=True)
class Dependence:
    """What is known of units that are not independent; see `crossed.py`.

    Attributes:
        clusters: The cluster of each test item as an integer, (items,); None: every item stands for itself.
        overlap: Mean share of their natural rows that two replicates have in common, 0 to under 1.
        training_share: Cross-fitting only: share of all rows a fold model learns from; None: all folds but its own.
        fixed: There is one replicate and no other would be different, so that the items alone decide.
    """

    clusters: Array | None = None
    overlap: float = 0.0
    training_share: float | None = None
    fixed: bool = False

    def estimate(self, values: Array, value: float, one_item: float) -> Estimate:
        """Estimate a mean from its pseudo-values, (replicates, items or clusters)."""
        estimate = two_way(values, value, one_item, fixed=self.fixed)
        replicates = len(values)
        return overlapping(estimate, replicates, self.overlap) if self.overlap and replicates > 1 else estimate


INDEPENDENT = Dependence()


class Arms:
    """All variants of a study, ready to be compared on one metric."""

    def __init__(
        self, predictions: StudyPredictions, metric: str, design: Design, dependence: Dependence | None = None
    ):
        self.predictions, self.metric = predictions, metric
        self.crossed = design not in BY_FOLD
        self.dependence = dependence or INDEPENDENT
        clusters = self.dependence.clusters if self.crossed else None  # cross-fitting sums by cluster at the end
        self.parts = {
            name: pseudo_values(predictions.y, predicted, predictions.n_labels, METRICS[metric], clusters)
            for name, predicted in predictions.variants.items()
        }

    @property
    def units(self) -> int:
        """What varies beside the items: replicates, or fold models when cross-fitting."""
        replicates = self.predictions.replicates
        return replicates if self.crossed else replicates * self._folds

    def scores(self, variant: str) -> Array:
        """The metric of each replicate; when cross-fitting of each repetition, over the test rows of all its folds."""
        return self.parts[variant].scores

    def estimate(self, weights: Mapping[str, float]) -> Estimate:
        """Estimate Σ weight × metric."""
        value = sum(weight * float(self.parts[name].scores.mean()) for name, weight in weights.items())
        one_item = max(abs(weight) * self.parts[name].one_item for name, weight in weights.items())
        if self.crossed:
            return self.dependence.estimate(combine(self.parts, weights), value, one_item)
        folds, share = self.predictions.folds, self.dependence.training_share
        assert folds is not None
        training_share = 1 - 1 / self._folds if share is None else share
        values = combine(self.parts, weights)
        return cross_fitted(values, value, folds, training_share, self.dependence.clusters, one_item)

    def difference(self, variant: str, baseline: str) -> Estimate:
        """Estimate variant − baseline."""
        return self.estimate({variant: 1.0, baseline: -1.0})

    def alpha_each(self, variants: Sequence[str], baseline: str, alpha: float, seed: int) -> float:
        """Level for each of the differences to `baseline` so that all their intervals hold together."""
        if not self.crossed or (self.units < 2 and not self.dependence.fixed):
            return alpha / max(len(variants), 1)
        contrasts = [combine(self.parts, {name: 1.0, baseline: -1.0}) for name in variants]
        df = contrasts[0].shape[1] - 1 if self.dependence.fixed and contrasts else self.units - 1
        return joint_alpha(contrasts, max(df, 1), alpha, seed)

    @property
    def _folds(self) -> int:
        assert self.predictions.folds is not None
        return int(self.predictions.folds.max()) + 1


def compare(
    arms: Arms,
    variant: str,
    baseline: str,
    family: Literal["primary", "secondary"],
    alpha: float,
    margin: float,
    resampled: Resampled | None,
    *,
    readable: bool = True,
) -> Comparison:
    """Compare `variant` with `baseline` at level `alpha`; without a reading where the test rows do not allow one."""
    estimate = arms.difference(variant, baseline)
    interval = estimate.interval(alpha)
    return Comparison(
        variant=variant,
        baseline=baseline,
        family=family,
        difference=estimate.value,
        interval=interval,
        alpha=alpha,
        p=estimate.p_value(),
        standard_error=estimate.standard_error if interval is not None else None,
        parts={
            "replicate": estimate.replicate_variance - estimate.deducted,
            "item": estimate.item_variance,
            "residual": estimate.residual_variance,
        },
        reading=read(interval if readable else None, margin),
        counts=count_rows(arms.predictions, variant, baseline),
        bootstrap=_check(resampled, variant, baseline, interval, alpha) if resampled else None,
    )


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


def count_rows(study: StudyPredictions, variant: str, baseline: str) -> RowGains:
    """Test rows that `variant` gets right in more replicates than `baseline` does, and in fewer."""
    hits = [(study.predicted(name) == study.y).sum(axis=0) for name in (variant, baseline)]
    return RowGains(better=int((hits[0] > hits[1]).sum()), worse=int((hits[0] < hits[1]).sum()), rows=study.items)


def _check(
    resampled: Resampled, variant: str, baseline: str, interval: tuple[float, float] | None, alpha: float
) -> BootstrapCheck:
    weights = {variant: 1.0, baseline: -1.0}
    low, high = resampled.interval(weights, alpha)
    excluded = interval is not None and not interval[0] <= 0 <= interval[1]
    return BootstrapCheck(
        interval=(low, high), p=resampled.p_value(weights), agrees=excluded == (not low <= 0 <= high)
    )
