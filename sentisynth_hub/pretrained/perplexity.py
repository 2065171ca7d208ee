"""Perplexity of texts under a causal language model: exp of the mean negative log-likelihood of a text's tokens.

Every token of the text counts, the first one too: it is predicted from the tokenizer's start token (its end-of-text
token where it has none, as GPT-2). Nothing else is added and nothing is appended. Texts are padded on the right here,
by hand, and masked by their length, so neither the tokenizer's padding side nor a pad token that equals the end token
matters.
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from sentisynth_hub.core import log
from sentisynth_hub.pretrained.batching import best_device, fixed_threads, length_sorted_batches, model_digest, stored
from sentisynth_hub.pretrained.load_model import cut_length, load_pretrained


_HEAD_POSITIONS = 1024  # positions whose vocabulary-wide logits are held at once
_PROGRESS_FROM = 500


def perplexities(
    texts: Sequence[str],
    model: str,
    *,
    revision: str | None = None,
    max_length: int = 512,
    batch_size: int = 32,
    threads: int = 2,
    dtype: Literal["float32", "bfloat16"] = "float32",
    cache: Path | None = None,
) -> npt.NDArray[np.float64]:
    """Return each text's perplexity, (n,) float64.

    Args:
        texts: n texts. One without a token to predict (the empty text) has no perplexity: NaN.
        model: Hub id or folder of a causal language model.
        revision: Commit, tag or branch on the Hub.
        max_length: Tokens of a text that are scored; what follows is left out.
        batch_size: Texts of one forward pass.
        threads: CPU threads; part of the result.
        dtype: Number format of the model; the likelihoods are summed in float32 or better.
        cache: Folder that keeps the result under a digest of everything it depends on.
    """
    distinct = sorted(set(texts))
    key = [
        "perplexity",
        model_digest(model, revision) if cache is not None else None,
        [max_length, batch_size, threads, dtype, best_device()],
        distinct,
    ]
    values = stored(cache, key, lambda: _score(distinct, model, revision, max_length, batch_size, threads, dtype))
    place = {text: index for index, text in enumerate(distinct)}
    return np.asarray(values[[place[text] for text in texts]], dtype=np.float64)


def _score(
    texts: list[str], name: str, revision: str | None, max_length: int, batch_size: int, threads: int, dtype: str
) -> npt.NDArray[np.float64]:
    import torch

    tokenizer, model = _load(name, revision, dtype)
    values = np.full(len(texts), np.nan)
    if not texts:
        return values
    start = start_token(tokenizer)
    limit = cut_length(tokenizer, max_length + len(start)) - len(start)
    encoded = tokenizer(texts, add_special_tokens=False, truncation=True, max_length=limit)["input_ids"]
    ids = [[*start, *tokens] for tokens in encoded]
    scorable = [index for index, tokens in enumerate(ids) if len(tokens) > 1]
    batches = length_sorted_batches([len(ids[i]) for i in scorable], [texts[i] for i in scorable], batch_size)
    bar = log.Progress("perplexity", len(scorable)) if len(scorable) >= _PROGRESS_FROM else None
    with torch.inference_mode(), fixed_threads(threads):
        plain = _head_is_plain(model, ids[scorable[0]]) if scorable else True
        for batch in batches:
            places = [scorable[i] for i in batch]
            values[places] = _batch(model, [ids[i] for i in places], plain)
            if bar is not None:
                bar.advance(len(batch))
    if bar is not None:
        bar.close()
    return values


def start_token(tokenizer: Any) -> list[int]:
    """What the first token of a text is predicted from: the start token, else the end token, else nothing."""
    if tokenizer.bos_token_id is not None:
        return [tokenizer.bos_token_id]
    return [] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]


def _batch(model: Any, ids: list[list[int]], plain: bool) -> npt.NDArray[np.float64]:
    """Perplexities of token sequences of two tokens and more; the first token of each is given, not scored."""
    import torch

    lengths = torch.tensor([len(tokens) for tokens in ids])
    width = int(lengths.max())
    inputs = torch.tensor([tokens + [0] * (width - len(tokens)) for tokens in ids])  # any id will do: it is masked
    mask = torch.arange(width)[None, :] < lengths[:, None]
    predicting = mask[:, 1:].to(model.device)  # position p predicts token p + 1, where there is one
    inputs, mask = inputs.to(model.device), mask.to(model.device)
    targets = inputs[:, 1:][predicting]
    if plain:  # the vocabulary is the wide part of a small model: compute it on real positions only
        hidden = model.base_model(input_ids=inputs, attention_mask=mask.long()).last_hidden_state[:, :-1][predicting]
        head = model.get_output_embeddings()
        chunks = zip(torch.split(hidden, _HEAD_POSITIONS), torch.split(targets, _HEAD_POSITIONS), strict=True)
        losses = torch.cat([_losses(head(states), chunk_targets) for states, chunk_targets in chunks])
    else:
        losses = _losses(model(input_ids=inputs, attention_mask=mask.long()).logits[:, :-1][predicting], targets)
    rows = torch.arange(len(ids), device=model.device)[:, None].expand_as(predicting)[predicting]
    sums = torch.zeros(len(ids), dtype=torch.float64, device=model.device).index_add_(0, rows, losses.double())
    return np.asarray(torch.exp(sums.cpu() / (lengths - 1)).numpy())


def _losses(logits: Any, targets: Any) -> Any:
    """Negative log-likelihood of each target, (positions,) float32, from logits (positions, vocabulary)."""
    import torch

    return torch.nn.functional.cross_entropy(logits.float(), targets, reduction="none")


def _head_is_plain(model: Any, ids: list[int]) -> bool:
    """Whether the logits are the output embedding of the last hidden state and nothing more (some models cap or
    scale).
    """
    import torch

    inputs = torch.tensor([ids], device=model.device)
    whole = model(input_ids=inputs).logits
    parts = model.get_output_embeddings()(model.base_model(input_ids=inputs).last_hidden_state)
    return bool(torch.allclose(whole, parts, rtol=1e-3, atol=1e-3))


@lru_cache(maxsize=1)
def _load(name: str, revision: str | None, dtype: str) -> tuple[Any, Any]:
    tokenizer, model = load_pretrained("causal_lm", name, revision=revision, dtype=dtype)
    return tokenizer, model.to(best_device())
