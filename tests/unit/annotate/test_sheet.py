"""Drawing a sheet and writing its page: balanced, blind, the same twice, and closed to hostile text."""

import base64
import hashlib
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from sentisynth_hub.annotate.page import embedded_json, render_page, space_card, write_sheet
from sentisynth_hub.annotate.rating_files import Margins
from sentisynth_hub.annotate.sheet import RatedCorpus, Sheet, draw_sheet
from sentisynth_hub.core.errors import InputError
from sentisynth_hub.core.rows import Row, content_digest
from sentisynth_hub.natural.splits import NaturalData


LABELS = ["negative", "neutral", "positive"]


def natural() -> NaturalData:
    def rows(split: str, count: int) -> list[Row]:
        return [Row(f"{split} text number {i}", LABELS[i % 3], request_id=f"{split}-{i}") for i in range(count)]

    train = rows("train", 60)
    return NaturalData(
        [*train, Row("TEST text number 7!", "neutral"), train[0]], rows("validation", 30), rows("test", 30)
    )


def corpus(shots: int = 8, count: int = 60, setting: str = "") -> RatedCorpus:
    rows = [
        Row(f"a machine with {shots} shots wrote {i}", LABELS[i % 3], f"{shots}-{i}", LABELS[i % 3], num_shots=shots)
        for i in range(count)
    ]
    attributes = {row.request_id: {"topic": "plot" if i % 2 else "cast"} for i, row in enumerate(rows)}
    return RatedCorpus(rows, 4 * count, setting, attributes)


def draw(*corpora: RatedCorpus, rows: int = 36, raters: int = 3, strata: Any = (), seed: int = 0) -> Sheet:
    return draw_sheet(
        "tiny",
        "runs/tiny",
        LABELS,
        corpora or (corpus(),),
        natural(),
        rows=rows,
        raters=raters,
        strata=strata,
        margins=Margins(accuracy=0.1, naturalness=0.5),
        seed=seed,
    )


def test_half_natural_half_synthetic_balanced_over_labels() -> None:
    sheet = draw()
    counts = Counter((item.origin, item.label) for item in sheet.key.items)
    assert counts == {(origin, label): 6 for origin in ("natural", "synthetic") for label in LABELS}
    for item in sheet.key.items:
        assert ("machine" in sheet.texts[item.id]) == (item.origin == "synthetic")
    assert len(set(sheet.texts.values())) == 36
    assert sheet.key.content_digest == content_digest(corpus().kept)


def test_a_test_row_is_never_shown_not_even_in_other_letters() -> None:
    shown = [text for seed in range(20) for text in draw(rows=96, seed=seed).texts.values()]
    assert not [text for text in shown if "test" in text.lower()]


def test_a_synthetic_row_that_is_a_natural_text_is_not_shown() -> None:
    copies = [Row(f"Train text number {i}!", LABELS[i % 3], asked_label=LABELS[i % 3]) for i in range(60)]
    with pytest.raises(InputError, match="kept synthetic rows: 0 of label 'negative' where 6 are needed"):
        draw(RatedCorpus(copies, 60))


def test_numbers_that_do_not_divide_are_as_even_as_they_can_be() -> None:
    sheet = draw(rows=31)
    counts = Counter((item.origin, item.label) for item in sheet.key.items)
    assert sorted(counts[("natural", label)] for label in LABELS) == [5, 5, 5]
    assert sorted(counts[("synthetic", label)] for label in LABELS) == [5, 5, 6]


def test_strata_compare_settings_and_attributes() -> None:
    sheet = draw(corpus(), corpus(50, setting="generate.prompt.num_shots=50"), strata=["num_shots"])
    counts = Counter(item.stratum for item in sheet.key.items)
    assert counts == {None: 18, "num_shots=8": 9, "num_shots=50": 9}
    both = draw(strata=["topic", "volume"])
    assert {item.stratum for item in both.key.items} == {None, "topic=cast, volume=240", "topic=plot, volume=240"}
    with pytest.raises(InputError, match="--strata mood: .*num_shots, .*volume, setting, topic"):
        draw(strata=["mood"])


