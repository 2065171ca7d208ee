"""Tokens are drawn from the distribution they should be drawn from, each row by its own numbers."""

import pytest
import torch
from scipy.stats import chisquare

from sentisynth_hub.generate.providers.sampling import sample, uniform_numbers
from sentisynth_hub.recipe.prompt_section import Sampling


def nucleus(logits: torch.Tensor, sampling: Sampling) -> torch.Tensor:
    """Probabilities after temperature, top_k and top_p, token by token."""
    probabilities = torch.softmax(logits.double() / sampling.temperature, -1)
    order = probabilities.argsort(descending=True)
    if sampling.top_k:
        probabilities[order[sampling.top_k :]] = 0
        probabilities /= probabilities.sum()
    mass = 0.0
    for token in order.tolist():
        if mass >= sampling.top_p:
            probabilities[token] = 0
        mass += probabilities[token].item()
    return probabilities / probabilities.sum()


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(temperature=1.0, top_p=1.0),
        Sampling(temperature=0.7, top_p=0.9),
        Sampling(temperature=1.3, top_p=0.95, top_k=12),
    ],
)
@pytest.mark.parametrize("vocabulary", [40, 900])
def test_frequencies_follow_the_nucleus(sampling: Sampling, vocabulary: int) -> None:
    """900 tokens with a flat head: the nucleus is wider than what is looked at first."""
    torch.manual_seed(1)
    logits = torch.randn(vocabulary) * (1.5 if vocabulary == 40 else 0.3)
    draws = 60_000
    numbers = uniform_numbers([7], draws)[0]
    drawn = torch.cat([sample(logits.expand(6000, -1), part, sampling) for part in numbers.split(6000)])
    expected = nucleus(logits, sampling)
    counts = torch.bincount(drawn, minlength=vocabulary).double()
    assert counts[expected == 0].sum() == 0
    inside = expected > 0
    assert chisquare(counts[inside].numpy(), (expected[inside] * draws).numpy()).pvalue > 1e-3


def test_a_row_does_not_depend_on_its_neighbours() -> None:
    torch.manual_seed(2)
    logits = torch.randn(8, 700)
    seeds = [3, 1, 4, 1, 5, 9, 2, 6]
    numbers = uniform_numbers(seeds, 5)
    together = sample(logits, numbers[:, 2], Sampling())
    assert torch.equal(numbers[1], numbers[3])
    for row in range(8):
        one = sample(logits[row : row + 1], uniform_numbers([seeds[row]], 5)[:, 2], Sampling())
        assert one.item() == together[row].item()


def test_temperature_0_takes_the_likeliest() -> None:
    logits = torch.tensor([[0.0, 3.0, 1.0], [2.0, 0.0, 1.0]])
    assert sample(logits, torch.tensor([0.9, 0.9]), Sampling(temperature=0)).tolist() == [1, 0]


def test_the_ends_of_the_unit_interval_are_tokens_too() -> None:
    logits = torch.zeros(2, 4)
    edge = torch.tensor([0.0, 1 - 2**-53], dtype=torch.float64)
    assert set(sample(logits, edge, Sampling(top_p=1.0)).tolist()) <= {0, 1, 2, 3}
