"""Publishing a data set that is there already: nobody generated it here, so its card says what the rows themselves
say, and what its owner writes.

MAJOR: labels or columns changed, or rows relabelled. MINOR: rows added or removed, or values of other columns changed.
PATCH: the card.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from sentisynth_hub.core.errors import InputError, PublishError
from sentisynth_hub.core.rows import Row
from sentisynth_hub.core.text import nfc, normalised
from sentisynth_hub.filter.personal_data import PersonalData
from sentisynth_hub.publish.cards.published_manifest import GivenDatasetManifest, SplitRecord, rounded
from sentisynth_hub.publish.checks.licences import KNOWN
from sentisynth_hub.publish.checks.safety import check_tables
from sentisynth_hub.publish.dataset_tables import write_parquet
from sentisynth_hub.publish.given_tables import GivenTables, read_published, table_rows
from sentisynth_hub.publish.publication import Content, Publication
from sentisynth_hub.publish.repo_head import RepoHead
from sentisynth_hub.publish.versions.changes import (
    Changes,
    RowChanges,
    RowCounts,
    compare_rows,
    dataset_changes,
    row_examples,
)
from sentisynth_hub.publish.versions.corpus_statistics import Statistics, side_by_side, statistics


GATES = {
    "personal_data": "no text holds an e-mail address, a telephone number or a handle",
    "duplicates": "no text stands twice in a split, letter case and spaces aside",
    "leakage": "no text of an evaluation split stands in train",
}
"""What a data set can be asked for before it is published, by name."""
_EXAMPLES_PER_LABEL = 2
_EXAMPLE_LENGTH = 300


@dataclass(frozen=True)
class Description:
    """What the owner says of what is published.

    Attributes:
        licence: The Hub's name of it, e.g. cc-by-4.0.
        language: BCP-47 tags.
        pretty_name: Title of the card.
        text: Markdown that stands around the generated part of the card, metadata included; None: what stands there
            is kept.
        synthetic: Whether a machine wrote the texts; None: not said.
        sources: Ids of the data sets it was made from.
    """

    licence: str
    language: tuple[str, ...]
    pretty_name: str
    text: str | None = None
    synthetic: bool | None = None
    sources: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        if self.licence not in KNOWN and self.licence != "other":
            raise InputError(
                f"licence {self.licence!r} is none of those the Hub knows; write e.g. cc-by-4.0, apache-2.0 or other"
            )


class GivenDatasetPublication(Publication[GivenDatasetManifest]):
    """A data set, ready to be planned against any head of `repo_id`; Parquet files are written under `folder` once.

    Raises:
        PublishError: It holds a secret, or a gate is not passed.
        InputError: A gate has no such name, or there is no row.
    """

    repo_type = "dataset"
    manifest_kind = GivenDatasetManifest
    shows_natural_rows = True

    def __init__(
        self, given: GivenTables, description: Description, repo_id: str, folder: Path, gates: Sequence[str] = ()
    ):
        common = {
            "language": list(description.language),
            "labels": given.labels,
            "licence": {"id": description.licence, "sources": []},
            "evaluation": None,
        }
        super().__init__(repo_id, {}, common, people=description.text)
        self.given, self.folder = given, folder
        if not any(table.rows for table in given.splits.values()):
            raise InputError("no row, so there is nothing to publish")
        self.rows = {split: given.rows(split) for split in given.splits}
        check_tables(given.splits, allow_invented_keys=False)
        check_gates(self.rows, gates)
        everything = [row for rows in self.rows.values() for row in rows]
        self.facts = cast(
            dict[str, Any],
            rounded(
                {
                    "pretty_name": description.pretty_name,
                    "text_column": given.text,
                    "label_column": given.label,
                    "synthetic": description.synthetic,
                    "made_from": list(description.sources),
                    "statistics": statistics(everything, given.labels),
                    "repeated": repeated_texts(self.rows),
                    "examples": _examples(everything, given.labels),
                    "gates": sorted(gates),
                }
            ),
        )
        self._written: dict[str, tuple[SplitRecord, dict[str, Path]]] = {}

    def changed_content(self, head: RepoHead, standing: GivenDatasetManifest) -> list[str]:
        """Splits whose lines differ, or that are gone."""
        changed = [f"split {name} changed" for name in self.given.splits if self._split_differs(name, standing)]
        return changed + [f"split {name} removed" for name in standing.splits if name not in self.given.splits]

    def changes(self, head: RepoHead | None, standing: GivenDatasetManifest | None, differences: list[str]) -> Changes:
        """What changed for whoever loads the rows, and what else."""
        count = sum(map(len, self.rows.values()))
        now = self.facts["statistics"]
        if head is None or standing is None:
            rows = RowCounts(added=count, removed=0, relabelled=0, unchanged=0)
            return dataset_changes(
                None, labels=([], []), columns=({}, {}), rows=rows, metadata=[], statistics=(None, now)
            )
        old = published_splits(head, standing)
        compared = compare_splits(old, self.rows)
        splits = [reason for reason in differences if reason.startswith("split ")]
        if splits and not compared.added and not compared.removed and not compared.relabelled:
            splits = [f"values of other columns changed ({', '.join(splits)})"]
        changes = dataset_changes(
            standing.tag,
            labels=(standing.labels, self.given.labels),
            columns=(standing.columns, self.given.columns),
            rows=compared.counts(),
            metadata=[reason for reason in differences if not reason.startswith("split ")],
            statistics=_both(old, self.rows, standing.labels, self.given.labels),
        )
        if splits and changes["level"] == "patch":
            changes = {**changes, "level": "minor", "reasons": [*splits, *changes["reasons"]]}
        examples = row_examples(compared)
        return {**changes, "examples": examples} if examples else changes

    def content(self, standing: GivenDatasetManifest | None) -> Content:
        """Splits that changed as Parquet files, the others as they stand."""
        records: dict[str, SplitRecord] = {}
        files: dict[str, bytes | Path] = {}
        for name, table in self.given.splits.items():
            if standing is not None and not self._split_differs(name, standing):
                records[name] = standing.splits[name]
                continue
            if name not in self._written:
                record, written = write_parquet(table, self.folder, self.given.labels, place="data", split=name)
                split = SplitRecord(
                    rows=record["rows"],
                    digest=record["digest"],
                    num_bytes=record["num_bytes"],
                    files=record["files"],
                )
                self._written[name] = split, written
            records[name], written = self._written[name]
            files |= written
        return self._content(records, files)

    def kept_content(self, standing: GivenDatasetManifest) -> Content:
        """The head's own splits."""
        return self._content(standing.splits, {})

    def _content(self, records: Mapping[str, SplitRecord], files: Mapping[str, bytes | Path]) -> Content:
        paths = [path for record in records.values() for path in record["files"]]
        return Content({"splits": records, "columns": self.given.columns}, paths, dict(files))

    def _split_differs(self, name: str, standing: GivenDatasetManifest) -> bool:
        record = standing.splits.get(name)
        same_shape = standing.columns == self.given.columns and standing.labels == self.given.labels
        return record is None or record["digest"] != self.given.splits[name].digest or not same_shape


