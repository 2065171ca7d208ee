"""The teacher: a classifier trained on the replicate's own natural rows must agree with a row's label.

A frozen encoder's mean-pooled features, a logistic regression with balanced class weights (the generator is asked for
every label equally often, whatever the natural shares are), its penalty and its temperature (Guo et al. 2017, eq. 9)
chosen on the replicate's validation rows. No other human label is read, and those that are stand in
`facts["human_labels"]`; but for an oracle, which reads every natural training label and says so in `facts["labels"]`.

Reasons: `disagrees` (another label is likelier), `low_confidence`. The score is the calibrated probability of the
label.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from sentisynth_hub.core.errors import DataError
from sentisynth_hub.core.rows import Decision, Row
from sentisynth_hub.filter.candidate_features import Features
from sentisynth_hub.natural.splits import NaturalData, Sample
from sentisynth_hub.recipe.filter_section import Encoder


Array = npt.NDArray[Any]
PENALTIES = (0.001, 0.01, 0.1, 1.0, 10.0)
"""Values of scikit-learn's C that are tried."""
_TEMPERATURES = (0.05, 20.0)


@dataclass(frozen=True)
class Classifier:
    """A fitted logistic regression on centred and scaled features, and the temperature that calibrates it.

    `weights` (d, labels), `bias` (labels,), `mean` (d,), `spread` a number.
    """

    weights: Array
    bias: Array
    mean: Array
    spread: float
    temperature: float
    penalty: float

    def probabilities(self, features: Array) -> Array:
        """Calibrated probability of each label, (rows, labels), for features (rows, d)."""
        return _softmax(self._logits(features) / self.temperature)

    def _logits(self, features: Array) -> Array:
        scaled = (features.astype(np.float64) - self.mean) / self.spread
        return np.asarray(scaled @ self.weights + self.bias)


@dataclass(frozen=True)
class Teacher:
    """Keeps rows to whose label the classifier gives the highest probability, and at least `min_confidence`."""

    classifier: Classifier
    labels: Sequence[str]
    encoder: Encoder
    features: Features
    min_confidence: float
    facts: Mapping[str, Any] = field(default_factory=dict)
    name: str = "teacher"
    score_name: str = "teacher_confidence"

    @classmethod
    def trained(
        cls,
        sample: Sample,
        labels: Sequence[str],
        encoder: Encoder,
        features: Features,
        *,
        min_confidence: float,
    ) -> "Teacher":
        """Train on `sample.train`, choose penalty and temperature on `sample.validation`.

        Raises:
            DataError: The training rows hold only some of the labels.
        """
        train, held = features.of(sample.train, encoder), features.of(sample.validation, encoder)
        y_train, y_held = label_numbers(sample.train, labels), label_numbers(sample.validation, labels)
        missing = [label for number, label in enumerate(labels) if number not in y_train]
        if missing:
            raise DataError(
                f"filter.teacher: no natural training row with label {missing[0]!r}; every label needs one"
            )
        classifier = fit_classifier(train, y_train, held, y_held, len(labels))
        probabilities = classifier.probabilities(held)
        facts = {
            "temperature": round(classifier.temperature, 4),
            "penalty": classifier.penalty,
            "validation_accuracy": round(float((probabilities.argmax(1) == y_held).mean()), 4),
            "calibration_error": round(calibration_error(probabilities, y_held), 4),
            "human_labels": {
                "teacher": sorted(row.request_id for row in sample.train),
                "threshold": sorted(row.request_id for row in sample.validation),
            },
        }
        return cls(classifier, labels, encoder, features, min_confidence, facts)

    @classmethod
    def oracle(
        cls,
        sample: Sample,
        natural: NaturalData,
        labels: Sequence[str],
        encoder: Encoder,
        features: Features,
        *,
        min_confidence: float,
    ) -> "Teacher":
        """As `trained`, but on all natural training rows: a teacher no one with the sample's labels alone can have.

        `facts["labels"]` is "oracle" and `facts["trained_on"]` their number; the label budget counts them all.
        """
        everything = Sample(sample.replicate, natural.train, sample.validation)
        made = cls.trained(everything, labels, encoder, features, min_confidence=min_confidence)
        threshold = made.facts["human_labels"]["threshold"]  # the others are the natural split: no list of them here
        found = {"labels": "oracle", "trained_on": len(natural.train), "human_labels": {"threshold": threshold}}
        return replace(made, facts={**made.facts, **found})

    def judge(self, rows: Sequence[Row]) -> list[Decision]:
        """One decision a row; every row has a label."""
        decisions = []
        for start in range(0, len(rows), _BLOCK):
            block = rows[start : start + _BLOCK]
            probabilities = self.classifier.probabilities(self.features.of(block, self.encoder))
            decisions += [
                self._decide(row_probabilities, label)
                for row_probabilities, label in zip(probabilities, label_numbers(block, self.labels), strict=True)
            ]
        return decisions

    def _decide(self, probabilities: Array, label: int) -> Decision:
        confidence = float(probabilities[label])
        if int(probabilities.argmax()) != label:
            return Decision(False, "disagrees", confidence)
        if confidence < self.min_confidence:
            return Decision(False, "low_confidence", confidence)
        return Decision(True, None, confidence)


