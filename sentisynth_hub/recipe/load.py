"""Reading a recipe: by name or path, with `key=value` overrides, every mistake one line."""

import re
import reprlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from sentisynth_hub.core.errors import RecipeError, did_you_mean
from sentisynth_hub.core.files import shipped
from sentisynth_hub.core.safe_yaml import LONGEST, YamlError, load_yaml
from sentisynth_hub.recipe.filter_section import FilterSection, options_of
from sentisynth_hub.recipe.schema import Origin, Recipe
from sentisynth_hub.recipe.trust import may_name_code


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
    names = [recipe.parent.name for recipe in list_recipes()]
    raise RecipeError(
        f"{name}: no such recipe or file{did_you_mean(name, names)}; `sentisynth recipes list` shows them"
    )


def load_recipe(
    name: str,
    overrides: Iterable[str] = (),
    *,
    scale: str | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    origin: Origin = "local",
) -> Recipe:
    """Read and check a recipe.

    Args:
        name: Recipe name, folder, or path of a recipe file.
        overrides: `key.path=value` strings; the value is read as YAML.
        scale: Name of one of the recipe's `scales`; applied first.
        before, after: Values by key path, as a question sets them, applied before and after the overrides.
        origin: Where the recipe came from. One from a Hub gets less trust: it may not name Python code
            (`module:object`), as one on this disk may where the user allowed its folder (`sentisynth trust FOLDER`).

    Raises:
        RecipeError: Anything is wrong with it; one line naming file, key path, what was found and what to do.
    """
    path = find_recipe(name)
    content = read_yaml(path)
    if scale is not None:
        scales = content.get("scales")
        scales = scales if isinstance(scales, dict) else {}
        if not isinstance(scales.get(scale), dict):
            raise RecipeError(
                f"{path}: scale {scale!r} is not in `scales` ({', '.join(map(str, scales)) or 'it has none'})"
            )
        for key, value in scales[scale].items():
            _set(content, key, value, where=f"{path}: scales.{scale}")
    for key, value in (before or {}).items():
        _set(content, key, value, where=f"{path}: {key}")
    named: set[str] = set()
    for override in overrides:
        key, sign, written = override.partition("=")
        if not sign or not key:
            raise RecipeError(f"{override!r}: an override is written key.path=value, e.g. generate.candidates=100")
        try:
            value = load_yaml(written)
        except YamlError as error:
            raise RecipeError(f"{override!r}: the value is not YAML ({error}); quote it") from None
        named.update(_strings(value))
        _set(content, key, value, where=override)
    for key, value in (after or {}).items():
        _set(content, key, value, where=f"{path}: {key}")
    own = origin == "local" and may_name_code(path.parent)
    try:
        recipe = Recipe.model_validate(content, context={"own": own})
    except ValidationError as error:
        raise RecipeError(f"{path}: {explain(error)}") from None
    recipe.placed(path.parent.resolve(), named=frozenset(named), origin=origin, own=own)
    if recipe.generate.generator.has_prompt:
        try:
            _ = recipe.template_file
        except RecipeError as error:
            raise RecipeError(f"{path}: {error}") from None
    return recipe


def recipe_schema() -> dict[str, Any]:
    """JSON Schema of a recipe, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "sentisynth-hub recipe",
        **Recipe.model_json_schema(),
    }


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping.

    Raises:
        RecipeError: It is not UTF-8, not YAML (names the line), or not a mapping.
    """
    try:
        if path.stat().st_size > 4 * LONGEST:
            raise RecipeError(f"{path}: has more than {4 * LONGEST:,} bytes; this is no recipe")
        content = load_yaml(path.read_text("utf-8"))
    except YamlError as error:
        raise RecipeError(f"{path}: {error}; mend the YAML there") from None
    except UnicodeDecodeError as error:
        raise RecipeError(f"{path}: not UTF-8 (byte {error.start}); save it as UTF-8") from None
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read ({error.strerror})") from None
    if not isinstance(content, dict):
        raise RecipeError(
            f"{path}: a YAML mapping is expected, such as `name: value` on every line; found {type(content).__name__}"
        )
    return content


class _Dumper(yaml.SafeDumper):
    """Writes what `load_yaml` reads as the same: a string that YAML 1.2 takes for a number is quoted too."""


_Dumper.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$"),
    list("-+.0123456789"),
)


def dump_yaml(content: Mapping[str, Any]) -> str:
    """Write a mapping so that `read_yaml` gives it back."""
    return yaml.dump(dict(content), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _strings(inner)


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
    location = _location(first["loc"])
    path = ".".join(location) or model.__name__.lower()
    if first["type"] == "extra_forbidden":
        fields = _fields_at(model, location[:-1])
        meant = did_you_mean(location[-1], fields)
        what = f"unknown key {location[-1]!r}{meant}; known here: {', '.join(sorted(fields))}"
    elif first["type"] == "missing":
        what = "missing; add it"
    elif first["type"] == "value_error":
        what = str(first["msg"]).removeprefix("Value error, ")
    elif first["type"] == "string_type" and isinstance(first["input"], bool | int | float):
        read_as = "true or false" if isinstance(first["input"], bool) else "a number"
        word = str(first["input"]).lower()
        what = f"YAML reads {word} as {read_as}; put it in quotes: '{word}'"
    else:
        what = f"found {reprlib.repr(first['input'])}: {first['msg'][0].lower()}{first['msg'][1:]}"
    more = f" (and {len(details) - 1} more)" if len(details) > 1 else ""
    return f"{path}: {what}{more}"


def _location(loc: tuple[int | str, ...]) -> list[str]:
    """Key path of a mistake, without pydantic's own marks: the kind of a generator, and that a key itself is wrong."""
    parts = [str(part) for part in loc if part != "[key]"]
    for place, (part, inner) in enumerate(zip(parts, parts[1:], strict=False)):
        if part == "generator" and inner in _KINDS:
            return [*parts[: place + 1], *parts[place + 2 :]]
    return parts


_KINDS = ("transformers", "openai", "fine_tuned", "rows")


def _fields_at(model: type[BaseModel], location: list[str]) -> list[str]:
    models = [model]
    for name in location:
        models = [inner for outer in models for inner in _models_at(outer, name)]
    return [field for inner in models for field in inner.model_fields]


def _models_at(model: type[BaseModel], name: str) -> list[type[BaseModel]]:
    if issubclass(model, FilterSection) and name not in model.model_fields:
        return [options_of(name)]
    return _models_in(model.model_fields[name].annotation) if name in model.model_fields else []


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models_in(argument)]
