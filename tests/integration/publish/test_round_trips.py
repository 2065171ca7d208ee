"""What is published loads everywhere, whatever the rows hold; what cannot be published safely is refused with a clear
line."""

import itertools
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest

from sentisynth_hub.core.errors import SentisynthError
from sentisynth_hub.core.rows import Row
from sentisynth_hub.core.text import nfc
from sentisynth_hub.localhub.control import HubState
from sentisynth_hub.publish.commit import publish_dataset
from tests.support.releases import LABELS, TEXTS, evaluation, recipe_in, release, synthetic


CONFIGS = ["default", "unfiltered", "rejected", "lineage"]
_number = itertools.count()

HOSTILE = {
    "emoji": ["😀👍🏽👨‍👩‍👧‍👦", "🇮🇳 super padam 🎉🎉"],
    "right to left": ["שלום עולם זה טוב", "هذا فيلم رائع جدا"],
    "overrides": ["\u202eevil\u202c text", "\u2066isolated\u2069 \u200f mark"],
    "front matter": ["---\nlicense: mit\n---", "--- ---\n---"],
    "yaml": ["key: value\n- item", "!!python/object:os.system", "yes", "null", "2e-5", "'", '"'],
    "jinja": ["{{ 7 * 7 }}", "{% for x in y %}", "{# comment #}", "{{ ''.__class__.__mro__ }}"],
    "html": ["<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "</td></tr></table><h1>x</h1>", "&lt;b&gt;"],
    "markdown": [
        "| a | b |",
        "```python\nx\n```",
        "# heading",
        "[x](javascript:alert(1))",
        "![x](http://e.example/x.png)",
    ],
    "our markers": ["<!-- sentisynth:begin -->", "<!-- sentisynth:end -->", "## v9.9.9"],
    "long rows": ["word " * 2_000, "x" * 10_000],
    "malayalam": ["പടം കൊള്ളാം നല്ല അഭിനയം", "padam super aanu ketto"],
    "tamil code-mixed": ["படம் vera level bro", "semma mokka padam da"],
    "other scripts": ["ไทยไม่มีช่องว่าง", "映画はとても良かった", "क़ख़ग़ अच्छी फिल्म", "Ӂелтый қазақ"],
    "combining": ["e\u0301\u0300\u0302" * 20, "Z\u0351\u036b\u0343\u036a\u0302algo"],
    "lone surrogates": ["broken \ud800 half", "\udfff"],
    "controls": ["bell \x07 escape \x1b[31m", "null \x00 byte", "tab\tand\rreturn"],
    "line ends": ["one\ntwo\r\nthree", "line\u2028separator\u2029paragraph\x85next"],
    "blanks": ["\u00a0nbsp\u00a0", "\u3000ideographic\u3000", "\u200bzero width\u200b"],
    "private use": ["\ue000\uf8ff", "\U000f0000"],
    "unassigned": ["\u0378", "\U000e0fff"],
    "noncharacters": ["\ufdd0", "\uffff", "\U0010ffff"],
    "byte order": ["\ufeffbom first", "last\ufeff"],
    "case trouble": ["İstanbul ı", "ß ẞ SS", "ﬁ ligature"],
    "compatibility": ["①②③", "ｆｕｌｌ ｗｉｄｔｈ", "𝓯𝓪𝓷𝓬𝔂"],
    "numbers": ["1", "1.0", "-0", "NaN", "inf"],
    "shell": ["$(rm -rf /)", "`id`", "; ls", "%s%n", "\\x41"],
    "csv": ['a,"b",c', "=1+1", "=SUM(A1)", "+1 plus", "-1 minus"],
    "json": ['{"a": 1}', "[1, 2]", "\\u0041", "\\n"],
    "paths": ["../../etc/passwd", "C:\\Windows", "/dev/null", "file:///etc/passwd"],
    "sql": ["'; DROP TABLE rows; --", "1 OR 1=1"],
    "urls": ["http://evil.example/?q=1", "www.evil.example", "javascript:alert(1)"],
    "one word": ["bad", "good"],
    "symbols": ["!!!", "???", "…", "♥"],
    "duplicates": ["same text", "same text"],
    "duplicates in other forms": ["caf\u00e9 bon", "cafe\u0301 bon"],
    "latex": ["$x^2$", "\\begin{document}", "50\\% off"],
    "regex": ["(a+)+$", "[[:alpha:]]", "\\1"],
    "python": ["__import__('os')", "f'{x}'", "None", "True"],
    "git": ["<<<<<<< HEAD", "=======", ">>>>>>> main"],
    "ndjson": ['{"key": "header"}\n{"key": "file"}'],
    "bibtex": ["{misc, x, title={y}}", "}", "{"],
    "badges": ["[![x](y)](z)", ":smile:", "#1", "by @ org/team"],
    "footnotes": ["[^1]: note", "* * *", "***", "___"],
    "tables": ["| --- |", "\\|", "a | b\n--- | ---"],
    "details": ["<details open>", "<style>*{display:none}</style>", "<svg onload=alert(1)>"],
}
UNPUBLISHABLE = {
    "empty": ["", "fine row here"],
    "white space only": [" \t\n", "fine row here"],
    "ideographic space only": ["\u3000", "fine row here"],
    "e-mail": ["write to someone@example.org", "fine row here"],
    "telephone": ["call +1 650 253 0000", "fine row here"],
}


def test_there_are_fifty_hostile_corpora() -> None:
    assert len(HOSTILE) + len(UNPUBLISHABLE) == 50


@pytest.fixture(scope="module")
def published(local_hub: HubState, tmp_path_factory: pytest.TempPathFactory) -> str:
    repo_id = "publish-tests/round-trip"
    publish_dataset(release(tmp_path_factory.mktemp("release"), evaluation=evaluation()), repo_id)
    return repo_id


@pytest.mark.parametrize("config", CONFIGS)
def test_every_config_loads_normally_streaming_and_with_pandas(published: str, config: str) -> None:
    import pandas as pd
    from datasets import load_dataset

    rows = load_dataset(published, config, revision="v1.0.0", split="train")
    streamed = list(load_dataset(published, config, revision="v1.0.0", split="train", streaming=True))
    assert streamed == rows.to_list()
    folder = {"default": "data"}.get(config, config)
    frame = pd.read_parquet(f"hf://datasets/{published}@v1.0.0/{folder}/train-00000-of-00001.parquet")
    assert list(frame.columns) == rows.column_names
    key = "request_id" if "request_id" in frame else "id"
    assert frame[key].tolist() == [row[key] for row in rows]
    if config != "lineage":
        assert rows.features["label"].names == LABELS


def test_the_default_config_is_default_and_the_split_is_train(published: str) -> None:
    from datasets import get_dataset_config_names, load_dataset

    loaded = load_dataset(published, revision="v1.0.0")
    assert list(loaded) == ["train"]
    assert loaded["train"]["text"] == TEXTS
    assert get_dataset_config_names(published, revision="v1.0.0") == CONFIGS


def test_the_metadata_validates_with_the_hubs_own_client(published: str) -> None:
    from huggingface_hub import DatasetCard

    card = DatasetCard.load(published)
    card.validate(repo_type="dataset")
    assert card.data.license == "cc-by-4.0"
    assert card.data.tags == ["synthetic", "sentisynth-hub", "text"]


def test_all_hostile_texts_together_come_back_as_they_went(local_hub: HubState, tmp_path: Path) -> None:
    from datasets import load_dataset

    texts = [text for corpus in HOSTILE.values() for text in corpus]
    done = publish_dataset(release(tmp_path, kept=synthetic(texts), rejected=[]), "publish-tests/hostile")
    assert load_dataset(done.repo_id, revision=done.version, split="train")["text"] == [nfc(text) for text in texts]
    assert not publish_dataset(release(tmp_path, kept=synthetic(texts), rejected=[]), done.repo_id).changed


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_corpus_comes_back_as_it_went(local_hub: HubState, tmp_path: Path, name: str) -> None:
    from datasets import load_dataset
    from huggingface_hub import DatasetCard

    repo_id = f"publish-tests/hostile-{next(_number)}"
    texts = HOSTILE[name]
    done = publish_dataset(release(tmp_path, kept=synthetic(texts), rejected=[]), repo_id)
    rows = load_dataset(repo_id, revision=done.version, split="train")
    assert rows["text"] == [nfc(text) for text in texts]
    card = DatasetCard.load(repo_id)
    card.validate(repo_type="dataset")
    assert card.data.license == "cc-by-4.0"
    assert card.content.count("<!-- sentisynth:begin") == card.content.count("<!-- sentisynth:end -->") == 1
    assert not any(
        unicodedata.bidirectional(character) in ("RLO", "LRO", "RLE", "LRE", "RLI") for character in card.content
    )
    assert "<script" not in card.content
    assert not publish_dataset(release(tmp_path, kept=synthetic(texts), rejected=[]), repo_id).changed


@pytest.mark.parametrize("name", UNPUBLISHABLE)
def test_what_cannot_be_published_is_refused_with_one_clear_line(
    local_hub: HubState, tmp_path: Path, name: str
) -> None:
    from huggingface_hub import HfApi

    repo_id = f"publish-tests/refused-{next(_number)}"
    with pytest.raises(SentisynthError, match=r"request-0") as caught:
        publish_dataset(release(tmp_path, kept=synthetic(UNPUBLISHABLE[name]), rejected=[]), repo_id)
    assert "\n" not in str(caught.value)
    assert not HfApi().repo_exists(repo_id, repo_type="dataset")


@pytest.mark.parametrize(
    "labels", [["a: b", "- c"], ["'", '"'], ["no", "null"], ["1", "2"], ["| x", "<b>"], ["പോസ", "නෙග"]]
)
def test_hostile_label_names_come_back(local_hub: HubState, tmp_path: Path, labels: list[str]) -> None:
    from datasets import load_dataset

    repo_id = f"publish-tests/labels-{next(_number)}"
    recipe = recipe_in(tmp_path / "labels", labels=labels)
    kept = [
        Row(text, labels[i % 2], request_id=f"request-{i}", asked_label=labels[i % 2]) for i, text in enumerate(TEXTS)
    ]
    given = release(tmp_path, kept=kept, rejected=[], recipe=recipe)
    natural = [replace(row, label=labels[LABELS.index(str(row.label))]) for row in given.natural.train]
    given = replace(given, natural=replace(given.natural, train=natural))
    publish_dataset(given, repo_id)
    rows = load_dataset(repo_id, revision="v1.0.0", split="train")
    assert rows.features["label"].names == labels
    assert [labels[i] for i in rows["label"]] == [row.label for row in kept]
