"""The front matter of a README: read safely, checked, and turned into the tags a repo is found by."""

import json
import re
from typing import Any

from sentisynth_hub.core.safe_yaml import YamlError, load_yaml
from sentisynth_hub.localhub.names import RepoType


LONGEST_CARD = 4 * 1024**2  # bytes
LONGEST_FRONT_MATTER = 256 * 1024  # characters; some 0.3 s of processor time at worst
_OPENING = re.compile(r"\ufeff?\s*---[ \t]*\r?\n")
_CLOSING = re.compile(r"---[ \t]*(?:\r?\n|\Z)")
_FENCE = "\n---"
_WORDS = "a string or a list of strings"
_TAG_LISTS = ("tags", "language", "datasets", "metrics", "license", "task_categories", "size_categories", "base_model")


def split_card(text: str) -> tuple[str, str]:
    """The front matter (without its fences; empty where there is none) and the rest of a README.

    One that does not end within `LONGEST_FRONT_MATTER` is cut a character later, so that reading it is refused.
    """
    opening = _OPENING.match(text)
    if opening is None:
        return "", text
    start = opening.end()
    most = start + LONGEST_FRONT_MATTER
    place = text.find(_FENCE, start - 1, most + len(_FENCE))
    while place >= 0:
        closing = _CLOSING.match(text, place + 1)
        if closing is not None:
            return text[start : max(start, place)].removesuffix("\r"), text[closing.end() :]
        place = text.find(_FENCE, place + 1, most + len(_FENCE))
    return (text[start : most + 1], text[most + 1 :]) if len(text) > most else ("", text)


def parse_front_matter(text: str) -> dict[str, Any]:
    """The front matter of a README as plain JSON values.

    Raises:
        ValueError: it is not YAML, or not a mapping.
    """
    source, _ = split_card(text)
    try:
        value = load_yaml(source, limit=LONGEST_FRONT_MATTER)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise YamlError("a mapping of names to values expected")
        plain: dict[str, Any] = json.loads(json.dumps(value, allow_nan=False))
    except ValueError as error:
        raise ValueError(f"Invalid metadata in README.md: {error}") from error
    return plain


def card_data(text: str) -> dict[str, Any]:
    """The front matter, or nothing where it cannot be read: a broken card must not hide its repo."""
    try:
        return parse_front_matter(text)
    except ValueError:
        return {}


def check_card(text: str, repo_type: str) -> tuple[list[str], list[str]]:
    """Errors and warnings about a README, as `validate-yaml` answers them."""
    try:
        data = parse_front_matter(text)
    except ValueError as error:
        return [str(error)], []
    errors = [f'"{key}" must be {_WORDS}' for key in _TAG_LISTS if key in data and not _is_words(data[key])]
    if repo_type == "dataset":
        errors += _check_configs(data)
    if "model-index" in data and repo_type == "model":
        errors += _check_model_index(data["model-index"])
    warnings = [] if data else ["empty or missing yaml metadata in repo card"]
    return errors, warnings


def tags_of(data: dict[str, Any], repo_type: RepoType) -> list[str]:
    """The tags the Hub derives from a card."""
    tags = [str(tag) for tag in words(data.get("tags"))]
    keys = {"license": "license:", "datasets": "dataset:", "base_model": "base_model:"}
    if repo_type == "datasets":
        keys |= {"language": "language:", "task_categories": "task_categories:", "size_categories": "size_categories:"}
    else:
        tags += [str(data[key]) for key in ("pipeline_tag", "library_name") if data.get(key)]
        tags += words(data.get("language"))
    for key, prefix in keys.items():
        tags += [prefix + value for value in words(data.get(key))]
    return list(dict.fromkeys([*tags, "region:local"]))


def listed(value: object) -> list[Any]:
    """A list as it is; anything else is nothing."""
    return value if isinstance(value, list) else []


def words(value: object) -> list[str]:
    """A string or a list of strings as a list; anything else is nothing."""
    if isinstance(value, str):
        return [value]
    return [item for item in listed(value) if isinstance(item, str)]


def _is_words(value: object) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(item, str) for item in value))


def _check_configs(data: dict[str, Any]) -> list[str]:
    configs = data.get("configs", [])
    if not isinstance(configs, list) or not all(isinstance(config, dict) for config in configs):
        return ['"configs" must be a list of mappings']
    nameless = [number for number, config in enumerate(configs) if not config.get("config_name")]
    return [f'"configs[{number}].config_name" is required' for number in nameless]


def _check_model_index(index: object) -> list[str]:
    if not isinstance(index, list):
        return ['"model-index" must be an array']
    errors = []
    for number, model in enumerate(index):
        if not isinstance(model, dict) or not isinstance(model.get("name"), str) or not model["name"]:
            errors.append(f'"model-index[{number}].name" is required')
            continue
        results = model.get("results") or []
        if not isinstance(results, list):
            errors.append(f'"model-index[{number}].results" must be an array')
            continue
        for place, result in enumerate(results):
            where = f"model-index[{number}].results[{place}]"
            if not isinstance(result, dict):
                errors.append(f'"{where}" must be a mapping')
                continue
            for key, needed in (("task", "type"), ("dataset", "type"), ("dataset", "name")):
                if not isinstance(result.get(key), dict) or not result[key].get(needed):
                    errors.append(f'"{where}.{key}.{needed}" is required')
            if not isinstance(result.get("metrics"), list):
                errors.append(f'"{where}.metrics" is required')
    return errors
