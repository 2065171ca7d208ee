"""Cross-fitting for small data: repeated stratified folds in place of one test split.

A repetition deals all natural rows into folds, rows of one normalised text into the same one. Each fold is the test
set once, the next one is the validation set, and the others are what a replicate may see: demonstrations, teacher and
students come from them alone, so generation is nested in the fold. Replicate number = repetition · folds + fold.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sentisynth_hub.core.errors import DataError
from sentisynth_hub.core.random import rng
from sentisynth_hub.core.rows import Row
from sentisynth_hub.core.text import normalised
from sentisynth_hub.natural.splits import NaturalData, Sample, draw_samples
from sentisynth_hub.recipe import Recipe


LEAST_FOLDS = 3  # one to test, one to validate, one to train


@dataclass(frozen=True)
class Folds:
    """All natural rows in the order of the items of a cross-fitted study, and the fold of each in every repetition."""

    rows: list[Row]
    assigned: list[list[int]]
    count: int
    zero_shot: list[Row] = field(default_factory=list)

    def natural(self, replicate: int) -> NaturalData:
        """The rows as the replicate sees them: training folds, validation fold, test fold."""
        repetition, test = divmod(replicate, self.count)
        validation = (test + 1) % self.count
        parts: dict[str, Any] = {"train": [], "validation": [], "test": []}
        for row, fold in zip(self.rows, self.assigned[repetition], strict=True):
            parts["test" if fold == test else "validation" if fold == validation else "train"].append(row)
        return NaturalData(**parts, zero_shot=self.zero_shot)

    def tested(self, replicate: int) -> list[int]:
        """Places (in `rows`) of the replicate's test rows, in the order of `natural(replicate).test`."""
        repetition, test = divmod(replicate, self.count)
        return [place for place, fold in enumerate(self.assigned[repetition]) if fold == test]


def make_folds(recipe: Recipe, natural: NaturalData) -> Folds:
    """Deal all natural rows of the recipe into folds, `study.replicates` times.

    Raises:
        DataError: Fewer than three folds are asked for, or a label has fewer texts than there are folds.
    """
    settings = recipe.study.cross_fitting
    assert settings is not None
    if settings.folds < LEAST_FOLDS:
        raise DataError(
            f"study.cross_fitting.folds: {settings.folds} leave no rows to train on; use {LEAST_FOLDS} or more"
        )
    rows = sorted([*natural.train, *natural.validation, *natural.test], key=lambda row: (row.id, row.request_id))
    first = {normalised(row.text): place for place, row in reversed(list(enumerate(rows)))}
    places = {label: [place for place in first.values() if rows[place].label == label] for label in recipe.labels}
    for label, group in places.items():
        if len(group) < settings.folds:
            raise DataError(
                f"study.cross_fitting.folds: label {label!r} has {len(group)} texts for {settings.folds} folds; "
                "bring more rows or ask for fewer folds"
            )
    assigned = [
        deal_into_folds(rows, recipe.labels, settings.folds, rng(recipe.seed, "folds", repetition))
        for repetition in range(recipe.study.replicates)
    ]
    return Folds(rows, assigned, settings.folds, natural.zero_shot)


def deal_into_folds(rows: Sequence[Row], labels: Sequence[str], count: int, random: Any) -> list[int]:
    """The fold of each row, 0 to `count` - 1: every label dealt out evenly, rows of one normalised text together.

    The first row of a text gives the label it is dealt by.
    """
    first = {normalised(row.text): place for place, row in reversed(list(enumerate(rows)))}
    fold_of: dict[int, int] = {}
    for number, label in enumerate(labels):
        group = sorted(place for place in first.values() if rows[place].label == label)
        for turn, i in enumerate(random.permutation(len(group))):
            fold_of[group[i]] = (turn + number) % count
    return [fold_of[first[normalised(row.text)]] for row in rows]


def fold_samples(recipe: Recipe, natural: NaturalData) -> list[Sample]:
    """What every replicate of a cross-fitted study may see, in the place of `draw_samples`."""
    folds = make_folds(recipe, natural)
    samples = []
    for replicate in range(recipe.study.replicates * folds.count):
        visible = folds.natural(replicate)
        samples.append(Sample(replicate, visible.train, visible.validation))
    return samples


def study_samples(recipe: Recipe, natural: NaturalData) -> list[Sample]:
    """What each replicate may see, by the recipe's design."""
    return fold_samples(recipe, natural) if recipe.study.cross_fitting is not None else draw_samples(recipe, natural)


def natural_of_replicate(recipe: Recipe, natural: NaturalData, replicate: int) -> NaturalData:
    """The natural rows as a replicate sees them: its own folds when cross-fitting, else the splits of all."""
    return natural if recipe.study.cross_fitting is None else make_folds(recipe, natural).natural(replicate)
