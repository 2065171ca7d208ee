"""The head against scikit-learn, fold by fold, and what repetition, weights, stages and missing labels do to it."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from sentisynth_hub.pretrained.head import (
    PENALTIES,
    Array,
    Head,
    Rows,
    Scaling,
    Scored,
    best_fits,
    cross_entropy,
    cross_validated,
    held_out,
)


Data = tuple[Array, Array]


def data(rows: int, labels: int, seed: int, spread: float = 1.0, dimensions: int = 12) -> Data:
    random = np.random.default_rng(seed)
    y = np.arange(rows) % labels
    centres = np.random.default_rng(42).normal(size=(labels, dimensions)) * spread
    return centres[y] + random.normal(size=(rows, dimensions)), y


def fitted(stages: list[Data], labels: int, validation: Data, penalties: tuple[float, ...] = PENALTIES) -> Head:
    """One fit to all rows of each stage, its penalty chosen on held-out rows."""
    rows = [Rows(x, y, np.ones((1, len(y)))) for x, y in stages]
    scored = Scored(*validation, np.ones((1, len(validation[1])), bool))
    return best_fits(rows, labels, scored, penalties=penalties).head


def sklearn_of(x: Array, y: Array, penalty: float, weights: Array | None = None) -> LogisticRegression:
    """scikit-learn's minimum of the same loss: it sums the loss, and its binary model has one weight vector w where
    ours has two, ±w/2: half the penalty.
    """
    total = len(y) if weights is None else weights.sum()
    scale = (2 if y.max() == 1 else 1) / (total * penalty)
    return LogisticRegression(C=scale, tol=1e-9, max_iter=10_000).fit(x, y, weights)


@pytest.mark.parametrize("labels", [2, 3])
@pytest.mark.parametrize("penalty", [1.0, 0.01])
@pytest.mark.parametrize("dimensions", [12, 200])  # more rows than dimensions, and fewer
def test_equals_scikit_learn(labels: int, penalty: float, dimensions: int) -> None:
    x, y = data(120, labels, 1, 0.3, dimensions)
    head = fitted([(x, y)], labels, data(60, labels, 2, 0.3, dimensions), (penalty,))
    assert np.allclose(head.probabilities(x), sklearn_of(x, y, penalty).predict_proba(x), atol=2e-4)


@pytest.mark.parametrize("dimensions", [12, 200])
def test_every_fold_is_the_fit_that_scikit_learn_makes_of_the_other_folds(dimensions: int) -> None:
    x, y = data(90, 3, 3, 1.2 / dimensions**0.5, dimensions)
    folds = np.stack([np.random.default_rng(seed).permutation(90) % 5 for seed in (0, 1)])
    fits = cross_validated(x, y, 3, folds)
    expected = np.zeros((90, 3))
    for repetition in folds:
        for fold in range(5):
            held = repetition == fold
            model = sklearn_of(x[~held], y[~held], fits.penalty)
            expected[held] += model.predict_proba(x[held]) / len(folds)
    assert np.allclose(fits.probabilities, expected, atol=1e-3)
    whole = sklearn_of(x, y, fits.penalty)
    assert np.allclose(fits.head.probabilities(x), whole.predict_proba(x), atol=1e-3)
    assert fits.probabilities_of(x).shape == (11, 90, 3)


@pytest.mark.parametrize("weights", [[1.0, 2.0, 0.5], [0.0, 1.0, 3.0], [5.0, 5.0, 5.0]])
def test_weights_are_scikit_learns_sample_weights(weights: list[float]) -> None:
    x, y = data(90, 2, 4, 0.4)
    own = np.repeat(weights, 30)
    rows = Rows(x, y, own[None])
    fits = best_fits([rows], 2, Scored(x, y, np.ones((1, 90), bool)), penalties=[0.1])
    other = sklearn_of(x, y, 0.1, own)
    assert np.allclose(fits.head.probabilities(x), other.predict_proba(x), atol=2e-4)


def test_a_row_of_weight_zero_is_as_good_as_absent() -> None:
    x, y = data(60, 2, 5, 0.4)
    noise = np.random.default_rng(0).normal(size=(40, 12)) * 100
    validation = data(50, 2, 6, 0.4)
    weights = np.concatenate([np.ones(60), np.zeros(40)])
    rows = Rows(np.concatenate([x, noise]), np.concatenate([y, np.zeros(40, int)]), weights[None])
    with_zero = best_fits([rows], 2, Scored(*validation, np.ones((1, 50), bool))).head
    without = fitted([(x, y)], 2, validation)
    assert np.allclose(with_zero.weights, without.weights, atol=1e-3)


def test_labels_may_differ_from_fit_to_fit() -> None:
    x, y = data(60, 2, 7, 0.5)
    rows = Rows(x, np.stack([y, 1 - y]), np.ones((2, 60)))
    fits = best_fits([rows], 2, Scored(x, y, np.array([[True] * 60, [False] * 60])), penalties=[0.1])
    first, second = fits.probabilities_of(x)
    assert np.allclose(first, second[:, ::-1], atol=1e-3)


def test_repeating_the_rows_changes_nothing() -> None:
    x, y = data(40, 2, 3, 0.4)
    validation = data(60, 2, 4, 0.4)
    once = fitted([(x, y)], 2, validation)
    thrice = fitted([(np.tile(x, (3, 1)), np.tile(y, 3))], 2, validation)
    assert once.penalty == thrice.penalty
    unseen = data(200, 2, 5, 0.4)[0]
    assert np.allclose(once.probabilities(unseen), thrice.probabilities(unseen), atol=1e-3)


def test_penalty_is_chosen_on_the_scored_rows() -> None:
    x, y = data(30, 2, 6, 0.2)
    validation = data(400, 2, 7, 0.2)

    def loss(head: Head) -> float:
        return float(cross_entropy(head.probabilities(validation[0]), validation[1]).mean())

    best = fitted([(x, y)], 2, validation)
    assert loss(best) == pytest.approx(min(loss(fitted([(x, y)], 2, validation, (p,))) for p in PENALTIES), abs=1e-4)
    assert best.penalty < max(PENALTIES)


def test_a_later_stage_stays_near_the_one_before() -> None:
    """The last stage pulls towards its own rows, but from what the first one learnt: it lies between the two."""
    first, second = data(200, 2, 8, 0.8, 40), data(12, 2, 9, 0.1, 40)
    validation, penalty = data(50, 2, 10, 0.8, 40), (0.3,)
    alone = fitted([second], 2, validation, penalty).weights[:-1]
    before = fitted([first], 2, validation, penalty).weights[:-1]
    staged = fitted([first, second], 2, validation, penalty).weights[:-1]
    assert np.linalg.norm(staged - before) < np.linalg.norm(alone - before)
    assert np.linalg.norm(staged - before) > 1e-3
    moved = staged - before  # the second stage moves the weights in the span of its rows and nowhere else
    spanned = np.linalg.svd(second[0], full_matrices=False)[2]
    assert np.allclose(moved, spanned.T @ (spanned @ moved), atol=1e-6)


def test_a_label_without_rows_is_never_predicted() -> None:
    head = fitted([data(60, 2, 11)], 3, data(30, 2, 12))
    probabilities = head.probabilities(data(100, 3, 13)[0])
    assert probabilities[:, 2].max() < 0.01
    assert np.allclose(probabilities.sum(1), 1)


def test_a_fold_that_leaves_no_row_knows_nothing() -> None:
    x, y = data(2, 2, 14)
    fits = cross_validated(x, y, 2, np.array([[0, 0]]))
    assert np.allclose(fits.probabilities, 0.5)
    assert np.isfinite(fits.head.weights).all()


def test_held_out_rows_come_once_a_repetition_and_the_last_fit_has_all() -> None:
    held = held_out(np.array([[0, 1, 2, 0], [1, 1, 0, 2]]))
    assert held.shape == (7, 4)
    assert (held[:3].sum(0) == 1).all()
    assert (held[3:6].sum(0) == 1).all()
    assert not held[6].any()


def test_scaling_is_by_the_natural_rows_and_survives_equal_ones() -> None:
    x, _ = data(50, 2, 14)
    scaled = Scaling.of(x).apply(x)
    assert np.allclose(scaled.mean(0), 0)
    assert np.sqrt(scaled.var(0).mean()) == pytest.approx(1)
    same = np.ones((4, 12), np.float32)
    assert np.isfinite(Scaling.of(same).apply(same)).all()
    assert np.isfinite(Scaling.of(np.zeros((4, 12))).apply(np.zeros((2, 12)))).all()


@pytest.mark.parametrize("factor", [0.5, 0.01, 1000.0])
def test_no_head_can_read_the_length_of_a_vector(factor: float) -> None:
    """A mean-pooled vector is the shorter the longer its text: a head sees the same whatever its length."""
    x, y = data(60, 2, 15, 0.5)
    scaling = Scaling.of(x)
    assert np.allclose(scaling.apply(x * factor), scaling.apply(x))
    shortened = np.where(y[:, None] == 1, x * factor, x)  # length alone tells the labels apart
    unseen, truth = data(400, 2, 16, 0.0)  # and nothing else does
    head = fitted([(Scaling.of(shortened).apply(shortened), y)], 2, (scaling.apply(x), y))
    told = head.probabilities(Scaling.of(shortened).apply(np.where(truth[:, None] == 1, unseen * factor, unseen)))
    assert (told.argmax(1) == truth).mean() == pytest.approx(0.5, abs=0.1)


def test_probabilities_of_huge_logits_are_finite() -> None:
    head = Head(np.array([[1e4, -1e4], [0, 0]]), 1.0)
    assert head.probabilities(np.array([[1.0], [-1.0]])).tolist() == [[1, 0], [0, 1]]
