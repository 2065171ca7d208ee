"""A causal language model on this machine: every prompt is read once, all its samples are written together.

A batch is what `generate` is given at once. What comes out depends on the batch as a whole (the order of additions in
a matrix product does), so a caller that wants the same texts again must give the same batch again.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from sentisynth_hub.core.errors import RecipeError, StageError
from sentisynth_hub.core.rows import Completion, Request
from sentisynth_hub.core.text import digest
from sentisynth_hub.generate.providers import sampling as draw
from sentisynth_hub.generate.providers import shared_prefix
from sentisynth_hub.generate.providers.base import Provider
from sentisynth_hub.natural.splits import Sample
from sentisynth_hub.pretrained.load_model import chat_text, load_pretrained
from sentisynth_hub.recipe import Recipe
from sentisynth_hub.recipe.generator_kinds import FineTunedGenerator, LocalGenerator
from sentisynth_hub.recipe.generator_section import GeneratorSection
from sentisynth_hub.recipe.prompt_section import Prompting, Sampling


_TOLERANCE = {
    "float32": 1e-2,
    "bfloat16": 1.0,
}  # of logits, whose spread is about 10; a wrong attention is off by more


class TransformersProvider(Provider):
    """A causal language model on this machine."""

    section: ClassVar[type[GeneratorSection]] = LocalGenerator

    def identity(self, recipe: Recipe, sample: Sample) -> tuple[dict[str, Any], dict[str, Any]]:
        """The model by its commit, and what rounds otherwise: number format and threads."""
        local = _local(recipe)
        model = {"id": model_name(local), "revision": local.revision, "commit": model_commit(local)}
        return model, {**recipe.generate.sampling.record(), "dtype": resolved_dtype(local), "threads": local.threads}

    def batch_size(self, section: GeneratorSection) -> int | None:
        """Samples drawn together: what comes out depends on the batch as a whole."""
        assert isinstance(section, LocalGenerator | FineTunedGenerator)
        return section.batch_size

    def open(self, recipe: Recipe, folder: Path) -> "TransformersGenerator":
        """Load the model."""
        return TransformersGenerator(_local(recipe), recipe.generate.sampling, recipe.generate.prompt)


def _local(recipe: Recipe) -> LocalGenerator | FineTunedGenerator:
    section = recipe.generate.asked
    assert isinstance(section, LocalGenerator | FineTunedGenerator)
    return section


class TransformersGenerator:
    """Answers a batch of requests with a local model."""

    def __init__(
        self,
        local: LocalGenerator | FineTunedGenerator,
        sampling: Sampling,
        prompting: Prompting,
        *,
        weights: Path | None = None,
    ):
        """Load the model; `weights` is a folder to take it from in place of the one the recipe names (a fine-tuned
        copy).
        """
        import torch

        self.sampling, self.prompting, self.name = sampling, prompting, model_name(local)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        torch.set_num_threads(local.threads)
        source, revision = (str(weights), None) if weights is not None else (local.model, local.revision)
        self.model, self.tokenizer = load(source, revision, resolved_dtype(local), self.device)
        self.stops = _stop_tokens(
            self.model, self.tokenizer, newline=not prompting.chat and prompting.texts_per_call == 1
        )
        shared_prefix.register()
        self._check_attention()

    def generate(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """Answer one batch.

        Requests of one prompt must stand together; the completions come in the requests' order.
        """
        import torch

        batch = list(requests)
        if not batch:
            return
        with torch.inference_mode():
            prefixes, logits = self._encode(batch)
            written, finished = self._write(batch, prefixes, logits)
        for prefix in prefixes:
            for row in range(prefix.rows.start, prefix.rows.stop):
                yield self._completion(batch[row], prefix.length, written[row], finished[row])

    def prompt_ids(self, prompt: str | list[dict[str, str]]) -> list[int]:
        """Token ids of a prompt as the model reads it."""
        if isinstance(prompt, str):
            return list(self.tokenizer(prompt).input_ids)
        text = chat_text(self.tokenizer, prompt, model=self.name, key="generate.prompt.chat")
        return list(self.tokenizer(text, add_special_tokens=False).input_ids)

    def _encode(self, batch: Sequence[Request]) -> tuple[list[shared_prefix.Prefix], Any]:
        """Read each distinct prompt once; return the prompts and the logits of every row's first token."""
        import torch

        self.model.set_attn_implementation("sdpa")
        prefixes, logits, start = [], [], 0
        while start < len(batch):
            stop = start + 1
            while stop < len(batch) and batch[stop].prompt_id == batch[start].prompt_id:
                stop += 1
            ids = self.prompt_ids(batch[start].prompt)
            self._check_length(len(ids))
            layers, last = self._read(ids)
            prefixes.append(shared_prefix.Prefix(layers, len(ids), slice(start, stop)))
            logits.append(last.expand(stop - start, -1))
            start = stop
        return prefixes, torch.cat(logits)

    def _read(self, ids: list[int]) -> tuple[list[tuple[Any, Any]], Any]:
        import torch
        from transformers import DynamicCache

        cache = DynamicCache()
        tokens = torch.tensor([ids], device=self.device)
        output = self.model(tokens, past_key_values=cache, logits_to_keep=1, use_cache=True)
        return [(layer.keys[0], layer.values[0]) for layer in cache.layers], output.logits[:, -1]

    def _write(
        self, batch: Sequence[Request], prefixes: list[shared_prefix.Prefix], logits: Any
    ) -> tuple[list[list[int]], list[bool]]:
        """Draw tokens until every row has stopped or reached the limit; rows that stopped leave the batch."""
        import torch
        from transformers import DynamicCache

        self.model.set_attn_implementation(shared_prefix.NAME)
        limit = self.sampling.max_new_tokens
        numbers = draw.uniform_numbers([request.seed for request in batch], limit).to(self.device)
        lengths = torch.tensor(
            [prefix.length for prefix in prefixes for _ in range(prefix.rows.start, prefix.rows.stop)]
        )
        positions = lengths.to(self.device)
        written: list[list[int]] = [[] for _ in batch]
        finished = [False] * len(batch)
        alive = torch.arange(len(batch))
        cache = DynamicCache()
        for step in range(limit):
            tokens = draw.sample(logits, numbers[alive.to(self.device), step], self.sampling)
            stopped = self.stops[tokens].cpu()
            for row, token, stop in zip(alive.tolist(), tokens.tolist(), stopped.tolist(), strict=True):
                written[row].append(token)
                finished[row] = stop
            stay = (~stopped).nonzero().flatten()
            if not len(stay) or step == limit - 1:
                break
            if len(stay) < len(alive):
                alive, tokens = alive[stay], tokens[stay.to(self.device)]
                if step:
                    cache.batch_select_indices(stay.to(self.device))
            output = self.model(
                tokens[:, None],
                past_key_values=cache,
                position_ids=(positions[alive.to(self.device)] + step)[:, None],
                use_cache=True,
                prefixes=_remaining(prefixes, alive.tolist()),
            )
            logits = output.logits[:, -1]
        return written, finished

    def _completion(self, request: Request, prompt_tokens: int, tokens: list[int], finished: bool) -> Completion:
        text = self.tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        if finished and not self.prompting.chat and self.prompting.texts_per_call == 1:
            text = text.partition("\n")[0]
        return Completion(
            request.request_id, text, "stop" if finished else "length", self.name,
            prompt_tokens=prompt_tokens, completion_tokens=len(tokens),
        )  # fmt: skip

    def _check_length(self, prompt_tokens: int) -> None:
        limit = self.model.config.get_text_config().max_position_embeddings
        if prompt_tokens + self.sampling.max_new_tokens > limit:
            raise RecipeError(
                f"generate.prompt: a prompt has {prompt_tokens} tokens and may get {self.sampling.max_new_tokens} "
                f"more, {self.name} reads {limit}; lower num_shots or max_new_tokens"
            )

    def _check_attention(self) -> None:
        """Compare two steps of the shared attention with the model's own, once: some architectures compute another.

        Raises:
            StageError: They differ (linear attention, position biases, attention sinks).
        """
        import torch
        from transformers import DynamicCache

        ids = [i % self.model.config.get_text_config().vocab_size for i in range(11, 27)]
        with torch.inference_mode():
            self.model.set_attn_implementation("sdpa")
            expected = self.model(torch.tensor([ids], device=self.device)).logits[0, -1].float()
            layers, _ = self._read(ids[:-2])
            self.model.set_attn_implementation(shared_prefix.NAME)
            cache, prefixes = DynamicCache(), [shared_prefix.Prefix(layers, len(ids) - 2, slice(0, 1))]
            for position in (len(ids) - 2, len(ids) - 1):
                output = self.model(
                    torch.tensor([[ids[position]]], device=self.device), past_key_values=cache, use_cache=True,
                    position_ids=torch.tensor([[position]], device=self.device), prefixes=prefixes,
                )  # fmt: skip
        difference = (output.logits[0, -1].float() - expected).abs().max().item()
        if not difference < _TOLERANCE[str(self.model.dtype).removeprefix("torch.")]:
            raise StageError(
                f"generate.generator.model: {self.name} ({self.model.config.model_type}) computes attention in a "
                f"way a shared prompt "
                f"cannot (logits off by {difference:.2g}); serve it with vLLM or llama.cpp and use kind: openai"
            )


