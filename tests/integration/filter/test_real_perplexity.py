"""Perplexities of a real causal language model against one text a call, in float32.

SENTISYNTH_TEST_MODEL=$MODELS/SmolLM2-135M-Instruct pytest tests/integration/filter/test_real_perplexity.py
"""

import math
import os
import random

import numpy as np
import pytest

from sentisynth_hub.pretrained.perplexity import perplexities


REAL = os.environ.get("SENTISYNTH_TEST_MODEL")  # folder or Hub id of a real causal language model
pytestmark = pytest.mark.skipif(REAL is None, reason="SENTISYNTH_TEST_MODEL names no model")
LONGEST = 300  # tokens of a text


def texts_of_lengths(model: str) -> list[str]:
    """Texts of 1, 2, 3, 5, ... 300 tokens, then ones without a word."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    words = ["film", "slow", "and", "quiet", "story", "about", "two", "people", "who", "never", "meet", "again"]
    text = " ".join(random.Random(1).choices(words, k=LONGEST + 20))
    running = tokenizer(text, add_special_tokens=False)["input_ids"]
    made = [tokenizer.decode(running[:length]) for length in (1, 2, 3, 5, 8, 13, 40, 90, 180, LONGEST)]
    return [*made, "😀", "🔥🔥😭", "കൊള്ളാം padam, polichu 🔥", "!!", " "]


def test_a_real_model_scores_as_one_text_at_a_time() -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    assert REAL is not None
    texts = texts_of_lengths(REAL)
    found = perplexities([*texts, ""], REAL, batch_size=6)
    tokenizer = AutoTokenizer.from_pretrained(REAL)
    lm = AutoModelForCausalLM.from_pretrained(REAL, dtype=torch.float32).eval()
    start = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    lengths = []
    for text, value in zip(texts, found, strict=False):
        ids = torch.tensor([[start, *tokenizer(text, add_special_tokens=False)["input_ids"]]])
        lengths.append(ids.shape[1] - 1)
        with torch.no_grad():
            assert value == pytest.approx(math.exp(float(lm(input_ids=ids, labels=ids).loss)), rel=1e-3), text
    assert min(lengths) == 1
    assert max(lengths) >= LONGEST - 5  # cutting inside a word may join tokens
    assert np.isnan(found[-1])  # the empty text
