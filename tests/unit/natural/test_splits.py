"""Replicates draw their samples nested or conditional, and depend on the rows alone."""

from pathlib import Path

import pytest
import yaml

from sentisynth_hub.core.errors import DataError, RecipeError
from sentisynth_hub.core.random import allot
from sentisynth_hub.core.rows import Row
from sentisynth_hub.natural.splits import NaturalData, draw_samples
from sentisynth_hub.recipe import Recipe, load_recipe
from tests.unit.recipe.test_load import SMALLEST


def rows(split: str, count: int) -> list[Row]:
    return [Row(f"{split} {i}", ("negative", "positive")[i % 2], request_id=str(i)) for i in range(count)]


NATURAL = NaturalData(rows("train", 60), rows("validation", 20), rows("test", 10))


@pytest.fixture
def load(tmp_path: Path):  # type: ignore[no-untyped-def]
    (tmp_path / "prompt.jinja2").write_text("{{ label }}")
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(SMALLEST))

    def with_overrides(*overrides: str) -> Recipe:
        return load_recipe(str(tmp_path), overrides)

    return with_overrides


def test_nested_replicates_draw_balanced_samples_of_their_own(load) -> None:  # type: ignore[no-untyped-def]
    samples = draw_samples(
        load("natural.rows_per_label=8", "natural.validation_per_label=4", "study.replicates=3"), NATURAL
    )
    assert [sample.replicate for sample in samples] == [0, 1, 2]
    for sample in samples:
        for part, count in ((sample.train, 8), (sample.validation, 4)):
            assert [sum(row.label == label for row in part) for label in ("negative", "positive")] == [count, count]
            assert len({row.id for row in part}) == 2 * count
    assert len({frozenset(row.id for row in sample.train) for sample in samples}) == 3


def test_conditional_replicates_share_one_sample(load) -> None:  # type: ignore[no-untyped-def]
    samples = draw_samples(load("natural.rows_per_label=8", "study.design=conditional", "study.replicates=3"), NATURAL)
    assert samples[0].train == samples[1].train == samples[2].train


HELD_OUT = "natural.validation=held_out"


def test_held_out_rows_are_no_more_than_training_rows_by_default(load) -> None:  # type: ignore[no-untyped-def]
    (sample,) = draw_samples(load("natural.rows_per_label=5", HELD_OUT, "study.replicates=1"), NATURAL)
    assert len(sample.validation) == len(sample.train) == 10


@pytest.mark.parametrize("count", ["natural.rows_per_label=5", "natural.rows=10"])
def test_folds_over_the_rows_asked_for_need_no_further_ones(load, count: str) -> None:  # type: ignore[no-untyped-def]
    (sample,) = draw_samples(load(count, "study.replicates=1"), NATURAL)
    assert (len(sample.train), len(sample.validation)) == (10, 0)
    (sample,) = draw_samples(load(count, "natural.validation_per_label=3", "study.replicates=1"), NATURAL)
    assert (len(sample.train), len(sample.validation)) == (10, 6)


def test_every_row_is_used_where_no_number_is_asked_for(load) -> None:  # type: ignore[no-untyped-def]
    (sample,) = draw_samples(load("study.replicates=1"), NATURAL)
    assert (len(sample.train), len(sample.validation)) == (60, 20)


def test_the_order_of_a_file_decides_nothing(load) -> None:  # type: ignore[no-untyped-def]
    recipe = load("natural.rows_per_label=8", "study.replicates=2")
    turned = NaturalData(NATURAL.train[::-1], NATURAL.validation[::-1], NATURAL.test[::-1])
    assert draw_samples(recipe, turned) == draw_samples(recipe, NATURAL)
    assert turned.digest == NATURAL.digest


def test_too_few_rows_of_a_label_are_said(load) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(DataError, match=r"label 'negative' has 30 rows, the recipe asks for 40 a label"):
        draw_samples(load("natural.rows_per_label=40"), NATURAL)


def imbalanced(split: str, negative: int, positive: int) -> list[Row]:
    counted = [("negative", i) for i in range(negative)] + [("positive", i) for i in range(positive)]
    return [Row(f"{split} {label} {i}", label, request_id=f"{label} {i}") for label, i in counted]


