"""Looking again with more replicates: the level each look may use so that the whole study keeps its own.

A study that goes on until it is decided, each time at 5 %, errs in 13 to 20 % of cases. Here the looks are fixed
beforehand and share the level out: by the look at R of R_last replicates, alpha · (R / R_last)² is spent (the power
family of Kim and DeMets 1987, in the manner of Lan and DeMets 1983). An interval of a look's own level covers the
truth at all looks together with probability 1 − alpha (repeated confidence intervals, Jennison and Turnbull 1989), so
it may be read whatever made the study stop; stopping because nothing more can come of it costs power alone.

Levels are worked out for the least favourable case, in which replicates are all that varies: what the looks share
(test items, overlapping rows) makes them err together, hence less often. The power 2 was chosen by simulation
(docs/results/dependence.md): 1, near Pocock's boundary, loses 6 to 7 points of power at the last look, and 3, near
O'Brien and Fleming's, stops late.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
from scipy.special import ndtr, stdtr

from sentisynth_hub.metrics.classification import Array
from sentisynth_hub.verdict.statistics.crossed import Estimate
from sentisynth_hub.verdict.statistics.power import resized


SPENDING_POWER = 2
_STUDIES = 400_000


@lru_cache(maxsize=32)
def look_levels(looks: tuple[int, ...], alpha: float, power: float = SPENDING_POWER) -> tuple[float, ...]:
    """Two-sided level of the interval at each look.

    Args:
        looks: Replicates at each look, rising, at least 2.
        alpha: Level of the study: how often any of its intervals may miss.
        power: Of the spending function.

    Studies without an effect are simulated by their t statistics, always from the same seed; each look's level is the
    one at which as many of those not stopped before stop as its share of `alpha` allows.
    """
    p = _simulated_p(looks, np.random.default_rng(0))
    unstopped = np.ones(_STUDIES, dtype=bool)
    levels, spent = [], 0
    for replicates, at_look in zip(looks, p, strict=True):
        allowed = round(alpha * (replicates / looks[-1]) ** power * _STUDIES) - spent
        candidates = np.sort(at_look[unstopped])
        levels.append(float(candidates[allowed]))
        unstopped &= at_look >= levels[-1]
        spent = _STUDIES - int(unstopped.sum())
    return tuple(levels)


def _simulated_p(looks: Sequence[int], rng: np.random.Generator) -> Array:
    """p of the mean of the first so many standard normal draws, (looks, studies)."""
    total, squares = np.zeros(_STUDIES), np.zeros(_STUDIES)  # of the draws, and around their mean
    before, p = 0, []
    for replicates in looks:
        added = replicates - before
        mean = rng.standard_normal(_STUDIES) / np.sqrt(added)
        if added > 1:
            squares += rng.chisquare(added - 1, _STUDIES)
        if before:
            squares += (mean - total / before) ** 2 * before * added / replicates
        total += mean * added
        before = replicates
        t = total / replicates / np.sqrt(squares / (replicates - 1) / replicates)
        p.append(2 * stdtr(replicates - 1, -np.abs(t)))
    return np.array(p)


def chance_to_settle(
    estimates: Mapping[str, Estimate], replicates: int, items: int, last: int, alpha: float, margin: float
) -> float:
    """How probable it is that the last look settles the verdict, if further replicates are as those so far.

    Args:
        estimates: `natural` and, where that variant was run, `repeated`, as in `conclude`.
        replicates: Replicates so far.
        items: Test items, or clusters of them.
        last: Replicates at the last look.
        alpha: The last look's level.
        margin: As in `Rule`.

    The mean over all replicates has the normal predictive distribution of a flat prior: around today's mean, with the
    variance that the further replicates will remove.
    """

    def ahead(estimate: Estimate) -> tuple[float, float, float]:
        final = resized(estimate, replicates, items, last, items)
        removed = max(estimate.standard_error**2 - final.standard_error**2, 1e-18)
        return estimate.value, final.spread(1 - alpha / 2), float(np.sqrt(removed))

    both = [ahead(estimates[name]) for name in ("natural", "repeated") if name in estimates]
    helps = min(ndtr((value - half) / sd) for value, half, sd in both)
    value, half, sd = both[0]
    no_more = [ndtr((margin - wide - gain) / spread) for gain, wide, spread in both[1:]]  # just more steps
    steps = min(ndtr((value - half) / sd), *no_more) if no_more else 0.0
    hurts, inside = ndtr((-half - value) / sd), margin - half
    small = max(ndtr((inside - value) / sd) - ndtr((-inside - value) / sd), 0.0) if inside > 0 else 0.0
    return float(min(helps + steps + hurts + small, 1.0))