def check_gates(rows: Mapping[str, Sequence[Row]], gates: Sequence[str]) -> None:
    """Check what the owner asked for.

    Raises:
        InputError: There is no gate of that name.
        PublishError: One is not passed; says how many rows and one of them.
    """
    for gate in gates:
        if gate not in GATES:
            raise InputError(f"no gate {gate!r}; there are {', '.join(GATES)}")
    places = [(split, number, row.text) for split, part in rows.items() for number, row in enumerate(part)]
    if "personal_data" in gates:
        personal = PersonalData()
        hits = [(split, number, kind) for split, number, text in places if (kind := personal.find(text))]
        _gate("personal_data", hits, "filter them out first: sentisynth filter FILE --personal-data")
    if "duplicates" in gates:
        hits, seen_in = [], set()
        for split, number, text in places:
            key = split, normalised(text)
            if key in seen_in:
                hits.append((split, number, "stands twice"))
            seen_in.add(key)
        _gate("duplicates", hits, "filter them out first: sentisynth filter FILE --exact-duplicates")
    if "leakage" in gates:
        train = {normalised(row.text) for row in rows.get("train", [])}
        hits = [(s, n, "stands in train") for s, n, text in places if s != "train" and normalised(text) in train]
        _gate("leakage", hits, "take them out of train")


