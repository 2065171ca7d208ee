"""The scores of one model on its test items, with intervals over the items.

They say how well this very model does on texts like these. What another training run would give, they do not say.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from scipy.stats import binomtest

from sentisynth_hub.metrics.classification import METRICS, Array, confusion_counts
from sentisynth_hub.verdict.statistics.bootstrap import crossed_bootstrap


ALPHA = 0.05
_RESAMPLES = 2_000


class ItemScore(NamedTuple):
    """A score and its 95 % interval."""

    value: float
    low: float
    high: float


def single_model_scores(y: Array, predicted: Array, n_labels: int) -> Mapping[str, ItemScore]:
    """Every metric of one model, by the metric's key.

    Accuracy has Wilson's interval, the others the percentile interval of the bootstrap over items. A bootstrap of a
    model that is always right has no width at all; there every metric is 1 and has the interval of the accuracy.

    Args:
        y: True labels, (items,).
        predicted: Predicted labels, (items,); `NO_ANSWER` is wrong.
        n_labels: Labels of the task.
    """
    counts = confusion_counts(y, predicted, n_labels)
    right = int((y == predicted).sum())
    wilson = binomtest(right, len(y)).proportion_ci(1 - ALPHA, method="wilson")
    scores = {}
    for name, metric in METRICS.items():
        if name == "accuracy" or right == len(y):
            low, high = float(wilson.low), float(wilson.high)
        else:
            resampled = crossed_bootstrap(y, {"model": predicted[None]}, n_labels, name, resamples=_RESAMPLES, seed=0)
            low, high = resampled.interval({"model": 1.0}, ALPHA)
        scores[name] = ItemScore(float(np.round(metric(counts), 12)), low, high)
    return scores
