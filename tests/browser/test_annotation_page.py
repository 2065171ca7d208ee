"""The annotation page in a real browser: a whole session by keyboard, a phone, no storage, hostile rows, no network.

With `SENTISYNTH_SCREENSHOTS=FOLDER` the page is photographed into that folder.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from sentisynth_hub.annotate.page import write_sheet
from sentisynth_hub.annotate.rating_files import Margins
from sentisynth_hub.annotate.sheet import RatedCorpus, draw_sheet
from sentisynth_hub.core.rows import Row
from sentisynth_hub.natural.splits import NaturalData
from tests.support.chromium import needs_chromium, phone, start_browser
from tests.support.tiny import tiny_recipe


pytestmark = needs_chromium
LABELS = ["negative", "positive"]
FILTERS = "filter={exact_duplicates: {}, overlap: {}}"
ENTER, BACKSPACE, TAB = "\ue007", "\ue003", "\ue004"
ATTACKS = [
    "</script><script>window.owned = 1</script>",
    "<img src=x onerror='window.owned = 1'>",
    "<!--<script>window.owned = 1",
    "]]></style></textarea><svg onload='window.owned = 1'>",
    "\u202eright to left\u202c and \u2066 unclosed",
    "ملاحظة: الفيلم رائع جدا",
    "{{ 7 * 7 }} ${7 * 7} \\u003c \\",
    "wide" * 400,
]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    driver = start_browser(tmp_path_factory.mktemp("profile"), traffic=True)
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `annotate make` wrote for a real run of tiny models."""
    recipe = tiny_recipe(tmp_path_factory.mktemp("annotate") / "tiny")
    sentisynth("filter", ".", FILTERS, cwd=recipe)
    done = sentisynth("annotate", "make", ".", FILTERS, "--rows", "30", "--raters", "2", "--json", cwd=recipe)
    return (recipe / str(json.loads(done.stdout)["page"])).parent


def sentisynth(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "sentisynth_hub", *arguments], cwd=cwd, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done


def press(browser: Any, *keys: str) -> None:
    from selenium.webdriver import ActionChains

    ActionChains(browser).send_keys(*keys).perform()


def heading(browser: Any) -> str:
    return str(
        browser.execute_script("return [...document.querySelectorAll('h1')].find(e => e.offsetParent).textContent")
    )


def shown_row(browser: Any) -> str:
    """Id of the row on the screen, by its text."""
    script = """const text = document.getElementById('text').textContent;
    const rows = JSON.parse(document.getElementById('sheet').textContent).rows;
    return rows.filter(row => row.text === text).map(row => row.id)"""
    (found,) = browser.execute_script(script)
    return str(found)


def traffic(browser: Any) -> list[str]:
    """Addresses that a page from a file asked for since the last call, the page itself left out; the browser asks for
    things of its own."""
    asked = []
    for line in browser.get_log("performance"):
        message = json.loads(line["message"])["message"]
        if message["method"] == "Network.requestWillBeSent" and message["params"]["documentURL"].startswith("file:"):
            asked.append(message["params"]["request"]["url"])
    return [url for url in asked if not url.startswith(("file:", "data:", "blob:"))]


