"""Releases made by hand, small and whole, for the tests of publishing."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from sentisynth_hub.core.rows import Rejected, Row
from sentisynth_hub.generate.prompts import template_digest
from sentisynth_hub.natural.splits import NaturalData
from sentisynth_hub.publish.release import DatasetRelease, ModelRelease
from sentisynth_hub.recipe import Recipe, load_recipe
from sentisynth_hub.recipe.revisions import Pin


LABELS = ["negative", "positive"]
NATURAL_TEST = "a natural sentence about the plot that only the test split holds"
PROMPT = "Write a {{ label }} review.\n"


def recipe_in(folder: Path, **sections: Any) -> Recipe:
    """A recipe whose sections are replaced by `sections`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "prompt.jinja2").write_text(PROMPT)
    content = {
        "name": "tiny",
        "description": "A tiny recipe for tests.",
        "language": ["en"],
        "labels": LABELS,
        "natural": {"dataset": "natural/reviews", "revision": "1" * 40, "rows_per_label": 2},
        "generate": {"generator": {"kind": "transformers", "model": "models/writer"}, "candidates": 6},
        "filter": {"exact_duplicates": {}, "overlap": {}},
        "study": {"student": {"model": "models/student"}},
        "publish": {"dataset": "acme/tiny", "model": "acme/tiny-model", "licence": "cc-by-4.0"},
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(content | sections, allow_unicode=True))
    return load_recipe(str(folder))


def natural_data() -> NaturalData:
    """Natural rows with one text that is easy to find again."""

    def rows(split: str, texts: Sequence[str]) -> list[Row]:
        return [Row(text, LABELS[i % 2], request_id=f"{split}-{i}", language="en") for i, text in enumerate(texts)]

    source = {"kind": "hub", "dataset": "natural/reviews", "revision": "v1", "commit": "1" * 40, "licence": "mit"}
    return NaturalData(
        rows("train", ["the natural film was bad and long", "the natural film was good and short"]),
        rows("validation", ["a natural validation sentence, bad", "a natural validation sentence, good"]),
        rows("test", ["a natural test sentence, rather bad", NATURAL_TEST]),
        source,
    )


def synthetic(texts: Sequence[str], labels: Sequence[str] | None = None, **fields: Any) -> list[Row]:
    """Kept rows, one a text; labels take turns unless they are given."""
    chosen = labels or [LABELS[i % len(LABELS)] for i in range(len(texts))]
    return [
        Row(
            text,
            label,
            request_id=f"request-{i}",
            asked_label=label,
            prompt_id=f"prompt-{i % 2}",
            language="en",
            generator="models/writer",
            num_shots=2,
            scores={"teacher_confidence": 0.5 + i % 50 / 100, "perplexity": 10.0 + i},
            **fields,
        )
        for i, (text, label) in enumerate(zip(texts, chosen, strict=True))
    ]


TEXTS = ["the film was dull and grey", "a bright and funny story", "it went on for hours", "I laughed until the end"]


def rejected_rows() -> list[Rejected]:
    """A duplicate, an overlap with the test split, and a completion that could not be parsed."""
    duplicate = Row("The film was dull and grey!", "negative", request_id="rejected-0", generator="models/writer")
    leak = Row(NATURAL_TEST.upper(), "positive", request_id="rejected-1", generator="models/writer")
    broken = Row("{broken", None, request_id="rejected-2", generator="models/writer")
    return [
        Rejected(broken, "parse", "empty"),
        Rejected(duplicate, "exact_duplicates", "duplicate"),
        Rejected(leak, "overlap", "exact_test", 1.0),
    ]


