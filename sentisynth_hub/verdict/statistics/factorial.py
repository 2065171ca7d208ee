"""Imbalance or coverage? Two by two: natural or balanced label prior × repeated natural rows or new text.

If synthetic rows help only because they even out the labels, resampling the natural rows to even labels helps as
much (a main effect of the prior); if they help because they say new things, new text helps under either prior (a main
effect of the text). New text is `kept`, every kept row with its full weight: `mixed` also chooses how much the rows
weigh, and would differ from the other cells in more than its rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sentisynth_hub.verdict.evaluation_parts import Effect, Factorial
from sentisynth_hub.verdict.statistics.comparisons import INDEPENDENT, Dependence
from sentisynth_hub.verdict.statistics.crossed import PseudoValues, combine, joint_alpha


@dataclass(frozen=True)
class TwoByTwo:
    """Which variant stands in which cell, all trained for the same number of steps."""

    natural_repeated: str = "natural_repeated"
    balanced_repeated: str = "rebalanced"
    natural_new: str = "mixed_natural_prior"
    balanced_new: str = "kept"


def factorial(
    parts: Mapping[str, PseudoValues],
    cells: TwoByTwo,
    alpha: float,
    seed: int,
    dependence: Dependence = INDEPENDENT,
) -> Factorial:
    """Estimate both main effects and their interaction; a main effect is averaged over the other factor."""
    a, b, c, d = cells.natural_repeated, cells.balanced_repeated, cells.natural_new, cells.balanced_new
    weights = {
        "balanced instead of natural prior": {a: -0.5, b: 0.5, c: -0.5, d: 0.5},
        "new text instead of repeated rows": {a: -0.5, b: -0.5, c: 0.5, d: 0.5},
        "interaction": {a: 1.0, b: -1.0, c: -1.0, d: 1.0},
    }
    replicates = len(parts[a].scores)
    combined = [combine(parts, part) for part in weights.values()]
    each = joint_alpha(combined, max(replicates - 1, 1), alpha, seed)
    return Factorial(
        cells={name: float(parts[name].scores.mean()) for name in (a, b, c, d)},
        effects=tuple(_effect(name, parts, part, each, dependence) for name, part in weights.items()),
        alpha_each=each,
    )


def _effect(
    name: str,
    parts: Mapping[str, PseudoValues],
    weights: Mapping[str, float],
    alpha: float,
    dependence: Dependence,
) -> Effect:
    value = sum(weight * float(parts[cell].scores.mean()) for cell, weight in weights.items())
    one_item = max(abs(weight) * parts[cell].one_item for cell, weight in weights.items())
    estimate = dependence.estimate(combine(parts, weights), value, one_item)
    return Effect(name=name, value=estimate.value, interval=estimate.interval(alpha), p=estimate.p_value())
