"""Variables are nouns: a bare participle or pronoun says that something was done, not what the thing is."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest


PACKAGE = Path(__file__).resolve().parents[2] / "sentisynth_hub"
BARE = {"found", "one", "wanted", "known", "chosen", "asked", "shown", "drawn", "said", "seen", "made", "told"}


def bare_names(source: str) -> Iterator[tuple[int, str]]:
    """Line and name of every variable, argument or loop target that is one of `BARE`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id in BARE:
            yield node.lineno, node.id
        elif isinstance(node, ast.arg) and node.arg in BARE:
            yield node.lineno, node.arg


@pytest.mark.parametrize("file", sorted(PACKAGE.rglob("*.py")), ids=lambda file: str(file.relative_to(PACKAGE)))
def test_variables_say_what_they_are(file: Path) -> None:
    lines = [f"{file.name}:{line} {name}" for line, name in bare_names(file.read_text("utf-8"))]
    assert not lines


def test_the_rule_sees_every_place_a_name_is_given() -> None:
    source = "def f(known): ...\nfor one in x: pass\nfound = [made for made in y]\n(seen := 1)\nwith z as told: pass"
    assert sorted(name for _, name in bare_names(source)) == ["found", "known", "made", "one", "seen", "told"]
