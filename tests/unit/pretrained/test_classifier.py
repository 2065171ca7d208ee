"""One opener for both formats; a model whose answers would be made up is refused."""

from pathlib import Path

import numpy as np
import pytest
from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline

from sentisynth_hub.core.errors import InputError
from sentisynth_hub.pretrained.classifier import open_classifier
from sentisynth_hub.pretrained.head_model import save_head_model


TEXTS = ["film fine lovely", "dull plot", "", "film " * 60]


def stock(tiny_model: Path, folder: Path, labels: list[str]) -> Path:
    model = AutoModelForSequenceClassification.from_pretrained(
        tiny_model, num_labels=len(labels), id2label=dict(enumerate(labels))
    )
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    tokenizer.model_max_length = 24
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_a_stock_model_answers_as_plain_pipeline(tiny_model: Path, tmp_path: Path) -> None:
    folder = stock(tiny_model, tmp_path, ["b", "a", "c"])
    classifier = open_classifier(folder)
    assert (classifier.layout, classifier.labels) == ("transformers", ("b", "a", "c"))
    plain = pipeline("text-classification", model=str(folder), device="cpu")
    expected = [{item["label"]: item["score"] for item in plain(text, top_k=None, truncation=True)} for text in TEXTS]
    found = classifier.probabilities(TEXTS)
    assert [dict(zip("bac", row, strict=True)) for row in found.tolist()] == expected
    assert classifier.predict(TEXTS) == [max(scores, key=lambda label: scores[label]) for scores in expected]
    assert classifier.probabilities([]).shape == (0, 3)


def test_a_head_model_is_opened_by_the_same_function(tiny_model: Path, tmp_path: Path) -> None:
    weights = np.random.default_rng(1).normal(size=(33, 2))
    save_head_model(tmp_path, str(tiny_model), None, weights, ["x", "y"], max_length=16)
    classifier = open_classifier(str(tmp_path))
    assert (classifier.layout, classifier.labels) == ("sentence-transformers", ("x", "y"))
    assert classifier.probabilities(TEXTS).sum(1) == pytest.approx(np.ones(4))


def test_models_without_a_trained_head_are_refused(tiny_model: Path, tmp_path: Path) -> None:
    """An encoder, an encoder with a new name, an embedding model, a regression model, a pickled head."""
    weights = np.zeros((33, 2))
    embedding, setfit = tmp_path / "embedding", tmp_path / "setfit"
    for folder in (embedding, setfit):
        save_head_model(folder, str(tiny_model), None, weights, ["x", "y"], max_length=16)
    modules = (embedding / "modules.json").read_text("utf-8")
    (embedding / "modules.json").write_text(modules.replace('"sentence_transformers.models.Dense"', '"x.Dense"'))
    (setfit / "model_head.pkl").write_bytes(b"")
    partial = stock(tiny_model, tmp_path / "partial", ["x", "y"])
    _drop(partial / "model.safetensors", "classifier.weight")
    for folder, message in (
        (tiny_model, "no trained classification head (no weights for classifier.bias, classifier.weight"),
        (partial, "no trained classification head (no weights for classifier.weight"),
        (embedding, "x.Dense"),
        (setfit, "pickle"),
        (stock(tiny_model, tmp_path / "regression", ["score"]), "single output"),
        (stock(tiny_model, tmp_path / "twice", ["a", "a"]), "two or more different"),
        (tmp_path / "nowhere", "no such folder"),
        (tmp_path, str(tmp_path)),
    ):
        with pytest.raises(InputError) as caught:
            open_classifier(folder)
        assert message in str(caught.value)
        assert "\n" not in str(caught.value)


def _drop(path: Path, name: str) -> None:
    from safetensors.torch import load_file, save_file

    save_file({key: tensor for key, tensor in load_file(path).items() if key != name}, path, {"format": "pt"})
