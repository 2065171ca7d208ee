"""A classifier of frozen features, cross-fitted on few human labels, and what it is worth on rows it has not seen.

    models = cross_fit(features, y, 2, folds)
    models.skill.beats_a_guess
    models.probabilities(other_features)

The features are brought to unit length: a mean-pooled vector is the shorter the more tokens it is the mean of, and no
classifier shall read a text's length off it. The models are logistic regressions (`sentisynth_hub.pretrained.head`) in
which every label weighs the same, one a fold and repetition. The temperature (Guo et al. 2017, eq. 9) is the one with
the least cross-entropy on rows that the model has not seen, the truth being as certain as their number allows (Platt
1999). A new row's probability is the mean over the models: skill and temperature were measured on these models, and a
refit on all rows would have a confidence that nobody has checked.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from sentisynth_hub.pretrained.embeddings import unit
from sentisynth_hub.pretrained.head import Fits, Rows, Scaling, Scored, best_fits, cross_validated, held_out


Array = npt.NDArray[Any]
_TEMPERATURES = (0.05, 20.0)
_LEVEL = 0.95  # of the interval of a skill


class Skill(BaseModel):
    """How often a classifier is right on rows it has not seen, every label weighing the same.

    `low` and `high` bound the 95 % interval; `guess` is what naming one label always comes to.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    balanced_accuracy: float
    low: float
    high: float
    guess: float
    rows: int

    @property
    def beats_a_guess(self) -> bool:
        """Whether the whole interval lies above the guess."""
        return self.low > self.guess

    @classmethod
    def of(cls, predicted: Array, y: Array, n_labels: int) -> "Skill":
        """Measure predictions (rows,) against the labels `y` (rows,).

        The interval is Student's around the mean of the labels' recalls; a recall's variance is taken at the recall
        with one more hit and one more miss (Agresti & Coull 1998), so that few rows that are all right leave doubt.
        """
        from scipy.stats import t

        present = np.unique(y)
        counts = np.array([float((y == label).sum()) for label in present])
        hits = np.array([float((predicted[y == label] == label).sum()) for label in present])
        shrunk = (hits + 1) / (counts + 2)
        error = float(np.sqrt((shrunk * (1 - shrunk) / counts).sum())) / len(present)
        half = float(t.ppf((1 + _LEVEL) / 2, max(1, len(y) - len(present)))) * error
        accuracy = float((hits / counts).mean())
        return cls(
            balanced_accuracy=round(accuracy, 4),
            low=round(max(0.0, accuracy - half), 4),
            high=round(min(1.0, accuracy + half), 4),
            guess=round(1 / n_labels, 4),
            rows=len(y),
        )

    @classmethod
    def unmeasured(cls, n_labels: int) -> "Skill":
        """The skill of a classifier that there are too few rows to measure."""
        guess = round(1 / n_labels, 4)
        return cls(balanced_accuracy=guess, low=0.0, high=1.0, guess=guess, rows=0)

    def sentence(self) -> str:
        """The skill in words."""
        if not self.rows:
            return "some label has fewer than two human rows, so its skill cannot be measured"
        return (
            f"it is right on {self.balanced_accuracy:.0%} [{self.low:.0%}, {self.high:.0%}] of {self.rows} human rows "
            f"it had not seen, every label weighing the same; a guess is right on {self.guess:.0%}"
        )


@dataclass(frozen=True)
class CrossFit:
    """Fitted models, and what they are worth."""

    scaling: Scaling
    fits: Fits
    temperature: float
    skill: Skill
    calibration_error: float

    def probabilities(self, features: Array) -> Array:
        """Calibrated mean probability of each label, (rows, labels), for features (rows, dimensions)."""
        by_model = _probabilities(self.fits, self.scaling.apply(unit(features)))
        return np.asarray(_softened(by_model, self.temperature).mean(0))


