"""What reaches a terminal or a log file: nothing hostile, no line twice."""

import pytest

from sentisynth_hub.core import log


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("സിനിമ 👨‍👩‍👧 é", "സിനിമ 👨‍👩‍👧 é"),
        ("\x1b[2Jgone", "\\x1b[2Jgone"),
        ("a\u202eb", "a\\u202eb"),
        ("line\nbreak\t\r", "line\\nbreak\\t\\r"),
        ("\ud800", "\\ud800"),
    ],
)
def test_printable(text: str, expected: str) -> None:
    assert log.printable(text) == expected


def test_printable_cuts_with_an_ellipsis() -> None:
    assert log.printable("abcdef", 4) == "abc…"
    assert log.printable("abcd", 4) == "abcd"


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
