"""Small worlds for the generation tests: a recipe with invented rows, and a tiny random language model."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from sentisynth_hub.core.distributed import Processes
from sentisynth_hub.core.rows import Rejected, Request, Row, read_records, read_rejected, read_rows
from sentisynth_hub.core.run_folder import StageFolder, stage_folder
from sentisynth_hub.natural.splits import Sample
from sentisynth_hub.recipe import Recipe, load_recipe


LABELS = ["negative", "positive"]
TEMPLATE = """\
{% for demonstration in demonstrations %}
{{ demonstration.verbalizer | capitalize }} review: {{ demonstration.text }}
{% endfor %}
{{ verbalizer | capitalize }} review:
"""
CHAT = """\
- role: system
  content: You write reviews.
- role: user
  content: |
    Write {{ texts_per_call }} {{ verbalizer }} review(s) like these.
    {% for demonstration in demonstrations %}
    {{ demonstration.text }}
    {% endfor %}
"""
_NOUNS = ("plot", "cast", "score", "ending", "camera", "script", "pace", "tone", "set", "voice", "jokes", "light")
_WORDS = {"negative": "a dull and careless", "positive": "a warm and clever"}


def natural_rows(replicate: int = 0) -> list[Row]:
    """12 rows a label, other ones in each replicate."""
    return [
        Row(f"{_WORDS[label]} {noun} in film {replicate}", label, request_id=f"{label}-{noun}-{replicate}")
        for noun in _NOUNS
        for label in LABELS
    ]


def samples(count: int = 1) -> list[Sample]:
    """`count` replicates with rows of their own."""
    return [Sample(replicate, natural_rows(replicate), []) for replicate in range(count)]


def write_recipe(folder: Path, generate: dict[str, Any], *, template: str = TEMPLATE, **others: Any) -> Recipe:
    """Write and load a recipe with this `generate` section."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "prompt.jinja2").write_text(template, "utf-8")
    (folder / "train.jsonl").write_text("", "utf-8")
    content = {
        "name": "world",
        "description": "A world for tests.",
        "language": ["en"],
        "labels": LABELS,
        "seed": 3,
        "natural": {"files": {"train": "train.jsonl"}},
        "generate": generate,
        "study": {"student": {"model": "none"}, "replicates": 1},
        **others,
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(content, sort_keys=False), "utf-8")
    return load_recipe(str(folder / "recipe.yaml"))


def local(model: Path, **changes: Any) -> dict[str, Any]:
    """A `generate` section for the tiny model."""
    generator = {"kind": "transformers", "model": str(model), "dtype": "float32", "threads": 1, "batch_size": 8}
    return {
        "generator": generator,
        "candidates": 40,
        "samples_per_prompt": 6,
        "sampling": {"max_new_tokens": 12, "top_p": 0.9},
        "prompt": {"num_shots": 4},
        **changes,
    }


def stage(runs: Path, recipe: Recipe, name: str = "generate") -> StageFolder:
    """The generate stage's folder as the pipeline names it."""
    from sentisynth_hub.generate import stage as generation

    return stage_folder(
        runs, name, version=generation.VERSION, recipe=generation.decides(recipe), inputs={"natural": "rows"}
    )


def candidates_of(folder: StageFolder, replicate: int) -> tuple[list[Row], list[Rejected]]:
    """A replicate's candidates and what became none, whether the stage is finished or not."""
    path = folder.path / f"replicate-{replicate}"
    return read_rows(path / "candidates.parquet"), read_rejected(path / "unparsed.parquet")


def lineage_of(folder: StageFolder, replicate: int) -> Iterator[dict[str, Any]]:
    """A replicate's lineage, whether the stage is finished or not."""
    yield from read_records(folder.path / f"replicate-{replicate}" / "lineage.parquet")


def alone() -> Processes:
    """One process."""
    return Processes()


def request(
    prompt: Any = "Positive review:", index: int = 0, prompt_id: str = "p", seed: int | None = None
) -> Request:
    """A request by hand."""
    return Request(f"r{index}", index, prompt_id, prompt, index, 100 + index if seed is None else seed, "positive")


def tiny_model(folder: Path, kind: str = "llama", *, reads: int = 512) -> Path:
    """Save a random two-layer causal LM with a byte-level tokenizer that reads so many tokens; a tenth of what it
    writes ends its text."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=320, special_tokens=["<end>"], initial_alphabet=alphabet)
    tokenizer.train_from_iterator([row.text for row in natural_rows()] + [TEMPLATE], trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>", pad_token="<end>")
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(_config(kind, len(fast), reads))
    model.generation_config.eos_token_id = [0, *range(20, 52)]
    model.save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder


def _config(kind: str, vocabulary: int, reads: int) -> Any:
    from transformers import Gemma3TextConfig, GPT2Config, LlamaConfig

    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    ends = {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}
    if kind == "gpt2":
        return GPT2Config(vocab_size=vocabulary, n_embd=32, n_layer=2, n_head=4, n_positions=reads, **ends)
    if kind == "gemma3":
        layers = ["sliding_attention", "full_attention"]
        return Gemma3TextConfig(
            vocab_size=vocabulary,
            head_dim=8,
            num_key_value_heads=2,
            sliding_window=10,
            layer_types=layers,
            max_position_embeddings=reads,
            **sizes,
            **ends,
        )
    return LlamaConfig(
        vocab_size=vocabulary,
        num_key_value_heads=2,
        max_position_embeddings=reads,
        initializer_range=0.3,
        **sizes,
        **ends,
    )
