"""The Hub's pages in a real browser: they show what they should, on a phone too, and nothing hostile runs.

Needs Debian's `chromium` and `chromium-driver`. With `SENTISYNTH_SCREENSHOTS=FOLDER` the pages of the documentation
are photographed into that folder.
"""

import base64
import os
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from sentisynth_hub.localhub.control import HubState, client_environment, running_hub
from sentisynth_hub.publish.dataset_repo import DatasetPublication
from tests.support.chromium import needs_chromium, phone, start_browser
from tests.support.releases import evaluation, release


pytestmark = needs_chromium

# Ten by ten pixels of one colour.
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAoAAAAKCAYAAACNMs+9AAAAFUlEQVR42mNk+M9Qz0AEYBxVSF+FAAhKDveksOjmAAAAAElFTkSuQmCC"
)
ATTACK = "<script>window.owned = 1</script><img src=x onerror='window.owned = 1'>"
CARD = f"""---
license: cc-by-4.0
language: [ta, en]
pretty_name: "{ATTACK}"
tags: [synthetic, code-mixed, "{ATTACK}"]
task_categories: [text-classification]
configs:
- config_name: default
  data_files: [{{split: train, path: data/train-*}}]
- config_name: rejected
  data_files: [{{split: train, path: rejected/train-*}}]
---
# Film reviews in Tamil and English

| variant | macro-F1 |
|---|---:|
| natural | 0.612 |
| mixed | 0.655 |

![figure](figures/one.png) [changelog](CHANGELOG.md) [outside](https://example.org/)

{ATTACK}

<a href="javascript:window.owned = 1">a link</a> <iframe src="https://example.org"></iframe>
<svg onload="window.owned = 1"></svg> <style>body {{ display: none }}</style> <form action="/logout"></form>
"""


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubState]:
    with running_hub(tmp_path_factory.mktemp("pages")) as state:
        _fill(state)
        yield state


def _fill(state: HubState) -> None:
    """A dataset with hostile text wherever text can be, and a private model."""
    import pyarrow as pa
    import pyarrow.parquet as parquet
    from huggingface_hub import CommitOperationAdd, HfApi

    texts = ["padam romba nalla irukku 😀", "மோசமான படம்", "vera level acting, semma songs", "mokka padam da"] * 30
    features = '{"info": {"features": {"label": {"names": ["negative", "positive"], "_type": "ClassLabel"}}}}'
    rows = {"text": [ATTACK, *texts], "label": [1, *([1, 0, 1, 0] * 30)], ATTACK: [None, *texts]}
    table = pa.table(rows).replace_schema_metadata({"huggingface": features})
    sink = pa.BufferOutputStream()
    parquet.write_table(table, sink)
    api = HfApi(endpoint=state.endpoint, token=state.token)
    api.create_repo("acme/tamil-reviews", repo_type="dataset")
    data = sink.getvalue().to_pybytes()
    files = {
        "README.md": CARD.encode(),
        "CHANGELOG.md": b"# Changes\n\n- first\n",
        "figures/one.png": PNG,
        "data/train-00000-of-00001.parquet": data,
        "rejected/train-00000-of-00001.parquet": data,
        "broken/train-00000-of-00001.parquet": b"PAR1" + b"\0" * 100 + b"PAR1",
        "<img src=x onerror='window.owned = 1'>.txt": ATTACK.encode(),
    }
    additions = [CommitOperationAdd(path, content) for path, content in files.items()]
    api.create_commit("acme/tamil-reviews", additions, commit_message="Publish v1.0.0", repo_type="dataset")
    api.create_tag("acme/tamil-reviews", tag="v1.0.0", repo_type="dataset")
    change = [CommitOperationAdd("CHANGELOG.md", f"# Changes\n\n- second {ATTACK}\n".encode())]
    options: dict[str, Any] = {"repo_type": "dataset", "commit_message": ATTACK, "commit_description": ATTACK}
    api.create_commit("acme/tamil-reviews", change, **options)
    api.create_commit("acme/tamil-reviews", [CommitOperationAdd("x.txt", b"x")], create_pr=True, **options)
    api.comment_discussion("acme/tamil-reviews", 1, ATTACK, repo_type="dataset")
    api.create_repo("acme/classifier", private=True)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    driver = start_browser(tmp_path_factory.mktemp("profile"))
    yield driver
    driver.quit()


