"""Texts as token ids, batches planned by length, and padding to the longest text of a batch.

Batches follow from the seed and the lengths alone: the same whatever the number of processes, the parts a step is
computed in, or where a trial was interrupted.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sentisynth_hub.core.random import rng
from sentisynth_hub.pretrained.load_model import cut_length


_POOLED = 32  # batches whose rows are sorted by length together: padding almost gone, the order still mostly random


@dataclass(frozen=True)
class Encoded:
    """Texts as token ids (special tokens included), their labels as integers, and a weight each, 1 in the mean."""

    token_ids: list[list[int]]
    labels: list[int]
    weights: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.weights:
            object.__setattr__(self, "weights", [1.0] * len(self.labels))

    def __len__(self) -> int:
        return len(self.labels)


def encode(texts: Sequence[str], tokenizer: Any, max_length: int) -> list[list[int]]:
    """Token ids of each text, special tokens included, cut to `max_length` or to what the encoder can read."""
    if not texts:
        return []
    limit = cut_length(tokenizer, max_length)
    encoded = tokenizer(list(texts), truncation=True, max_length=limit, padding=False, return_attention_mask=False)
    return list(encoded["input_ids"])


def plan_epoch(lengths: Sequence[int], batch_size: int, seed: int, epoch: int) -> list[list[int]]:
    """Deal out all rows once: shuffled, then sorted by length within pools of some batches, the batches shuffled
    again.

    Returns:
        Lists of row numbers, `batch_size` each but one.
    """
    random = rng(seed, "order", epoch)
    order = random.permutation(len(lengths)).tolist()
    pool = batch_size * _POOLED
    batches = []
    for start in range(0, len(order), pool):
        rows = sorted(order[start : start + pool], key=lambda i: -lengths[i])
        batches += [rows[i : i + batch_size] for i in range(0, len(rows), batch_size)]
    return [batches[i] for i in random.permutation(len(batches))]


def length_sorted(lengths: Sequence[int], batch_size: int) -> list[list[int]]:
    """Row numbers in batches from the longest to the shortest, for prediction."""
    order = sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))
    return [order[i : i + batch_size] for i in range(0, len(order), batch_size)]


def collate(token_ids: Sequence[Sequence[int]], pad_id: int) -> dict[str, Any]:
    """Tensors `input_ids` and `attention_mask`, (rows, longest row), padded on the right."""
    import torch

    width = max(map(len, token_ids))
    padded = torch.full((len(token_ids), width), pad_id, dtype=torch.long)
    mask = torch.zeros((len(token_ids), width), dtype=torch.long)
    for i, ids in enumerate(token_ids):
        padded[i, : len(ids)] = torch.tensor(ids, dtype=torch.long)
        mask[i, : len(ids)] = 1
    return {"input_ids": padded, "attention_mask": mask}