def _gate(name: str, hits: Sequence[tuple[str, int, str]], advice: str) -> None:
    if hits:
        split, number, what = hits[0]
        raise PublishError(
            f"gate {name}: {len(hits):,} rows do not pass, e.g. row {number} of {split} ({what}); {advice}. Nothing "
            "was published"
        )


def repeated_texts(rows: Mapping[str, Sequence[Row]]) -> dict[str, int]:
    """Rows whose text stands in the same split before them (`in_split`), and rows of other splits whose text stands in
    train (`in_train`); letter case and spaces aside."""
    keys = {split: [normalised(row.text) for row in part] for split, part in rows.items()}
    train = set(keys.get("train", []))
    return {
        "in_split": sum(len(part) - len(set(part)) for part in keys.values()),
        "in_train": sum(key in train for split, part in keys.items() if split != "train" for key in part),
    }


def published_splits(head: RepoHead, manifest: GivenDatasetManifest) -> dict[str, list[Row]]:
    """Texts and labels of every split at `head`.

    Raises:
        PublishError: A data file of the manifest is not there, or cannot be read.
    """
    rows = {}
    for split, record in manifest.splits.items():
        paths = [local for path in record["files"] if (local := head.file(path)) is not None]
        if len(paths) != len(record["files"]):
            raise PublishError(
                f"{head.repo_id}: a file of split {split} of {manifest.tag} is missing; restore it from the version's "
                "tag"
            )
        rows[split] = table_rows(read_published(paths), manifest.labels, manifest.text_column, manifest.label_column)
    return rows


def compare_splits(before: Mapping[str, Sequence[Row]], after: Mapping[str, Sequence[Row]]) -> RowChanges:
    """Compare two data sets split by split. Rows that are equal in both are paired off before ids are worked out."""
    whole = RowChanges([], [], [], 0)
    for split in {**before, **after}:
        old, new = (_counted(side.get(split, ())) for side in (before, after))
        common = old & new
        changes = compare_rows(_rest(old, common), _rest(new, common))
        whole = RowChanges(
            whole.added + changes.added,
            whole.removed + changes.removed,
            whole.relabelled + changes.relabelled,
            whole.unchanged + changes.unchanged + common.total(),
        )
    return whole


def _counted(rows: Iterable[Row]) -> Counter[tuple[str, str | None]]:
    return Counter((nfc(row.text), row.label) for row in rows)


def _rest(rows: Counter[tuple[str, str | None]], common: Counter[tuple[str, str | None]]) -> list[Row]:
    return [Row(text, label) for (text, label), count in (rows - common).items() for _ in range(count)]


def _both(
    before: Mapping[str, Sequence[Row]], after: Mapping[str, Sequence[Row]], old: Sequence[str], new: Sequence[str]
) -> tuple[Statistics, Statistics]:
    rows = [[row for part in side.values() for row in part] for side in (before, after)]
    first, second = side_by_side(rows[0], rows[1], (old, new))
    return cast(Statistics, rounded(first)), cast(Statistics, rounded(second))


def _examples(rows: Sequence[Row], labels: Sequence[str]) -> list[tuple[str, str]]:
    """The first rows of every label in the order of ids, which is as good as drawn by lot and always the same."""
    ordered = sorted(rows, key=lambda row: row.id)
    examples: list[tuple[str, str]] = []
    names: list[str | None] = [*labels] or [None]
    for label in names:
        texts = [nfc(row.text)[:_EXAMPLE_LENGTH] for row in ordered if row.label == label and row.text.strip()]
        examples += [(label or "", text) for text in texts[:_EXAMPLES_PER_LABEL]]
    return examples
