"""The published model is the trial it was chosen as, and plain `pipeline()` says what was stored."""

from pathlib import Path

import pytest
from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline

from sentisynth_hub.core.rows import Row
from sentisynth_hub.core.run_folder import stage_folder
from sentisynth_hub.model.stage import train_published
from sentisynth_hub.natural.splits import NaturalData, draw_samples
from sentisynth_hub.verdict.predictions import read_predictions
from tests.support.tiny_study import make_corpora, make_natural, make_recipe, study_of


def test_pipeline_gives_the_stored_predictions(tiny_model: Path, tmp_path: Path) -> None:
    recipe = make_recipe(tiny_model, variants=["natural", "mixed"], student={"budgets": [1, 4]}, replicates=1)
    study, _ = study_of(recipe, tmp_path)
    natural = make_natural()
    samples = draw_samples(recipe, natural)
    for variant in ("mixed", "natural"):
        stage = stage_folder(tmp_path, "model", version=1, recipe=variant)
        manifest = train_published(recipe, samples[0], make_corpora(samples)[0], variant, stage, natural)
        stored = read_predictions([stage.path / "test_predictions.parquet"])
        labels = [stored.labels[i] for i in stored.variants[variant][0]]
        plain = pipeline("text-classification", model=str(stage.path / "model"), device="cpu")
        assert [plain(row.text)[0]["label"] for row in natural.test] == labels
        assert [item["label"] for item in plain([row.text for row in natural.test])] == labels
        # It is the study's own trial, trained again.
        trial = read_predictions([study.path / "predictions.parquet"])
        assert (trial.variants[variant][0] == stored.variants[variant][0]).all()
        right = sum(label == row.label for label, row in zip(labels, natural.test, strict=True))
        assert manifest["test_scores"]["accuracy"] == pytest.approx(right / 30, abs=1e-6)


def test_what_is_saved_is_stock_and_named(tiny_model: Path, tmp_path: Path) -> None:
    recipe = make_recipe(tiny_model, variants=["natural"], student={"budgets": [1]})
    natural = make_natural()
    samples = draw_samples(recipe, natural)
    stage = stage_folder(tmp_path, "model", version=1, recipe=None)
    manifest = train_published(recipe, samples[0], make_corpora(samples)[0], "natural", stage, natural)
    assert stage.complete
    assert manifest["human_labels"] == {"train": 16, "validation": 20}
    model = AutoModelForSequenceClassification.from_pretrained(stage.path / "model")
    assert model.config.id2label == {0: "negative", 1: "positive"}
    assert model.config.label2id == {"negative": 0, "positive": 1}
    assert str(next(model.parameters()).dtype) == "torch.float32"
    assert {path.name for path in (stage.path / "model").iterdir()} >= {
        "model.safetensors",
        "config.json",
        "tokenizer.json",
    }
    assert AutoTokenizer.from_pretrained(stage.path / "model").model_max_length == 24  # the encoder's positions


def test_texts_longer_than_the_encoder_reads_have_predictions(tiny_model: Path, tmp_path: Path) -> None:
    recipe = make_recipe(tiny_model, variants=["natural"], student={"budgets": [1]})
    natural = make_natural()
    long = Row("film " * 100, "negative")
    natural = NaturalData(natural.train, natural.validation, [*natural.test, long])
    samples = draw_samples(recipe, natural)
    stage = stage_folder(tmp_path, "model", version=1, recipe=None)
    manifest = train_published(recipe, samples[0], make_corpora(samples)[0], "natural", stage, natural)
    assert manifest["test_items"] == 31
