"""How often a test set was looked at: each verdict read off its rows is a look, by whatever recipe.

    looks = note_look(digest_of_rows(rows), "reviews", digest_of_the_verdict)      # LookCount(looks=3, recipes=2)

The looks of one study are allowed for in its intervals. That a second recipe, or a changed one, was tried on the same
rows is not: whoever tries twenty finds one that helps. So looks are counted by the content of the test set in the
user's folder, over all recipes and run folders, and the count is shown and published. It knows of no other machine.
"""

import json
from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict, Field

from sentisynth_hub.core import log
from sentisynth_hub.core.rows import Row
from sentisynth_hub.core.text import digest
from sentisynth_hub.recipe.trust import user_folder


FILE = "looks.jsonl"
_KEYS = ("test_set", "recipe", "verdict")


class LookCount(BaseModel):
    """Verdicts read off one test set on this machine, the last one included, and the recipes they were of."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    test_set: str
    """Digest of the test rows, whatever their order and labels."""
    looks: int = Field(ge=1)
    recipes: int = Field(ge=1)

    def sentence(self) -> str:
        """The count in words."""
        times = "once" if self.looks == 1 else f"{self.looks:,} times"
        by = "one recipe" if self.recipes == 1 else f"{self.recipes:,} recipes"
        return f"test set {self.test_set[:12]} has been looked at {times} by {by}"


def digest_of_rows(rows: Iterable[Row]) -> str:
    """sha256 over the ids of the rows, which are digests of their texts."""
    return digest(sorted(row.id for row in rows))


def note_look(test_set: str, recipe: str, verdict: str) -> LookCount:
    """Count a verdict (its digest); the same one again is no further look.

    A folder that cannot be written is warned of, and nothing stops for it.
    """
    path = user_folder() / FILE
    look = {"test_set": test_set, "recipe": recipe, "verdict": verdict}
    looks = []
    try:
        if path.exists():
            looks = [record for line in path.read_text("utf-8").split("\n") if (record := _read(line)) is not None]
        if look not in looks:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a", encoding="utf-8") as file:  # one short line, which other processes do not tear
                file.write(json.dumps(look) + "\n")
    except OSError as error:
        log.warn(f"{path}: {error.strerror}; this look at the test rows is not counted")
    same = [record for record in [*looks, look] if record["test_set"] == test_set]
    return LookCount(
        test_set=test_set,
        looks=len({record["verdict"] for record in same}),
        recipes=len({record["recipe"] for record in same}),
    )


def _read(line: str) -> dict[str, str] | None:
    """A line of the file; None where somebody wrote something else into it."""
    try:
        record = json.loads(line)
    except ValueError:
        return None
    fits = isinstance(record, dict) and all(isinstance(record.get(key), str) for key in _KEYS)
    return record if fits else None
