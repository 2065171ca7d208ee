"""Patterns of a caller for the paths of a caller: `.gitignore`, `.gitattributes`, the `data_files` of a card.

A pattern is matched folder by folder. `fnmatch` turns what stands between two slashes into an expression whose stars
are atomic, so it never goes back on what a star has taken: the work is at most the product of the lengths. What a list
of patterns may cost in all is limited as well, because whoever sends them also sends the paths.
"""

import fnmatch
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace


LONGEST_PATTERN = 256  # characters
_DEEPEST_PATTERN = 16  # folders
_MOST_CHARACTERS = 200_000_000  # those of the patterns times those of the paths
_MOST_FOLDERS = 3_000_000  # alike; some three seconds of processor time at the very worst


@dataclass(frozen=True)
class Glob:
    """One pattern: `*`, `?` and `[...]` stay within a folder, `**` goes through any number of them."""

    folders: tuple[str, ...]
    negated: bool = False
    means_folder: bool = False

    def matches(self, path: str, *, or_above: bool = False) -> bool:
        """Whether the pattern means the file `path` (or, with `or_above`, a folder it lies in)."""
        places = self._skipped({0})  # how many parts of the pattern may have been used up so far
        *above, name = path.split("/")
        for folder in above:
            places = self._skipped({after for place in places for after in self._after(place, folder)})
            if not places:
                return False
            if or_above and len(self.folders) in places:
                return True
        return not self.means_folder and any(
            len(self.folders) in self._skipped(set(self._after(place, name))) for place in places
        )

    def _skipped(self, places: set[int]) -> set[int]:
        """The places, and those behind a `**` that stands for no folder at all."""
        for place, folder in enumerate(self.folders):
            if folder == "**" and place in places:
                places.add(place + 1)
        return places

    def _after(self, place: int, name: str) -> tuple[int, ...]:
        if place == len(self.folders):
            return ()
        if self.folders[place] == "**":
            return (place,)
        return (place + 1,) if fnmatch.fnmatchcase(name, self.folders[place]) else ()


def glob(pattern: str) -> Glob | None:
    """The pattern of a card's `data_files`, from the root of the repo; None for one that is too long."""
    return _checked(pattern, tuple(pattern.removeprefix("./").split("/")))


def git_glob(line: str) -> Glob | None:
    """The pattern of a line of `.gitignore` or `.gitattributes`; None where the line has none, or it is too long.

    Without a slash, but for one at the end, it is meant at any depth.
    """
    pattern = line.rstrip().removeprefix("!").rstrip("/")
    if not pattern or line.startswith("#"):
        return None
    folders = [_unescaped(folder) for folder in pattern.removeprefix("/").split("/")]
    anywhere = [] if "/" in pattern else ["**"]
    meant = _checked(pattern, (*anywhere, *folders))
    return meant and replace(meant, negated=line.startswith("!"), means_folder=line.rstrip().endswith("/"))


def git_globs(lines: Iterable[str]) -> list[Glob]:
    """The patterns of a `.gitignore`, in order."""
    return [pattern for pattern in map(git_glob, lines) if pattern is not None]


def is_ignored(path: str, patterns: Sequence[Glob]) -> bool:
    """Whether the last of the patterns that means the path, or a folder it lies in, ignores it."""
    last = next((pattern for pattern in reversed(patterns) if pattern.matches(path, or_above=True)), None)
    return last is not None and not last.negated


def is_too_much(patterns: Sequence[Glob], paths: Sequence[str]) -> bool:
    """Whether matching all the patterns with all the paths could take long."""
    characters = sum(len(folder) for pattern in patterns for folder in pattern.folders) * sum(map(len, paths))
    folders = sum(len(pattern.folders) for pattern in patterns) * sum(path.count("/") + 1 for path in paths)
    return characters > _MOST_CHARACTERS or folders > _MOST_FOLDERS


def _checked(pattern: str, folders: tuple[str, ...]) -> Glob | None:
    if folders[-1] == "**":  # everything inside, but not the folder
        folders = (*folders, "*")
    return Glob(folders) if len(pattern) <= LONGEST_PATTERN and len(folders) <= _DEEPEST_PATTERN else None


def _unescaped(pattern: str) -> str:
    """git's `\\*` as `fnmatch` writes it, `[*]`, and its `[^...]` as `[!...]`."""
    taken, rest = "", pattern
    while rest:
        if rest[0] == "\\" and len(rest) > 1:
            taken, rest = taken + (f"[{rest[1]}]" if rest[1] in "*?[" else rest[1]), rest[2:]
        elif rest.startswith("[^"):
            taken, rest = taken + "[!", rest[2:]
        else:
            taken, rest = taken + rest[0], rest[1:]
    return taken