def downloads_to(browser: Any, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    behaviour = {"behavior": "allow", "downloadPath": str(folder)}
    browser.execute_cdp_cmd("Browser.setDownloadBehavior", behaviour)


def downloaded(folder: Path) -> Path:
    for _ in range(100):
        found = [path for path in folder.glob("*.json") if path.stat().st_size]
        if found:
            return found[0]
        time.sleep(0.05)
    raise AssertionError("nothing was downloaded")


def test_the_detector_detects_traffic(browser: Any, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<img src='http://127.0.0.1:9/x.png'>")
    traffic(browser)
    browser.get(f"file://{tmp_path}/page.html")
    assert traffic(browser) == ["http://127.0.0.1:9/x.png"]
    browser.get_log("browser")


def test_a_whole_session_by_keyboard_scored_by_the_command(made: Path, browser: Any, tmp_path: Path) -> None:
    key = json.loads((made / "private-key.json").read_text())
    items = {item["id"]: item for item in key["items"]}
    given: dict[str, list[Any]] = {}
    traffic(browser)
    browser.get(f"file://{made}/rate.html")
    press(browser, "2", ENTER)
    for number in range(1, 31):
        assert heading(browser) == f"Text {number} of 30"
        row = items[shown_row(browser)]
        # negative sentiment is key 1; the first five rows are told wrongly; naturalness 4 natural, 2 synthetic
        label, nature = LABELS.index(row["label"]), 4 if row["origin"] == "natural" else 2
        machine = (row["origin"] == "synthetic") != (number <= 5)
        press(browser, str(label + 1), str(nature), "m" if machine else "1")
        given[row["id"]] = [row["label"], nature, "machine" if machine else "human"]
        assert browser.find_element("id", "status").text == "Saved."
        if number == 15:
            browser.refresh()
            assert "15 of 30 texts answered by rater 2" in browser.find_element("id", "resume").text
            press(browser, ENTER)
            assert heading(browser) == "Text 15 of 30"
            assert shown_row(browser) == row["id"]
            assert len(browser.execute_script("return [...document.querySelectorAll('input:checked')]")) == 3
        if number == 20:  # back to the 19th: its naturalness becomes 5, then forward again
            press(browser, ENTER, BACKSPACE, BACKSPACE)
            assert heading(browser) == "Text 19 of 30"
            press(browser, TAB, TAB, "5")
            given[shown_row(browser)][1] = 5
            press(browser, ENTER)
            assert heading(browser) == "Text 20 of 30"
        press(browser, ENTER)
    assert heading(browser) == "All texts are rated. Thank you!"
    downloads_to(browser, tmp_path / "downloads")
    press(browser, ENTER)
    export = downloaded(tmp_path / "downloads")
    content = json.loads(export.read_text())
    assert set(content) == {"format", "version", "sheet", "rater", "answers"}
    assert {one.pop("id"): list(one.values()) for one in content["answers"]} == given
    assert traffic(browser) == []
    assert not [line for line in browser.get_log("browser") if line["level"] == "SEVERE"]

    shutil.copy(export, made)
    done = sentisynth("annotate", "score", *(path.name for path in made.glob("*.json")), "--json", cwd=made)
    found = json.loads(done.stdout)
    assert (found["rows"], found["raters"]) == ({"natural": 15, "synthetic": 15}, 1)
    (rater,) = found["per_rater"]
    wrong = {origin: sum(items[i]["origin"] == origin for i in list(given)[:5]) for origin in ("natural", "synthetic")}
    assert rater["told_rightly"] == pytest.approx(((15 - wrong["natural"]) / 15 + (15 - wrong["synthetic"]) / 15) / 2)
    assert rater["label_match"] == {"natural": 1.0, "synthetic": 1.0}
    assert rater["rater"] == 2
    assert json.loads((made.parents[1] / "human_evaluation.json").read_text()) == found


def test_a_served_space_is_asked_for_its_page_and_nothing_else(made: Path, browser: Any) -> None:
    asked = []

    class Handler(SimpleHTTPRequestHandler):
        def log_request(self, code: Any = "-", size: Any = "-") -> None:
            asked.append(self.path)

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(made / "space")))
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        browser.get(f"http://127.0.0.1:{server.server_port}/")
        press(browser, "1", ENTER, "1", "4", "2")
        browser.refresh()
        press(browser, ENTER, ENTER)
        assert heading(browser) == "Text 2 of 30"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert asked == ["/", "/"]


def test_raters_see_the_same_rows_in_other_orders(made: Path, browser: Any) -> None:
    orders = []
    for rater in ("1", "2"):
        browser.get(f"file://{made}/rate.html")
        browser.execute_script("localStorage.clear()")
        browser.refresh()
        press(browser, rater, ENTER)
        order = []
        for _ in range(30):
            order.append(shown_row(browser))
            press(browser, "1", "1", "1", ENTER)
        orders.append(order)
    assert sorted(orders[0]) == sorted(orders[1])
    assert orders[0] != orders[1]
    assert len(set(orders[0])) == 30


