"""The model that is published: a stock classifier fine-tuned on one variant of replicate 0, and what it says of every
test row.

The stored predictions are made by `pipeline("text-classification", model=folder)` itself, text by text on the CPU, so
whoever loads the model that way gets the same labels. `truncation=True` only matters for texts longer than the encoder
can read, which the plain call refuses.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sentisynth_hub.core import log
from sentisynth_hub.core.distributed import Processes
from sentisynth_hub.core.run_folder import StageFolder
from sentisynth_hub.metrics.classification import METRICS, confusion_counts
from sentisynth_hub.natural.splits import NaturalData, Sample
from sentisynth_hub.pretrained.batching import fixed_threads
from sentisynth_hub.recipe import Recipe
from sentisynth_hub.study.choice import head_fitter
from sentisynth_hub.study.encoding import readable_length
from sentisynth_hub.study.finetune import run_finetune
from sentisynth_hub.study.loop import start_launch
from sentisynth_hub.study.plan import plan_replicate
from sentisynth_hub.study.training_rows import Corpus
from sentisynth_hub.study.trial import score
from sentisynth_hub.study.trial_predictions import TrialPredictions, item_ids, write_trials


VERSION = 1
MODEL_FOLDER = "model"
PREDICTIONS = "test_predictions.parquet"


def train_published(
    recipe: Recipe, sample: Sample, corpus: Corpus, variant: str, folder: StageFolder, natural: NaturalData
) -> dict[str, Any]:
    """Fine-tune the student on `variant` of `sample` on one process; save it, predict the test rows with it, return
    the manifest.

    The folder `model` holds safetensors, tokenizer and label names.
    """
    content = recipe.model_dump()
    recipe = recipe.with_content(content | {"study": content["study"] | {"mode": "finetune"}})
    (trial,) = plan_replicate(recipe, sample, natural, corpus, [variant])
    target = folder.path / MODEL_FOLDER
    with fixed_threads(recipe.study.student.threads):
        launch = start_launch(recipe.study, Processes(), shared=False)
        fitter = head_fitter(recipe, trial, folder.path / "features", Processes()) if trial.needs_heads else None
        outcome, model, tokenizer = run_finetune(recipe, trial, launch, fitter=fitter, checkpoints=folder.path)
        # A tokenizer that does not know the encoder's limit would let long texts through to an error.
        tokenizer.model_max_length = readable_length(tokenizer, model.config)
        model.cpu().save_pretrained(target)
        tokenizer.save_pretrained(target)
        found = classify(target, [row.text for row in natural.test])
    truth = [str(row.label) for row in natural.test]
    write_trials(
        folder.path / PREDICTIONS,
        recipe.labels,
        [TrialPredictions(variant, sample.replicate, item_ids(natural.test), truth, *_split(found, recipe.labels))],
    )
    place = {label: i for i, label in enumerate(recipe.labels)}
    counts = confusion_counts(
        np.array([place[label] for label in truth]),
        np.array([place[best(scores)] for scores in found]),
        len(recipe.labels),
    )
    return folder.finish(
        {
            "variant": variant,
            "chosen": outcome.budget | {"tried": outcome.tried},
            "training_rows": sum(outcome.training_rows),
            "human_labels": {use: len(ids) for use, ids in outcome.human_labels.items()},
            "missing_labels": outcome.missing_labels,
            "validation_score": score(recipe, trial.validation.rows, outcome.validation.predicted),
            "test_items": len(truth),
            "test_scores": {name: round(float(metric(counts)), 6) for name, metric in METRICS.items()},
        }
    )


def classify(model: Path | str, texts: Sequence[str], *, revision: str | None = None) -> list[dict[str, float]]:
    """Label probabilities of each text by a Hub model or folder, exactly as the plain pipeline computes them, one text
    at a time.
    """
    from transformers import pipeline

    classifier = pipeline(
        "text-classification", model=str(model), revision=revision, device="cpu", trust_remote_code=False
    )
    found = []
    for text in log.progress("predictions", texts, total=len(texts)):
        scores = classifier(text, top_k=None, truncation=True)
        found.append({item["label"]: float(item["score"]) for item in scores})
    return found


def best(scores: dict[str, float]) -> str:
    """The likeliest label."""
    return max(scores, key=lambda label: scores[label])


def _split(found: Sequence[dict[str, float]], labels: Sequence[str]) -> tuple[list[str], list[list[float]]]:
    return [best(scores) for scores in found], [[scores[label] for label in labels] for scores in found]
