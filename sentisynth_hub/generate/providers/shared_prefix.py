"""Attention in which many samples of one prompt share its keys and values, instead of each carrying a copy.

At eight shots nine tenths of what a sample attends to is the prompt. The prompt's part becomes one matrix product for
all its samples (Juravsky et al. 2024, "Hydragen", section 3), the few tokens a sample wrote itself stay its own; the
softmax runs over both. Samples of several prompts can stand in one batch without padding: all have written equally
many tokens, and each prompt's part is computed by itself.
"""

from dataclasses import dataclass
from typing import Any


NAME = "sentisynth_shared_prefix"


@dataclass
class Prefix:
    """One encoded prompt: for each layer its keys and values, (key heads, prompt tokens, head size), and the rows
    it serves.
    """

    layers: list[tuple[Any, Any]]
    length: int
    rows: slice


def register() -> None:
    """Make the attention known to transformers under `NAME`; a model takes it with `set_attn_implementation`."""
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    ALL_ATTENTION_FUNCTIONS.register(NAME, attend)


def attend(
    module: Any,
    query: Any,
    key: Any,
    value: Any,
    attention_mask: Any,
    scaling: float,
    *,
    prefixes: list[Prefix],
    sliding_window: int | None = None,
    softcap: float | None = None,
    **kwargs: Any,
) -> tuple[Any, None]:
    """Attention of one new token a row over its prompt's and its own keys.

    Args:
        query: (rows, heads, 1, head size).
        key: The rows' own keys, (rows, key heads, own tokens, head size); `value` alike.
        attention_mask: Not used: nothing is padded and nothing comes later than the one new token.
        prefixes: The prompts, whose `rows` together cover the batch.
        sliding_window: Tokens back that this layer sees, itself included; None: all.
        softcap: Bound of the scores, where the model has one.

    Returns:
        (rows, 1, heads, head size), and None for the weights.
    """
    import torch

    rows, heads, _, size = query.shape
    key_heads, own_tokens = key.shape[1:3]
    query = query.view(rows, key_heads, heads // key_heads, size)
    own_scores = torch.matmul(query, key.transpose(2, 3))
    output = torch.empty_like(query)
    for prefix in prefixes:
        here = prefix.rows
        visible = prefix.length if sliding_window is None else min(prefix.length, max(0, sliding_window - own_tokens))
        prefix_key, prefix_value = (part[:, prefix.length - visible :] for part in prefix.layers[module.layer_idx])
        stacked = (
            query[here].transpose(0, 1).reshape(key_heads, -1, size)
        )  # a key head's queries of all rows, one below the other
        own = own_scores[here].transpose(0, 1).reshape(key_heads, stacked.shape[1], own_tokens)
        scores = torch.cat([torch.matmul(stacked, prefix_key.transpose(1, 2)), own], -1).float() * scaling
        if softcap is not None:
            scores = torch.tanh(scores / softcap) * softcap
        weights = torch.softmax(scores, -1).to(query.dtype)
        shape = (key_heads, here.stop - here.start, heads // key_heads)
        from_prefix = torch.matmul(weights[..., :visible], prefix_value).view(*shape, size).transpose(0, 1)
        from_own = torch.matmul(weights[..., visible:].view(*shape, own_tokens).transpose(0, 1), value[here])
        output[here] = from_prefix + from_own
    return output.view(rows, 1, heads, size), None
