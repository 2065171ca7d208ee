"""A linear classifier on features of a frozen encoder: multinomial logistic regression, many fits at a time.

    fits = best_fits([Rows(x, y, weights)], n_labels, Scored(x, y, held))      # every penalty, in every fold
    fits.head.probabilities(scaling.apply(unseen))

The loss of one fit is the weighted mean of its rows' cross-entropy + penalty/2 · ||weights − anchor||²; the bias is
not penalised. Because the loss is a mean and the penalty is chosen for every variant, repeating the rows changes
nothing, and the number of steps has no meaning here.

Made by hand, because the fits of all folds are one minimisation: one matrix of features serves them all, in the span
of its rows (fewer directions than dimensions where rows are few, and the same minimum), and each penalty starts where
the one before ended. `benchmarks/training.py --part heads` measures it beside scikit-learn's `LogisticRegressionCV`.
Arithmetic is float64 on one thread, so that the result does not depend on the launch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


Array = npt.NDArray[Any]
PENALTIES = tuple(10.0**power for power in (2, 1.5, 1, 0.5, 0, -0.5, -1, -1.5, -2, -2.5, -3, -3.5, -4))
"""Penalties tried, strongest first: from no more than the direction between the label means to next to none."""
_TOLERANCE = 1e-6  # of the gradient's largest element, in units of the expected curvature
_ITERATIONS = 500
_PATIENCE = 2  # weaker penalties in a row that score worse, after which no better one has to be expected
_NO_DIRECTION = 1e-12  # of the largest variance: below it a direction is rounding


@dataclass(frozen=True)
class Head:
    """Weights (dimensions + 1, labels), the last row being the bias; `penalty` is the one they were fitted with."""

    weights: Array
    penalty: float

    def probabilities(self, x: Array) -> Array:
        """Probability of each label, (rows, labels)."""
        return np.asarray(_probabilities(self.weights[None], x)[0])


@dataclass(frozen=True)
class Scaling:
    """The features as a head reads them: of length 1, centred at the natural rows' mean, in units of their spread.

    A mean-pooled vector is the shorter the more tokens it is the mean of; at length 1 no head can read how long a text
    is.
    """

    mean: Array
    spread: float

    @classmethod
    def of(cls, natural: Array) -> "Scaling":
        """Mean of each dimension, root mean square of their standard deviations, over the natural training rows."""
        x = _unit(natural)
        spread = float(np.sqrt(x.var(0).mean()))
        return cls(x.mean(0), spread if spread > 0 else 1.0)

    def apply(self, x: Array) -> Array:
        """The features as the head reads them, float64."""
        return np.asarray((_unit(x) - self.mean) / self.spread)

    def fold_into(self, weights: Array) -> Array:
        """Weights (dimensions + 1, labels) that give the same logits for features of length 1."""
        raw = weights[:-1] / self.spread
        return np.concatenate([raw, weights[-1:] - self.mean @ raw])


@dataclass(frozen=True)
class Rows:
    """The rows of one stage, in every fit: features (rows, dimensions), labels (rows,) or (fits, rows), weights
    (fits, rows).

    A weight of 0 leaves the row out of that fit. Only the proportions of a fit's weights matter.
    """

    x: Array
    y: Array
    weights: Array


@dataclass(frozen=True)
class Scored:
    """The rows that choose the penalty: features (rows, dimensions), labels (rows,), and which fit scores which row,
    (fits, rows), bool.

    In cross-validation `held[f]` is the fold that fit f does not see, and False everywhere for the fit to all rows.
    """

    x: Array
    y: Array
    held: Array


@dataclass(frozen=True)
class Fits:
    """The fits at the best penalty.

    Attributes:
        penalty: The penalty.
        weights: (fits, dimensions + 1, labels).
        losses: Cross-entropy of each scored row in nats, (rows,), the mean over the fits that score it.
        probabilities: Probability of each label of each scored row, (rows, labels), likewise.
    """

    penalty: float
    weights: Array
    losses: Array
    probabilities: Array

    @property
    def head(self) -> Head:
        """The last fit, by convention the one to all rows."""
        return Head(self.weights[-1], self.penalty)

    def probabilities_of(self, x: Array) -> Array:
        """What every fit says of other rows, (fits, rows, labels)."""
        return _probabilities(self.weights, x)


def best_fits(
    stages: Sequence[Rows], n_labels: int, scored: Scored, *, penalties: Sequence[float] = PENALTIES
) -> Fits:
    """Fit every penalty and return the fits whose mean cross-entropy over the scored rows is least.

    Args:
        stages: The anchor is zero in the first stage and the weights of the stage before in a later one, so that a
            later stage moves them no further than its own rows warrant.
        n_labels: Labels of the study; one without a row gets next to no probability.
        scored: Natural rows, each scored by fits that have not seen it.
        penalties: Strongest first; the path is followed from each to the next.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with threadpool_limits(1, user_api="blas"):  # trials are what is worth computing at the same time
        return _best_of_path(stages, n_labels, scored, penalties)


