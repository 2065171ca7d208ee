"""The head against scikit-learn, and what repetition, stages and missing labels do to it."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from sentisynth_hub.pretrained.head import PENALTIES, Array, Head, Scaling, cross_entropy, fit_head


def data(rows: int, labels: int, seed: int, spread: float = 1.0) -> tuple[Array, Array]:
    random = np.random.default_rng(seed)
    y = np.arange(rows) % labels
    centres = np.random.default_rng(42).normal(size=(labels, 12)) * spread
    return centres[y] + random.normal(size=(rows, 12)), y


@pytest.mark.parametrize("labels", [2, 3])
@pytest.mark.parametrize("penalty", [1.0, 0.01])
def test_equals_scikit_learn(labels: int, penalty: float) -> None:
    x, y = data(120, labels, 1, 0.3)
    head = fit_head([(x, y)], labels, data(60, labels, 2, 0.3), penalties=[penalty])
    # scikit-learn sums the loss: C = 1 / (rows · penalty).
    other = LogisticRegression(C=1 / (len(y) * penalty), tol=1e-9, max_iter=10_000).fit(x, y)
    if labels == 2:  # scikit-learn's binary model has one weight vector w where ours has two, ±w/2: half the penalty
        other = LogisticRegression(C=2 / (len(y) * penalty), tol=1e-9, max_iter=10_000).fit(x, y)
    assert np.allclose(head.probabilities(x), other.predict_proba(x), atol=2e-4)


def test_repeating_the_rows_changes_nothing() -> None:
    x, y = data(40, 2, 3, 0.4)
    validation = data(60, 2, 4, 0.4)
    once = fit_head([(x, y)], 2, validation)
    thrice = fit_head([(np.tile(x, (3, 1)), np.tile(y, 3))], 2, validation)
    assert once.penalty == thrice.penalty
    unseen = data(200, 2, 5, 0.4)[0]
    assert np.allclose(once.probabilities(unseen), thrice.probabilities(unseen), atol=1e-4)


def test_penalty_is_chosen_on_validation() -> None:
    x, y = data(30, 2, 6, 0.2)
    validation = data(400, 2, 7, 0.2)
    losses = {}
    for penalty in PENALTIES:
        head = fit_head([(x, y)], 2, validation, penalties=[penalty])
        losses[penalty] = cross_entropy(head.probabilities(validation[0]), validation[1]).mean()
    chosen = fit_head([(x, y)], 2, validation)
    assert cross_entropy(chosen.probabilities(validation[0]), validation[1]).mean() == pytest.approx(
        min(losses.values()), abs=1e-4
    )
    assert chosen.penalty < max(PENALTIES)


def test_a_later_stage_stays_near_the_one_before() -> None:
    """The last stage pulls towards its own rows, but from what the first one learnt: it lies between the two."""
    first, second = data(200, 2, 8, 0.8), data(12, 2, 9, 0.1)
    validation, penalty = data(50, 2, 10, 0.8), 0.3
    alone = fit_head([second], 2, validation, penalties=[penalty]).weights[:-1]
    before = fit_head([first], 2, validation, penalties=[penalty]).weights[:-1]
    staged = fit_head([first, second], 2, validation, penalties=[penalty]).weights[:-1]
    assert np.linalg.norm(staged - before) < np.linalg.norm(alone - before)
    assert np.linalg.norm(staged - before) > 1e-3


def test_a_label_without_rows_is_never_predicted() -> None:
    x, y = data(60, 2, 11)
    head = fit_head([(x, y)], 3, data(30, 2, 12))
    probabilities = head.probabilities(data(100, 3, 13)[0])
    assert probabilities[:, 2].max() < 0.01
    assert np.allclose(probabilities.sum(1), 1)


def test_scaling_is_by_the_natural_rows_and_survives_equal_ones() -> None:
    x, _ = data(50, 2, 14)
    scaled = Scaling.of(x).apply(x)
    assert np.allclose(scaled.mean(0), 0)
    assert np.sqrt(scaled.var(0).mean()) == pytest.approx(1)
    same = np.ones((4, 12), np.float32)
    assert np.isfinite(Scaling.of(same).apply(same)).all()


def test_probabilities_of_huge_logits_are_finite() -> None:
    head = Head(np.array([[1e4, -1e4], [0, 0]]), 1.0)
    assert head.probabilities(np.array([[1.0], [-1.0]])).tolist() == [[1, 0], [0, 1]]
