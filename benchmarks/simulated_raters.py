"""Raters whose accuracy, sense of naturalness and label noise are known, for human evaluation's own evaluation."""

from typing import Any

import numpy as np

from sentisynth_hub.annotate.statistics_of_ratings import Ratings


LABELS = ("negative", "neutral", "positive")


def simulated_ratings(
    random: Any,
    *,
    raters: int,
    side: int,
    told: float = 0.5,
    gap: float = 0.0,
    noise: float = 0.0,
    skill: float = 0.08,
    row: float = 0.1,
) -> Ratings:
    """`side` natural and as many synthetic rows, rated by all.

    Raters tell rightly with probability `told`, find each synthetic answer a point less natural with probability `gap`
    and give another label with probability `noise`. These are means: a rater's own probabilities lie up to `skill` off
    (labels: half of it), and telling is up to `row` easier or harder from row to row.
    """
    rows, shape = 2 * side, (raters, 2 * side)
    synthetic = np.arange(rows) % 2 == 1
    easier = random.uniform(-row, row, rows)
    right = random.random(shape) < told + random.uniform(-skill, skill, (raters, 1)) + easier
    base = random.integers(3, 5, rows) + random.integers(-1, 2, shape)  # never below 2, so a point can be taken off
    spread = skill if gap else 0.0
    lowered = (random.random(shape) < gap + random.uniform(-spread, spread, (raters, 1))) & synthetic
    given = random.integers(0, 3, rows)
    spread = skill / 2 if noise else 0.0
    wrong = random.random(shape) < noise + random.uniform(-spread, spread, (raters, 1))
    return Ratings(
        labels=LABELS,
        raters=tuple(range(1, raters + 1)),
        synthetic=synthetic,
        given=given,
        strata=(None,) * rows,
        label=np.where(wrong, (given + random.integers(1, 3, shape)) % 3, given),
        naturalness=(base - lowered).astype(float),
        machine=(right == synthetic).astype(float),
    )
