"""Reading a recipe: by name or path, with `key=value` overrides, every mistake one line."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from sentisynth_hub.core.errors import RecipeError, did_you_mean
from sentisynth_hub.core.files import shipped
from sentisynth_hub.recipe.schema import Recipe


RECIPE_FILE = "recipe.yaml"


def list_recipes() -> list[Path]:
    """The recipe files that ship with the toolkit, sorted by name."""
    return sorted(shipped("recipes").rglob(RECIPE_FILE))


def find_recipe(name: str) -> Path:
    """Return the recipe file for a name, a folder or a path.

    Raises:
        RecipeError: There is none; names the nearest one.
    """
    path = Path(name)
    for candidate in (
        path,
        path / RECIPE_FILE,
        Path("recipes") / name / RECIPE_FILE,
        shipped("recipes") / name / RECIPE_FILE,
    ):
        if candidate.is_file():
            return candidate
    known = [recipe.parent.name for recipe in list_recipes()]
    raise RecipeError(
        f"{name}: no such recipe or file{did_you_mean(name, known)}; `sentisynth recipes list` shows them"
    )


def load_recipe(
    name: str,
    overrides: Iterable[str] = (),
    *,
    scale: str | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> Recipe:
    """Read and check a recipe.

    Args:
        name: Recipe name, folder, or path of a recipe file.
        overrides: `key.path=value` strings; the value is read as YAML.
        scale: Name of one of the recipe's `scales`; applied first.
        before, after: Values by key path, as a question sets them, applied before and after the overrides.

    Raises:
        RecipeError: Anything is wrong with it; one line naming file, key path, what was found and what to do.
    """
    path = find_recipe(name)
    content = read_yaml(path)
    if scale is not None:
        scales = content.get("scales") or {}
        if scale not in scales:
            raise RecipeError(f"{path}: scale {scale!r} is not in `scales` ({', '.join(scales) or 'it has none'})")
        for key, value in scales[scale].items():
            _set(content, key, value, where=f"{path}: scales.{scale}")
    for key, value in (before or {}).items():
        _set(content, key, value, where=f"{path}: {key}")
    for override in overrides:
        key, sign, value = override.partition("=")
        if not sign or not key:
            raise RecipeError(f"{override!r}: an override is written key.path=value, e.g. generate.candidates=100")
        try:
            _set(content, key, yaml.load(value, _Loader), where=override)  # noqa: S506 (a SafeLoader)
        except yaml.YAMLError as error:
            raise RecipeError(f"{override!r}: the value is not YAML; quote it") from error
    for key, value in (after or {}).items():
        _set(content, key, value, where=f"{path}: {key}")
    try:
        recipe = Recipe.model_validate(content)
    except ValidationError as error:
        raise RecipeError(f"{path}: {explain(error)}") from None
    recipe._folder = path.parent.resolve()
    template = recipe.folder / recipe.generate.prompt.template
    if recipe.generate.generator.kind != "rows" and not template.is_file():
        raise RecipeError(
            f"{path}: generate.prompt.template: {recipe.generate.prompt.template} is not beside the recipe; add it"
        )
    return recipe


def recipe_schema() -> dict[str, Any]:
    """JSON Schema of a recipe, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "sentisynth-hub recipe",
        **Recipe.model_json_schema(),
    }


class _Loader(yaml.SafeLoader):
    """YAML in which 2e-5 is a number, as everyone expects, and a key written twice is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.MarkedYAMLError(None, None, f"key {key!r} is written twice", node.start_mark)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:[0-9][0-9_]*)(?:\.[0-9_]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping.

    Raises:
        RecipeError: It is not UTF-8, not YAML (names the line), or not a mapping.
    """
    try:
        content = yaml.load(path.read_text("utf-8"), _Loader)  # noqa: S506 (a SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise RecipeError(f"{path}: line {line}: {error.problem}; mend the YAML there") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: not readable as UTF-8 YAML: {str(error).splitlines()[0]}") from None
    if not isinstance(content, dict):
        raise RecipeError(
            f"{path}: a YAML mapping is expected, such as `name: value` on every line; found {type(content).__name__}"
        )
    return content


def _set(content: dict[str, Any], key: str, value: Any, *, where: str) -> None:
    *parents, last = key.split(".")
    for name in parents:
        inner = content.setdefault(name, {})
        if inner is None:
            inner = content[name] = {}
        if not isinstance(inner, dict):
            raise RecipeError(f"{where}: {name!r} holds a value, not a section, so nothing can be set below it")
        content = inner
    content[last] = value


def explain(error: ValidationError, model: type[BaseModel] = Recipe) -> str:
    """Say the first mistake in one line: key path, what was found, what to do; and how many more there are."""
    details = error.errors()
    first = details[0]
    location = [str(part) for part in first["loc"] if part not in ("transformers", "openai")]
    path = ".".join(location) or model.__name__.lower()
    if first["type"] == "extra_forbidden":
        known = _fields_at(model, location[:-1])
        what = (
            f"unknown key {location[-1]!r}{did_you_mean(location[-1], known)}; known here: {', '.join(sorted(known))}"
        )
    elif first["type"] == "missing":
        what = "missing; add it"
    elif first["type"] == "value_error":
        what = str(first["msg"]).removeprefix("Value error, ")
    else:
        what = f"found {first['input']!r}: {first['msg'][0].lower()}{first['msg'][1:]}"
    more = f" (and {len(details) - 1} more)" if len(details) > 1 else ""
    return f"{path}: {what}{more}"


def _fields_at(model: type[BaseModel], location: list[str]) -> list[str]:
    models = [model]
    for name in location:
        models = [
            inner
            for outer in models
            if name in outer.model_fields
            for inner in _models_in(outer.model_fields[name].annotation)
        ]
    return [field for inner in models for field in inner.model_fields]


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models_in(argument)]
