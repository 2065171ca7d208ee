"""The pages about safety promise nothing that no test holds: every test they name is there."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest


ROOT = Path(__file__).resolve().parents[2]
PAGES = ("docs/concepts/security.md", "docs/results/security.md")
FINDINGS = [*(f"H{n}" for n in range(1, 5)), *(f"M{n}" for n in range(1, 12)), *(f"L{n}" for n in range(1, 21))]
_NAMED = re.compile(r"`((?:unit|integration)/[\w/]+\.py)::(test_\w+)`")


@cache
def names_in(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / "tests" / file).read_text("utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


@pytest.mark.parametrize("page", PAGES)
def test_every_test_that_is_named_is_there(page: str) -> None:
    named = _NAMED.findall((ROOT / page).read_text("utf-8"))
    assert len(named) > 20
    assert [f"{file}::{name}" for file, name in named if name not in names_in(file)] == []


def test_every_finding_has_a_line_with_a_test_or_says_that_it_is_open() -> None:
    lines = (ROOT / "docs/results/security.md").read_text("utf-8").split("\n")
    rows = {line.split("|")[1].strip(): line for line in lines if re.match(r"\| [HML]\d+ \|", line)}
    assert list(rows) == FINDINGS
    assert [name for name, line in rows.items() if not _NAMED.search(line) and "open" not in line] == []


def test_every_promise_names_a_test() -> None:
    page = (ROOT / "docs/concepts/security.md").read_text("utf-8")
    rows = page.partition("## What is promised")[2].partition("\n## ")[0].split("\n")
    promises = [row for row in rows if row.startswith("| ") and not row.startswith(("| ---", "| promise"))]
    assert len(promises) > 15
    assert [row for row in promises if not _NAMED.search(row)] == []
