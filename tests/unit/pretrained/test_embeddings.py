"""Mean-pooled features: the definition, and what must not change them."""

from pathlib import Path

import numpy as np
import pytest
import torch

from sentisynth_hub.pretrained.batching import fixed_threads, length_sorted_batches
from sentisynth_hub.pretrained.embeddings import embed, unit
from tests.support.tiny_study import make_model, make_rows


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(make_model(tmp_path_factory.mktemp("encoder")))


def one_by_one(text: str, model: str) -> np.ndarray:
    from transformers import AutoModel, AutoTokenizer

    encoder = AutoModel.from_pretrained(model).eval()
    inputs = AutoTokenizer.from_pretrained(model)(text, return_tensors="pt", truncation=True, max_length=20)
    with torch.no_grad():
        hidden = encoder(input_ids=inputs["input_ids"]).last_hidden_state
    return np.asarray(hidden[0].mean(0))


def test_features_are_the_mean_of_the_last_hidden_states(model: str) -> None:
    texts = ["film", "a dull plot and the music", "", "മോശം padam", "the " * 60]
    vectors = embed(texts, model, max_length=20, batch_size=3)
    assert vectors.dtype == np.float32
    for text, vector in zip(texts, vectors, strict=True):
        assert vector == pytest.approx(one_by_one(text, model), abs=1e-5)


def test_order_and_repeats_change_nothing(model: str) -> None:
    texts = [row.text for row in make_rows(50, 1)]
    vectors = embed(texts, model, threads=1)
    assert (embed(texts[::-1] + texts, model, threads=1) == np.concatenate([vectors[::-1], vectors])).all()


def test_prefix_is_put_before_every_text(model: str) -> None:
    assert embed(["plot"], model, prefix="film ") == pytest.approx(embed(["film plot"], model), abs=1e-6)


def test_what_was_computed_is_read_again(model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = embed(["film", "plot"], model, cache=tmp_path)
    monkeypatch.setattr("sentisynth_hub.pretrained.embeddings._embed", None)
    assert (embed(["plot", "film"], model, cache=tmp_path)[::-1] == first).all()
    with pytest.raises(TypeError):
        embed(["plot", "music"], model, cache=tmp_path)


def test_a_damaged_array_is_computed_again(model: str, tmp_path: Path) -> None:
    texts = ["film", "a dull plot", "മോശം padam"]
    before = embed(texts, model, max_length=20, cache=tmp_path)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-5])
    assert np.array_equal(embed(texts, model, max_length=20, cache=tmp_path), before)


def test_no_texts(model: str) -> None:
    assert embed([], model).shape == (0, 32)


def test_unit_leaves_zero_rows() -> None:
    assert unit(np.array([[3, 4], [0, 0]], dtype=np.float32)).tolist() == [
        [pytest.approx(0.6), pytest.approx(0.8)],
        [0, 0],
    ]


def test_batches_are_planned_from_the_texts_alone() -> None:
    texts = ["c", "aaa", "b", "aa"]
    batches = length_sorted_batches([len(text) for text in texts], texts, 2)
    assert [[texts[i] for i in batch] for batch in batches] == [["aaa", "aa"], ["b", "c"]]


def test_threads_are_put_back() -> None:
    before = torch.get_num_threads()
    with fixed_threads(1):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before
