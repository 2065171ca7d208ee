"""What synthetic rows have gained so far: the prior of every plan, in this one place.

    published_prior().mean, published_prior().sd

The gains of `mixed` over `natural` in the studies of docs/results whose natural rows are given their best, with their
standard errors. The prior is the normal distribution of a further study's true gain: mean and spread between studies
by DerSimonian and Laird (1986), the error of the mean included. It is a few studies wide, most of them on movie
reviews: a start, and no more.
"""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Effect:
    """One study's gain of `mixed` over `natural` in macro-F1, with its standard error."""

    study: str
    gain: float
    standard_error: float


EFFECTS = (
    Effect("sst2-vicuna-7b-1.5v-50", 0.0448, 0.0151),
    Effect("sst2-gpt2-xl-50", 0.0241, 0.0159),
    Effect("quickstart", 0.0037, 0.0094),
)


@dataclass(frozen=True)
class Prior:
    """Mean and standard deviation of the true gain of a study to come; `studies` it was learned from."""

    mean: float
    sd: float
    studies: int


def published_prior(effects: tuple[Effect, ...] = EFFECTS) -> Prior:
    """The prior that these studies give, at least two."""
    variances = [effect.standard_error**2 for effect in effects]
    weights = [1 / variance for variance in variances]
    pooled = sum(weight * effect.gain for weight, effect in zip(weights, effects, strict=True)) / sum(weights)
    scatter = sum(weight * (effect.gain - pooled) ** 2 for weight, effect in zip(weights, effects, strict=True))
    scale = sum(weights) - sum(weight**2 for weight in weights) / sum(weights)
    between = max((scatter - (len(effects) - 1)) / scale, 0.0)
    weights = [1 / (variance + between) for variance in variances]
    mean = sum(weight * effect.gain for weight, effect in zip(weights, effects, strict=True)) / sum(weights)
    return Prior(mean, math.sqrt(between + 1 / sum(weights)), len(effects))
