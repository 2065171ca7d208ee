"""Head mode: a linear classifier on features of a frozen encoder that are computed once.

Multinomial logistic regression, loss = mean cross-entropy + penalty/2 · ||weights − anchor||². Because the loss is a
mean and the penalty is chosen per variant on natural validation rows, repeating the training rows changes nothing; the
number of steps has no meaning here. Arithmetic is float64 on one thread, so that the result does not depend on the
launch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sentisynth_hub.pretrained.batching import fixed_threads


Array = npt.NDArray[Any]
PENALTIES = tuple(10.0**power for power in (2, 1.5, 1, 0.5, 0, -0.5, -1, -1.5, -2, -2.5, -3, -3.5, -4))
"""Penalties tried, strongest first: from no more than the direction between the label means to next to none."""
_TOLERANCE = 1e-6  # of the gradient's largest element, and relative to the loss
_ITERATIONS = 500
_PATIENCE = 2  # weaker penalties in a row that validate worse, after which no better one has to be expected


@dataclass(frozen=True)
class Head:
    """Weights (dimensions + 1, labels), the last row being the bias; `penalty` is the one they were fitted with."""

    weights: Array
    penalty: float

    def probabilities(self, x: Array) -> Array:
        """Probability of each label, (rows, labels)."""
        logits = x @ self.weights[:-1] + self.weights[-1]
        odds = np.exp(logits - logits.max(1, keepdims=True))
        return np.asarray(odds / odds.sum(1, keepdims=True))


@dataclass(frozen=True)
class Scaling:
    """One affine map for all variants of a replicate: features centred at the natural rows' mean, in units of their
    spread.
    """

    mean: Array
    spread: float

    @classmethod
    def of(cls, natural: Array) -> "Scaling":
        """Mean of each dimension, root mean square of their standard deviations, over the natural training rows."""
        x = natural.astype(np.float64)
        spread = float(np.sqrt(x.var(0).mean()))
        return cls(x.mean(0), spread if spread > 0 else 1.0)

    def apply(self, x: Array) -> Array:
        """The features as the head reads them, float64."""
        return np.asarray((x.astype(np.float64) - self.mean) / self.spread)

    def fold_into(self, weights: Array) -> Array:
        """Weights (dimensions + 1, labels) that give the same logits for features as they come."""
        raw = weights[:-1] / self.spread
        return np.concatenate([raw, weights[-1:] - self.mean @ raw])


def fit_head(
    stages: Sequence[tuple[Array, Array]],
    n_labels: int,
    validation: tuple[Array, Array],
    *,
    penalties: Sequence[float] = PENALTIES,
) -> Head:
    """Fit a head for each penalty and return the one with the least cross-entropy on `validation`.

    Args:
        stages: (features (rows, dimensions), labels (rows,)) of each stage. The anchor is zero in the first stage and
            the weights of the stage before in a later one, so that a later stage moves them no further than its own
            rows warrant.
        n_labels: Labels of the study; one without a row gets next to no probability.
        validation: Features and labels of natural validation rows.
        penalties: Strongest first; the path is followed from each to the next.
    """
    with fixed_threads(1):  # the matrices are small: trials are what is worth computing at the same time
        return _best_of_path(stages, n_labels, validation, penalties)


def _best_of_path(
    stages: Sequence[tuple[Array, Array]], n_labels: int, validation: tuple[Array, Array], penalties: Sequence[float]
) -> Head:
    best, best_loss, worse = None, np.inf, 0
    problems = [_Problem(x, y, n_labels) for x, y in stages]
    zero = np.zeros((stages[0][0].shape[1] + 1, n_labels))
    start = zero
    for penalty in penalties:
        anchor = zero
        for number, problem in enumerate(problems):
            anchor = problem.minimise(penalty, anchor, start if number == 0 else anchor)
            start = anchor if number == 0 else start
        head = Head(anchor, penalty)
        loss = float(cross_entropy(head.probabilities(validation[0]), validation[1]).mean())
        if loss < best_loss:
            best, best_loss, worse = head, loss, 0
        else:
            worse += 1
        if worse == _PATIENCE:
            break
    assert best is not None, "no penalty gave a finite validation loss"
    return best


def cross_entropy(probabilities: Array, y: Array) -> Array:
    """Negative log probability of each true label, (rows,), in nats."""
    return np.asarray(-np.log(np.clip(probabilities[np.arange(len(y)), y], 1e-12, None)))


class _Problem:
    """One stage's rows, turned into the directions in which they vary.

    An encoder's features vary much more in some directions than in others, which a minimiser has to find out step by
    step. In the principal directions, each in units of the loss's expected curvature there (its variance over the
    number of labels, plus the penalty), the same minimum is fewer steps away.
    """

    def __init__(self, x: Array, y: Array, n_labels: int):
        import torch

        self._variances, self._directions = np.linalg.eigh(x.T @ x / len(x))
        self._rows = torch.from_numpy(np.ascontiguousarray(x @ self._directions))
        truth = torch.from_numpy(y)
        self._truth = torch.nn.functional.one_hot(truth, n_labels).to(torch.float64)
        self._labels = n_labels

    def minimise(self, penalty: float, anchor: Array, start: Array) -> Array:
        """Weights with the least penalised loss; the bias is not penalised."""
        import torch
        from scipy.optimize import minimize

        rows, truth, shape = self._rows, self._truth, anchor.shape
        units = 1 / np.sqrt(np.maximum(self._variances, 0) / self._labels + penalty)
        unit = torch.from_numpy(np.append(units, 1.0)[:, None])
        origin = torch.from_numpy(self._turned(anchor))

        def loss_and_gradient(flat: Array) -> tuple[float, Array]:
            weights = torch.from_numpy(flat.reshape(shape)) * unit
            log_probability = torch.log_softmax(rows @ weights[:-1] + weights[-1], 1)
            pull = (weights - origin)[:-1]
            loss = -(log_probability * truth).sum() / len(truth) + penalty / 2 * (pull**2).sum()
            error = (log_probability.exp() - truth) / len(truth)
            gradient = torch.cat([rows.T @ error + penalty * pull, error.sum(0, keepdim=True)]) * unit
            return float(loss), gradient.numpy().ravel()

        found = minimize(
            loss_and_gradient,
            (self._turned(start) / unit.numpy()).ravel(),
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": _ITERATIONS, "gtol": _TOLERANCE, "ftol": 1e-10},
        )
        return self._turned_back(np.asarray(found.x).reshape(shape) * unit.numpy())

    def _turned(self, weights: Array) -> Array:
        """Weights for the features as they came, for the turned ones; the bias stays."""
        return np.concatenate([self._directions.T @ weights[:-1], weights[-1:]])

    def _turned_back(self, weights: Array) -> Array:
        return np.concatenate([self._directions @ weights[:-1], weights[-1:]])
