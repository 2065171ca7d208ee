"""Models as people have them: loaded alike everywhere, and what one cannot do is said before it is asked to."""

import ast
import json
from pathlib import Path
from typing import Any

import pytest

from sentisynth_hub.core.errors import InputError, RecipeError
from sentisynth_hub.pretrained.embeddings import embed
from sentisynth_hub.pretrained.load_model import Kind, chat_text, load_pretrained, load_tokenizer, readable_length
from tests.support.tiny import tiny_encoder
from tests.support.worlds import tiny_model


PACKAGE = Path(__file__).resolve().parents[3] / "sentisynth_hub"


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_encoder(tmp_path_factory.mktemp("models") / "encoder")


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("models") / "writer")


def classifier(encoder: Path, target: Path, labels: int = 2) -> Path:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    AutoModelForSequenceClassification.from_pretrained(encoder, num_labels=labels).save_pretrained(target)
    AutoTokenizer.from_pretrained(encoder).save_pretrained(target)
    return target


def test_a_trained_classifier_answers_as_the_plain_pipeline_does(encoder: Path, tmp_path: Path) -> None:
    from transformers import pipeline

    from sentisynth_hub.pretrained.classifier import open_classifier

    model = classifier(encoder, tmp_path / "classifier")
    plain = pipeline("text-classification", model=str(model), device="cpu")("what a dull plot", top_k=None)
    opened = open_classifier(model)
    scores = dict(zip(opened.labels, opened.probabilities(["what a dull plot"])[0], strict=True))
    assert scores == {item["label"]: item["score"] for item in plain}


def test_an_encoder_without_a_trained_head_is_no_classifier(encoder: Path) -> None:
    with pytest.raises(InputError, match="has no trained classification head .*classifier.*would be random"):
        load_pretrained("classifier", str(encoder))


