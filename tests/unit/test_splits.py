"""Replicates draw their samples nested or conditional, and depend on the rows alone."""

from pathlib import Path

import pytest
import yaml

from sentisynth_hub.errors import DataError
from sentisynth_hub.recipe import Recipe, load_recipe
from sentisynth_hub.rows import Row
from sentisynth_hub.splits import NaturalData, draw_samples
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


def test_validation_is_no_larger_than_training_by_default(load) -> None:  # type: ignore[no-untyped-def]
    (sample,) = draw_samples(load("natural.rows_per_label=5", "study.replicates=1"), NATURAL)
    assert len(sample.validation) == len(sample.train) == 10


def test_the_order_of_a_file_decides_nothing(load) -> None:  # type: ignore[no-untyped-def]
    recipe = load("natural.rows_per_label=8", "study.replicates=2")
    turned = NaturalData(NATURAL.train[::-1], NATURAL.validation[::-1], NATURAL.test[::-1])
    assert draw_samples(recipe, turned) == draw_samples(recipe, NATURAL)
    assert turned.digest == NATURAL.digest


def test_too_few_rows_of_a_label_are_said(load) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(DataError, match=r"label 'negative' has 30 rows, the recipe asks for 40 a label"):
        draw_samples(load("natural.rows_per_label=40"), NATURAL)
