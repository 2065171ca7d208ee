"""Which files make up each config and split of a dataset, by its card or, without one, by the files' names."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sentisynth_hub.localhub.cards import listed, words
from sentisynth_hub.localhub.globs import Glob, glob, is_too_much
from sentisynth_hub.localhub.preview import SUFFIXES


_SPLITS = ("train", "validation", "test")
_MOST_SPLITS = 500


@dataclass(frozen=True)
class Split:
    """One split of one config, with its files in order."""

    config: str
    name: str
    paths: list[str]


def splits_of(card: dict[str, Any], paths: list[str]) -> list[Split]:
    """The first splits of a dataset, in the card's order; `paths` are all files of the repo."""
    data = [path for path in paths if path.endswith(SUFFIXES)]
    declared: list[tuple[str, str, list[str]]] = []
    for config in listed(card.get("configs")):
        if isinstance(config, dict) and isinstance(config.get("config_name"), str):
            declared += _declared(config["config_name"], config.get("data_files"))
        if len(declared) >= _MOST_SPLITS:
            break
    return _matched(declared[:_MOST_SPLITS], data) or _guessed(data)


def _declared(config_name: str, data_files: object) -> Iterator[tuple[str, str, list[str]]]:
    """Config, split and patterns of every split that a config declares."""
    for item in data_files if isinstance(data_files, list) else [data_files]:
        if isinstance(item, dict):
            yield config_name, str(item.get("split", "train")), words(item.get("path"))
        else:
            yield config_name, "train", words(item)


def _matched(declared: list[tuple[str, str, list[str]]], paths: list[str]) -> list[Split]:
    """The declared splits that have files; what would take long to match is left out."""
    names = set(paths)
    patterns: dict[str, Glob] = {}
    for text in dict.fromkeys(text for _, _, texts in declared for text in texts if text not in names):
        pattern = glob(text)
        if pattern is not None and not is_too_much([*patterns.values(), pattern], paths):
            patterns[text] = pattern
    files = {text: [path for path in paths if pattern.matches(path)] for text, pattern in patterns.items()}
    splits = []
    for config, split, texts in declared:
        matching = {path for text in texts for path in files.get(text, [text] * (text in names))}
        if matching:
            splits.append(Split(config, split, [path for path in paths if path in matching]))
    return splits


def _guessed(paths: list[str]) -> list[Split]:
    files: dict[str, list[str]] = {}
    for path in paths:
        name = path.rsplit("/", 1)[-1].lower()
        files.setdefault(next((split for split in _SPLITS if split in name), "train"), []).append(path)
    return [Split("default", name, files[name]) for name in _SPLITS if name in files]
