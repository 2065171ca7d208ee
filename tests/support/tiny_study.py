"""A student of 40,000 random weights, and three-word-class texts it can learn: small enough to train in every test."""

import random
from pathlib import Path
from typing import Any

from sentisynth_hub.core.distributed import Processes
from sentisynth_hub.core.rows import Row
from sentisynth_hub.core.run_folder import StageFolder, stage_folder
from sentisynth_hub.natural.splits import NaturalData, Sample, draw_samples
from sentisynth_hub.recipe import Recipe
from sentisynth_hub.study.stage import StudyResult, run_study
from sentisynth_hub.study.training_rows import Corpus
from tests.support.encoders import SPECIAL, save_encoder


WORDS = {
    "negative": ["dull", "awful", "bore", "മോശം", "pobre", "stale"],
    "positive": ["fine", "lovely", "warm", "നല്ല", "bueno", "fresh"],
    "": ["film", "plot", "actor", "scene", "music", "padam", "muy", "the", "a", "story"],
}
LABELS = ["negative", "positive"]


def make_model(folder: Path) -> Path:
    """Write a random two-layer BERT with a word tokenizer to `folder`, without a classification layer."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    vocabulary = [*SPECIAL, *(word for words in WORDS.values() for word in words)]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(vocabulary)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return save_encoder(folder, tokenizer, seed=7, hidden=32, layers=2, positions=24)


def make_rows(
    count: int, seed: int, *, labels: tuple[str, ...] = ("negative", "positive"), origin: str = "n"
) -> list[Row]:
    """`count` distinct texts, labels in turn, most words of no class, some of the label's."""
    draw = random.Random(seed)
    rows: list[Row] = []
    seen: set[str] = set()
    while len(rows) < count:
        label = labels[len(rows) % len(labels)]
        words = [draw.choice(WORDS[""]) for _ in range(draw.randint(2, 9))] + draw.sample(WORDS[label], 2)
        draw.shuffle(words)
        text = " ".join(words)
        if text not in seen:
            seen.add(text)
            rows.append(Row(text, label, request_id=f"{origin}{seed}-{len(rows)}"))
    return rows


def make_recipe(model: Path, **study: Any) -> Recipe:
    """A recipe with the tiny student; `student` in `study` is merged into its settings."""
    student = {
        "model": str(model),
        "max_length": 16,
        "batch_size": 8,
        "learning_rate": 1e-3,
        "epochs": 2,
        "threads": 1,
    }
    student |= study.pop("student", {})
    study = {"cross_validation": {"folds": 2, "repeats": 1}, "self_training": {"pool": 20}} | study
    natural = {
        "files": {"train": "train.csv"},
        "rows_per_label": study.pop("rows_per_label", 8),
        "validation_per_label": 10,
        "validation": study.pop("validation", "cross_validated"),
    }
    return Recipe.model_validate(
        {
            "name": "tiny",
            "description": "A test.",
            "language": ["en"],
            "labels": LABELS,
            "natural": natural,
            "generate": {"generator": {"kind": "transformers", "model": "none"}, "candidates": 40},
            "study": {"student": student, "replicates": 2, **study},
        }
    )


def make_natural() -> NaturalData:
    """200 training, 40 validation and 30 test rows; no text in two of them."""
    rows = make_rows(270, 1)
    return NaturalData(rows[:200], rows[200:240], rows[240:])


def make_corpora(samples: list[Sample], *, kept: int = 24, candidates: int = 40) -> dict[int, Corpus]:
    """A synthetic corpus a replicate."""
    corpora = {}
    for sample in samples:
        rows = make_rows(candidates, 100 + sample.replicate, origin="s")
        corpora[sample.replicate] = Corpus(rows[:kept], rows)
    return corpora


def study_of(recipe: Recipe, folder: Path, processes: Processes = Processes()) -> tuple[StageFolder, StudyResult]:  # noqa: B008
    """Run a whole study over the tiny data."""
    natural = make_natural()
    samples = draw_samples(recipe, natural)
    stage = stage_folder(folder, "study", version=1, recipe=recipe.part("study"))
    return stage, run_study(recipe, samples, natural, make_corpora(samples), stage, processes)
