"""Imports go downwards only, and nothing heavy loads with the package."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest


PACKAGE = Path(__file__).resolve().parents[2] / "sentisynth_hub"
LAYERS = [
    {"errors", "log", "safe_yaml", "text"},
    {"preprocess"},
    {"rows", "recipe", "manifest", "runs", "processes"},
    {"sources", "tabular", "prompts", "generators", "filters", "metrics", "splits", "pins", "connect"},
    {"training"},
    {"generation", "labelling", "filtering", "evaluation", "judging", "predicting", "scoring"},
    {"sweeping"},
    {"versions"},
    {"cards", "figures", "html_report", "annotation"},
    {"hub"},
    {"pipeline", "starter"},
    {"releasing", "rebuilding"},
    {"run"},
    {"questions"},
    {"cli"},
]
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
BESIDE = {"localhub"}  # stands beside the layers and may use the lowest one only


def imports_of(file: Path) -> set[str]:
    """Top-level module names of the package that a file imports, inside functions too, TYPE_CHECKING blocks left
    out."""
    tree = ast.parse(file.read_text("utf-8"))
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    names = set()
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sentisynth_hub"):
            parts = (node.module or "").split(".")
            names |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("sentisynth_hub.")}
    return names - {"__version__"}


def files() -> list[Path]:
    return [
        file
        for file in sorted(PACKAGE.rglob("*.py"))
        if "_shipped" not in file.parts and file != PACKAGE / "__init__.py"
    ]


def module_of(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def test_there_are_files_to_check() -> None:
    assert len(files()) > 10


@pytest.mark.parametrize("file", files(), ids=lambda file: str(file.relative_to(PACKAGE)))
def test_imports_only_downwards(file: Path) -> None:
    module = module_of(file)
    if module == "__main__":
        return
    if module in BESIDE:
        assert imports_of(file) <= {module} | LAYERS[0]
        return
    above = {name for name in imports_of(file) if name not in BESIDE and RANK[name] > RANK[module]}
    assert not above, f"{module} imports {above}, which lie above it"


def test_no_cycle_between_modules() -> None:
    graph: dict[str, set[str]] = {}
    for file in files():
        graph.setdefault(module_of(file), set()).update(imports_of(file) - {module_of(file)})
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join([*path, name])
        if name not in done:
            for inner in graph.get(name, set()):
                visit(inner, (*path, name))
            done.add(name)

    for name in graph:
        visit(name, ())


@pytest.mark.parametrize("statement", ["import sentisynth_hub", "from sentisynth_hub import load_recipe"])
def test_import_loads_nothing_heavy(statement: str) -> None:
    heavy = "{'torch', 'datasets', 'transformers', 'pandas', 'sklearn', 'scipy', 'huggingface_hub', 'openai'}"
    code = f"{statement}; import sys; print(sorted({heavy} & set(sys.modules)))"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )
