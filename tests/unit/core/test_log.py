"""What reaches a terminal or a log file: nothing hostile, no line twice."""

import json

import pytest

from sentisynth_hub.core import log


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("സിനിമ 👨‍👩‍👧 é می‌خواهم", "സിനിമ 👨‍👩‍👧 é می‌خواهم"),
        ("\u0600 \u06dd", "\u0600 \u06dd"),  # signs of category Cf that have a shape
        ("\x1b[2Jgone", "\\x1b[2Jgone"),
        ("\x9b8m \x1b]0;title\x07", "\\x9b8m \\x1b]0;title\\x07"),
        ("a\u202eb", "a\\u202eb"),
        ("a\u061cb\u200bc\u00add", "a\\u061cb\\u200bc\\xadd"),
        ("\U000e0041\u2028", "\\U000e0041\\u2028"),
        ("line\nbreak\t\r", "line\\nbreak\\t\\r"),
        ("\ud800", "\\ud800"),
    ],
)
def test_printable(text: str, expected: str) -> None:
    assert log.printable(text) == expected


def test_printable_cuts_with_an_ellipsis() -> None:
    assert log.printable("abcdef", 4) == "abc…"
    assert log.printable("abcd", 4) == "abcd"


def test_lines_and_tabs_stay_where_text_has_several() -> None:
    assert log.printable_lines("a\tb\n\x1bc\n") == "a\tb\n\\x1bc\n"


def test_a_json_document_keeps_its_values() -> None:
    record = {"മ\u202e": ["\x1b[8m\x7f\x9b", "\U000e0041", "\ud800", "good 👍"], "n": 1}
    document = log.printable_json(json.dumps(record, ensure_ascii=False, indent=1))
    assert json.loads(document) == record
    assert "മ" in document
    assert "👍" in document
    assert log.printable_lines(document) == document


def test_a_message_is_one_line_whatever_it_names(capsys: pytest.CaptureFixture[str]) -> None:
    hostile = "default\x1b[8m\nok  forged\x1b]52;c;aGk=\x07"
    log.info(f"reading {hostile}")
    log.warn(f"odd {hostile}")
    bar = log.Progress(hostile, 1)
    bar.advance(note=hostile)
    bar.close()
    lines = capsys.readouterr().err.split("\n")
    assert len(lines) == 4
    assert all(log.printable(line) == line for line in lines)


def test_a_finished_bar_is_shown_once(capsys: pytest.CaptureFixture[str]) -> None:
    bar = log.Progress("counting", 3)
    for _ in range(3):
        bar.advance()
    bar.close()
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "counting: 3/3" in lines[0]


def test_quiet_silences_progress_but_no_warning(capsys: pytest.CaptureFixture[str]) -> None:
    log.set_quiet(True)
    try:
        log.info("hello")
        log.Progress("counting", 1).close()
        log.warn("look")
    finally:
        log.set_quiet(False)
    assert capsys.readouterr().err == "warning: look\n"