def test_open_questions_are_said_once_and_can_be_found_again(made: Path, browser: Any) -> None:
    browser.get(f"file://{made}/rate.html")
    browser.execute_script("localStorage.clear()")
    browser.refresh()
    press(browser, "3", ENTER)  # there are two raters
    assert heading(browser) == "Rate 30 texts"
    press(browser, BACKSPACE, "1", ENTER)
    press(browser, "1", ENTER)
    assert "2 questions open here" in browser.find_element("id", "status").text
    assert heading(browser) == "Text 1 of 30"
    press(browser, "9")
    assert browser.find_element("id", "status").text == "There is no answer 9 to this question."
    press(browser, "5", "2", ENTER, "h", "e")
    assert heading(browser) == "Your answers so far"
    assert "1 of 30 texts answered by rater 1; 29 texts with open questions" in browser.find_element("id", "open").text
    browser.find_element("id", "first-open").click()
    assert heading(browser) == "Text 2 of 30"
    assert browser.find_element("id", "source-0").is_selected()


def test_a_phone_fits_and_its_targets_are_large(made: Path, browser: Any) -> None:
    with phone(browser):
        browser.get(f"file://{made}/rate.html")
        browser.execute_script("localStorage.clear()")
        browser.refresh()
        fits = "return document.documentElement.scrollWidth"
        assert browser.execute_script(fits) <= 360
        assert browser.execute_script("return scrollY") == 0, "what is stored would be read last"
        browser.find_element("id", "rater").send_keys("1")
        browser.find_element("id", "go").click()
        for number in range(1, 4):
            assert heading(browser) == f"Text {number} of 30"
            assert browser.execute_script(fits) <= 360
            for target in ("label-1", "naturalness-3", "source-0"):
                browser.find_element("css selector", f"label[for={target}]").click()
            assert len(browser.execute_script("return [...document.querySelectorAll('input:checked')]")) == 3
            browser.find_element("id", "next").click()
        sizes = browser.execute_script(
            "return [...document.querySelectorAll('#rate label, #rate button')].map(e => e.getBoundingClientRect())"
        )
        assert len(sizes) == 2 + 5 + 2 + 3
        assert min(size["height"] for size in sizes) >= 44
        assert min(size["width"] for size in sizes) >= 44
        assert max(size["bottom"] for size in sizes) <= 740, "a row does not fit the screen without scrolling"


def test_without_storage_it_says_so_and_still_works(made: Path, browser: Any, tmp_path: Path) -> None:
    broken = "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('no', 'SecurityError') }})"
    added = browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": broken})
    try:
        browser.get(f"file://{made}/rate.html")
        assert "download your answers before you close it" in browser.find_element("id", "unkept").text
        press(browser, "1", ENTER, "1", "3", "2")
        assert browser.find_element("id", "status").text == "Noted. Not saved on this device."
        press(browser, ENTER, BACKSPACE)
        assert len(browser.execute_script("return [...document.querySelectorAll('input:checked')]")) == 3
        press(browser, "e")
        downloads_to(browser, tmp_path / "downloads")
        browser.find_element("id", "export").click()
        answers = json.loads(downloaded(tmp_path / "downloads").read_text())["answers"]
        assert sum(one["naturalness"] == 3 for one in answers) == 1
    finally:
        browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", {"identifier": added["identifier"]})


def test_answers_are_removed_when_asked(made: Path, browser: Any) -> None:
    browser.get(f"file://{made}/rate.html")
    browser.execute_script("localStorage.clear()")
    browser.refresh()
    press(browser, "1", ENTER, "1", "3", "2", "e")
    assert browser.execute_script("return localStorage.length") > 0
    for details in browser.find_elements("css selector", "#end summary"):
        details.click()
    assert '"naturalness": 3' in browser.find_element("id", "answers").get_property("value")
    browser.find_element("id", "remove").click()
    assert heading(browser) == "Rate 30 texts"
    assert browser.execute_script("return localStorage.length") == 0


