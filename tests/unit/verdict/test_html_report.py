"""The report stands alone, says what the evaluation says, and escapes whatever a recipe or a label is called."""

import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from sentisynth_hub.verdict.evaluate import EvaluationConfig, TestItems, evaluate_study
from sentisynth_hub.verdict.figures import draw
from sentisynth_hub.verdict.html_report import render_report
from sentisynth_hub.verdict.label_budget import LabelLedger
from sentisynth_hub.verdict.predictions import StudyPredictions


HOSTILE = "<script>alert(1)</script>"
SHARES = {"natural": 0.6, "natural_repeated": 0.6, "mixed": 0.7, "natural_20": 0.5, "natural_200": 0.8}


@pytest.fixture(scope="module")
def evaluation() -> dict[str, Any]:
    """A study of six replicates over 200 items whose labels are as awkward as labels get."""
    random = np.random.default_rng(0)
    y = random.integers(0, 3, 200)
    variants = {}
    for name, share in SHARES.items():
        predicted = np.tile(y, (6, 1))
        wrong = random.random(predicted.shape) > share
        predicted[wrong] = random.integers(0, 3, int(wrong.sum()))
        variants[name] = predicted
    labels = (HOSTILE, "$\\frac{1}$ & co", "പോസിറ്റീവ്")
    ledger = LabelLedger()
    for name, size in {"natural": 100, "mixed": 120, "natural_20": 40, "natural_200": 400}.items():
        ledger.record(name, 0, "train", [str(i) for i in range(size)])
    return dict(
        evaluate_study(
            StudyPredictions(labels, tuple(f"i{i}" for i in range(200)), y, variants),
            EvaluationConfig(curve=["natural_20", "natural", "natural_200"], resamples=200),
            test_items=TestItems(
                texts=["a text " * int(k) for k in random.integers(1, 9, 200)], distances=random.random(200)
            ),
            ledger=ledger,
        )
    )


def test_every_figure_is_drawn_and_the_same_twice(evaluation: dict[str, Any]) -> None:
    figures = draw(evaluation)
    assert list(figures) == ["effects", "curve", "confusion", "labels", "slices", "distance"]
    assert figures == draw(evaluation)
    for svg in figures.values():
        assert svg.startswith("<svg")
        assert "<script" not in svg


def test_rows_to_blame_are_named_and_escaped(evaluation: dict[str, Any]) -> None:
    assert "to blame" not in render_report("study", "a study", evaluation)
    one = {
        "group_by": "topic",
        "group": HOSTILE,
        "rows": 40,
        "replicates": 1,
        "gain": 0.01234,
        "standard_error": None,
    }
    page = render_report("study", "a study", evaluation | {"blame": [one]})
    assert "Which rows are to blame" in page
    assert '&lt;script&gt;alert(1)&lt;/script&gt;</td><td class="number">40</td><td class="number">+0.0123' in page


def test_effects_show_every_difference(evaluation: dict[str, Any]) -> None:
    words = re.sub(r"<[^>]+>", " ", draw(evaluation)["effects"])
    difference = next(one for one in evaluation["comparisons"] if one["family"] == "primary")["difference"]
    assert f"{difference:+.3f}".replace("-", "\u2212") in words or f"{difference:+.3f}" in words
    for name in ("mixed", "natural_repeated"):
        assert name in words


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href")]


def test_report_is_self_contained_and_escapes_names(evaluation: dict[str, Any]) -> None:
    html = render_report(f"name {HOSTILE}", f"about {HOSTILE}", evaluation)
    tags = _Tags()
    tags.feed(html)
    assert not tags.tags & {"script", "iframe", "link", "img", "object"}
    assert all(link.startswith("#") for link in tags.links)  # markers inside the same SVG
    assert evaluation["verdict"]["sentence"] in html
    for variant in evaluation["variants"]:
        assert f"{variant['mean']:.3f}" in html
    assert "പോസിറ്റീവ്" in html
    assert "$\\frac{1}$ &amp; co" in html


def test_report_of_a_study_with_nothing_but_natural(evaluation: dict[str, Any]) -> None:
    study = StudyPredictions(("a", "b"), ("x", "y", "z"), np.array([0, 1, 0]), {"natural": np.array([[0, 1, 1]])})
    html = render_report("tiny", "one replicate", dict(evaluate_study(study, EvaluationConfig(resamples=100))))
    assert "No verdict" in html
