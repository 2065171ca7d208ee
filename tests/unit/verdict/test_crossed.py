"""The crossed variance against first principles: items left out one by one, ANOVA spelled out, normal worlds."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t as student_t
from scipy.stats import ttest_1samp, ttest_rel

from sentisynth_hub.metrics.classification import METRICS, NO_ANSWER, accuracy, confusion_counts, macro_f1
from sentisynth_hub.verdict.statistics.crossed import (
    Estimate,
    by_cluster,
    combine,
    contrast,
    correlation,
    cross_fitted,
    joint_alpha,
    overlapping,
    pseudo_values,
    two_way,
    variance_parts,
)
from tests.support.studies import made_study


@pytest.mark.parametrize("metric", list(METRICS))
def test_pseudo_values_are_those_of_leaving_items_out_one_by_one(metric: str) -> None:
    rng = np.random.default_rng(5)
    y, predicted = rng.integers(3, size=17), rng.integers(NO_ANSWER, 3, size=(4, 17))
    found = pseudo_values(y, predicted, 3, METRICS[metric])
    whole = METRICS[metric](confusion_counts(y, predicted, 3))
    for item in range(17):
        rest = np.arange(17) != item
        without = METRICS[metric](confusion_counts(y[rest], predicted[:, rest], 3))
        np.testing.assert_allclose(found.values[:, item], 17 * whole - 16 * without)
    np.testing.assert_allclose(found.scores, whole)


def test_pseudo_values_of_accuracy_are_the_hits() -> None:
    study = made_study({"natural": 0.7})
    found = pseudo_values(study.y, study.predicted("natural"), study.n_labels, accuracy)
    np.testing.assert_allclose(found.values, study.predicted("natural") == study.y, atol=1e-9)
    assert found.one_item == pytest.approx(1)


def test_one_item_weighs_more_where_a_label_is_rare() -> None:
    y = np.array([0] * 95 + [1] * 5)
    common, rare = (
        100 * (1 - 188 / 189) / 2,
        100 * (1 - 8 / 9) / 2,
    )  # F1 after one of 95, or one of 5, is left unanswered
    expected = math.sqrt(0.95 * common**2 + 0.05 * rare**2)
    assert pseudo_values(y, y[None], 2, macro_f1).one_item == pytest.approx(expected)


def test_variance_parts_are_those_of_the_analysis_of_variance() -> None:
    values = np.random.default_rng(1).standard_normal((4, 9)) * 3 + np.arange(9)
    by_replicate, by_item, residual = variance_parts(values)
    rows, columns, grand = values.mean(1, keepdims=True), values.mean(0, keepdims=True), values.mean()
    mean_square_rows = 9 * ((rows - grand) ** 2).sum() / 3
    mean_square_columns = 4 * ((columns - grand) ** 2).sum() / 8
    mean_square_rest = ((values - rows - columns + grand) ** 2).sum() / 24
    assert by_replicate == pytest.approx(mean_square_rows / 36)
    assert by_item == pytest.approx(mean_square_columns / 36)
    assert residual == pytest.approx(mean_square_rest / 36)


def test_without_item_variance_the_p_is_that_of_the_paired_t_test_over_replicates() -> None:
    first, second = np.random.default_rng(2).standard_normal((2, 8))
    values = np.repeat((first - second)[:, None], 50, axis=1)
    found = two_way(values, float(values.mean()))
    assert found.p_value() == pytest.approx(ttest_rel(first, second).pvalue)


def test_with_one_value_an_item_the_interval_is_that_of_the_t_test_over_items() -> None:
    items = np.random.default_rng(3).uniform(
        -1, 1.2, 400
    )  # flat: no excess kurtosis, all items count as degrees of freedom
    found = two_way(np.repeat(items[None], 6, axis=0), float(items.mean()))
    expected = ttest_1samp(items, 0).confidence_interval(0.95)
    assert found.item_df == 399
    assert found.interval(0.05) == pytest.approx((expected.low, expected.high))


def test_few_heavy_items_lower_the_degrees_of_freedom() -> None:
    values = np.zeros((5, 200))
    values[:, :10] = np.random.default_rng(0).standard_normal(10) * 20
    assert 2 < two_way(values, float(values.mean())).item_df < 20


@settings(max_examples=60, deadline=None)
@given(
    st.floats(-0.2, 0.2), st.floats(1e-8, 1e-3), st.floats(1e-8, 1e-3), st.integers(1, 30), st.floats(3, 5_000),
    st.floats(0.001, 0.5),
)  # fmt: skip
def test_interval_leaves_out_zero_exactly_where_p_is_below_alpha(
    value: float, replicate: float, item: float, df: int, item_df: float, alpha: float
) -> None:
    estimate = Estimate(value, replicate, item, 0.0, df, item_df)
    low, high = estimate.interval(alpha) or (math.nan, math.nan)
    p = estimate.p_value()
    assert p is not None
    if abs(p - alpha) > 1e-9:
        assert (low > 0 or high < 0) == (p < alpha)


def test_level_holds_in_normal_worlds_whatever_dominates() -> None:
    rng = np.random.default_rng(11)
    for replicate_sd, item_sd, noise_sd in [(0, 1, 2), (1, 0, 1), (0.3, 1, 2), (0.1, 3, 1), (0, 0, 1)]:
        missed = 0
        for _ in range(1_500):
            values = rng.standard_normal((5, 1)) * replicate_sd + rng.standard_normal((1, 60)) * item_sd
            values = values + rng.standard_normal((5, 60)) * noise_sd
            low, high = two_way(values, float(values.mean())).interval(0.05) or (0, 0)
            missed += not low <= 0 <= high
        assert missed / 1_500 <= 0.065  # 5 % and 2.7 standard errors


def test_agreeing_on_every_item_is_not_certainty() -> None:
    study = made_study({"natural": 0.7}, items=200)
    parts = {"a": pseudo_values(study.y, study.predicted("natural"), 3, accuracy)}
    found = contrast(parts, {"a": 0.0})
    assert found.interval(0.05) == (0, 0)
    parts["b"] = parts["a"]
    low, high = contrast(parts, {"a": 1, "b": -1}).interval(0.05) or (0, 0)
    assert high == pytest.approx(student_t.ppf(0.975, 199) * math.sqrt(2) / 202, rel=0.01)
    assert low == -high


def test_one_replicate_gives_a_number_and_no_interval() -> None:
    study = made_study({"natural": 0.7, "mixed": 0.8}, replicates=1)
    parts = {name: pseudo_values(study.y, study.predicted(name), 3, macro_f1) for name in study.variants}
    found = contrast(parts, {"mixed": 1, "natural": -1})
    assert found.value == pytest.approx(float(parts["mixed"].scores[0] - parts["natural"].scores[0]))
    assert (found.interval(0.05), found.p_value()) == (None, None)
    assert math.isnan(found.standard_error)


def folded(repetitions: int, items: int, folds: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.stack([rng.permutation(items) % folds for _ in range(repetitions)])


def test_cross_fitting_adds_models_items_and_what_training_rows_have_in_common() -> None:
    values = np.random.default_rng(2).standard_normal((4, 60))
    folds = folded(4, 60, 5)
    estimate = cross_fitted(values, float(values.mean()), folds, training_share=0.8, one_item=4.0)
    residuals = values - values.mean(axis=0)
    unstable = (residuals**2).sum() / (60 * 3)  # around item means over four repetitions
    models = [residuals[r][folds[r] == k].mean() for r in range(4) for k in range(5)]
    between = np.mean(np.square(models)) * 4 / 3 / 20
    items = values.mean(axis=0).var(ddof=1) / 60
    assert estimate.replicate_variance == pytest.approx(between)
    assert estimate.replicate_df == 19
    expected = max(items - unstable / 60 / 4, 0) + 1.5 * 0.8 / 0.2 * unstable / 60 * unstable / 16
    assert estimate.item_variance == pytest.approx(expected)


@pytest.mark.parametrize("repetitions", [1, 2, 6])
def test_cross_fitting_without_any_difference_is_not_certain(repetitions: int) -> None:
    estimate = cross_fitted(np.zeros((repetitions, 40)), 0.0, folded(repetitions, 40, 4), 0.75, one_item=1.0)
    low, high = estimate.interval(0.05) or (0, 0)
    assert low == -high
    assert high == pytest.approx(student_t.ppf(0.975, 39) * math.sqrt(2) / 42, rel=0.01)


def test_more_training_rows_in_common_make_a_cross_fitted_interval_wider() -> None:
    values = np.random.default_rng(3).standard_normal((3, 90))
    errors = [cross_fitted(values, 0.0, folded(3, 90, 3), share).standard_error for share in (0.5, 2 / 3, 0.9)]
    assert errors == sorted(errors)
    assert errors[2] > 1.2 * errors[0]


@pytest.mark.parametrize("metric", list(METRICS))
def test_clusters_of_one_change_nothing(metric: str) -> None:
    study = made_study({"a": 0.6, "b": 0.7}, items=90)
    names = np.random.default_rng(0).permutation(90)
    intervals = []
    for clusters in (None, names):
        parts = {
            name: pseudo_values(study.y, study.predicted(name), 3, METRICS[metric], clusters)
            for name in study.variants
        }
        intervals.append(contrast(parts, {"b": 1, "a": -1}).interval(0.05))
    assert intervals[0] == intervals[1]


@pytest.mark.parametrize("copies", [2, 3, 10])
def test_copies_of_test_rows_are_no_new_rows(copies: int) -> None:
    """A test set with every row several times says as little as the rows themselves, once they are known as copies."""
    study = made_study({"a": 0.6, "b": 0.7}, items=100)
    clusters = np.repeat(np.arange(100), copies)
    once, naive, known = (
        contrast(
            {
                name: pseudo_values(y, np.repeat(study.predicted(name), count, axis=1), 3, macro_f1, ids)
                for name in study.variants
            },
            {"b": 1, "a": -1},
        )
        for y, count, ids in (
            (study.y, 1, None),
            (np.repeat(study.y, copies), copies, None),
            (np.repeat(study.y, copies), copies, clusters),
        )
    )
    assert known.value == pytest.approx(once.value)
    assert known.standard_error == pytest.approx(once.standard_error, rel=0.02)  # jackknife weights differ by O(1/N)
    assert naive.standard_error < 0.95 * known.standard_error


def test_clusters_of_unequal_size_keep_the_level() -> None:
    rng = np.random.default_rng(5)
    sizes = np.concatenate([np.ones(60, int), np.full(20, 3), np.full(6, 10)])
    clusters = np.repeat(np.arange(sizes.size), sizes)
    missed, unclustered = 0, 0
    for _ in range(1_000):
        shared = rng.standard_normal(sizes.size)[clusters]
        values = 0.3 + shared + 0.3 * rng.standard_normal((6, clusters.size)) + 0.1 * rng.standard_normal((6, 1))
        for ids in (clusters, None):
            low, high = two_way(by_cluster(values, ids), float(values.mean())).interval(0.05) or (0, 0)
            missed += ids is not None and not low <= 0.3 <= high
            unclustered += ids is None and not low <= 0.3 <= high
    assert missed / 1_000 <= 0.075  # large clusters are few: a little over 5 %
    assert unclustered / 1_000 > 0.2


@pytest.mark.parametrize("overlap", [0.1, 0.25, 0.5])
def test_replicates_that_share_rows_keep_the_level(overlap: float) -> None:
    rng = np.random.default_rng(9)
    missed, naive = 0, 0
    for _ in range(1_500):
        luck = math.sqrt(overlap) * rng.standard_normal() + math.sqrt(1 - overlap) * rng.standard_normal((6, 1))
        values = luck + 3 * rng.standard_normal((6, 80)) + rng.standard_normal(80)
        estimate = two_way(values, float(values.mean()))
        for one in (estimate, overlapping(estimate, 6, overlap)):
            low, high = one.interval(0.05) or (0, 0)
            out = not low <= 0 <= high
            missed += one is not estimate and out
            naive += one is estimate and out
    assert missed / 1_500 <= 0.065
    assert naive / 1_500 > 0.065


def test_replicates_that_share_nothing_are_left_as_they_are() -> None:
    estimate = two_way(np.random.default_rng(0).standard_normal((5, 30)), 0.1)
    assert overlapping(estimate, 5, 0.0).interval(0.05) == estimate.interval(0.05)


def test_joint_alpha_lies_between_bonferroni_and_none() -> None:
    rng = np.random.default_rng(4)
    apart = [rng.standard_normal((10, 200)) for _ in range(6)]
    equal = [apart[0]] * 6
    assert joint_alpha(apart[:1], 9, 0.05, 0) == 0.05
    assert 0.05 / 6 <= joint_alpha(apart, 9, 0.05, 0) < 0.011
    close = [apart[0] + 0.1 * one for one in apart]
    assert joint_alpha(apart, 9, 0.05, 0) < joint_alpha(close, 9, 0.05, 0) < 0.05
    assert joint_alpha(equal, 9, 0.05, 0) == joint_alpha(equal, 9, 0.05, 0)


def test_correlation_of_two_differences_that_share_a_variant() -> None:
    rng = np.random.default_rng(6)
    shared, first, second = rng.standard_normal((3, 12, 3_000))
    estimates = [two_way(values, 0.0) for values in (shared - first, shared - second, second - first)]
    assert correlation(*estimates) == pytest.approx(0.5, abs=0.25)
    assert correlation(estimates[0], estimates[0], Estimate(0, 0, 0, 0, 11, 9)) == pytest.approx(1)


@pytest.mark.parametrize("metric", list(METRICS))
def test_order_of_items_replicates_and_labels_does_not_matter(metric: str) -> None:
    study = made_study({"natural": 0.6, "mixed": 0.7}, items=120)
    rng = np.random.default_rng(8)
    items, replicates, labels = rng.permutation(120), rng.permutation(6), rng.permutation(3)

    def interval(y: np.ndarray, variants: dict[str, np.ndarray]) -> tuple[float, float] | None:
        parts = {name: pseudo_values(y, predicted, 3, METRICS[metric]) for name, predicted in variants.items()}
        return contrast(parts, {"mixed": 1, "natural": -1}).interval(0.05)

    moved = {name: labels[predicted[replicates][:, items]] for name, predicted in study.variants.items()}
    assert interval(labels[study.y[items]], moved) == pytest.approx(interval(study.y, dict(study.variants)))


def test_combine_weighs_pseudo_values() -> None:
    study = made_study({"a": 0.6, "b": 0.7})
    parts = {name: pseudo_values(study.y, study.predicted(name), 3, accuracy) for name in "ab"}
    np.testing.assert_allclose(combine(parts, {"a": 2, "b": -1}), 2 * parts["a"].values - parts["b"].values)
