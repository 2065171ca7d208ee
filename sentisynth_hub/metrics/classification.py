"""Accuracy and F1 from confusion counts, for whole stacks of trials, resamples and left-out items at once.

Every function takes counts of shape (..., labels, labels + 1): true label by predicted label, the last column for
items a variant gave no answer to (`NO_ANSWER`; an LLM asked for a label may refuse). No answer is a wrong answer. The
averages run over all labels of the study, and an F1 without any true or predicted item is 0, exactly as
`sklearn.metrics.f1_score(..., labels=range(n_labels), zero_division=0)`.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt


Array = npt.NDArray[Any]
Measure = Callable[[Array], Array]
"""A metric: confusion counts (..., labels, labels + 1) to values (...)."""
NO_ANSWER = -1
"""In an array of predictions: the variant gave no label for this item."""


def confusion_counts(y: Array, predicted: Array, n_labels: int) -> Array:
    """Count true label × predicted label.

    Args:
        y: True labels, (items,), in 0..n_labels-1.
        predicted: Predicted labels, (..., items), in 0..n_labels-1 or `NO_ANSWER`.
        n_labels: Labels of the study.

    Returns:
        int64 counts (..., n_labels, n_labels + 1).
    """
    return count_cells(cell_of(y, predicted, n_labels), n_labels)


def count_cells(cells: Array, n_labels: int) -> Array:
    """Count the cells of `cell_of`: (..., items) to (..., n_labels, n_labels + 1)."""
    leading, items = cells.shape[:-1], cells.shape[-1]
    trials = int(np.prod(leading, dtype=np.int64))
    width = n_labels * (n_labels + 1)
    cells = cells.reshape(trials, items)
    flat = np.bincount((cells + np.arange(trials)[:, None] * width).ravel(), minlength=trials * width)
    return flat.reshape(*leading, n_labels, n_labels + 1)


def cell_of(y: Array, predicted: Array, n_labels: int) -> Array:
    """Number of the confusion cell each item falls in, (..., items), counted row by row."""
    column = np.where(predicted == NO_ANSWER, n_labels, predicted)
    return np.asarray(y.astype(np.int64) * (n_labels + 1) + column)


def accuracy(counts: Array) -> Array:
    """Share of right answers, (...)."""
    return _ratio(_hits(counts).sum(-1), counts.sum((-2, -1)))


def f1_per_class(counts: Array) -> Array:
    """F1 of each label, (..., labels): 2 TP / (2 TP + FP + FN)."""
    answered = counts[..., :-1]
    return _ratio(2 * _hits(counts), counts.sum(-1) + answered.sum(-2))


def precision_per_class(counts: Array) -> Array:
    """Precision of each label, (..., labels)."""
    return _ratio(_hits(counts), counts[..., :-1].sum(-2))


def recall_per_class(counts: Array) -> Array:
    """Recall of each label, (..., labels)."""
    return _ratio(_hits(counts), counts.sum(-1))


def macro_f1(counts: Array) -> Array:
    """Mean F1 over the labels, (...)."""
    return np.asarray(f1_per_class(counts).mean(-1))


def weighted_f1(counts: Array) -> Array:
    """Mean F1 weighted by each label's true items, (...)."""
    support = counts.sum(-1)
    return _ratio((f1_per_class(counts) * support).sum(-1), support.sum(-1))


METRICS: dict[str, Measure] = {
    "accuracy": accuracy,
    "macro_f1": macro_f1,
    "weighted_f1": weighted_f1,
}
"""The metrics a verdict can stand on, by the key a recipe names them with."""


def _hits(counts: Array) -> Array:
    return np.diagonal(counts, axis1=-2, axis2=-1)


def _ratio(part: Array, whole: Array) -> Array:
    part, whole = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    return np.divide(part, whole, out=np.zeros(np.broadcast_shapes(part.shape, whole.shape)), where=whole > 0)
