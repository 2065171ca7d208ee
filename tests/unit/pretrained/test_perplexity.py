"""Perplexities against scoring each text alone, and the traps others fell into.

Padding scored (axolotl #3988), a pad token of its own (lmppl #5), the padding side (evaluate #636), no start token
(datasets #4108): each changes the numbers, so each is tried here.
"""

import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sentisynth_hub.pretrained.perplexity import perplexities, start_token
from tests.support.worlds import tiny_model


TEXTS = [
    "a",
    "🎉",
    "🎉🔥🎉",
    "a quiet film",
    "നല്ല സിനിമ, kidu!",
    "word " * 300,
    "short",
    " leading and trailing ",
    *(
        " ".join(random.Random(n).choices(["plot", "film", "slow", "warm", "and", "the"], k=n))
        for n in (2, 7, 40, 120)
    ),
]


@pytest.fixture(scope="module", params=["llama", "gpt2"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp(request.param), request.param)


def alone(text: str, folder: Path) -> float:
    """exp of the mean loss of the model itself, one text a call, nothing padded."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    lm = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    start = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    ids = torch.tensor([[start, *tokenizer(text, add_special_tokens=False)["input_ids"][:400]]])
    with torch.no_grad():
        return math.exp(float(lm(input_ids=ids, labels=ids).loss))


def test_perplexities_equal_scoring_each_text_alone(model: Path) -> None:
    values = perplexities(TEXTS, str(model), batch_size=5, max_length=400)
    for text, value in zip(TEXTS, values, strict=True):
        assert value == pytest.approx(alone(text, model), rel=1e-3)


def test_sliding_attention_is_no_exception(tmp_path: Path) -> None:
    folder = tiny_model(tmp_path / "lm", "gemma3")
    values = perplexities(TEXTS[:5] + TEXTS[-2:], str(folder), batch_size=4)
    for text, value in zip(TEXTS[:5] + TEXTS[-2:], values, strict=True):
        assert value == pytest.approx(alone(text, folder), rel=1e-3)


def test_an_empty_text_has_none(model: Path) -> None:
    values = perplexities(["", "a film", ""], str(model))
    assert np.isnan(values[[0, 2]]).all()
    assert values[1] == pytest.approx(alone("a film", model), rel=1e-3)
    assert np.isnan(perplexities([""], str(model))).all()
    assert perplexities([], str(model)).shape == (0,)


@pytest.mark.parametrize(("side", "pad"), [("left", "<end>"), ("right", "a"), ("left", None)])
def test_pad_token_and_side_do_not_matter(model: Path, tmp_path: Path, side: str, pad: str | None) -> None:
    from transformers import AutoTokenizer

    other = tmp_path / "other"
    other.mkdir()
    for file in model.iterdir():
        (other / file.name).write_bytes(file.read_bytes())
    tokenizer = AutoTokenizer.from_pretrained(model)
    tokenizer.padding_side, tokenizer.pad_token = side, pad
    tokenizer.save_pretrained(other)
    assert perplexities(TEXTS[:5], str(other)) == pytest.approx(perplexities(TEXTS[:5], str(model)), rel=1e-6)


def test_batch_size_order_and_company_do_not_matter(model: Path) -> None:
    together = perplexities(TEXTS, str(model), batch_size=32, max_length=400)
    assert perplexities(TEXTS[::-1], str(model), batch_size=3, max_length=400)[::-1] == pytest.approx(
        together, rel=1e-4
    )
    assert perplexities(TEXTS[3:4], str(model)) == pytest.approx(together[3:4], rel=1e-4)


def test_long_texts_are_scored_up_to_the_limit(model: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    cut = tokenizer.decode(tokenizer("plot and film " * 50, add_special_tokens=False)["input_ids"][:20])
    (value,) = perplexities(["plot and film " * 50], str(model), max_length=20)
    assert value == pytest.approx(alone(cut, model), rel=1e-3)


@pytest.mark.parametrize(("bos", "eos", "start"), [(5, 7, [5]), (None, 7, [7]), (None, None, [])])
def test_the_first_token_is_predicted_from_a_start_token(bos: int | None, eos: int | None, start: list[int]) -> None:
    class Tokenizer:
        bos_token_id, eos_token_id = bos, eos

    assert start_token(Tokenizer()) == start


def test_a_model_that_caps_its_logits_is_scored_whole(tmp_path: Path) -> None:
    """Where the logits are more than the output embedding, the short cut would give other numbers."""
    from transformers import AutoModelForCausalLM, AutoTokenizer, Gemma2Config

    folder = tiny_model(tmp_path / "lm")
    vocabulary = len(AutoTokenizer.from_pretrained(folder))
    sizes: dict[str, Any] = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "head_dim": 8}
    config = Gemma2Config(
        vocab_size=vocabulary, num_attention_heads=4, num_key_value_heads=2, final_logit_softcapping=0.5,
        initializer_range=0.3, bos_token_id=0, eos_token_id=0, pad_token_id=0, **sizes,
    )  # fmt: skip
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    values = perplexities(TEXTS[:5], str(folder))
    for text, value in zip(TEXTS[:5], values, strict=True):
        assert value == pytest.approx(alone(text, folder), rel=1e-3)