def model_name(local: LocalGenerator | FineTunedGenerator) -> str:
    """The model's Hub id, or a folder's name without its path."""
    folder = Path(local.model).expanduser()
    return folder.resolve().name if folder.is_dir() else local.model


def model_commit(local: LocalGenerator | FineTunedGenerator) -> str | None:
    """What pins the model: the Hub revision, or for a folder the sha256 over its configuration, tokenizer and
    weights.
    """
    folder = Path(local.model).expanduser()
    if not folder.is_dir():
        return local.revision
    files = sorted(
        [*folder.glob("*.json"), *folder.glob("*.jinja"), *folder.glob("*.safetensors"), *folder.glob("*.bin")]
    )
    return digest(f"{path.name} {_sha256(path)}" for path in files)


def _sha256(path: Path) -> str:
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def resolved_dtype(local: LocalGenerator | FineTunedGenerator) -> str:
    """The number format the model runs in here: what the recipe says, or for `auto` what this processor computes
    in natively.
    """
    import torch

    if local.dtype != "auto":
        return local.dtype
    native = torch.cuda.is_bf16_supported() if torch.cuda.is_available() else torch.cpu._is_avx512_bf16_supported()
    return "bfloat16" if native else "float32"


def load(source: str, revision: str | None, dtype: str, device: Any) -> tuple[Any, Any]:
    """Load a causal language model for inference, and its tokenizer.

    Raises:
        RecipeError: It is not there, is no causal language model, or needs code of its own to run.
    """
    tokenizer, model = load_pretrained(
        "causal_lm", source, revision=revision, key="generate.generator.model", dtype=dtype
    )
    return model.to(device), tokenizer


