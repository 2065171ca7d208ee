"""What a docstring shows as code: `>>>` runs, and a call of an indented block is one that can be made."""

import ast
import builtins
import doctest
import importlib
import inspect
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, get_origin, get_type_hints

import pytest


PACKAGE = Path(__file__).resolve().parents[2] / "sentisynth_hub"
FILES = sorted(PACKAGE.rglob("*.py"))


def module_of(file: Path) -> ModuleType:
    """The module of a file of the package."""
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return importlib.import_module(".".join(parts).removesuffix(".__init__"))


@pytest.mark.parametrize(
    "file", [file for file in FILES if ">>> " in file.read_text("utf-8")], ids=lambda file: file.stem
)
def test_examples_give_what_they_show(file: Path) -> None:
    failed, tried = doctest.testmod(module_of(file), optionflags=doctest.ELLIPSIS)
    assert tried
    assert not failed


def code_blocks(docstring: str) -> Iterator[ast.Module]:
    """The indented blocks that are Python and call something; a table or a tree is no Python."""
    for paragraph in docstring.split("\n\n"):
        if paragraph.startswith("    ") and ">>>" not in paragraph:
            try:
                tree = ast.parse(textwrap.dedent(paragraph))
            except SyntaxError:
                continue
            if any(isinstance(node, ast.Call) for node in ast.walk(tree)):
                yield tree


BLOCKS = [
    (file, tree)
    for file in FILES
    for tree in code_blocks(inspect.cleandoc(ast.get_docstring(ast.parse(file.read_text("utf-8"))) or ""))
]


class Sketch(ast.NodeVisitor):
    """Follows a block with the types that signatures give, and says what cannot be called or is not there."""

    def __init__(self, module: ModuleType):
        self.names: dict[str, Any] = {**vars(builtins), **vars(module)}
        self.types: dict[str, Any] = {}
        self.errors: list[str] = []

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        assert node.module is not None
        source = importlib.import_module(node.module)
        self.names |= {alias.asname or alias.name: getattr(source, alias.name) for alias in node.names}

    def visit_Assign(self, node: ast.Assign) -> None:
        self.generic_visit(node)
        if isinstance(target := node.targets[0], ast.Name):
            self.types[target.id] = self.type_of(node.value)

    def visit_With(self, node: ast.With) -> None:
        for item in node.items:
            if isinstance(item.optional_vars, ast.Name):
                self.types[item.optional_vars.id] = self.type_of(item.context_expr)
        self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.generic_visit(node)
        owner = self.type_of(node.value)
        if owner is not None and not hasattr(owner, node.attr) and node.attr not in get_type_hints(owner):
            self.errors.append(f"{owner.__name__} has no {node.attr}")

    def visit_Call(self, node: ast.Call) -> None:
        self.generic_visit(node)
        target = self.target(node.func)
        if target is None:
            if isinstance(node.func, ast.Name):
                self.errors.append(f"there is no {node.func.id}")
            return
        arguments: list[Any] = [None] * len(node.args)
        try:
            inspect.signature(target).bind(*arguments, **{word.arg: None for word in node.keywords if word.arg})
        except TypeError as error:
            self.errors.append(f"{ast.unparse(node)}: {error}")
        except ValueError:
            pass  # a builtin without a signature

    def target(self, function: ast.expr) -> Any:
        """What is called, as far as it is known; a method is bound to nothing, which takes its place."""
        if isinstance(function, ast.Name):
            return self.names.get(function.id)
        if isinstance(function, ast.Attribute) and (owner := self.type_of(function.value)) is not None:
            method = inspect.getattr_static(owner, function.attr, None)
            if isinstance(method, classmethod):
                return method.__get__(None, owner)
            return method.__get__(object()) if inspect.isfunction(method) else None
        return None

    def type_of(self, node: ast.expr) -> Any:
        """The class of a value of the package, None where it is not known."""
        if isinstance(node, ast.Name):
            return self.types.get(node.id)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            called = self.names.get(node.func.id)
            result = called if isinstance(called, type) else get_type_hints(called).get("return") if called else None
            known = isinstance(result, type) and get_origin(result) is None
            return result if known and result.__module__.startswith("sentisynth_hub") else None
        return None


@pytest.mark.parametrize(("file", "tree"), BLOCKS, ids=[file.stem for file, _ in BLOCKS])
def test_a_sketch_calls_what_there_is(file: Path, tree: ast.Module) -> None:
    sketch = Sketch(module_of(file))
    sketch.visit(tree)
    assert sketch.errors == []


def test_a_sketch_that_lies_is_noticed() -> None:
    module = importlib.import_module("sentisynth_hub.generate.template_process")
    sketch = Sketch(module)
    sketch.visit(ast.parse("with TemplateProcess() as template:\n    template.show({})\nnothing(1)"))
    assert len(sketch.errors) == 3
