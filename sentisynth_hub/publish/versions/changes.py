"""What changed between two versions, and which version number that makes.

The rule is a consumer's: MAJOR is what a program written for the version before trips over, MINOR is other content of
the same shape, PATCH is what no program reads.

    datasets  MAJOR labels or columns changed, or rows relabelled (an id now says something else)
              MINOR rows added or removed · PATCH card, recipe, lineage or other metadata
    models    MAJOR label set · MINOR dataset version, base model, variant, or a key of the recipe that decides what is
              learned · PATCH the rest
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import (
    Literal,
    NotRequired,  # pydantic reads no other before Python 3.12
)

from typing_extensions import TypedDict

from sentisynth_hub.core.rows import Row
from sentisynth_hub.core.text import nfc
from sentisynth_hub.publish.versions.corpus_statistics import Statistics, balance_shift, row_ids
from sentisynth_hub.publish.versions.recipe_changes import RecipeChange
from sentisynth_hub.publish.versions.tags import Level


_EXAMPLES = 3  # rows of each kind of change
_EXAMPLE_LENGTH = 300  # characters


class RowCounts(TypedDict):
    """Rows of the default config, counted with their copies."""

    added: int
    removed: int
    relabelled: int
    unchanged: int


class ScoreChange(TypedDict):
    """The last version's model and this one on the same natural test rows.

    `difference`: after minus before, with the paired bootstrap interval of level 1 - `alpha`. `better`, `worse`: rows
    that only this one, only the last one labels rightly.
    """

    metric: str
    before: float
    after: float
    difference: float
    interval: tuple[float, float]
    alpha: float
    rows: int
    better: int
    worse: int


class ClaimChange(TypedDict):
    """What the study said of the last version and what it says of this one."""

    before: str
    after: str


class RowExample(TypedDict):
    """A row that is in this version and was not, or not with this label; never one that was removed."""

    change: Literal["added", "relabelled"]
    label_before: str | None
    label: str
    text: str


class Changes(TypedDict):
    """Why a version is what it is; part of the published manifest, so it holds no text of a removed row.

    `previous`: tag of the version before, None for the first. `reasons`: one short phrase a change. `before`,
    `after`: statistics of the two (before None for the first; both None for models). `balance_shift`: total variation
    distance of the label shares. `recipe`: keys of the recipe that changed. `scores`: of a model against the last
    version's, where both could be measured. `claims`: the verdicts, where they differ. `examples`: a few rows.
    """

    previous: str | None
    level: Level
    reasons: list[str]
    rows: RowCounts | None
    before: Statistics | None
    after: Statistics | None
    balance_shift: float | None
    recipe: NotRequired[list[RecipeChange]]
    scores: NotRequired[ScoreChange]
    claims: NotRequired[ClaimChange]
    examples: NotRequired[list[RowExample]]


@dataclass(frozen=True)
class RowChanges:
    """Rows that differ: `relabelled` pairs the row before with the row after."""

    added: list[Row]
    removed: list[Row]
    relabelled: list[tuple[Row, Row]]
    unchanged: int

    def counts(self) -> RowCounts:
        """How many of each."""
        return {
            "added": len(self.added),
            "removed": len(self.removed),
            "relabelled": len(self.relabelled),
            "unchanged": self.unchanged,
        }


def compare_rows(
    before: Sequence[Row],
    after: Sequence[Row],
    ids: tuple[Sequence[str], Sequence[str]] | None = None,
) -> RowChanges:
    """Compare two corpora by row id; copies of a text count one by one.

    A text that is in both with another label is relabelled. Every list is in the order of ids, so equal input gives
    equal output. `ids`: of their rows, where they are known already.
    """
    keys = ids if ids is not None else (row_ids(before), row_ids(after))
    counts = [
        Counter(zip(names, [row.label for row in rows], strict=True))
        for names, rows in zip(keys, (before, after), strict=True)
    ]
    differ = {row_id for (row_id, _), _ in counts[0].items() ^ counts[1].items()}
    old, new = _by_id(before, keys[0], differ), _by_id(after, keys[1], differ)
    added: list[Row] = []
    removed: list[Row] = []
    relabelled: list[tuple[Row, Row]] = []
    unchanged = len(after) - sum(map(len, new.values()))
    for row_id in sorted(differ):
        left, right = old.get(row_id, []), new.get(row_id, [])
        left, right = _without_common(left, right)
        unchanged += len(new.get(row_id, [])) - len(right)
        pairs = min(len(left), len(right))
        relabelled += list(zip(left[:pairs], right[:pairs], strict=True))
        removed += left[pairs:]
        added += right[pairs:]
    return RowChanges(added, removed, relabelled, unchanged)


def row_examples(rows: RowChanges) -> list[RowExample]:
    """A few rows that were added or relabelled. A removed row may have been removed for what it says."""
    relabelled = [(old.label, new) for old, new in rows.relabelled[:_EXAMPLES]]
    added: list[tuple[str | None, Row]] = [(None, row) for row in rows.added[:_EXAMPLES]]
    return [
        RowExample(
            change="added" if before is None else "relabelled",
            label_before=before,
            label=row.label or "",
            text=nfc(row.text)[:_EXAMPLE_LENGTH],
        )
        for before, row in [*relabelled, *added]
    ]


def dataset_changes(
    previous: str | None,
    *,
    labels: tuple[Sequence[str], Sequence[str]],
    columns: tuple[Mapping[str, str], Mapping[str, str]],
    rows: RowCounts,
    metadata: Sequence[str],
    statistics: tuple[Statistics | None, Statistics],
) -> Changes:
    """Say what changed in a dataset and how much that matters; pairs are (before, after).

    `metadata` says in short phrases what else differs (`card changed`, ...).
    """
    before, after = statistics
    if previous is None or before is None:
        return Changes(
            previous=None,
            level="major",
            reasons=["first version"],
            rows=rows,
            before=None,
            after=after,
            balance_shift=None,
        )
    major = _set_reasons("label", *labels) + _column_reasons(*columns)
    major += [f"{rows['relabelled']:,} rows relabelled"] if rows["relabelled"] else []
    minor = [f"{rows['added']:,} rows added"] if rows["added"] else []
    minor += [f"{rows['removed']:,} rows removed"] if rows["removed"] else []
    return Changes(
        previous=previous,
        level="major" if major else "minor" if minor else "patch",
        reasons=[*major, *minor, *metadata],
        rows=rows,
        before=before,
        after=after,
        balance_shift=balance_shift(before["labels"], after["labels"]),
    )


def model_changes(
    previous: str | None,
    *,
    labels: tuple[Sequence[str], Sequence[str]],
    sources: Sequence[str],
    metadata: Sequence[str],
) -> Changes:
    """Say what changed in a model; weight bytes never count.

    `sources` says in short phrases which of dataset, recipe and base model differ, `metadata` what else.
    """
    major = _set_reasons("label", *labels) if previous is not None else ["first version"]
    return Changes(
        previous=previous,
        level="major" if major else "minor" if sources else "patch",
        reasons=[*major, *sources, *metadata],
        rows=None,
        before=None,
        after=None,
        balance_shift=None,
    )


def _by_id(rows: Sequence[Row], ids: Sequence[str], selection: Set[str]) -> dict[str, list[Row]]:
    """The rows whose id is in the selection, by id."""
    grouped: dict[str, list[Row]] = defaultdict(list)
    for row, row_id in zip(rows, ids, strict=True):
        if row_id in selection:
            grouped[row_id].append(row)
    return grouped


def _without_common(left: list[Row], right: list[Row]) -> tuple[list[Row], list[Row]]:
    """What is left of two lists of copies of one text after pairing equal labels off."""
    common = Counter(row.label for row in left) & Counter(row.label for row in right)

    def rest(rows: list[Row]) -> list[Row]:
        spare, kept = common.copy(), []
        for row in sorted(rows, key=lambda row: row.label or ""):
            if spare[row.label] > 0:
                spare[row.label] -= 1
            else:
                kept.append(row)
        return kept

    return rest(left), rest(right)


def _set_reasons(what: str, before: Sequence[str], after: Sequence[str]) -> list[str]:
    if list(before) == list(after):
        return []
    reasons = [f"{what} {name!r} added" for name in after if name not in before]
    reasons += [f"{what} {name!r} removed" for name in before if name not in after]
    return reasons or [f"{what}s in another order"]


def _column_reasons(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    shared = [name for name in before if name in after]
    return (
        [f"column {name!r} added" for name in after if name not in before]
        + [f"column {name!r} removed" for name in before if name not in after]
        + [f"column {name!r} is {after[name]}, was {before[name]}" for name in shared if before[name] != after[name]]
    )
