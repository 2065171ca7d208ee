"""The metrics agree with scikit-learn on every stack of predictions, refusals to answer included."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, precision_recall_fscore_support

from sentisynth_hub.metrics.classification import (
    METRICS,
    NO_ANSWER,
    accuracy,
    confusion_counts,
    f1_per_class,
    macro_f1,
    precision_per_class,
    recall_per_class,
    weighted_f1,
)


@st.composite
def studies(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, int]:
    labels = draw(st.integers(2, 5))
    items = draw(st.integers(1, 30))
    y = draw(st.lists(st.integers(0, labels - 1), min_size=items, max_size=items))
    rows = st.lists(st.integers(NO_ANSWER, labels - 1), min_size=items, max_size=items)
    return np.array(y), np.array(draw(st.lists(rows, min_size=1, max_size=4))), labels


@settings(max_examples=150, deadline=None)
@given(studies())
def test_agrees_with_scikit_learn(study: tuple[np.ndarray, np.ndarray, int]) -> None:
    y, predicted, labels = study
    counts = confusion_counts(y, predicted, labels)
    assert counts.shape == (len(predicted), labels, labels + 1)
    for place, row in enumerate(predicted):
        shared = {"labels": list(range(labels)), "zero_division": 0}
        precision, recall, f1, _ = precision_recall_fscore_support(y, row, **shared)
        assert precision_per_class(counts)[place] == pytest.approx(precision)
        assert recall_per_class(counts)[place] == pytest.approx(recall)
        assert f1_per_class(counts)[place] == pytest.approx(f1)
        assert accuracy(counts)[place] == pytest.approx(accuracy_score(y, row))
        assert macro_f1(counts)[place] == pytest.approx(f1_score(y, row, average="macro", **shared))
        assert weighted_f1(counts)[place] == pytest.approx(f1_score(y, row, average="weighted", **shared))


def test_no_answer_is_wrong_but_no_false_positive_of_any_label() -> None:
    counts = confusion_counts(np.array([0, 0, 1]), np.array([0, NO_ANSWER, 1]), 2)
    assert counts.tolist() == [[1, 0, 1], [0, 1, 0]]
    assert precision_per_class(counts).tolist() == [1, 1]
    assert recall_per_class(counts).tolist() == [0.5, 1]


def test_label_absent_from_the_test_rows_counts_as_zero() -> None:
    counts = confusion_counts(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 1]), 3)
    assert macro_f1(counts) == pytest.approx(2 / 3)
    assert weighted_f1(counts) == 1


def test_counts_keep_any_leading_axes() -> None:
    rng = np.random.default_rng(0)
    y, predicted = rng.integers(3, size=11), rng.integers(-1, 3, size=(2, 4, 11))
    counts = confusion_counts(y, predicted, 3)
    assert counts.shape == (2, 4, 3, 4)
    assert (counts.sum((-2, -1)) == 11).all()
    assert {name: measure(counts).shape for name, measure in METRICS.items()} == dict.fromkeys(METRICS, (2, 4))