def cross_validated(x: Array, y: Array, n_labels: int, folds: Array, *, weights: Array | None = None) -> Fits:
    """Choose the penalty by cross-validation over the rows and fit all of them with it.

    Args:
        x: Features as `Scaling` gives them, (rows, dimensions).
        y: Labels, (rows,).
        n_labels: Labels there are.
        folds: Fold of each row in each repetition, (repetitions, rows).
        weights: A weight a row, (rows,); None: all alike.

    Returns:
        `weights[:-1]` are the fits of the folds, repetition by repetition; `head` is the one to all rows;
        `probabilities` are those of fits that have not seen the row.
    """
    held = held_out(folds)
    kept = (~held).astype(np.float64) * (1.0 if weights is None else weights)
    return best_fits([Rows(x, y, kept)], n_labels, Scored(x, y, held))


def held_out(folds: Array) -> Array:
    """Which fit leaves which row out, (fits, rows), bool: a fit a fold and repetition, and a last one to all rows.

    >>> held_out(np.array([[0, 1, 0]])).tolist()
    [[True, False, True], [False, True, False], [False, False, False]]
    """
    numbers = np.arange(int(folds.max()) + 1)
    by_fold = folds[:, None, :] == numbers[None, :, None]
    return np.concatenate([by_fold.reshape(-1, folds.shape[1]), np.zeros((1, folds.shape[1]), bool)])


def cross_entropy(probabilities: Array, y: Array) -> Array:
    """Negative log probability of each true label, (..., rows), in nats."""
    return np.asarray(-np.log(np.clip(probabilities[..., np.arange(len(y)), y], 1e-12, None)))


def _best_of_path(stages: Sequence[Rows], n_labels: int, scored: Scored, penalties: Sequence[float]) -> Fits:
    problems = [_Problem(rows, n_labels) for rows in stages]
    zero = np.zeros((len(stages[0].weights), stages[0].x.shape[1] + 1, n_labels))
    times = np.maximum(scored.held.sum(0), 1)
    best: Fits | None = None
    start, worse = zero, 0
    for penalty in penalties:
        anchor = zero
        for number, problem in enumerate(problems):
            anchor = problem.minimise(penalty, anchor, start if number == 0 else anchor)
            start = anchor if number == 0 else start
        probabilities = _probabilities(anchor, scored.x)
        losses = (cross_entropy(probabilities, scored.y) * scored.held).sum(0) / times
        if best is None or losses.mean() < best.losses.mean():
            mean = (probabilities * scored.held[..., None]).sum(0) / times[:, None]
            best, worse = Fits(penalty, anchor, losses, mean), 0
        else:
            worse += 1
        if worse == _PATIENCE:
            break
    assert best is not None, "there is at least one penalty"
    return best


