"""Version tags `vX.Y.Z`."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal


Level = Literal["major", "minor", "patch"]
_TAG = re.compile(r"v(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")


@dataclass(frozen=True, order=True)
class Version:
    """A version; ordered by its numbers."""

    major: int
    minor: int
    patch: int

    @property
    def tag(self) -> str:
        """The tag that names it, `vX.Y.Z`."""
        return f"v{self.major}.{self.minor}.{self.patch}"

    def next(self, level: Level) -> "Version":
        """The version that follows when `level` is what changed."""
        if level == "major":
            return Version(self.major + 1, 0, 0)
        if level == "minor":
            return Version(self.major, self.minor + 1, 0)
        return Version(self.major, self.minor, self.patch + 1)


FIRST = Version(1, 0, 0)


def parse_tag(tag: str) -> Version | None:
    """Read `vX.Y.Z`; None for a tag that is no version."""
    match = _TAG.fullmatch(tag)
    return Version(*map(int, match.groups())) if match else None


def latest(tags: Iterable[str]) -> Version | None:
    """The highest version among `tags`, None where none is a version."""
    return max((version for tag in tags if (version := parse_tag(tag)) is not None), default=None)