def test_hostile_rows_are_shown_and_nothing_runs(browser: Any, tmp_path: Path) -> None:
    labels = [ATTACKS[0], "مثبت"]
    natural = [Row(text, labels[i % 2], request_id=str(i)) for i, text in enumerate(ATTACKS)]
    kept = [Row(f"{text} once more", labels[i % 2], asked_label=labels[i % 2]) for i, text in enumerate(ATTACKS)]
    sheet = draw_sheet(
        "hostile",
        str(tmp_path),
        labels,
        [RatedCorpus(kept, 8)],
        NaturalData(natural, [], []),
        rows=16,
        raters=1,
        strata=[],
        margins=Margins(accuracy=0.1, naturalness=0.5),
        seed=0,
    )
    page = write_sheet(sheet, tmp_path / "out", f"{ATTACKS[0]} & co")["page"]
    traffic(browser)
    with phone(browser):
        browser.get(f"file://{page}")
        press(browser, "1", ENTER)
        seen = set()
        for _ in range(16):
            seen.add(browser.execute_script("return document.getElementById('text').textContent"))
            assert browser.execute_script("return document.documentElement.scrollWidth") <= 360
            press(browser, "1", "1", "1", ENTER)
    assert seen == set(sheet.texts.values()) == {*ATTACKS, *(f"{text} once more" for text in ATTACKS)}
    assert browser.execute_script("return window.owned") is None
    assert browser.execute_script("return document.querySelectorAll('img, svg, [onerror], [onload]').length") == 0
    assert browser.execute_script("return document.scripts.length") == 2
    assert heading(browser) == "All texts are rated. Thank you!"
    assert traffic(browser) == []


@pytest.mark.skipif("SENTISYNTH_SCREENSHOTS" not in os.environ, reason="no folder for screenshots")
def test_photograph_the_page(browser: Any, tmp_path: Path) -> None:
    folder = Path(os.environ["SENTISYNTH_SCREENSHOTS"])
    films = ["padam romba nalla irukku", "மோசமான படம்", "first half bore", "vera level acting"]
    ends = ["ticket kaasu waste da", "BGM வேற லெவல்", "climax scene mass", "songs ellam okay"]
    texts = [f"{film}, {end}" for film in films for end in ends]
    natural = [Row(text, LABELS[i % 2]) for i, text in enumerate(texts)]
    kept = [Row(f"{text}!", LABELS[i % 2], asked_label=LABELS[i % 2]) for i, text in enumerate(reversed(texts))]
    kept = [Row(f"indha {row.text}", row.label, asked_label=row.label) for row in kept]
    sheet = draw_sheet(
        "tamil-english",
        str(tmp_path),
        LABELS,
        [RatedCorpus(kept, 16)],
        NaturalData(natural, [], []),
        rows=30,
        raters=3,
        strata=[],
        margins=Margins(accuracy=0.1, naturalness=0.5),
        seed=2,
    )
    page = write_sheet(sheet, tmp_path / "out", "Film reviews in Tamil and English")["page"]

    def photograph(name: str) -> None:
        browser.get(f"file://{page}")
        browser.execute_script("localStorage.clear()")
        browser.refresh()
        assert browser.save_screenshot(str(folder / f"{name}-start.png"))
        press(browser, "1", ENTER, *("1", "4", "1", ENTER) * 11, "2", "4")
        time.sleep(0.2)
        assert browser.save_screenshot(str(folder / f"{name}.png"))
        press(browser, "m", "e")
        assert browser.save_screenshot(str(folder / f"{name}-end.png"))

    browser.set_window_size(900, 680)
    photograph("annotate")
    with phone(browser):
        photograph("annotate-phone")