class _Problem:
    """One stage's rows in all fits, turned into the directions in which they vary.

    An encoder's features vary much more in some directions than in others, which a minimiser has to find out step by
    step. In the principal directions, each in units of the loss's expected curvature there (its variance over the
    number of labels, plus the penalty), the same minimum is fewer steps away. What the rows do not span stays at the
    anchor, since nothing but the penalty pulls there.
    """

    def __init__(self, rows: Rows, n_labels: int):
        self._x, self._labels = rows.x, n_labels
        total = rows.weights.sum(1, keepdims=True)
        weights = (rows.weights / np.where(total > 0, total, 1.0)).T
        labels = np.arange(n_labels)[:, None, None] == np.broadcast_to(rows.y, rows.weights.shape).T
        self._weights, self._truth = np.ascontiguousarray(weights), labels * weights
        self._variances, self._directions = _directions(np.sqrt(weights.mean(1))[:, None] * rows.x)
        self._turned = np.ascontiguousarray(rows.x @ self._directions)

    def minimise(self, penalty: float, anchor: Array, start: Array) -> Array:
        """Weights with the least penalised loss in every fit, (fits, dimensions + 1, labels).

        `anchor` and `start` have the same shape. Inside, the labels come first and the fits last: what is done label
        by label is then done to whole matrices.
        """
        from scipy.optimize import minimize

        x, weights, truth = self._turned, self._weights, self._truth
        shape = (self._labels, x.shape[1] + 1, weights.shape[1])
        units = np.append(1 / np.sqrt(np.maximum(self._variances, 0) / self._labels + penalty), 1.0)[:, None]
        offset = _logits(anchor, self._x).transpose(2, 1, 0) if anchor.any() else 0.0

        def loss_and_gradient(flat: Array) -> tuple[float, Array]:
            moved = flat.reshape(shape) * units
            logits = x @ moved[:, :-1] + moved[:, -1:] + offset
            logits -= logits.max(0)
            odds = np.exp(logits)
            total = odds.sum(0)
            loss = np.vdot(np.log(total), weights) - np.vdot(logits, truth)
            error = odds * (weights / total) - truth
            gradient = np.empty(shape)
            gradient[:, :-1] = x.T @ error + penalty * moved[:, :-1]
            gradient[:, -1] = error.sum(1)
            gradient *= units
            return float(loss + penalty / 2 * np.vdot(moved[:, :-1], moved[:, :-1])), gradient.ravel()

        result = minimize(
            loss_and_gradient,
            (self._turn(start - anchor) / units).ravel(),
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": _ITERATIONS, "gtol": _TOLERANCE, "ftol": _TOLERANCE / 1e4},
        )
        moved = np.asarray(result.x).reshape(shape) * units
        back = np.concatenate([self._directions @ moved[:, :-1], moved[:, -1:]], axis=1)
        return np.asarray(anchor + back.transpose(2, 1, 0))

    def _turn(self, weights: Array) -> Array:
        """Weights for the features as they came, (fits, dimensions + 1, labels), for the turned ones, labels first."""
        by_label = weights.transpose(2, 1, 0)
        return np.concatenate([self._directions.T @ by_label[:, :-1], by_label[:, -1:]], axis=1)


def _directions(x: Array) -> tuple[Array, Array]:
    """Variance along each principal direction of the span of `x`, and the directions, (dimensions, directions)."""
    if len(x) >= x.shape[1]:
        variances, directions = np.linalg.eigh(x.T @ x)
        return variances, directions
    squares, left = np.linalg.eigh(x @ x.T)
    spanned = squares > max(squares[-1], np.finfo(float).tiny) * _NO_DIRECTION
    return squares[spanned], x.T @ left[:, spanned] / np.sqrt(squares[spanned])


def _logits(weights: Array, x: Array) -> Array:
    """(fits, rows, labels) of weights (fits, dimensions + 1, labels) and features (rows, dimensions)."""
    fits, _, labels = weights.shape
    product = x @ weights[:, :-1].transpose(1, 0, 2).reshape(-1, fits * labels)
    return np.asarray(product.reshape(len(x), fits, labels).transpose(1, 0, 2) + weights[:, -1:])


def _probabilities(weights: Array, x: Array) -> Array:
    logits = _logits(weights, x)
    odds = np.exp(logits - logits.max(2, keepdims=True))
    return np.asarray(odds / odds.sum(2, keepdims=True))


def _unit(x: Array) -> Array:
    """The rows of `x` with length 1, float64; a row of zeros stays one."""
    exact = x.astype(np.float64)
    norms = np.linalg.norm(exact, axis=1, keepdims=True)
    return np.asarray(exact / np.where(norms == 0, 1.0, norms))
