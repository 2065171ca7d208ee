"""A tiny world for tests that run the whole pipeline: invented reviews, a random encoder, and the recipe that names
them."""

import json
from pathlib import Path
from typing import Any

import yaml

from tests.support.encoders import SPECIAL, save_encoder
from tests.support.worlds import TEMPLATE, tiny_model


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
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.WordLevelTrainer(special_tokens=SPECIAL)
    tokenizer.train_from_iterator([row["text"] for row in reviews()], trainer)
    return save_encoder(folder, tokenizer, seed=0, hidden=16, layers=1, positions=64, cut=64)


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
