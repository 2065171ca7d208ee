"""The report stands alone, says what the evaluation says, and escapes whatever a recipe or a label is called."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest
from markupsafe import escape

from sentisynth_hub.study.predictions import StudyPredictions
from sentisynth_hub.verdict.evaluate import EvaluationConfig, TestItems, evaluate_study
from sentisynth_hub.verdict.evaluation import Evaluation
from sentisynth_hub.verdict.evaluation_parts import LabelBudget, SliceDelta, SliceTable, Verdict
from sentisynth_hub.verdict.evaluation_text import verdict_sentence
from sentisynth_hub.verdict.figures import ACCENT, FAINT, INK, SECOND, draw
from sentisynth_hub.verdict.html_report import ExampleRow, ReportParts, render_report
from sentisynth_hub.verdict.label_budget import LabelLedger


HOSTILE = "<script>alert(1)</script>"
SHARES = {"natural": 0.6, "natural_repeated": 0.6, "mixed": 0.7, "natural_20": 0.5, "natural_200": 0.8}


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
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
    return evaluate_study(
        StudyPredictions(labels, tuple(f"i{i}" for i in range(200)), y, variants),
        EvaluationConfig(curve=["natural_20", "natural", "natural_200"], resamples=200),
        test_items=TestItems(
            texts=["a text " * int(k) for k in random.integers(1, 9, 200)], distances=random.random(200)
        ),
        ledger=ledger,
    )


def test_every_figure_is_drawn_and_the_same_twice(evaluation: Evaluation) -> None:
    figures = draw(evaluation)
    assert list(figures) == ["effects", "curve", "confusion", "labels", "slices", "distance"]
    assert figures == draw(evaluation)
    for svg in figures.values():
        assert svg.startswith("<svg")
        assert "<script" not in svg


def test_a_loss_says_how_to_find_the_rows_that_do_harm(evaluation: Evaluation) -> None:
    assert "--leave-out" not in render_report("study", "a study", evaluation)
    loss = evaluation.model_copy(update={"verdict": Verdict(outcome="hurts")})
    assert "sentisynth study RECIPE --leave-out asked_label" in render_report("study", "a study", loss)


def test_slices_are_coloured_by_what_their_intervals_say(evaluation: Evaluation) -> None:
    rows = tuple(
        SliceDelta(name=name, items=50, baseline_score=0.5, variant_score=0.5, difference=mean, interval=interval)
        for name, mean, interval in (
            ("up", 0.1, (0.05, 0.15)),
            ("down", -0.1, (-0.15, -0.05)),
            ("level", 0.05, (-0.05, 0.15)),
            ("small", 0.0, None),
        )
    )
    table = SliceTable(metric="accuracy", rows=rows, alpha_each=0.01)
    svg = draw(evaluation.model_copy(update={"slices": table}))["slices"]
    for colour in (ACCENT, SECOND, INK, FAINT):
        assert colour in svg
    undecided = table.model_copy(update={"rows": rows[2:3]})
    level = draw(evaluation.model_copy(update={"slices": undecided}))["slices"]
    assert ACCENT not in level
    assert SECOND not in level  # the lowest of slices that all may be zero is not marked
    page = render_report("study", "a study", evaluation.model_copy(update={"slices": table}))
    assert "3 of 4 compared; 1 with too few test rows left out; better on up; worse on down" in page


def test_one_bad_variant_does_not_press_the_learning_curve_flat(evaluation: Evaluation) -> None:
    worth = evaluation.worth[0]
    bad = evaluation.variants[2].model_copy(update={"mean": 0.05})
    variants = (*evaluation.variants[:2], bad, *evaluation.variants[3:])
    assert bad.name == worth.variant
    words = re.sub(r"<[^>]+>", " ", draw(evaluation.model_copy(update={"variants": variants}))["curve"])
    assert "mixed (0.050, outside)" in words
    assert "0.05 " not in words.replace("0.050", "")  # no such tick


def test_effects_show_every_difference(evaluation: Evaluation) -> None:
    words = re.sub(r"<[^>]+>", " ", draw(evaluation)["effects"])
    difference = evaluation.comparisons[0].difference
    assert f"{difference:+.3f}".replace("-", "\u2212") in words or f"{difference:+.3f}" in words
    for name in ("mixed", "natural_repeated"):
        assert name in words


def test_a_bar_of_more_human_labels_says_so(evaluation: Evaluation) -> None:
    def budget(labels: int) -> LabelBudget:
        return LabelBudget(uses={"train": labels}, distinct=labels, study_distinct=labels, oracle_validation=False)

    variants = tuple(
        each.model_copy(update={"budget": budget(150 if each.name == "natural_repeated" else 100)})
        for each in evaluation.variants
    )
    words = re.sub(r"<[^>]+>", " ", draw(evaluation.model_copy(update={"variants": variants}))["effects"])
    assert "natural_repeated (150 labels, not 100)" in words
    assert words.count("labels, not") == 1


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href")]


def test_report_is_self_contained_and_escapes_names(evaluation: Evaluation) -> None:
    parts = ReportParts(
        requests=1_234,
        funnel=[("teacher", f"reason {HOSTILE}", 56)],
        kept=789,
        examples=[ExampleRow(f"a text {HOSTILE}", HOSTILE, "length: too_short")],
        cost=["generation: 1,234 requests"],
        model=f"mixed {HOSTILE}",
        notes=[HOSTILE],
    )
    html = render_report(f"name {HOSTILE}", f"about {HOSTILE}", evaluation, parts)
    assert "1,234 requests, 789 rows kept" in html
    tags = _Tags()
    tags.feed(html)
    assert not tags.tags & {"script", "iframe", "link", "img", "object"}
    assert all(link.startswith("#") for link in tags.links)  # markers inside the same SVG
    assert escape(verdict_sentence(evaluation)) in html
    for variant in evaluation.variants:
        assert f"{variant.mean:.3f}" in html
    assert "പോസിറ്റീവ്" in html
    assert "$\\frac{1}$ &amp; co" in html


def test_report_of_a_study_with_nothing_but_natural(evaluation: Evaluation) -> None:
    study = StudyPredictions(("a", "b"), ("x", "y", "z"), np.array([0, 1, 0]), {"natural": np.array([[0, 1, 1]])})
    html = render_report("tiny", "one replicate", evaluate_study(study, EvaluationConfig(resamples=100)))
    assert "No verdict" in html
