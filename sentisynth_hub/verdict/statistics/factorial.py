"""Imbalance or coverage? Two by two: natural or balanced label prior × repeated natural rows or new text.

If synthetic rows help only because they even out the labels, resampling the natural rows to even labels helps as
much (a main effect of the prior); if they help because they say new things, new text helps under either prior (a main
effect of the text).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypedDict

from sentisynth_hub.verdict.statistics.crossed import Estimate, PseudoValues, combine, contrast, joint_alpha


@dataclass(frozen=True)
class TwoByTwo:
    """Which variant stands in which cell, all trained for the same number of steps."""

    natural_repeated: str = "natural_repeated"
    balanced_repeated: str = "rebalanced"
    natural_new: str = "mixed_natural_prior"
    balanced_new: str = "mixed"


class Effect(TypedDict):
    """One effect with its simultaneous interval."""

    name: str
    value: float
    interval: tuple[float, float] | None
    p: float | None


class Factorial(TypedDict):
    """Cell means by variant, the three effects, and the level each interval was given so that all three hold
    together.
    """

    cells: dict[str, float]
    effects: list[Effect]
    alpha_each: float


def factorial(parts: Mapping[str, PseudoValues], cells: TwoByTwo, alpha: float, seed: int) -> Factorial:
    """Estimate both main effects and their interaction; a main effect is averaged over the other factor."""
    a, b, c, d = cells.natural_repeated, cells.balanced_repeated, cells.natural_new, cells.balanced_new
    weights = {
        "balanced instead of natural prior": {a: -0.5, b: 0.5, c: -0.5, d: 0.5},
        "new text instead of repeated rows": {a: -0.5, b: -0.5, c: 0.5, d: 0.5},
        "interaction": {a: 1.0, b: -1.0, c: -1.0, d: 1.0},
    }
    replicates = len(parts[a].scores)
    combined = [combine(parts, one) for one in weights.values()]
    each = joint_alpha(combined, max(replicates - 1, 1), alpha, seed)
    effects = [_effect(name, contrast(parts, one), each) for name, one in weights.items()]
    return {
        "cells": {name: float(parts[name].scores.mean()) for name in (a, b, c, d)},
        "effects": effects,
        "alpha_each": each,
    }


def _effect(name: str, estimate: Estimate, alpha: float) -> Effect:
    return {"name": name, "value": estimate.value, "interval": estimate.interval(alpha), "p": estimate.p_value()}