def test_a_head_that_lacks_a_part_or_has_another_shape_is_no_trained_one(encoder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    model = classifier(encoder, tmp_path / "bias", 3)
    weights = load_file(model / "model.safetensors")
    bias = weights.pop("classifier.bias")
    save_file(weights, model / "model.safetensors", {"format": "pt"})
    with pytest.raises(InputError, match=r"no weights for classifier\.bias"):
        load_pretrained("classifier", str(model))
    save_file(weights | {"classifier.bias": bias[:2].clone()}, model / "model.safetensors", {"format": "pt"})
    with pytest.raises(InputError, match=r"classifier\.bias|could not be loaded"):
        load_pretrained("classifier", str(model))


def test_a_score_is_no_label(encoder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has a single output"):
        load_pretrained("classifier", str(classifier(encoder, tmp_path / "regression", 1)))


def test_an_encoder_is_no_language_model(encoder: Path) -> None:
    with pytest.raises(RecipeError, match=r"generate.generator.model: .*(no trained language-model head|no causal)"):
        load_pretrained("causal_lm", str(encoder), key="generate.generator.model")


def test_a_student_may_have_a_new_head_but_no_new_body(encoder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    load_pretrained("student", str(encoder), labels=["a", "b", "c"])
    torn = classifier(encoder, tmp_path / "torn")
    weights = load_file(torn / "model.safetensors")
    del weights[next(name for name in weights if "layer.0.attention" in name)]
    save_file(weights, torn / "model.safetensors", {"format": "pt"})
    for kind in ("student", "encoder", "classifier"):
        with pytest.raises(InputError, match=r"layer\.0\.attention"):
            load_pretrained(kind, str(torn), labels=["a", "b"] if kind == "student" else None)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["encoder", "causal_lm", "classifier", "student"])
def test_pickled_weights_and_code_of_a_repo_s_own_are_never_loaded(encoder: Path, tmp_path: Path, kind: Kind) -> None:
    import shutil

    import torch

    pickled = shutil.copytree(encoder, tmp_path / "pickled")
    (pickled / "model.safetensors").unlink()
    torch.save({}, pickled / "pytorch_model.bin")
    with pytest.raises(InputError, match="has no safetensors weights"):
        load_pretrained(kind, str(pickled))
    theirs = shutil.copytree(encoder, tmp_path / "theirs")
    config = json.loads((theirs / "config.json").read_text())
    names = ("AutoConfig", "AutoModel", "AutoModelForCausalLM", "AutoModelForSequenceClassification")
    config |= {"model_type": "their_own", "auto_map": {name: f"code.{name}" for name in names}}
    (theirs / "config.json").write_text(json.dumps(config))
    (theirs / "code.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass AutoConfig: pass\n")
    with pytest.raises(InputError, match="needs code of its own, which is never run|could not be loaded") as raised:
        load_pretrained(kind, str(theirs))
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "ran").exists()


def test_what_is_not_there_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in (str(tmp_path / "empty"), str(tmp_path / "gone"), "a/b/c/d"):
        with pytest.raises(InputError) as raised:
            load_pretrained("classifier", name)
        assert "\n" not in str(raised.value)
        assert str(raised.value).startswith(name)


def test_a_tokenizer_without_padding_pads_with_its_end(writer: Path) -> None:
    tokenizer = load_tokenizer(str(writer))
    assert tokenizer.pad_token_id is not None
    vectors = embed(["what a dull plot", "warm"], str(writer), max_length=10_000)  # more than it can read
    alone = embed(["warm"], str(writer), max_length=8)
    assert vectors[1] == pytest.approx(alone[0], abs=1e-5)


class _Tokenizer:
    model_max_length = 10**30


@pytest.mark.parametrize(
    ("config", "length"),
    [
        ({"model_type": "bert", "max_position_embeddings": 512}, 512),
        ({"model_type": "xlm-roberta", "max_position_embeddings": 514, "pad_token_id": 1}, 512),
        ({"model_type": "camembert", "max_position_embeddings": 514, "pad_token_id": 1}, 512),
        ({"model_type": "mpnet", "max_position_embeddings": 514, "pad_token_id": 1}, 512),
        ({"model_type": "gpt2", "n_positions": 1024}, 1024),
        ({"model_type": "xlnet", "max_position_embeddings": -1}, 10**6),
        ({"model_type": "t5"}, 10**6),
    ],
)
def test_readable_length(config: dict[str, Any], length: int) -> None:
    from types import SimpleNamespace

    assert readable_length(_Tokenizer(), SimpleNamespace(**config)) == length


_TEMPLATES = {
    "user_only": "{% for m in messages %}{% if m.role != 'user' %}{{ raise_exception('Only user, please') }}"
    "{% endif %}{{ m.content }}{% endfor %}",
    "no_system": "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for m in messages %}{{ m.content }}{% endfor %}",
}


@pytest.mark.parametrize(
    ("template", "roles", "message"),
    [
        (None, ["user"], "m has no chat template"),
        (_TEMPLATES["no_system"], ["system", "user"], "no message with the role 'system' .*System role not supported"),
        (_TEMPLATES["user_only"], ["user", "assistant", "user"], "no message with the role 'assistant'"),
        (_TEMPLATES["user_only"], ["developer", "user"], "no message with the role 'developer'"),
        ("{{ 1 / 0 }}", ["user"], "does not take messages with the roles user"),
    ],
)
def test_a_chat_template_that_refuses_a_role_is_named(
    writer: Path, template: str | None, roles: list[str], message: str
) -> None:
    tokenizer = load_tokenizer(str(writer))
    tokenizer.chat_template = template
    chat = [{"role": role, "content": "a"} for role in roles]
    with pytest.raises(RecipeError, match=f"generate.prompt.chat: .*{message}") as raised:
        chat_text(tokenizer, chat, model="m", key="generate.prompt.chat")
    assert "\n" not in str(raised.value)


def test_nothing_else_in_the_package_loads_a_model() -> None:
    """A bare `from_pretrained` forgets one of: no code of a repo's own, safetensors only, no made-up weights."""
    loaders = []
    for file in PACKAGE.rglob("*.py"):
        if file.name == "load_model.py":
            continue
        tree = ast.parse(file.read_text("utf-8"))
        loaders += [
            f"{file.relative_to(PACKAGE)}:{node.lineno}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in ("from_pretrained", "from_config")
        ]
        loaders += [  # a pipeline of a model's name loads it, one of a loaded model does not
            f"{file.relative_to(PACKAGE)}:{node.lineno}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "pipeline"
            and not {"model", "tokenizer"} <= {keyword.arg for keyword in node.keywords}
        ]
    assert loaders == []