ROOT = "/datasets/acme/tamil-reviews"
PAGES = [
    "/",
    "/login",
    "/nothing/here",
    ROOT,
    f"{ROOT}?revision=v1.0.0",
    f"{ROOT}/viewer",
    f"{ROOT}/viewer?config=rejected&split=train",
    f"{ROOT}/tree/main",
    f"{ROOT}/blob/main/README.md",
    f"{ROOT}/blob/main/{quote(chr(60) + 'img src=x onerror=' + chr(39) + 'window.owned = 1' + chr(39) + '>.txt')}",
    f"{ROOT}/commits/main",
    f"{ROOT}/commit/main",
    f"{ROOT}/tags",
    f"{ROOT}/discussions",
    f"{ROOT}/discussions/1",
]


def owned(browser: Any) -> bool:
    """Whether any of the hostile texts ran."""
    return bool(browser.execute_script("return window.owned === 1"))


def test_the_detector_detects(browser: Any) -> None:
    browser.get(f"data:text/html,{quote(ATTACK)}")
    assert owned(browser)


@pytest.mark.parametrize("page", PAGES)
def test_nothing_hostile_runs(hub: HubState, browser: Any, page: str) -> None:
    browser.get(hub.endpoint + page)
    assert browser.find_element("tag name", "main").is_displayed()
    assert not owned(browser)
    active = "return document.querySelectorAll('script, iframe, style, [onerror], [onload], [style]').length"
    assert browser.execute_script(active) == 0
    links = browser.execute_script("return [...document.links].map(link => link.protocol)")
    assert set(links) <= {"http:", "https:"}


@pytest.mark.parametrize("page", PAGES)
def test_every_page_fits_a_phone(hub: HubState, browser: Any, page: str) -> None:
    with phone(browser):
        browser.get(hub.endpoint + page)
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 360


BROKEN_WORDS = """
const broken = [];
for (const cell of document.querySelectorAll('.card td, .card th')) {
  const walker = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    for (const word of node.data.matchAll(/[\\p{L}\\p{N}_.]+/gu)) {
      const range = document.createRange();
      range.setStart(node, word.index);
      range.setEnd(node, word.index + word[0].length);
      if (new Set([...range.getClientRects()].map(line => Math.round(line.top))).size > 1) broken.push(word[0]);
    }
  }
}
return broken;
"""


