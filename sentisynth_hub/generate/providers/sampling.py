"""Drawing the next token for a whole batch, each row from random numbers of its own.

A row's numbers are drawn once from its own seed, one for each token it may get; a token is then read off the sorted
distribution at that number (inverse transform sampling). What a row gets does not depend on how many rows stand beside
it or on who drew before.
"""

from collections.abc import Sequence
from typing import Any

from sentisynth_hub.recipe.prompt_section import Sampling


_HEAD = 512  # likeliest tokens looked at first; a row whose nucleus is larger has all its tokens sorted


def uniform_numbers(seeds: Sequence[int], count: int) -> Any:
    """(rows, count) float64 in [0, 1) on the CPU, each row from a generator of its own seed."""
    import torch

    return torch.stack(
        [torch.rand(count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) for seed in seeds]
    )


def sample(logits: Any, numbers: Any, sampling: Sampling) -> Any:
    """Draw one token a row.

    Args:
        logits: (rows, vocabulary) float.
        numbers: (rows,) uniform in [0, 1).

    Returns:
        (rows,) token ids.
    """
    import torch

    assert sampling.temperature is not None  # a local generator's section refuses null
    assert sampling.top_p is not None
    if sampling.temperature == 0:
        return logits.argmax(-1)
    scores = logits.float() / sampling.temperature
    limit = min(sampling.top_k or scores.shape[1], scores.shape[1])
    head, tokens = scores.topk(min(_HEAD, limit), dim=-1)
    if sampling.top_k is not None and limit <= _HEAD:
        return _read_off(torch.softmax(head, -1), tokens, numbers, sampling.top_p)
    probabilities = torch.exp(head - scores.logsumexp(-1, keepdim=True))
    choices = _read_off(probabilities, tokens, numbers, sampling.top_p)
    wide = (probabilities.sum(-1) < sampling.top_p).nonzero().flatten()
    if len(wide):
        ordered, tokens = scores[wide].sort(dim=-1, descending=True)
        choices[wide] = _read_off(torch.softmax(ordered[:, :limit], -1), tokens, numbers[wide], sampling.top_p)
    return choices


def _read_off(probabilities: Any, tokens: Any, numbers: Any, top_p: float) -> Any:
    """The token at `numbers` in the nucleus of descending `probabilities`: the smallest set that holds `top_p` of
    the mass.
    """
    import torch

    cumulated = probabilities.double().cumsum(-1)
    size = (cumulated < top_p).sum(-1).clamp(max=probabilities.shape[1] - 1)
    mass = cumulated.gather(1, size[:, None])
    place = torch.searchsorted(cumulated, numbers.to(cumulated)[:, None] * mass, right=True)
    return tokens.gather(1, place.minimum(size[:, None])).flatten()
