"""Which keys of a published recipe changed, from which value to which."""

import json
from collections.abc import Iterator
from typing import Any

from typing_extensions import TypedDict  # pydantic reads no other before Python 3.12

from sentisynth_hub.core.safe_yaml import YamlError, load_yaml


_SHOWN = 120  # characters of a value
_MOST = 40  # keys that are listed
DECIDING = frozenset({"filter", "generate", "labels", "language", "natural", "seed", "study"})
"""Sections of a recipe that decide what a model learns; the others say where it goes and what it is called."""


class RecipeChange(TypedDict):
    """One key of the recipe with its value before and after, as JSON; None where the key was not there."""

    key: str
    before: str | None
    after: str | None


def recipe_changes(before: str, after: str) -> list[RecipeChange]:
    """Compare two recipes as they are published; one that is no YAML counts as empty.

    Returns:
        The changed keys in the order of the newer recipe, then those that are gone; at most 40.
    """
    old, new = dict(_leaves(_read(before))), dict(_leaves(_read(after)))
    keys = [key for key in {**new, **old} if old.get(key) != new.get(key)]
    return [{"key": key, "before": old.get(key), "after": new.get(key)} for key in keys[:_MOST]]


def decides_the_model(changes: list[RecipeChange]) -> bool:
    """Whether any of these keys decides what a model learns."""
    return any(change["key"].partition(".")[0] in DECIDING for change in changes)


def _read(text: str) -> Any:
    try:
        return load_yaml(text)
    except YamlError:
        return {}


def _leaves(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _leaves(inner, f"{key}.{name}" if key else str(name))
    elif key:
        written = json.dumps(value, ensure_ascii=False)
        yield key, written if len(written) <= _SHOWN else f"{written[: _SHOWN - 1]}…"
