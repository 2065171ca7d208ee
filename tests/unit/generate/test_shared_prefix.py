"""Attention over a shared prompt gives what the model gives without sharing."""

from pathlib import Path

import pytest
import torch

from sentisynth_hub.core.errors import StageError
from sentisynth_hub.core.untrusted import clean_text
from sentisynth_hub.generate.providers import shared_prefix
from sentisynth_hub.generate.providers.transformers_lm import TransformersGenerator
from sentisynth_hub.recipe.generator_kinds import LocalGenerator
from sentisynth_hub.recipe.prompt_section import Prompting, Sampling
from tests.support.worlds import request, tiny_model


def generator(folder: Path, **sampling: object) -> TransformersGenerator:
    local = LocalGenerator(kind="transformers", model=str(folder), dtype="float32", threads=1)
    return TransformersGenerator(local, Sampling.model_validate(sampling), Prompting())


@pytest.mark.parametrize("kind", ["llama", "gpt2", "gemma3"])
def test_greedy_texts_are_those_of_plain_generate(kind: str, tmp_path: Path) -> None:
    """Two prompts of different lengths in one batch, a sliding window shorter than the prompt in gemma3."""
    own = generator(tiny_model(tmp_path / kind, kind), temperature=0, max_new_tokens=9)
    prompts = ["Positive review: a warm and clever plot\nPositive review:", "Negative review:"]
    batch = [request(prompts[i // 2], i, prompt_id=str(i // 2)) for i in range(4)]
    texts = [(completion.text, completion.completion_tokens) for completion in own.generate(batch)]
    own.model.set_attn_implementation("sdpa")
    stops = own.stops.nonzero().flatten().tolist()
    for place, prompt in ((0, prompts[0]), (1, prompts[0]), (2, prompts[1])):
        ids = own.tokenizer(prompt, return_tensors="pt")
        whole = own.model.generate(**ids, do_sample=False, max_new_tokens=9, eos_token_id=stops, pad_token_id=0)
        new = whole[0, ids.input_ids.shape[1] :]
        text = clean_text(own.tokenizer.decode(new, skip_special_tokens=True).partition("\n")[0])
        assert texts[place] == (text, len(new))


def test_a_model_that_attends_otherwise_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = shared_prefix.attend

    def forgets_the_prompt(*args: object, **kwargs: object) -> object:
        output, weights = honest(*args, **kwargs)  # type: ignore[arg-type]
        return torch.roll(output, 1, -1), weights

    monkeypatch.setattr(shared_prefix, "attend", forgets_the_prompt)
    with pytest.raises(StageError, match="llama.*use kind: openai"):
        generator(tiny_model(tmp_path / "llama"))
