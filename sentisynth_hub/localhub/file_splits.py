"""Which files make up each config and split of a dataset, by its card or, without one, by the files' names."""

import fnmatch
from dataclasses import dataclass
from typing import Any

from sentisynth_hub.localhub.cards import words
from sentisynth_hub.localhub.preview import SUFFIXES


_SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Split:
    """One split of one config, with its files in order."""

    config: str
    name: str
    paths: list[str]


def splits_of(card: dict[str, Any], paths: list[str]) -> list[Split]:
    """Every split of a dataset, in the card's order; `paths` are all files of the repo."""
    data = [path for path in paths if path.endswith(SUFFIXES)]
    configs = card.get("configs")
    found = []
    for config in configs if isinstance(configs, list) else []:
        if isinstance(config, dict) and isinstance(config.get("config_name"), str):
            found += _declared(config["config_name"], config.get("data_files"), data)
    return found or _guessed(data)


def _declared(config_name: str, data_files: object, paths: list[str]) -> list[Split]:
    listed = data_files if isinstance(data_files, list) else [data_files]
    found = []
    for item in listed:
        patterns = words(item.get("path")) if isinstance(item, dict) else words(item)
        split = str(item.get("split", "train")) if isinstance(item, dict) else "train"
        matching = [path for path in paths if any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)]
        if matching:
            found.append(Split(config_name, split, matching))
    return found


def _guessed(paths: list[str]) -> list[Split]:
    found: dict[str, list[str]] = {}
    for path in paths:
        name = path.rsplit("/", 1)[-1].lower()
        found.setdefault(next((split for split in _SPLITS if split in name), "train"), []).append(path)
    return [Split("default", name, found[name]) for name in _SPLITS if name in found]
