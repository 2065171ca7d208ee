"""The metrics of a study: one entry a metric, counted from labels or from probabilities.

Add a metric by adding an entry. Those of counts can carry a verdict (`study.metric`); those of probabilities are
reported beside it wherever every trial has probabilities.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sentisynth_hub.metrics.classification import METRICS, Array, Measure


LEAST_PROBABILITY = 1e-7
"""What the truth is given at least in the log-loss: predictions are stored as 32-bit numbers."""


@dataclass(frozen=True)
class MetricDefinition:
    """How predictions are scored.

    Attributes:
        name: Its key in recipes and in evaluation.json.
        help: What it is, in a line.
        lower_is_better: Losses: a negative difference is a gain.
        labels_weigh_the_same: However few rows a label has, so that a verdict needs enough rows of each.
        of_counts: From confusion counts (..., labels, labels + 1) to scores (...).
        of_probabilities: From true labels (items,) and probabilities (..., items, labels) to the score of every item,
            (..., items), whose mean is the metric.
    """

    name: str
    help: str
    lower_is_better: bool = False
    labels_weigh_the_same: bool = False
    of_counts: Measure | None = None
    of_probabilities: Callable[[Array, Array], Array] | None = None


def log_loss(y: Array, probabilities: Array) -> Array:
    """−log of the probability of the truth, item by item, in nats."""
    return np.asarray(-np.log(np.maximum(_of_truth(y, probabilities), LEAST_PROBABILITY)))


def brier(y: Array, probabilities: Array) -> Array:
    """Squared distance of the probabilities to the truth, item by item, over all labels (Brier 1950): 0 to 2."""
    return np.asarray((probabilities**2).sum(-1) - 2 * _of_truth(y, probabilities) + 1)


def _of_truth(y: Array, probabilities: Array) -> Array:
    return np.take_along_axis(probabilities, np.broadcast_to(y, probabilities.shape[:-1])[..., None], -1)[..., 0]


METRIC_TABLE: dict[str, MetricDefinition] = {
    metric.name: metric
    for metric in (
        MetricDefinition("accuracy", "share of right answers", of_counts=METRICS["accuracy"]),
        MetricDefinition(
            "macro_f1", "mean F1 of the labels", labels_weigh_the_same=True, of_counts=METRICS["macro_f1"]
        ),
        MetricDefinition("weighted_f1", "mean F1, labels by their share", of_counts=METRICS["weighted_f1"]),
        MetricDefinition("log_loss", "−log probability of the truth", lower_is_better=True, of_probabilities=log_loss),
        MetricDefinition("brier", "squared error of the probabilities", lower_is_better=True, of_probabilities=brier),
    )
}
