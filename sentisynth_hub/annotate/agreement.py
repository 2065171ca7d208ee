"""How far raters agree: Krippendorff's alpha by the library of that name, with a bootstrap interval over rows."""

from typing import Literal

import numpy as np

from sentisynth_hub.annotate.ratings import Agreement
from sentisynth_hub.metrics.classification import Array


MISSING = -1
"""Code of an answer that was left open."""


def agreement(
    codes: Array, values: int, level: Literal["nominal", "ordinal"], alpha: float, resamples: int, seed: int
) -> Agreement:
    """Krippendorff's alpha of (raters, rows) codes from 0, `MISSING` where open, with a bootstrap interval over rows.

    The rows are drawn again and the raters are not: the interval is about these raters. `alpha` is None where
    it is not defined: fewer than two raters, or one and the same answer throughout. Resamples where it is not defined
    are left out of the interval.
    """
    counts = np.stack([(codes == value).sum(axis=0) for value in range(values)], axis=1)
    counts = counts[counts.sum(axis=1) > 1]  # rows that two raters answered
    value = _krippendorff(counts, level)
    interval = None
    if value is not None:
        random = np.random.default_rng(seed)
        draws = (_krippendorff(counts[random.integers(0, len(counts), len(counts))], level) for _ in range(resamples))
        kept = [draw for draw in draws if draw is not None]
        low, high = np.quantile(kept, [alpha / 2, 1 - alpha / 2])
        interval = (float(low), float(high))
    return {"alpha": value, "interval": interval, "level": level, "rows": len(counts)}


def _krippendorff(counts: Array, level: str) -> float | None:
    from krippendorff import alpha

    if not len(counts) or (counts.sum(axis=0) > 0).sum() < 2:
        return None
    return float(alpha(value_counts=counts, level_of_measurement=level))
