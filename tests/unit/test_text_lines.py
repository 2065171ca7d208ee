"""Structured text is split at newlines only: `splitlines` and `iter_lines` also break at U+2028, U+0085 and such.

One such character in an answer once destroyed a journal and made a paid batch uncollectable.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest


PACKAGE = Path(__file__).resolve().parents[2] / "sentisynth_hub"
# Here every kind of line break is meant: does a text have more than one line, and files shown to people line by line.
MEANT = {"generate/parse.py", "localhub/pages.py", "localhub/diffs.py"}


def splits(source: str) -> Iterator[int]:
    """Lines with a call of `splitlines` or `iter_lines`, but for the text of an error, `str(error)`."""
    for node in ast.walk(ast.parse(source)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        receiver = node.func.value
        if (
            isinstance(receiver, ast.Call)
            and isinstance(receiver.func, ast.Attribute)
            and receiver.func.attr == "strip"
        ):
            receiver = receiver.func.value
        message = isinstance(receiver, ast.Call) and isinstance(receiver.func, ast.Name) and receiver.func.id == "str"
        if node.func.attr in ("splitlines", "iter_lines") and not message:
            yield node.lineno


@pytest.mark.parametrize("file", sorted(PACKAGE.rglob("*.py")), ids=lambda file: str(file.relative_to(PACKAGE)))
def test_structured_text_is_split_at_newlines(file: Path) -> None:
    if file.relative_to(PACKAGE).as_posix() not in MEANT:
        assert list(splits(file.read_text("utf-8"))) == [], "split at '\\n' (or b'\\n'); see this module's docstring"


def test_the_rule_sees_both_and_lets_messages_pass() -> None:
    banned = "a.read_text().splitlines()\nb.iter_lines()\n"
    source = banned + "str(e).splitlines()[0]\nstr(e).strip().splitlines()\nc.split('\\n')"
    assert sorted(splits(source)) == [1, 2]