@pytest.fixture(scope="module")
def whole_card(hub: HubState, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page of a dataset whose card the package rendered, tables and all."""
    from huggingface_hub import HfApi

    folder = tmp_path_factory.mktemp("card")
    card = DatasetPublication(release(folder, evaluation=evaluation()), "acme/whole-card", folder / "out").plan(None)
    content = card.additions["README.md"]
    assert isinstance(content, bytes)
    api = HfApi(endpoint=hub.endpoint, token=hub.token)
    api.create_repo("acme/whole-card", repo_type="dataset")
    api.upload_file(path_or_fileobj=content, path_in_repo="README.md", repo_id="acme/whole-card", repo_type="dataset")
    return f"{hub.endpoint}/datasets/acme/whole-card"


@pytest.mark.parametrize("width", [390, 1366])
def test_no_word_is_broken_inside_a_cell(whole_card: str, browser: Any, width: int) -> None:
    browser.set_window_size(1366, 900)
    with phone(browser, width) if width < 500 else nullcontext():
        browser.get(whole_card)
        assert len(browser.find_elements("css selector", ".card td")) > 30
        assert browser.execute_script(BROKEN_WORDS) == []
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
        _photograph(browser, f"whole-card-{width}")


def _photograph(browser: Any, name: str) -> None:
    """For whoever looks at it: the page, where a folder for screenshots is named."""
    if folder := os.environ.get("SENTISYNTH_SCREENSHOTS"):
        height = browser.execute_script("return document.documentElement.scrollHeight")
        shot = {"captureBeyondViewport": True, "clip": {"x": 0, "y": 0, "width": 1366, "height": height, "scale": 1}}
        data = browser.execute_cdp_cmd("Page.captureScreenshot", shot)["data"]
        (Path(folder) / f"{name}.png").write_bytes(base64.b64decode(data))


def test_the_card_is_rendered(hub: HubState, browser: Any) -> None:
    browser.get(hub.endpoint + ROOT)
    card = browser.find_element("css selector", "article.card")
    assert card.find_element("tag name", "h1").text == "Film reviews in Tamil and English"
    assert [cell.text for cell in card.find_elements("css selector", "td")] == ["natural", "0.612", "mixed", "0.655"]
    loaded = "return document.querySelector('article.card img[alt=figure]').naturalWidth"
    assert browser.execute_script(loaded) == 10
    tags = [tag.text for tag in browser.find_elements("css selector", "p.tags .tag")]
    assert {"synthetic", "code-mixed", "license:cc-by-4.0", "language:ta", ATTACK} <= set(tags)
    assert "v1.0.0" in [tag.text for tag in browser.find_elements("css selector", "aside .tag")]


def test_the_first_rows_labels_and_lengths(hub: HubState, browser: Any) -> None:
    browser.get(f"{hub.endpoint}{ROOT}/viewer")
    splits = [tag.text for tag in browser.find_elements("css selector", "p.tags .tag")]
    assert splits == ["default / train", "rejected / train"]
    rows = browser.find_elements("css selector", "table.rows tr")
    assert len(rows) == 21
    cells = [cell.text for cell in rows[2].find_elements("tag name", "td")]
    assert cells[:2] == ["padam romba nalla irukku 😀", "positive"]
    labels, lengths = browser.find_elements("css selector", "figure")
    bars = [line.text.split() for line in labels.find_elements("tag name", "tr")]
    assert bars == [["negative", "60"], ["positive", "61"]]
    counts = [int(cell.text) for cell in lengths.find_elements("css selector", "td.number")]
    assert sum(counts) == 121


def test_a_broken_data_file_breaks_only_its_table(hub: HubState, browser: Any) -> None:
    from huggingface_hub import CommitOperationAdd, HfApi

    api = HfApi(endpoint=hub.endpoint, token=hub.token)
    api.create_repo("acme/broken", repo_type="dataset")
    broken = CommitOperationAdd("train.parquet", b"PAR1" + b"\0" * 100 + b"PAR1")
    api.create_commit("acme/broken", [broken], commit_message="broken", repo_type="dataset")
    browser.get(f"{hub.endpoint}/datasets/acme/broken/viewer")
    assert "cannot be read" in browser.find_element("css selector", "p.problem").text


def test_from_home_to_a_diff_by_clicking(hub: HubState, browser: Any) -> None:
    browser.get(hub.endpoint)
    browser.find_element("partial link text", "tamil-reviews").click()
    browser.find_element("link text", "Commits").click()
    commits = browser.find_elements("css selector", "ol.commits li a")
    assert [commit.text for commit in commits] == [ATTACK, "Publish v1.0.0", "initial commit"]
    commits[0].click()
    added = [line.text for line in browser.find_elements("css selector", ".plus")]
    removed = [line.text for line in browser.find_elements("css selector", ".minus")]
    assert (added, removed) == ([f"+- second {ATTACK}"], ["-- first"])


def test_from_files_to_text_by_clicking(hub: HubState, browser: Any) -> None:
    browser.get(hub.endpoint + ROOT)
    browser.find_element("link text", "Files").click()
    browser.find_element("link text", "CHANGELOG.md").click()
    assert "second" in browser.find_element("css selector", "pre.code").text
    browser.find_element("link text", "Tags").click()
    browser.find_element("link text", "v1.0.0").click()
    browser.find_element("link text", "CHANGELOG.md").click()
    assert "- first" in browser.find_element("css selector", "pre.code").text


def test_logging_in_shows_private_repos(hub: HubState, browser: Any) -> None:
    browser.get(hub.endpoint)
    assert "classifier" not in browser.page_source
    browser.find_element("link text", "Log in").click()
    browser.find_element("name", "token").send_keys("wrong")
    browser.find_element("css selector", ".login button").click()
    assert "not a token" in browser.find_element("css selector", ".problem").text
    browser.find_element("name", "token").send_keys(hub.token)
    browser.find_element("css selector", ".login button").click()
    browser.find_element("partial link text", "classifier").click()
    assert "private" in browser.find_element("css selector", "h1").text
    browser.find_element("css selector", "header button").click()
    browser.find_element("link text", "Log in")  # waits until it is there


def test_logging_in_leads_to_what_was_wanted(hub: HubState, browser: Any) -> None:
    browser.get(f"{hub.endpoint}/acme/classifier")
    assert browser.find_element("tag name", "h1").text == "404"
    browser.find_element("link text", "log in").click()
    browser.find_element("name", "token").send_keys(hub.token)
    browser.find_element("css selector", ".login button").click()
    browser.find_element("css selector", "h1.repo")
    assert browser.current_url == f"{hub.endpoint}/acme/classifier"
    browser.find_element("css selector", "header button").click()
    browser.find_element("link text", "Log in")  # waits until it is there


def test_folders_are_links_back(hub: HubState, browser: Any) -> None:
    browser.get(f"{hub.endpoint}{ROOT}/blob/main/figures/one.png")
    browser.find_element("link text", "figures").click()
    assert browser.find_element("link text", "one.png").is_displayed()


@pytest.mark.skipif("SENTISYNTH_SCREENSHOTS" not in os.environ, reason="no folder for screenshots")
def test_photograph_the_pages(tmp_path: Path, browser: Any) -> None:
    folder = Path(os.environ["SENTISYNTH_SCREENSHOTS"])
    with running_hub(tmp_path) as state:
        _fill_for_the_picture(state)
        for name, page in (("hub-card", ""), ("hub-rows", "/viewer")):
            browser.set_window_size(1100, 800)
            browser.get(f"{state.endpoint}/datasets/acme/tamil-reviews{page}")
            time.sleep(0.2)
            assert browser.save_screenshot(str(folder / f"{name}.png"))


def _fill_for_the_picture(state: HubState) -> None:
    """A peaceful dataset, pushed by a process whose clients point to this Hub."""
    import subprocess
    import sys

    program = """
from datasets import ClassLabel, Dataset, Features, Value
from huggingface_hub import DatasetCard, HfApi
texts = ["padam romba nalla irukku 😀", "மோசமான படம், நேரம் வீண்", "vera level acting, semma songs", "mokka padam da",
    "first half bore, second half mass", "climax scene la kanneer vandhuduchu", "ticket kaasu waste", "BGM வேற லெவல்"]
rows = {"text": [text * (1 + n % 3) for n, text in enumerate(texts * 25)], "label": [1, 0, 1, 0, 1, 1, 0, 1] * 25}
features = Features({"text": Value("string"), "label": ClassLabel(names=["negative", "positive"])})
Dataset.from_dict(rows, features=features).push_to_hub("acme/tamil-reviews")
Dataset.from_dict(rows, features=features).select(range(20)).push_to_hub("acme/tamil-reviews", "rejected")
card = DatasetCard.load("acme/tamil-reviews")
card.data.license, card.data.language, card.data.tags = "cc-by-4.0", ["ta", "en"], ["synthetic", "code-mixed"]
lengths = [[len(t) for t, l in zip(rows["text"], rows["label"]) if l == label] for label in (0, 1)]
lines = [f"| {name} | {len(n)} | {sum(n) / len(n):.1f} |" for name, n in zip(features["label"].names, lengths)]
card.text = '''
# Film reviews in Tamil and English

Two hundred invented reviews, to show what a card looks like on the embedded Hub.

| label | rows | mean length |
|---|---:|---:|
''' + "\\n".join(lines) + '''

- **default** holds every row, **rejected** the first twenty again
- `text` is Tamil, English or both at once; `label` is a ClassLabel

> Generated text is hostile input: whatever a model writes, this page shows it and runs nothing.
'''
card.push_to_hub("acme/tamil-reviews")
HfApi().create_tag("acme/tamil-reviews", tag="v1.0.0", repo_type="dataset")
"""
    environment = os.environ | client_environment(state)
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, capture_output=True)
