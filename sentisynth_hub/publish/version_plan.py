"""The plan of a publish: exactly which files, which version, and why; made anew against every head."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sentisynth_hub.publish.versions.changes import Changes
from sentisynth_hub.publish.versions.tags import Version


@dataclass(frozen=True)
class Plan:
    """What a publish will do.

    Attributes:
        version: The version at the head afterwards.
        changes: Why it is that version; None where nothing changes.
        additions: Content or local file by path in the repo.
        deletions: Paths that were ours and are no longer needed.
        sizes: Bytes by path of the additions.
    """

    repo_id: str
    repo_type: str
    parent: str | None
    version: Version
    changes: Changes | None
    additions: Mapping[str, bytes | Path]
    deletions: tuple[str, ...]
    sizes: Mapping[str, int] = field(init=False)

    def __post_init__(self) -> None:
        # Taken now: the Parquet files of a plan are gone once it was carried out.
        object.__setattr__(self, "sizes", {path: _size(content) for path, content in sorted(self.additions.items())})

    @property
    def why(self) -> str:
        """One line: what changed, or that nothing did."""
        if self.changes is None:
            return f"nothing changed since {self.version.tag}"
        return ", ".join(self.changes["reasons"])

    def record(self) -> dict[str, Any]:
        """JSON-ready, for `--json`."""
        return {
            "repo_id": self.repo_id,
            "repo_type": self.repo_type,
            "version": self.version.tag,
            "changed": self.changes is not None,
            "why": self.why,
            "files": dict(self.sizes),
            "deletions": list(self.deletions),
        }

    def lines(self) -> list[str]:
        """For people: version, reason, files with sizes."""
        lines = [f"{self.repo_type} {self.repo_id}: {self.version.tag} ({self.why})"]
        lines += [f"  + {path}  {size:,} bytes" for path, size in self.sizes.items()]
        return lines + [f"  - {path}" for path in self.deletions]


def _size(content: bytes | Path) -> int:
    return content.stat().st_size if isinstance(content, Path) else len(content)