def counts(part: list[Row]) -> list[int]:
    return [sum(row.label == label for row in part) for label in ("negative", "positive")]


def test_rows_follow_the_sources_own_shares(load) -> None:  # type: ignore[no-untyped-def]
    natural = NaturalData(imbalanced("train", 90, 30), imbalanced("validation", 40, 10), imbalanced("test", 5, 5))
    (sample,) = draw_samples(load("natural.rows=12", HELD_OUT, "study.replicates=1"), natural)
    assert counts(sample.train) == [9, 3]  # 90 : 30
    assert counts(sample.validation) == [10, 2]  # 12 · 40/50 = 9.6 and 2.4: the larger remainder is rounded up
    (sample,) = draw_samples(load("natural.rows=12", "natural.validation_rows=5", "study.replicates=1"), natural)
    assert counts(sample.validation) == [4, 1]
    (sample,) = draw_samples(load("natural.rows=12", "natural.validation_per_label=3", "study.replicates=1"), natural)
    assert counts(sample.validation) == [3, 3]


def test_given_shares_are_drawn_and_smaller_samples_are_part_of_larger_ones(load) -> None:  # type: ignore[no-untyped-def]
    natural = NaturalData(imbalanced("train", 200, 200), imbalanced("validation", 60, 60), imbalanced("test", 5, 5))
    shares = "natural.label_shares={negative: 0.95, positive: 0.05}"
    large = draw_samples(load("natural.rows=60", HELD_OUT, shares, "study.replicates=3"), natural)
    small = draw_samples(load("natural.rows=20", HELD_OUT, shares, "study.replicates=3"), natural)
    assert [counts(sample.train) for sample in (*large, *small)] == [[57, 3]] * 3 + [[19, 1]] * 3
    assert [counts(sample.validation) for sample in large] == [[57, 3]] * 3
    for one, other in zip(small, large, strict=True):
        assert {row.id for row in one.train} < {row.id for row in other.train}
    assert len({frozenset(row.id for row in sample.train) for sample in large}) == 3


def test_largest_remainders_sum_to_the_total_and_ties_go_to_the_first() -> None:
    assert allot(10, {"a": 1, "b": 1, "c": 1}) == {"a": 4, "b": 3, "c": 3}
    assert allot(100, {"a": 0.29, "b": 0.71}) == {"a": 29, "b": 71}  # 100 · 0.29 is 28.999… in floats
    assert allot(7, {"a": 0.5, "b": 0.5}) == {"a": 4, "b": 3}
    assert allot(3000, {"a": 6848, "b": 1983, "c": 3363}) == {"a": 1685, "b": 488, "c": 827}  # .78, .86, .36 of 12,194


def test_shares_that_cannot_be_drawn_are_said(load) -> None:  # type: ignore[no-untyped-def]
    natural = NaturalData(imbalanced("train", 90, 10), imbalanced("validation", 40, 10), imbalanced("test", 5, 5))
    with pytest.raises(DataError, match=r"60 rows by the label shares are 30 of 'positive', which has 10; lower"):
        draw_samples(load("natural.rows=60", "natural.label_shares={negative: 0.5, positive: 0.5}"), natural)
    with pytest.raises(DataError, match=r"4 rows by the label shares leave none for 'positive'; raise natural.rows,"):
        draw_samples(load("natural.rows=4"), natural)
    for overrides, message in (
        (["natural.rows=9", "natural.rows_per_label=3"], "`rows` and `rows_per_label` are both given"),
        (["natural.label_shares={negative: 0.5, positive: 0.5}"], "give `rows` too"),
        (["natural.rows=9", "natural.label_shares={negative: 0.5, positive: 0.6}"], "sum to 1"),
        (["natural.rows=9", "natural.label_shares={negative: 1.5, positive: -0.5}"], "sum to 1"),
        (["natural.rows=9", "natural.label_shares={negative: 0.5, neutral: 0.5}"], "give every one of"),
    ):
        with pytest.raises(RecipeError, match=message):
            load(*overrides)
