"""A head model is read back as it was written, sentence-transformers says the same, and what is foreign is refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from sentisynth_hub.core.errors import InputError
from sentisynth_hub.pretrained.embeddings import embed, unit
from sentisynth_hub.pretrained.head_model import read_head_model, save_head_model


LABELS = ["negative", "neutral", "പോസിറ്റീവ്"]
TEXTS = ["film fine lovely", " warm plot  ", "", "നല്ല padam 😀", "dull " * 40, "Film FINE", "unknown words only"]


def weights() -> Any:
    return np.random.default_rng(0).normal(size=(33, 3))


@pytest.fixture(params=[False, True], ids=["raw", "unit-length"])
def unit_length(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture(params=["", "query: "], ids=["plain", "prefix"])
def prefix(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_probabilities_are_the_softmax_of_the_heads_logits(
    tiny_model: Path, tmp_path: Path, unit_length: bool, prefix: str
) -> None:
    save_head_model(
        tmp_path, str(tiny_model), None, weights(), LABELS, max_length=12, prefix=prefix, unit_length=unit_length
    )
    model = read_head_model(tmp_path)
    assert model.labels == tuple(LABELS)
    features = embed(TEXTS, str(tiny_model), prefix=prefix, max_length=12)
    logits = (unit(features) if unit_length else features) @ weights()[:-1] + weights()[-1]
    odds = np.exp(logits)
    assert model.probabilities(TEXTS) == pytest.approx(odds / odds.sum(1, keepdims=True), abs=1e-5)
    alone = np.concatenate([model.probabilities([text]) for text in TEXTS])
    assert model.probabilities(TEXTS) == pytest.approx(alone, rel=1e-12)  # padding would show at 1e-7


def test_sentence_transformers_gives_the_same_logits(
    tiny_model: Path, tmp_path: Path, unit_length: bool, prefix: str
) -> None:
    library = pytest.importorskip("sentence_transformers")
    save_head_model(
        tmp_path, str(tiny_model), None, weights(), LABELS, max_length=12, prefix=prefix, unit_length=unit_length
    )
    theirs = library.SentenceTransformer(str(tmp_path), device="cpu", trust_remote_code=False)
    logits = np.asarray(theirs.encode(TEXTS), dtype=np.float64)
    odds = np.exp(logits)
    assert read_head_model(tmp_path).probabilities(TEXTS) == pytest.approx(odds / odds.sum(1, keepdims=True), abs=1e-5)
    assert list(theirs[0].auto_model.config.id2label.values()) == LABELS  # as the card's snippet reads them


def test_what_the_library_wrote_is_read(tiny_model: Path, tmp_path: Path) -> None:
    library = pytest.importorskip("sentence_transformers")
    save_head_model(tmp_path / "ours", str(tiny_model), None, weights(), LABELS, max_length=12, prefix="query: ")
    library.SentenceTransformer(str(tmp_path / "ours"), device="cpu").save_pretrained(str(tmp_path / "theirs"))
    ours, theirs = (read_head_model(tmp_path / name) for name in ("ours", "theirs"))
    assert theirs.probabilities(TEXTS) == pytest.approx(ours.probabilities(TEXTS), abs=1e-6)


def test_no_pickle_no_code_and_no_root_config(tiny_model: Path, tmp_path: Path) -> None:
    save_head_model(tmp_path, str(tiny_model), None, weights(), LABELS, max_length=12, unit_length=True)
    assert {path.suffix for path in tmp_path.rglob("*") if path.is_file()} == {".json", ".safetensors"}
    from transformers import pipeline

    with pytest.raises((ValueError, OSError)):  # and not a head of random weights
        pipeline("text-classification", model=str(tmp_path))


def _edit(path: str, change: Callable[[Any], Any]) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        content = change(json.loads((folder / path).read_text("utf-8")))
        (folder / path).write_text(json.dumps(content), "utf-8")

    return edit


def _write(path: str, content: bytes) -> Callable[[Path], None]:
    return lambda folder: (folder / path).write_bytes(content) and None


def _weights(**tensors: Any) -> Callable[[Path], None]:
    return lambda folder: save_file(tensors, folder / "3_Dense" / "model.safetensors")


def _only_pickle(folder: Path) -> None:
    (folder / "0_Transformer" / "model.safetensors").rename(folder / "0_Transformer" / "pytorch_model.bin")


def _last(**changes: Any) -> Callable[[list[Any]], list[Any]]:
    return lambda modules: [*modules[:-1], modules[-1] | changes]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_edit("modules.json", lambda modules: modules[:-1]), "no trained classification head"),
        (_edit("modules.json", lambda modules: []), "no trained classification head"),
        (_edit("modules.json", lambda modules: {"a": 1}), "no trained classification head"),
        (_edit("modules.json", lambda modules: modules[::-1]), "in this order"),
        (_edit("modules.json", lambda modules: [*modules, modules[-1]]), "in this order"),
        (_edit("modules.json", _last(type="os.system")), "'os.system'"),
        (_edit("modules.json", _last(type="sentence_transformers.models.LSTM")), "LSTM"),
        (_edit("modules.json", _last(type="evil.models.Dense")), "evil.models.Dense"),
        (_edit("modules.json", _last(path="../3_Dense")), "'../3_Dense'"),
        (_edit("modules.json", _last(path="/etc")), "'/etc'"),
        (_edit("modules.json", _last(path="..")), "'..'"),
        (_edit("modules.json", _last(path=None)), "without a type or a path"),
        (_write("modules.json", b"[" * 100_000), "modules.json cannot be read"),
        (_write("modules.json", b"\xff"), "modules.json cannot be read"),
        (_edit("1_Pooling/config.json", lambda c: {"pooling_mode_cls_token": True}), "only the mean"),
        (_edit("1_Pooling/config.json", lambda c: c | {"pooling_mode_max_tokens": True}), "only the mean"),
        (_edit("1_Pooling/config.json", lambda c: {"pooling_mode": "lasttoken"}), "only the mean"),
        (
            _edit("3_Dense/config.json", lambda c: c | {"activation_function": "torch.nn.modules.activation.Tanh"}),
            "Tanh",
        ),
        (_edit("3_Dense/config.json", lambda c: {}), "activation_function None"),
        (_edit("3_Dense/config.json", lambda c: c | {"use_residual": True}), "use_residual"),
        (_edit("3_Dense/config.json", lambda c: c | {"module_output_name": "scores"}), "'scores'"),
        (_edit("3_Dense/config.json", lambda c: []), "3_Dense/config.json is no mapping"),
        (_edit("0_Transformer/config.json", lambda c: c | {"id2label": {"0": "a", "1": "b"}}), "3 different names"),
        (
            _edit("0_Transformer/config.json", lambda c: c | {"id2label": dict.fromkeys("012", "a")}),
            "3 different names",
        ),
        (_edit("0_Transformer/config.json", lambda c: c | {"id2label": None}), "3 different names"),
        (_edit("0_Transformer/sentence_bert_config.json", lambda c: {"max_seq_length": "12"}), "max_seq_length"),
        (_edit("0_Transformer/sentence_bert_config.json", lambda c: {"max_seq_length": 0}), "max_seq_length"),
        (_edit("config_sentence_transformers.json", lambda c: {"default_prompt_name": "x"}), "'x'"),
        (_weights(other=np.zeros((3, 32), np.float32)), "no linear layer"),
        (_weights(**{"linear.weight": np.zeros((3, 32)), "linear.bias": np.zeros(2)}), "no linear layer"),
        (_weights(**{"linear.weight": np.full((3, 32), np.nan), "linear.bias": np.zeros(3)}), "finite"),
        (_write("3_Dense/model.safetensors", b"\x80\x04pickle"), "cannot be read"),
        (_only_pickle, "can hold code"),
    ],
)
def test_what_is_foreign_is_refused_in_one_line(
    tiny_model: Path, tmp_path: Path, change: Callable[[Path], None], message: str
) -> None:
    save_head_model(tmp_path, str(tiny_model), None, weights(), LABELS, max_length=12, unit_length=True)
    change(tmp_path)
    with pytest.raises(InputError) as caught:
        read_head_model(tmp_path, "org/model")
    assert message in str(caught.value)
    assert str(caught.value).startswith("org/model: ")
    assert "\n" not in str(caught.value)
