"""A tiny world for tests that run the whole pipeline: invented reviews, a random encoder, and the recipe that names
them."""

import json
from pathlib import Path
from typing import Any

import yaml

from tests.unit.generators.worlds import TEMPLATE, tiny_model


LABELS = ["negative", "positive"]
_GOOD = ("warm", "clever", "moving", "funny", "brave", "tender", "sharp", "lively")
_BAD = ("dull", "careless", "flat", "tired", "clumsy", "cold", "lazy", "grim")
_NOUNS = (
    "plot",
    "cast",
    "score",
    "ending",
    "camera",
    "script",
    "pace",
    "tone",
    "set",
    "voice",
    "jokes",
    "light",
    "story",
    "scene",
    "idea",
)


def reviews() -> list[dict[str, str]]:
    """240 invented reviews, half of each label."""
    rows = []
    for words, label in ((_BAD, "negative"), (_GOOD, "positive")):
        rows += [{"text": f"what a {word} {noun} this film has", "label": label} for word in words for noun in _NOUNS]
    return [{"id": str(i), **row} for i, row in enumerate(rows)]


def tiny_encoder(folder: Path) -> Path:
    """Save a random one-layer encoder with a word-level tokenizer over the invented reviews."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.WordLevelTrainer(special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]"])
    tokenizer.train_from_iterator([row["text"] for row in reviews()], trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_max_length=64,
    )
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(fast),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
    )
    BertModel(config).save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder


def tiny_recipe(folder: Path, *, name: str = "tiny", publish: dict[str, Any] | None = None) -> Path:
    """Write the models, the data and a recipe whose every stage takes seconds; return the recipe's folder."""
    folder.mkdir(parents=True)
    encoder = {"model": str(tiny_encoder(folder / "encoder"))}
    (folder / "prompt.jinja2").write_text(TEMPLATE)
    (folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in reviews()))
    writer = {
        "kind": "transformers",
        "model": str(tiny_model(folder / "writer")),
        "dtype": "float32",
        "threads": 1,
        "batch_size": 8,
    }
    content = {
        "name": name,
        "description": "A tiny world.",
        "language": ["en"],
        "labels": LABELS,
        "seed": 5,
        "natural": {"files": {"train": "train.jsonl"}, "licence": "cc0-1.0", "rows_per_label": 8},
        "generate": {
            "generator": writer,
            "prompt": {"num_shots": 4},
            "sampling": {"max_new_tokens": 24},
            "candidates": 48,
            "samples_per_prompt": 8,
        },
        "filter": {
            "length": {"min_tokens": 1},
            "exact_duplicates": {},
            "overlap": {},
            "teacher": {"teacher": encoder, "min_confidence": 0.0},
        },
        "study": {
            "student": encoder | {"threads": 1, "epochs": 1, "budgets": [1], "max_length": 32},
            "mode": "head",
            "replicates": 2,
            "variants": ["natural", "natural_repeated", "synthetic", "mixed"],
        },
        "publish": publish or {},
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    return folder
