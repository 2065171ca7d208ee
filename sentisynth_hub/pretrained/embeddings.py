"""Mean-pooled features of a frozen encoder: what teachers, heads, semantic duplicates and diversity are computed on.

vectors = embed(["good film", "bad film"], "sentence-transformers/all-MiniLM-L6-v2")     # (2, 384) float32
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sentisynth_hub.core import log
from sentisynth_hub.pretrained.batching import best_device, fixed_threads, length_sorted_batches, model_digest, stored
from sentisynth_hub.pretrained.load_model import cut_length, load_pretrained


_PROGRESS_FROM = 1000  # texts from which a progress line is worth its place


_BLOCK = 8192  # rows whose lengths are taken at once: the temporaries of a large array would double it


def embed(
    texts: Sequence[str],
    model: str,
    *,
    revision: str | None = None,
    prefix: str = "",
    max_length: int = 128,
    batch_size: int = 32,
    threads: int = 2,
    cache: Path | None = None,
) -> npt.NDArray[np.float32]:
    """Return one feature vector a text: the mean of the encoder's last hidden states over the text's tokens.

    Equal texts are computed once, and the batches follow from the set of texts: their order, and who asks, change
    nothing.

    Args:
        texts: n texts; an empty one is the mean over the encoder's special tokens.
        model: Hub id or folder of an encoder.
        revision: Commit, tag or branch on the Hub.
        prefix: Put before every text, as e5 models want `query: `.
        max_length: Tokens a text is cut to, special tokens included.
        batch_size: Texts of one forward pass.
        threads: CPU threads; part of the result, as another number rounds otherwise.
        cache: Folder that keeps the result under a digest of everything it depends on.

    Returns:
        (n, hidden size) float32, not L2-normalised (see `unit`).
    """
    distinct = sorted(set(texts))
    key = [
        "embed",
        model_digest(model, revision) if cache is not None else None,
        [prefix, max_length, batch_size, threads, best_device()],
        distinct,
    ]
    prefixed = [prefix + text for text in distinct]
    vectors = stored(cache, key, lambda: _embed(prefixed, model, revision, max_length, batch_size, threads))
    place = {text: index for index, text in enumerate(distinct)}
    return np.asarray(vectors[[place[text] for text in texts]], dtype=np.float32)


def unit(vectors: npt.NDArray[np.float32], *, in_place: bool = False) -> npt.NDArray[np.float32]:
    """Return `vectors` (n, d) with every row of L2 length 1 (zero rows stay zero): dot products are cosines.

    `in_place` overwrites `vectors`, for a caller who needs nothing else of a large array.
    """
    scaled = vectors if in_place else np.empty_like(vectors, dtype=np.float32)
    for start in range(0, len(vectors), _BLOCK):
        block = vectors[start : start + _BLOCK]
        norms = np.linalg.norm(block, axis=1, keepdims=True)
        scaled[start : start + _BLOCK] = block / np.where(norms == 0, 1, norms)
    return scaled


def _embed(
    texts: list[str], model: str, revision: str | None, max_length: int, batch_size: int, threads: int
) -> npt.NDArray[np.float32]:
    import torch

    tokenizer, encoder = _load(model, revision)
    vectors = np.zeros((len(texts), encoder.config.hidden_size), dtype=np.float32)
    if not texts:
        return vectors
    token_ids = tokenizer(texts, truncation=True, max_length=cut_length(tokenizer, max_length))["input_ids"]
    batches = length_sorted_batches([len(ids) for ids in token_ids], texts, batch_size)
    bar = log.Progress("embedding", len(texts)) if len(texts) >= _PROGRESS_FROM else None
    with torch.inference_mode(), fixed_threads(threads):
        for batch in batches:
            inputs = tokenizer.pad({"input_ids": [token_ids[i] for i in batch]}, return_tensors="pt")
            inputs = inputs.to(encoder.device)
            hidden = encoder(**inputs).last_hidden_state
            mask = inputs["attention_mask"].unsqueeze(-1).to(hidden.dtype)
            means = (hidden * mask).sum(1) / mask.sum(1).clamp(min=1)
            vectors[batch] = means.float().cpu().numpy()
            if bar is not None:
                bar.advance(len(batch))
    if bar is not None:
        bar.close()
    return vectors


@lru_cache(maxsize=1)  # a run asks for one encoder many times; two at once would double the memory
def _load(model: str, revision: str | None) -> tuple[Any, Any]:
    tokenizer, encoder = load_pretrained("encoder", model, revision=revision, dtype="float32")
    return tokenizer, encoder.to(best_device())