def cross_fit(features: Array, y: Array, n_labels: int, folds: Array) -> CrossFit:
    """Fit a model a fold and repetition, and judge each on the fold it has not seen.

    Args:
        features: (rows, dimensions).
        y: Labels, (rows,).
        n_labels: Labels there are.
        folds: Fold of each row in each repetition, (repetitions, rows).
    """
    vectors = unit(features)
    scaling = Scaling.of(vectors)
    x = scaling.apply(vectors)
    fits = cross_validated(x, y, n_labels, folds, weights=balance(y, n_labels))
    models = Fits(fits.penalty, fits.weights[:-1], fits.losses, fits.probabilities)  # without the fit to all rows
    return _judged(scaling, models, x, y, held_out(folds)[:-1], n_labels)


def fit_held_out(features: Array, y: Array, n_labels: int, held: Array) -> CrossFit:
    """Fit one model on some rows; penalty, temperature and skill come from the others.

    Args:
        features: (rows, dimensions).
        y: Labels, (rows,).
        n_labels: Labels there are.
        held: Which rows are held out, (rows,), bool.
    """
    vectors = unit(features)
    scaling = Scaling.of(vectors[~held])
    x = scaling.apply(vectors)
    weights = np.zeros((1, len(y)))
    weights[0, ~held] = balance(y[~held], n_labels)
    fits = best_fits([Rows(x, y, weights)], n_labels, Scored(x, y, held[None]))
    return _judged(scaling, fits, x, y, held[None], n_labels)


def calibration_error(probabilities: Array, y: Array, bins: int = 10) -> float:
    """Expected calibration error (Guo et al. 2017, eq. 3) over equal-width bins of the highest probability.

    Args:
        probabilities: (rows, labels); y: (rows,).
    """
    confidence = probabilities.max(1)
    right = probabilities.argmax(1) == y
    bin_of = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [
        abs(float(right[bin_of == b].mean()) - float(confidence[bin_of == b].mean())) * float((bin_of == b).mean())
        for b in np.unique(bin_of)
    ]
    return float(sum(gaps))


def balance(y: Array, n_labels: int) -> Array:
    """A weight a row, (rows,), so that every label that is there weighs the same; they sum to the number of rows."""
    counts = np.bincount(y, minlength=n_labels)
    return np.asarray(len(y) / counts[y] / (counts > 0).sum())


def _judged(scaling: Scaling, fits: Fits, x: Array, y: Array, held: Array, n_labels: int) -> CrossFit:
    """Calibrate the models on the rows each has not seen, `held` (models, rows), and measure their skill there."""
    from scipy.optimize import minimize_scalar

    scored = held.any(0)
    raw, held, y = _probabilities(fits, x[scored]), held[:, scored], y[scored]
    weights = balance(y, n_labels)

    def probabilities(temperature: float) -> Array:
        sums = (_softened(raw, temperature) * held[..., None]).sum(0)
        return np.asarray(sums / held.sum(0)[:, None])

    doubt = 1 / (np.bincount(y, minlength=n_labels)[y] + 2)  # Platt (1999): after n rows, 1 in n + 2 is open
    truth = np.repeat(doubt[:, None] / (n_labels - 1), n_labels, 1)
    truth[np.arange(len(y)), y] = 1 - doubt

    def loss(log_temperature: float) -> float:
        logs = np.log(np.clip(probabilities(float(np.exp(log_temperature))), 1e-12, None))
        return float(-(weights[:, None] * truth * logs).mean())

    best = minimize_scalar(loss, bounds=np.log(_TEMPERATURES), method="bounded")
    temperature = float(np.exp(best.x))
    calibrated = probabilities(temperature)
    skill = Skill.of(calibrated.argmax(1), y, n_labels)
    return CrossFit(scaling, fits, temperature, skill, calibration_error(calibrated, y))


def _probabilities(fits: Fits, x: Array) -> Array:
    """What every model says of the rows, (models, rows, labels); on one thread, as another number rounds otherwise."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with threadpool_limits(1, user_api="blas"):
        return fits.probabilities_of(x)


def _softened(probabilities: Array, temperature: float) -> Array:
    """Probabilities (..., labels) whose logits are divided by the temperature."""
    powers = np.clip(probabilities, 1e-300, None) ** (1 / temperature)
    return np.asarray(powers / powers.sum(-1, keepdims=True))
