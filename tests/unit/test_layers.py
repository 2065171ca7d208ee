"""Imports go down the line of folders only, no folder imports itself in a circle, and nothing heavy loads with it."""

import ast
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.support.layers import BESIDE, LINE


PACKAGE = Path(__file__).resolve().parents[2] / "sentisynth_hub"
ROOT_FILES = {"__init__.py", "__main__.py", "pipeline.py", "run.py"}
MEANT_TO_REPEAT = {"__init__.py", "stage.py"}


def files() -> list[Path]:
    return [file for file in sorted(PACKAGE.rglob("*.py")) if "_shipped" not in file.parts]


def module_of(file: Path) -> tuple[str, ...]:
    parts = file.relative_to(PACKAGE).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


MODULES = {module_of(file) for file in files()}


def imports_of(file: Path) -> set[tuple[str, ...]]:
    """Modules of the package that a file imports, inside functions too; blocks for type checkers are left out."""
    tree = ast.parse(file.read_text("utf-8"))
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    modules = set()
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "sentisynth_hub":
            base = tuple((node.module or "").split(".")[1:])
            modules |= {(*base, alias.name) if (*base, alias.name) in MODULES else base for alias in node.names}
        elif isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
            modules |= {tuple(name[1:]) for name in names if name[0] == "sentisynth_hub"}
    return modules - {()}


@pytest.mark.parametrize("file", files(), ids=lambda file: str(file.relative_to(PACKAGE)))
def test_imports_only_downwards(file: Path) -> None:
    if file == PACKAGE / "__init__.py":  # it names what is public, and fetches it on first use
        return
    folder = module_of(file)[0]
    imported = {module[0] for module in imports_of(file)}
    if folder == BESIDE:
        assert imported <= {BESIDE, "core"}
        return
    above = {name for name in imported - {BESIDE} if LINE.index(name) > LINE.index(folder)}
    assert not above, f"{folder} imports {above}, which lie above it"


def test_no_circle_of_modules() -> None:
    graph = {module_of(file): imports_of(file) for file in files() if file != PACKAGE / "__init__.py"}
    done: set[tuple[str, ...]] = set()

    def visit(module: tuple[str, ...], path: tuple[tuple[str, ...], ...]) -> None:
        assert module not in path, " -> ".join(map(".".join, [*path, module]))
        if module not in done:
            for inner in graph.get(module, set()) - {module}:
                visit(inner, (*path, module))
            done.add(module)

    for module in graph:
        visit(module, ())


def test_four_files_at_the_root() -> None:
    assert {file.name for file in PACKAGE.glob("*.py")} == ROOT_FILES


def test_no_file_name_has_two_meanings() -> None:
    names = Counter(file.name for file in files())
    assert {name for name, count in names.items() if count > 1} == MEANT_TO_REPEAT


def test_no_class_name_has_two_meanings() -> None:
    names = Counter(
        node.name
        for file in files()
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.ClassDef)
    )
    assert {name for name, count in names.items() if count > 1} == set()


@pytest.mark.parametrize("statement", ["import sentisynth_hub", "from sentisynth_hub import load_recipe"])
def test_import_loads_nothing_heavy(statement: str) -> None:
    heavy = "{'torch', 'datasets', 'transformers', 'pandas', 'sklearn', 'scipy', 'huggingface_hub', 'openai'}"
    code = f"{statement}; import sys; print(sorted({heavy} & set(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert shown == "[]"
