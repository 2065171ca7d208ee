"""Front matter, tags, and markdown from hostile hands."""

from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentisynth_hub.localhub.cards import card_data, check_card, parse_front_matter, split_card, tags_of
from sentisynth_hub.localhub.file_splits import Split, splits_of
from sentisynth_hub.localhub.markdown import render


@pytest.mark.parametrize(
    ("text", "data", "body"),
    [
        ("---\nlicense: mit\n---\n# x\n", {"license": "mit"}, "# x\n"),
        ("---\r\nlicense: mit\r\n---\r\n# x", {"license": "mit"}, "# x"),
        ("\ufeff---\nlicense: mit\n---\n", {"license": "mit"}, ""),
        ("---\n---\n# x", {}, "# x"),
        ("# no front matter\n---\na: 1\n---\n", {}, "# no front matter\n---\na: 1\n---\n"),
        ("---\na: 1\n", {}, "---\na: 1\n"),
        ("", {}, ""),
        ("---\na: |\n  ---\n  b\n---\nc", {"a": "---\nb"}, "c"),
        ("---\nday: 2026-01-02\n---\n", {"day": "2026-01-02"}, ""),
    ],
)
def test_front_matter_and_body(text: str, data: dict[str, Any], body: str) -> None:
    assert parse_front_matter(text) == data
    assert split_card(text)[1] == body


@given(st.text())
def test_any_text_has_a_card_or_none(text: str) -> None:
    assert isinstance(card_data(f"---\n{text}\n---\n"), dict)
    assert isinstance(card_data(text), dict)


@pytest.mark.parametrize(
    ("front_matter", "repo_type", "complaint"),
    [
        ("tags: 5", "dataset", '"tags"'),
        ("language: {a: b}", "model", '"language"'),
        ("configs: 5", "dataset", '"configs"'),
        ("configs: [{data_files: x}]", "dataset", '"configs[0].config_name"'),
        ("model-index: x", "model", '"model-index"'),
        ("model-index: [{results: []}]", "model", '"model-index[0].name"'),
        ("model-index: [{name: m, results: [{}]}]", "model", '"model-index[0].results[0].task.type"'),
        ("a: *b", "model", "metadata"),
        ("a: .nan", "model", "metadata"),
    ],
)
def test_complaints_name_the_place(front_matter: str, repo_type: str, complaint: str) -> None:
    errors, _ = check_card(f"---\n{front_matter}\n---\n", repo_type)
    assert errors
    assert complaint in errors[0]


def test_an_empty_card_is_a_warning_only() -> None:
    assert check_card("# x", "model") == ([], ["empty or missing yaml metadata in repo card"])


def test_tags_are_what_the_hub_makes_of_a_card() -> None:
    data = {"tags": ["a", "a", 5], "license": "mit", "language": "ta", "task_categories": ["text-classification"]}
    dataset = ["a", "license:mit", "language:ta", "task_categories:text-classification"]
    assert set(tags_of(data, "datasets")) == {*dataset, "region:local"}
    model = {"a", "license:mit", "ta", "dataset:acme/d", "region:local"}
    assert set(tags_of(data | {"datasets": "acme/d"}, "models")) == model


class _Seen(HTMLParser):
    """Every tag and attribute of a page."""

    def __init__(self, html: str):
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs


PIECES = [
    *("<script>", "</script>", "<img src=x onerror=a()>", "<svg onload=c()>", "<iframe src=x>", "<style>", "<b"),
    *("[a](javascript:b)", "<a href='data:text/html,x'>", "![i](x)", "<!--", "&lt;", "```", "|a|b|\n|-|-|\n", "\n"),
]


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=10)).map("".join))
def test_nothing_active_survives_rendering(text: str) -> None:
    seen = _Seen(render(text, images_at="/r/", links_at="/b/"))
    assert not {"script", "iframe", "style", "form", "object", "svg", "link", "meta", "base"} & set(seen.tags)
    assert not [name for name, _ in seen.attributes if name.startswith("on") or name in ("style", "id", "srcdoc")]
    addresses = [value or "" for name, value in seen.attributes if name in ("href", "src")]
    assert not [address for address in addresses if address.lower().startswith(("javascript:", "data:", "vbscript:"))]


def test_images_and_links_are_taken_from_the_repo() -> None:
    text = "![a](f/x.png) [b](C.md#d) [c](https://e.org) [d](#here) ![e](../../x)"
    html = render(text, images_at="/r/", links_at="/b/")
    addresses = [value for name, value in _Seen(html).attributes if name in ("href", "src")]
    assert addresses[:4] == ["/r/f/x.png", "/b/C.md#d", "https://e.org", "#here"]
    assert all("../" not in str(address) for address in addresses)


@pytest.mark.parametrize(
    "path",
    [
        "%2e%2e/x",
        "%2E%2e/%2e%2E/x",
        ".%2e/x",
        "a/%2e./../x",
        "..\\x",
        "%2e%2e%5cx",
        "a\\..\\x",
        "%2fx",
        "\\x",
        "%5c%5cevil.example",
    ]
    + ["..%2fx", "./%2e%2e/x", "a/..", "//evil.example/x", "http://[/x"],
)
@pytest.mark.parametrize("form", ["![i](<{}>)", '<img src="{}">', "![i][r]\n\n[r]: <{}>"])
def test_no_image_leaves_its_repo(path: str, form: str) -> None:
    html = render(form.format(path), images_at="/r/main/", links_at="/b/main/")
    for value in (value or "" for name, value in _Seen(html).attributes if name == "src"):
        address = urljoin("http://hub/", unquote(value).replace("\\", "/"))
        assert value.startswith("/r/main/")
        assert urlsplit(address).path.startswith("/r/main/")


def test_a_table_keeps_its_alignment() -> None:
    html = render("|a|b|\n|---|---:|\n|1|2|\n", images_at="/r/", links_at="/b/")
    assert '<td align="right">2</td>' in html


def test_splits_declared_by_the_card() -> None:
    card = {"configs": [
        {"config_name": "default", "data_files": [{"split": "train", "path": "data/train-*"}]},
        {"config_name": "rejected", "data_files": "rejected/*.parquet"},
        {"config_name": "empty", "data_files": "none/*"}, 5,
    ]}  # fmt: skip
    paths = ["data/train-0.parquet", "data/train-1.parquet", "rejected/x.parquet", "README.md"]
    assert splits_of(card, paths) == [
        Split("default", "train", ["data/train-0.parquet", "data/train-1.parquet"]),
        Split("rejected", "train", ["rejected/x.parquet"]),
    ]


def test_splits_guessed_from_names() -> None:
    found = splits_of({}, ["test.csv", "data/train-0.jsonl", "other.parquet", "x.txt"])
    assert found == [
        Split("default", "train", ["data/train-0.jsonl", "other.parquet"]),
        Split("default", "test", ["test.csv"]),
    ]
