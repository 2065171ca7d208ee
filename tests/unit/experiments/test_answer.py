"""What several cells say together."""

from typing import Any

from sentisynth_hub.experiments.answer import AnswerRow, GridAnswer, answer_lines, holm
from sentisynth_hub.verdict.statistics.components import Components, VarianceSource


def row(level: str, difference: float, jointly: bool | None = None) -> AnswerRow:
    return AnswerRow(
        cell={"rows": level},
        variant="mixed",
        natural=0.7,
        score=0.7 + difference,
        difference=difference,
        interval=(difference - 0.01, difference + 0.01),
        alpha=0.05,
        p=0.01,
        reads="helps",
        jointly=jointly,
        kept=60.0,
        rows=160.0,
        natural_rows=100.0,
        human_labels=200,
        differences=(difference, difference),
    )


def answer(**more: Any) -> GridAnswer:
    parts: dict[str, Any] = {
        "recipe": "tiny",
        "name": "rows",
        "question": "Is there a number of rows above which it stops?",
        "reported": None,
        "scale": None,
        "overrides": (),
        "compare": ("mixed",),
        "metric": "macro_f1",
        "design": "nested",
        "claim": "",
        "replicates": 2,
        "items": 50,
        "rows": (row("10", 0.03, True), row("1000", 0.004, False)),
        "variance": {},
        "factorials": (),
        "warnings": (),
    }
    return GridAnswer(**(parts | more))


def test_holm_steps_down_and_stops_at_the_first_that_fails() -> None:
    # 0.01 ≤ 0.05/4; 0.015 ≤ 0.05/3; 0.03 > 0.05/2, and 0.04 stands behind it
    assert holm([0.03, 0.01, None, 0.04, 0.015], 0.05) == [False, True, None, False, True]
    assert holm([], 0.05) == []


def test_the_table_has_a_line_a_row_and_says_what_holds_jointly() -> None:
    lines = answer_lines(answer())
    assert lines[0] == "Is there a number of rows above which it stops?"
    assert lines[2].split()[:4] == ["rows", "variant", "natural", "with"]
    shown = "10 mixed 0.7000 0.7300 +0.0300 [+0.0200, +0.0400] helps yes 60 100 -> 160"
    assert lines[3].split() == shown.split()
    assert lines[4].startswith("1000  mixed")
    assert " no " in lines[4]
    assert "when all 2 are asked at once" in lines[6]
    assert not any("oracle" in line for line in lines)
    assert any(
        line.startswith("oracle teacher: it learned from 96") for line in answer_lines(answer(oracle_teacher=96))
    )


def test_the_shares_are_shown_in_percent_with_their_standard_deviation() -> None:
    shares = [("rows", 0.0004, 0.8, 0.0312), ("residual", 0.0001, 0.2, None)]
    sources = tuple(
        VarianceSource(name=name, df=1, mean_square=1.0, component=component, share=share, p=p)
        for name, component, share, p in shares
    )
    levels = {"rows": {"10": 0.03, "1000": 0.004}}
    components = Components(replicates=2, nested=None, sources=sources, levels=levels)
    lines = answer_lines(answer(variance={"mixed": components}))
    assert "rows      80 %  sd 0.0200  p = 0.0312" in lines
    assert "residual  20 %  sd 0.0100" in lines
    assert "  mean by rows: 10 +0.0300, 1000 +0.0040" in lines