def _stop_tokens(model: Any, tokenizer: Any, *, newline: bool) -> Any:
    """(vocabulary,) bool: tokens that end a text, the model's own end and, if asked, every token with a newline in
    it.
    """
    import torch

    ends = model.generation_config.eos_token_id
    ends = {tokenizer.eos_token_id} | set(ends if isinstance(ends, list) else [ends])
    vocabulary = model.config.get_text_config().vocab_size
    stops = torch.zeros(vocabulary, dtype=torch.bool)
    stops[[token for token in ends if token is not None]] = True
    if newline:
        size = min(len(tokenizer), vocabulary)
        texts = tokenizer.batch_decode([[token] for token in range(size)], clean_up_tokenization_spaces=False)
        stops[[token for token, text in enumerate(texts) if "\n" in text]] = True
    return stops.to(model.device)


def _remaining(prefixes: list[shared_prefix.Prefix], alive: list[int]) -> list[shared_prefix.Prefix]:
    """The prompts that still have rows, with the places of these rows among those alive."""
    remaining, start = [], 0
    for prefix in prefixes:
        count = sum(prefix.rows.start <= row < prefix.rows.stop for row in alive)
        if count:
            remaining.append(shared_prefix.Prefix(prefix.layers, prefix.length, slice(start, start + count)))
            start += count
    return remaining
