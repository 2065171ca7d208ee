"""What several cells say together."""

from typing import Any

from sentisynth_hub.experiments.answer import Answer, AnswerRow, holm, table_lines


def row(level: str, difference: float, jointly: bool | None = None) -> AnswerRow:
    return {
        "cell": {"rows": level},
        "variant": "mixed",
        "natural": 0.7,
        "score": 0.7 + difference,
        "difference": difference,
        "interval": (difference - 0.01, difference + 0.01),
        "alpha": 0.05,
        "p": 0.01,
        "reads": "helps",
        "sentence": "",
        "jointly": jointly,
        "kept": 60.0,
        "rows": 160.0,
        "natural_rows": 100.0,
        "human_labels": 200,
        "differences": [difference, difference],
    }


def answer(**more: Any) -> Answer:
    found: Any = {
        "question": "Is there a number of rows above which it stops?",
        "metric": "macro_f1",
        "replicates": 2,
        "items": 50,
        "rows": [row("10", 0.03, True), row("1000", 0.004, False)],
        "variance": {},
        "factorials": [],
    }
    found.update(more)
    return found  # type: ignore[no-any-return]


def test_holm_steps_down_and_stops_at_the_first_that_fails() -> None:
    # 0.01 ≤ 0.05/4; 0.015 ≤ 0.05/3; 0.03 > 0.05/2, and 0.04 stands behind it
    assert holm([0.03, 0.01, None, 0.04, 0.015], 0.05) == [False, True, None, False, True]
    assert holm([], 0.05) == []


def test_the_table_has_a_line_a_row_and_says_what_holds_jointly() -> None:
    lines = table_lines(answer())
    assert lines[0] == "Is there a number of rows above which it stops?"
    assert lines[2].split()[:4] == ["rows", "variant", "natural", "with"]
    shown = "10 mixed 0.7000 0.7300 +0.0300 [+0.0200, +0.0400] helps yes 60 100 -> 160"
    assert lines[3].split() == shown.split()
    assert lines[4].startswith("1000  mixed")
    assert " no " in lines[4]
    assert "when all 2 are asked at once" in lines[6]
    assert not any("oracle" in line for line in lines)
    assert any(
        line.startswith("oracle teacher: it learned from all 96") for line in table_lines(answer(oracle_teacher=96))
    )


def test_the_shares_are_shown_in_percent_with_their_standard_deviation() -> None:
    sources = [
        {"name": "rows", "df": 1, "mean_square": 1.0, "component": 0.0004, "share": 0.8, "p": 0.0312},
        {"name": "residual", "df": 1, "mean_square": 1.0, "component": 0.0001, "share": 0.2, "p": None},
    ]
    components = {"sources": sources, "levels": {"rows": {"10": 0.03, "1000": 0.004}}}
    lines = table_lines(answer(variance={"mixed": components}))
    assert "rows      80 %  sd 0.0200  p = 0.0312" in lines
    assert "residual  20 %  sd 0.0100" in lines
    assert "  mean by rows: 10 +0.0300, 1000 +0.0040" in lines
