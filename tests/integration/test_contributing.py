"""CONTRIBUTING's worked examples, followed literally: its files written, its recipe, its commands, its tests."""

import importlib
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from click.testing import CliRunner

from sentisynth_hub.cli import sentisynth
from sentisynth_hub.core import plugins
from sentisynth_hub.core.rows import read_rejected, read_rows
from sentisynth_hub.filter.contract import Filter
from sentisynth_hub.generate.providers.base import Provider
from sentisynth_hub.study.predictions import read_predictions
from sentisynth_hub.study.variants import StudyVariant
from tests.support.tiny import tiny_recipe


ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text("utf-8")


def blocks(heading: str) -> list[tuple[str, str]]:
    """Language and content of every code block under a heading."""
    section = TEXT.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"^```(\w+)\n(.*?)^```", section, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a contributor has: a recipe and a file of rows."""
    folder = tmp_path_factory.mktemp("contributor")
    tiny_recipe(folder / "my-recipe")
    rows = [("SO GRIM", "negative"), ("so warm", "positive"), ("നല്ലത്", "positive"), ("So", "negative")]
    (folder / "my-rows.csv").write_text("\n".join(map(",".join, [("text", "label"), *rows])), "utf-8")
    return folder


@pytest.fixture
def world(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The contributor stands in the folder, which is on the path, as `PYTHONPATH=.` says."""
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    for file in folder.glob("*.py"):  # other tests have modules of these names, elsewhere
        sys.modules.pop(file.stem, None)


def follow(heading: str, world: Path) -> str:
    """Write the section's files, put its keys into the recipe, run its command and its test; what was printed."""
    recipe = world / "my-recipe" / "recipe.yaml"
    before, printed = recipe.read_text("utf-8"), ""
    try:
        for language, code in blocks(heading):
            if language == "python":
                write_module(world, code)
            elif language == "yaml":
                content = yaml.safe_load(recipe.read_text("utf-8"))
                for key, section in yaml.safe_load(code).items():
                    content[key] = section if key == "filter" else content[key] | section
                recipe.write_text(yaml.safe_dump(content, sort_keys=False), "utf-8")
            else:
                for line in code.splitlines():
                    command, *words = shlex.split(line.removeprefix("PYTHONPATH=. "))
                    assert command == "sentisynth"
                    result = CliRunner().invoke(sentisynth, words)
                    assert result.exception is None, result.output
                    printed += result.output
        tests = [code for _, code in blocks(heading) if code.startswith("# test_")]
        functions = {name: value for name, value in vars(load(tests[-1])).items() if name.startswith("test_")}
        assert functions
        for function in functions.values():
            function()
    finally:
        recipe.write_text(before, "utf-8")
    return printed


def write_module(world: Path, code: str) -> None:
    """Write a block of Python into the file its first line names."""
    (world / code.partition("\n")[0].removeprefix("# ")).write_text(code, "utf-8")


def load(code: str) -> ModuleType:
    """Import the module of a block."""
    return importlib.import_module(code.partition("\n")[0].removeprefix("# ").removesuffix(".py"))


def test_a_filter(world: Path) -> None:
    assert re.search(r"all_caps\s+shouts\s+1\b", follow("Add a filter", world))
    kept = read_rows(world / "my-rows-filtered" / "kept.parquet")
    assert [(row.text, row.scores["capitals"]) for row in kept] == [("so warm", 0.0), ("നല്ലത്", 0.0), ("So", 0.5)]
    (shouted,) = read_rejected(world / "my-rows-filtered" / "rejected.parquet")
    assert (shouted.row.text, shouted.filter, shouted.reason, shouted.score) == ("SO GRIM", "all_caps", "shouts", 1.0)


def test_a_variant(world: Path) -> None:
    assert "my_variants:SHORT" in follow("Add a variant", world)
    (file,) = (world / "runs" / "tiny" / "study").glob("*/predictions.parquet")
    assert set(read_predictions([file]).variants) == {"natural", "mixed", "my_variants:SHORT"}


def test_a_provider(world: Path) -> None:
    follow("Add a provider", world)
    journals = (world / "runs" / "tiny" / "generate").glob("*/replicate-0/completions-0.jsonl")
    (text,) = [text for journal in journals if "parrot" in (text := journal.read_text("utf-8"))]
    assert set(re.findall(r"a \w+ film", text)) == {"a fine film", "a dull film"}


def test_a_package_registers_all_three(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The entry points that are printed lead to what the examples define."""
    for heading in ("Add a filter", "Add a variant", "Add a provider"):
        write_module(world, blocks(heading)[0][1])
    ((_, toml),) = blocks("From a package of yours")
    groups = tomllib.loads(toml)["project"]["entry-points"]
    points = [EntryPoint(name, value, group) for group, names in groups.items() for name, value in names.items()]
    monkeypatch.setattr(plugins, "entry_points", lambda *, group: [point for point in points if point.group == group])
    kinds = {point.name: plugins.load_outside(point.name, point.group, where="recipe", own=False) for point in points}
    assert isinstance(kinds["short"], StudyVariant)
    assert issubclass(kinds["all_caps"], Filter)
    assert issubclass(kinds["parrot"], Provider)
