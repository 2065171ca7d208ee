"""What synthetic rows have gained so far: the prior of every plan, in this one place.

    published_prior(labels_a_class=50).mean

The gains of `mixed` over `natural` in the studies whose evaluations stand in docs/results/evaluations/, with their
standard errors. They fall with the number of human labels, so that the studies of one number of labels are summarised
(random effects: DerSimonian and Laird 1986) and the prior of another number lies between its neighbours, in the
logarithm of the labels; beyond the smallest and the largest it is theirs. All are of one task and one encoder, and
another one's gain may be nothing, or twice as much: the prior's spread is at least its mean.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class PublishedGain:
    """One study: human labels a class, the gain of `mixed` over `natural` in macro-F1, and its standard error."""

    study: str
    labels: int
    gain: float
    standard_error: float


PUBLISHED = (
    PublishedGain("sst2-gpt2-xl-100-rows-10-labels", 10, 0.0001, 0.0209),
    PublishedGain("sst2-gpt2-xl-1000-rows-10-labels", 10, 0.074, 0.0291),
    PublishedGain("sst2-llama-2-7b-chat-hf-100-rows-10-labels", 10, 0.0627, 0.0226),
    PublishedGain("sst2-llama-2-7b-chat-hf-1000-rows-10-labels", 10, 0.0752, 0.0287),
    PublishedGain("sst2-opt-6.7b-100-rows-10-labels", 10, -0.0077, 0.0121),
    PublishedGain("sst2-opt-6.7b-1000-rows-10-labels", 10, 0.0545, 0.036),
    PublishedGain("sst2-vicuna-7b-1.5v-100-rows-10-labels", 10, 0.0833, 0.0202),
    PublishedGain("sst2-vicuna-7b-1.5v-1000-rows-10-labels", 10, 0.1092, 0.0251),
    PublishedGain("sst2-gpt2-xl-100-rows-50-labels", 50, 0.0127, 0.0063),
    PublishedGain("sst2-gpt2-xl-1000-rows-50-labels", 50, 0.023, 0.0114),
    PublishedGain("sst2-llama-2-7b-chat-hf-100-rows-50-labels", 50, 0.0253, 0.0046),
    PublishedGain("sst2-llama-2-7b-chat-hf-1000-rows-50-labels", 50, 0.0349, 0.0066),
    PublishedGain("sst2-opt-6.7b-100-rows-50-labels", 50, -0.0009, 0.0073),
    PublishedGain("sst2-opt-6.7b-1000-rows-50-labels", 50, 0.0402, 0.0084),
    PublishedGain("sst2-smollm2-135m-n50", 50, -0.0083, 0.0074),
    PublishedGain("sst2-vicuna-7b-1.5v-100-rows-50-labels", 50, 0.0267, 0.004),
    PublishedGain("sst2-vicuna-7b-1.5v-1000-rows-50-labels", 50, 0.0517, 0.0068),
    PublishedGain("sst2-gpt2-xl-100-rows-250-labels", 250, -0.0014, 0.0033),
    PublishedGain("sst2-gpt2-xl-1000-rows-250-labels", 250, 0.0029, 0.0046),
    PublishedGain("sst2-llama-2-7b-chat-hf-100-rows-250-labels", 250, 0.0056, 0.0036),
    PublishedGain("sst2-llama-2-7b-chat-hf-1000-rows-250-labels", 250, 0.007, 0.0038),
    PublishedGain("sst2-opt-6.7b-100-rows-250-labels", 250, 0.0007, 0.0035),
    PublishedGain("sst2-opt-6.7b-1000-rows-250-labels", 250, 0.0082, 0.0036),
    PublishedGain("sst2-vicuna-7b-1.5v-100-rows-250-labels", 250, 0.0071, 0.0057),
    PublishedGain("sst2-vicuna-7b-1.5v-1000-rows-250-labels", 250, 0.0101, 0.0034),
)


@dataclass(frozen=True)
class Prior:
    """Mean and standard deviation of the true gain of a study to come; `studies` it was learned from."""

    mean: float
    sd: float
    studies: int


def published_prior(labels_a_class: float, effects: Sequence[PublishedGain] = PUBLISHED) -> Prior:
    """The prior for so many human labels a class."""
    mean, sd = _between_neighbours(labels_a_class, effects)
    return Prior(mean, max(sd, abs(mean)), len(effects))


def _between_neighbours(labels_a_class: float, effects: Sequence[PublishedGain]) -> tuple[float, float]:
    """Mean and standard deviation at so many labels."""
    sizes = sorted({effect.labels for effect in effects})
    summaries = {size: summary([effect for effect in effects if effect.labels == size]) for size in sizes}
    above = next((size for size in sizes if size >= labels_a_class), sizes[-1])
    below = next((size for size in reversed(sizes) if size <= labels_a_class), sizes[0])
    first, second = summaries[below], summaries[above]
    if above <= below:
        return first.mean, first.sd
    place = math.log(labels_a_class / below) / math.log(above / below)
    return (1 - place) * first.mean + place * second.mean, (1 - place) * first.sd + place * second.sd


def summary(effects: Sequence[PublishedGain]) -> Prior:
    """Random-effects mean of studies alike, at least two, and the spread of one more."""
    variances = [effect.standard_error**2 for effect in effects]
    weights = [1 / variance for variance in variances]
    pooled = sum(weight * effect.gain for weight, effect in zip(weights, effects, strict=True)) / sum(weights)
    scatter = sum(weight * (effect.gain - pooled) ** 2 for weight, effect in zip(weights, effects, strict=True))
    scale = sum(weights) - sum(weight**2 for weight in weights) / sum(weights)
    between = max((scatter - (len(effects) - 1)) / scale, 0.0)
    weights = [1 / (variance + between) for variance in variances]
    mean = sum(weight * effect.gain for weight, effect in zip(weights, effects, strict=True)) / sum(weights)
    return Prior(mean, math.sqrt(between + 1 / sum(weights)), len(effects))
