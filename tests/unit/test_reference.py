"""The reference pages are what the code says today."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


FOLDER = Path(__file__).resolve().parents[2] / "docs" / "reference"


def maker() -> ModuleType:
    specification = importlib.util.spec_from_file_location("make_reference", FOLDER / "make.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["cli.md", "recipe.md"])
def test_the_page_agrees_with_the_code(name: str) -> None:
    page = maker().PAGES[name]() + "\n"
    assert (FOLDER / name).read_text("utf-8") == page, "run: python docs/reference/make.py"