_BLOCK = 8192  # rows judged at once: their features are turned into float64


def label_numbers(rows: Sequence[Row], labels: Sequence[str]) -> Array:
    """The place of each row's label in `labels`, (rows,) int."""
    number = {label: place for place, label in enumerate(labels)}
    return np.array([number[row.label or ""] for row in rows], dtype=np.int64)


def fit_classifier(train: Array, y_train: Array, held: Array, y_held: Array, n_labels: int) -> Classifier:
    """Fit for every penalty, take the one with the least cross-entropy on the held rows, and calibrate it there.

    Args:
        train: Features (n, d); y_train: labels (n,) with every one of `n_labels` present.
        held: Features (m, d); y_held: labels (m,).
    """
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    mean = train.astype(np.float64).mean(0)
    spread = float(np.sqrt(train.astype(np.float64).var(0).mean())) or 1.0
    scaled = (train.astype(np.float64) - mean) / spread
    weights = _balance(y_held, n_labels)
    best: Classifier | None = None
    best_loss = np.inf
    with threadpool_limits(1):  # the number of BLAS threads is the launcher's whim and would round otherwise
        for penalty in PENALTIES:
            model = LogisticRegression(C=penalty, class_weight="balanced", max_iter=2000).fit(scaled, y_train)
            fitted = Classifier(*_columns(model, n_labels), mean, spread, 1.0, penalty)
            logits = fitted._logits(held)
            temperature = _temperature(logits, y_held, weights)
            loss = _cross_entropy(logits / temperature, y_held, weights)
            if loss < best_loss:
                best, best_loss = Classifier(fitted.weights, fitted.bias, mean, spread, temperature, penalty), loss
    assert best is not None, "cross-entropy is finite for a finite temperature"
    return best


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


def _columns(model: Any, n_labels: int) -> tuple[Array, Array]:
    """Weights (d, labels) and bias (labels,); scikit-learn keeps one column only where there are two labels."""
    weights, bias = model.coef_.T, model.intercept_
    if n_labels == 2:
        zero = np.zeros_like(weights)
        return np.concatenate([zero, weights], axis=1), np.concatenate([np.zeros(1), bias])
    return weights, bias


def _balance(y: Array, n_labels: int) -> Array:
    """A weight a row, so that every label weighs the same."""
    counts = np.bincount(y, minlength=n_labels)
    return np.asarray(1.0 / counts[y] / (counts > 0).sum())


def _temperature(logits: Array, y: Array, weights: Array) -> float:
    from scipy.optimize import minimize_scalar

    low, high = np.log(_TEMPERATURES)
    found = minimize_scalar(
        lambda log_t: _cross_entropy(logits / np.exp(log_t), y, weights), bounds=(low, high), method="bounded"
    )
    return float(np.exp(found.x))


def _cross_entropy(logits: Array, y: Array, weights: Array) -> float:
    shifted = logits - logits.max(1, keepdims=True)
    log_probability = shifted[np.arange(len(y)), y] - np.log(np.exp(shifted).sum(1))
    return float(-(weights * log_probability).sum())


def _softmax(logits: Array) -> Array:
    odds = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(odds / odds.sum(1, keepdims=True))
