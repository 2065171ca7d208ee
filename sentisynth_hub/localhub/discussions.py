"""Discussions and pull requests: a JSON file beside the history; the commits of pull request N are on `refs/pr/N`."""

import json
import logging
import time
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from sentisynth_hub.localhub.durable import write_json
from sentisynth_hub.localhub.problems import HubProblem, unreadable
from sentisynth_hub.localhub.repos import HubRepo


_FILE = "discussions.json"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Event:
    """Something that happened in a discussion: `comment`, `status-change`, `title-change` or `commit`."""

    id: str
    type: str
    author: str
    created: float
    data: dict[str, Any]


@dataclass(frozen=True)
class Discussion:
    """One discussion or pull request; `status` is draft, open, closed or merged, `base` the branch it would change."""

    num: int
    title: str
    author: str
    created: float
    is_pull_request: bool
    status: str = "open"
    base: str = "main"
    merge_commit: str | None = None
    events: tuple[Event, ...] = field(default_factory=tuple)

    def with_event(self, event_type: str, author: str, data: dict[str, Any], **changed: Any) -> "Discussion":
        """The discussion after a further event."""
        event = Event(f"{self.num:08x}{len(self.events):016x}", event_type, author, time.time(), data)
        return replace(self, events=(*self.events, event), **changed)

    def with_comment(self, author: str, text: str) -> "Discussion":
        """The discussion after a comment."""
        return self.with_event("comment", author, {"edited": False, "hidden": False, "latest": {"raw": text}})


class Discussions:
    """The discussions of one repo; hold the repo's lock while changing them."""

    def __init__(self, repo: HubRepo):
        self._repo = repo
        self._path = repo.folder / _FILE

    def all(self) -> list[Discussion]:
        """Every discussion, oldest first."""
        if not self._path.exists():
            return []
        discussions = []
        try:
            for stored in json.loads(self._path.read_text("utf-8")):
                stored["events"] = tuple(Event(**event) for event in stored["events"])
                discussions.append(Discussion(**stored))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            _log.warning("%s: %s cannot be read", self._repo.id, _FILE, exc_info=error)
            raise unreadable(self._repo.id) from error
        return discussions

    def get(self, num: int) -> Discussion:
        """One discussion.

        Raises:
            HubProblem: 404.
        """
        for discussion in self.all():
            if discussion.num == num:
                return discussion
        raise HubProblem(404, f"Discussion {num} not found")

    def add(
        self,
        title: str,
        description: str,
        author: str,
        *,
        is_pull_request: bool,
        status: str = "open",
        base: str = "main",
    ) -> Discussion:
        """Open a discussion, or a pull request (whose ref must already be there: this makes it visible)."""
        discussion = Discussion(self.next_number(), title, author, time.time(), is_pull_request, status, base)
        if description:
            discussion = discussion.with_comment(author, description)
        self._write([*self.all(), discussion])
        return discussion

    def next_number(self) -> int:
        """The number the next discussion gets."""
        return len(self.all()) + 1

    def save(self, changed: Discussion) -> None:
        """Store a changed discussion."""
        self._write([changed if stored.num == changed.num else stored for stored in self.all()])

    def _write(self, discussions: list[Discussion]) -> None:
        write_json(self._path, [asdict(discussion) for discussion in discussions])
