"""Which natural rows choose a trial's penalty, steps and weights, and which fit may train on which row.

`natural.validation: cross_validated` deals all natural rows of the trial into folds, some times over. A fit a fold
leaves that fold out and is scored on it; a last fit has all rows and is the one that predicts. `held_out`: the
replicate's validation rows are scored, and no fit trains on them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sentisynth_hub.core.random import rng
from sentisynth_hub.core.rows import Row
from sentisynth_hub.core.text import normalised
from sentisynth_hub.natural.folds import deal_into_folds
from sentisynth_hub.natural.splits import Sample
from sentisynth_hub.pretrained.head import Array, held_out
from sentisynth_hub.recipe import Recipe
from sentisynth_hub.study.training_rows import Option, TrainingStage


@dataclass(frozen=True, eq=False)
class Validation:
    """The rows that are scored, and the fold of each in every repetition; None: no fit trains on any of them."""

    rows: list[Row]
    folds: Array | None = None

    @cached_property
    def held(self) -> Array:
        """Which fit scores which row, (fits, rows), bool; the last fit is the one to all rows."""
        return np.ones((1, len(self.rows)), bool) if self.folds is None else held_out(self.folds)

    @property
    def fits(self) -> int:
        """Fits of a trial: one a fold and repetition, and the last."""
        return len(self.held)

    def trains_on(self, stage: TrainingStage) -> Array:
        """Which fit trains on which row of `stage`, (fits, rows), bool.

        A fit sees no row of the fold it is scored on, nothing made from one, and no synthetic row with its text.
        """
        if self.folds is None:
            return np.ones((1, len(stage.rows)), bool)
        place = {normalised(row.text): number for number, row in enumerate(self.rows)}
        sees = np.ones((self.fits, len(stage.rows)), bool)
        for number, (row, source) in enumerate(zip(stage.rows, stage.sources, strict=True)):
            for text in {normalised(row.text), normalised(source.text)} & place.keys():
                sees[:, number] &= ~self.held[:, place[text]]
        return sees


def plan_validation(recipe: Recipe, sample: Sample, option: Option) -> Validation:
    """The rows that choose for a variant of this replicate.

    Args:
        sample: All natural rows the replicate trains on, and its held-out ones if there are any.
        option: One of the variant's; all of them learn from the same natural rows.
    """
    if recipe.natural.validation == "held_out":
        return Validation(sample.validation)
    own = list({row.id: row for row in sample.train}.values())
    if not option.own_folds:  # it trains on none of the replicate's natural rows
        return Validation(own)
    rows = option.human or own
    setting = recipe.study.cross_validation
    repeats = setting.repeats if recipe.study.mode == "head" else 1
    randoms = [rng(recipe.seed, "validation", sample.replicate, number) for number in range(repeats)]
    folds = [deal_into_folds(rows, recipe.labels, setting.folds, random) for random in randoms]
    return Validation(rows, np.array(folds))


def labels_of(rows: Sequence[Row], labels: Sequence[str]) -> Array:
    """The place of each row's label in `labels`, (rows,) int; 0 where it has none."""
    place = {label: number for number, label in enumerate(labels)}
    return np.array([place[row.label] if row.label is not None else 0 for row in rows], dtype=np.int64)
