"""`transformers` and the client's own mixin: pushing and loading models at a tag."""

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="module")
def tiny() -> Any:
    """A classifier with labels of its own, made here."""
    from transformers import BertConfig, BertForSequenceClassification

    config = BertConfig(
        vocab_size=40,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=8,
        id2label={0: "negative", 1: "positive"},
        label2id={"negative": 0, "positive": 1},
    )
    return BertForSequenceClassification(config).eval()


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A word-piece tokenizer over a handful of words, made here."""
    from transformers import BertTokenizer

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "romba", "nalla", "mokka", "padam"]
    path = tmp_path_factory.mktemp("vocab") / "vocab.txt"
    path.write_text("\n".join(words))
    return BertTokenizer(str(path))


def test_push_and_load_a_model_at_a_tag(api: Any, new_name: Any, tiny: Any) -> None:
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification

    repo_id = new_name("model")
    tiny.push_to_hub(repo_id)
    api.create_tag(repo_id, tag="v1.0.0")
    assert AutoConfig.from_pretrained(repo_id, revision="v1.0.0").id2label == {0: "negative", 1: "positive"}
    loaded = AutoModelForSequenceClassification.from_pretrained(repo_id, revision="v1.0.0").eval()
    ids = torch.tensor([[2, 5, 6, 3]])
    torch.testing.assert_close(loaded(ids).logits, tiny(ids).logits)


def test_push_and_load_a_tokenizer(new_name: Any, tokenizer: Any) -> None:
    from transformers import AutoTokenizer

    repo_id = new_name("model")
    tokenizer.push_to_hub(repo_id)
    assert AutoTokenizer.from_pretrained(repo_id)("romba nalla")["input_ids"] == tokenizer("romba nalla")["input_ids"]


def test_pipeline_from_a_repo(api: Any, new_name: Any, tiny: Any, tokenizer: Any) -> None:
    from transformers import pipeline

    repo_id = new_name("model")
    tiny.push_to_hub(repo_id)
    tokenizer.push_to_hub(repo_id)
    api.create_tag(repo_id, tag="v1.0.0")
    answer = pipeline("text-classification", repo_id, revision="v1.0.0")("romba nalla padam")
    assert answer[0]["label"] in ("negative", "positive")


def test_push_a_model_to_a_private_repo(api: Any, new_name: Any, tiny: Any, anonymous: Any) -> None:
    repo_id = new_name("model")
    tiny.push_to_hub(repo_id, private=True)
    assert api.model_info(repo_id).private
    assert not anonymous.repo_exists(repo_id)


def test_the_mixin_saves_and_loads(new_name: Any) -> None:
    from huggingface_hub import ModelHubMixin

    class Threshold(ModelHubMixin):
        def __init__(self, value: float = 0.5):
            self.value = value

        def _save_pretrained(self, save_directory: Path) -> None:
            (save_directory / "threshold.txt").write_text(str(self.value))

        @classmethod
        def _from_pretrained(cls, *, model_id: str, revision: str | None, **options: Any) -> "Threshold":
            from huggingface_hub import hf_hub_download

            return cls(float(Path(hf_hub_download(model_id, "threshold.txt", revision=revision)).read_text()))

    repo_id = new_name("model")
    Threshold(0.75).push_to_hub(repo_id)
    assert Threshold.from_pretrained(repo_id).value == 0.75