def lineage_of(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """One line of lineage a row."""
    return [
        {
            "request_id": row.request_id,
            "prompt_id": row.prompt_id,
            "demonstration_ids": ["train-0", "train-1"],
            "model": "models/writer",
            "model_revision": "2" * 40,
            "system_fingerprint": None,
            "sampling": '{"temperature":1.0}',
            "seed": i,
            "sample_index": i,
            "prompt_tokens": 10,
            "completion_tokens": 5,
            "cost_usd": 0.001,
            "attributes": "{}",
        }
        for i, row in enumerate(rows)
    ]


def funnel_of(rejected: Sequence[Rejected]) -> list[dict[str, Any]]:
    """The funnel as the filter stage writes it."""
    steps: dict[tuple[str, str], int] = {}
    for item in rejected:
        steps[item.filter, item.reason] = steps.get((item.filter, item.reason), 0) + 1
    return [{"filter": name, "reason": reason, "rejected": count} for (name, reason), count in steps.items()]


def release(
    folder: Path,
    kept: Sequence[Row] | None = None,
    rejected: Sequence[Rejected] | None = None,
    *,
    evaluation: Mapping[str, Any] | None = None,
    recipe: Recipe | None = None,
    inputs_digest: str = "0" * 64,
    natural: NaturalData | None = None,
) -> DatasetRelease:
    """A release of four kept and three rejected rows, or of those given."""
    kept = synthetic(TEXTS) if kept is None else kept
    rejected = rejected_rows() if rejected is None else rejected
    return DatasetRelease(
        recipe=recipe or recipe_in(folder / "recipe"),
        prompt_text=PROMPT,
        pins={
            "natural": Pin("natural/reviews", "dataset", "v1", "1" * 40, "mit"),
            "generate.generator": Pin("models/writer", "model", None, "2" * 40, "apache-2.0"),
        },
        natural=natural or natural_data(),
        kept=kept,
        rejected=rejected,
        lineage=lineage_of([*kept, *(item.row for item in rejected)]),
        funnel=funnel_of(rejected),
        generation={
            "model": {"id": "models/writer", "revision": None, "commit": "2" * 40},
            "prompt_digest": template_digest(PROMPT),
            "num_shots": 2,
        },
        requests=len(kept) + len(rejected),
        evaluation=evaluation,
        inputs_digest=inputs_digest,
    )


def tiny_classifier(folder: Path, labels: Sequence[str] = LABELS, *, seed: int = 0) -> Path:
    """A saved BERT classifier of a few thousand random weights, with a tokenizer of a few words."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    torch.manual_seed(seed)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "good", "bad", "film", "the", "was"]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    )
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=32,
        id2label=dict(enumerate(labels)),
        label2id={label: i for i, label in enumerate(labels)},
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder


def model_release(folder: Path, *, seed: int = 0, **changed: Any) -> ModelRelease:
    """A release of the tiny classifier; `changed` fields replace its own."""
    weights = folder / f"weights-{seed}"
    given: dict[str, Any] = {
        "recipe": recipe_in(folder / "recipe"),
        "pins": release(folder).pins,
        "natural": natural_data(),
        "folder": weights if weights.exists() else tiny_classifier(weights, seed=seed),
        "variant": "mixed",
        "scores": {"accuracy": 0.75, "macro_f1": 0.7123456789},
        "base_model": {"id": "models/student", "commit": "4" * 40},
        "dataset": {"id": "acme/tiny", "version": "v1.0.0", "commit": "5" * 40},
        "evaluation": None,
        "inputs_digest": "0" * 64,
        "hyperparameters": {"learning_rate": "5e-05", "epochs": 4},
        "max_length": 32,
    }
    return ModelRelease(**(given | changed))


@cache
def evaluation() -> dict[str, Any]:
    """An evaluation of made-up predictions by the real statistics: `mixed` is right more often than `natural`."""
    import numpy as np

    from sentisynth_hub.study.predictions import StudyPredictions
    from sentisynth_hub.verdict.evaluate import EvaluationConfig, evaluate_study
    from sentisynth_hub.verdict.label_budget import LabelLedger

    rng = np.random.default_rng(0)
    replicates, items = 6, 120
    y = np.arange(items) % 2
    accuracy = {"natural": 0.65, "natural_repeated": 0.66, "mixed": 0.85}
    variants = {name: np.where(rng.random((replicates, items)) < p, y, 1 - y) for name, p in accuracy.items()}
    ledger = LabelLedger()
    for name in accuracy:
        for replicate in range(replicates):
            ledger.record(name, replicate, "train", [f"{replicate}-{i}" for i in range(8)])
            ledger.record(name, replicate, "validation", [f"v{replicate}-{i}" for i in range(8)])
    study = StudyPredictions(tuple(LABELS), tuple(f"test-{i}" for i in range(items)), y, variants)
    return evaluate_study(study, EvaluationConfig(resamples=999), ledger=ledger).record()