def test_the_same_seed_gives_the_same_sheet_and_another_another() -> None:
    assert draw() == draw()
    assert draw().key.sheet != draw(seed=1).key.sheet
    assert draw().key.sheet != draw(raters=2).key.sheet


def test_every_rater_has_an_order_of_their_own() -> None:
    orders = draw().orders
    assert all(sorted(order) == list(range(36)) for order in orders)
    assert len({tuple(order) for order in orders}) == 3


@pytest.mark.parametrize(
    ("rows", "raters", "message"),
    [
        (5, 3, "--rows 5: 3 labels need at least 6 rows"),
        (30, 0, "--raters 0: at least one"),
        (200, 3, "natural .* rows: 30 of label 'negative' where 3[34] are needed; --rows 180 is the most there is"),
    ],
)
def test_too_few_rows_are_said_in_one_line(rows: int, raters: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        draw(corpus(count=300), rows=rows, raters=raters)
    assert len(draw(corpus(count=300), rows=180).texts) == 180


def test_nothing_on_the_page_tells_which_are_which() -> None:
    sheet = draw()
    page = render_page(sheet, "Reviews")
    (data,) = re.findall(r'<script id="sheet" type="application/json">(.*?)</script>', page, re.DOTALL)
    content = json.loads(data)
    assert set(content) == {"sheet", "labels", "rows", "orders", "questions"}
    assert all(set(row) == {"id", "text"} for row in content["rows"])
    places = [number for number, item in enumerate(sheet.key.items) if item.origin == "synthetic"]
    assert places != list(range(18))
    assert places != list(range(18, 36))
    for word in ("synthetic", "natural rows", sheet.key.content_digest, "runs/tiny", "private-key"):
        assert word not in page


def test_the_policy_lets_only_the_pages_own_script_and_style_run() -> None:
    page = render_page(draw(), "Reviews")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    assert policy[1].startswith("default-src 'none'; ")
    for kind, pattern in (("script", r"<script>(.*?)</script>"), ("style", r"<style>(.*?)</style>")):
        (text,) = re.findall(pattern, page, re.DOTALL)
        wanted = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{wanted}'" in policy[1]
    assert "unsafe" not in policy[1]
    assert re.findall(r"""(?:src|href|action)=["']?([^"' >]+)""", page) == ["data:,"]


@pytest.mark.parametrize("text", ["</script>", "<!-- <script>", "]]>", "\u2028&amp;", "\\u003c", '"', "\x00", "😀"])
def test_no_text_can_end_the_block_it_is_in(text: str) -> None:
    inside = embedded_json({"text": text})
    assert not set(inside) & set("<>&\u2028\u2029")
    assert json.loads(inside) == {"text": text}


def test_the_space_is_static_whatever_the_title_says() -> None:
    title = 'a: "b"\n---\nsdk: gradio\n# c'
    _, front, body = space_card(title).split("---\n", 2)
    metadata = yaml.safe_load(front)
    assert (metadata["sdk"], metadata["app_file"]) == ("static", "index.html")
    assert metadata["title"] == 'Rate texts: a: "b" --- sdk: gradio # c'
    assert "gradio" not in body


def test_what_is_written_and_a_key_that_is_not_overwritten(tmp_path: Path) -> None:
    paths = write_sheet(draw(), tmp_path / "out", "Reviews")
    found = sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert found == ["private-key.json", "rate.html", "space/README.md", "space/index.html"]
    assert paths["key"].stat().st_mode & 0o077 == 0
    assert (tmp_path / "out/space/index.html").read_bytes() == paths["page"].read_bytes()
    write_sheet(draw(), tmp_path / "out", "Reviews")
    with pytest.raises(InputError, match="the key of another sheet"):
        write_sheet(draw(seed=1), tmp_path / "out", "Reviews")
