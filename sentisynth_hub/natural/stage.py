"""Natural rows: from a Hub dataset at a pinned commit, or from CSV, JSONL and Parquet files.

    natural = load_natural(recipe)      # NaturalData: train / validation / test, and where they came from

Splits the source lacks are taken out of train once, seeded, stratified by label; the user's own splits are used as
given.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sentisynth_hub.core import log
from sentisynth_hub.core.errors import DataError, did_you_mean
from sentisynth_hub.core.preprocess import Step, preprocess
from sentisynth_hub.core.random import rng
from sentisynth_hub.core.read_files import read_file
from sentisynth_hub.core.rows import Row, by_label, content_digest
from sentisynth_hub.core.text import normalised
from sentisynth_hub.natural.leakage import check_natural_splits
from sentisynth_hub.natural.splits import NaturalData, shared_texts
from sentisynth_hub.recipe import Recipe
from sentisynth_hub.recipe.natural_section import Natural
from sentisynth_hub.recipe.section import RowSource


VERSION = 1
SPLITS = ("train", "validation", "test")
_TEST_SHARE = 0.4  # of a source without a test split: small data needs its test rows most, or nothing can be told
_VALIDATION_SHARE = 0.2


def load_natural(recipe: Recipe) -> NaturalData:
    """Read the recipe's natural rows.

    Raises:
        DataError: A file, column, split or label is not there, or train shares texts with validation or test and
            `natural.overlap` is `stop`.
    """
    wanted = recipe.natural
    if wanted.files is not None:
        source: dict[str, Any] = {"kind": "files", "licence": wanted.licence}
        found = {
            split: _reading(recipe).file(recipe.local_file(path), split)
            for split, path in wanted.files
            if path is not None
        }
    else:
        source, found = _hub_rows(recipe)
    splits = _complete(recipe, found)
    whole = NaturalData(splits["train"], splits["validation"], splits["test"])
    gated, dropped = check_natural_splits(whole, wanted.overlap)
    splits = {split: getattr(gated, split) for split in SPLITS}
    zero_shot = _zero_shot_rows(recipe, gated)
    if wanted.test_rows is not None:
        splits["test"] = _stratified(splits["test"], recipe, wanted.test_rows, "test")
    source["left_out"] = dropped
    source["splits"] = {
        split: {
            "rows": len(rows),
            "labels": {label: len(group) for label, group in by_label(rows, recipe.labels).items()},
            "content_digest": content_digest(rows, split),
        }
        for split, rows in splits.items()
    }
    return NaturalData(**splits, source=source, zero_shot=zero_shot)


@dataclass(frozen=True)
class _Reading:
    """How a source's records become rows; `keys` is the section of the recipe that says so."""

    recipe: Recipe
    wanted: Natural | RowSource
    keys: str
    steps: Sequence[Step]
    keep_empty: bool = False
    """Whether an empty text is a row to be dropped later, with a reason, rather than the end of it."""

    def rows(self, records: Iterable[tuple[str, str, dict[str, Any]]], names: list[str] | None = None) -> list[Row]:
        """The rows of (where, row id, record); `names` are those of a ClassLabel column."""
        found = (self._row(record, where, row_id, names) for where, row_id, record in records)
        return [row for row in found if row is not None]

    def file(self, path: Path, split: str) -> list[Row]:
        return self.rows(
            (f"{path}: row {number}", f"{split}/{record.get('id', number)}", record)
            for number, record in read_file(path)
        )

    def _row(self, record: dict[str, Any], where: str, row_id: str, names: list[str] | None) -> Row | None:
        wanted = self.wanted
        for column in (wanted.text_column, wanted.label_column):
            if column not in record:
                raise DataError(
                    f"{where}: no column {column!r}{did_you_mean(column, record)}; the columns are "
                    f"{', '.join(map(str, record))}; set {self.keys}.text_column and {self.keys}.label_column"
                )
        text, label = record[wanted.text_column], record[wanted.label_column]
        if names is not None and isinstance(label, int) and 0 <= label < len(names):
            label = names[label]
        label = str(label).strip()
        called = (wanted.label_names or {}).get(label, label)
        if called is None:
            return None
        if isinstance(text, list) and all(isinstance(word, str) for word in text):
            text = " ".join(text)
        if self.keep_empty and text is None:
            text = ""
        if not isinstance(text, str) or not (text.strip() or self.keep_empty):
            raise DataError(f"{where}: the text in column {wanted.text_column!r} is empty; remove the row")
        if called not in self.recipe.labels:
            raise DataError(
                f"{where}: label '{log.printable(called, 40)}' is not one of {self.recipe.labels}; "
                f"add it to `labels`, or map it in {self.keys}.label_names (null leaves its rows out)"
            )
        text = preprocess(text, self.steps)
        return Row(text, called, request_id=row_id, language=",".join(self.recipe.language))


def given_rows(recipe: Recipe) -> list[tuple[Row, dict[str, str]]]:
    """The rows that `generate.generator` names (kind `rows`) as candidates, at most `generate.candidates` of them.

    Returns:
        Each row, and what its `attribute_columns` say of it.

    Raises:
        DataError: A column is missing, or a label is not one of the recipe's.
    """
    wanted = recipe.generate.generator
    assert wanted.kind == "rows"
    reading = _Reading(recipe, wanted, "generate.generator", recipe.natural.preprocess, keep_empty=True)
    place, records, names = _source_records(recipe, wanted, "generate.generator")
    attributes: dict[str, dict[str, str]] = {}

    def numbered() -> Iterator[tuple[str, str, dict[str, Any]]]:
        for number, record in records:
            if missing := [column for column in wanted.attribute_columns if column not in record]:
                raise DataError(
                    f"{place} row {number}: no column {missing[0]!r}{did_you_mean(missing[0], record)}; mend "
                    "generate.generator.attribute_columns"
                )
            attributes[str(number)] = {column: str(record[column]) for column in wanted.attribute_columns}
            yield f"{place} row {number}", str(number), record

    chosen = _drawn(reading.rows(numbered(), names), recipe, recipe.generate.candidates)
    return [
        (replace(row, asked_label=row.label, generator=wanted.written_by), attributes[row.request_id])
        for row in chosen
    ]


def file_candidates(recipe: Recipe, path: Path) -> list[Row]:
    """The rows of a file as candidates; their `request_id` is the file's own, its `id`, or the row's number."""
    records = read_file(path)
    return _candidates(recipe, ((f"{path}: row {number}", number, record) for number, record in records))


def hub_candidates(recipe: Recipe, repo_id: str, revision: str) -> list[Row]:
    """The rows of a published dataset's `train` split as candidates."""
    import datasets

    split = datasets.load_dataset(repo_id, revision=revision, split="train")
    names = _class_names(split.features.get(recipe.natural.label_column))
    where = f"{repo_id}@{revision}: row "
    return _candidates(recipe, ((f"{where}{number}", number, record) for number, record in enumerate(split)), names)


def _candidates(
    recipe: Recipe, records: Iterable[tuple[str, int, dict[str, Any]]], names: list[str] | None = None
) -> list[Row]:
    """The records (where, number, record) as candidates, with the columns that the natural rows have."""
    reading = _Reading(recipe, recipe.natural, "natural", (), keep_empty=True)
    found = reading.rows(
        (
            (where, str(record.get("request_id") or record.get("id") or number), record)
            for where, number, record in records
        ),
        names,
    )
    return [replace(row, asked_label=row.label) for row in found]


def _drawn(rows: Sequence[Row], recipe: Recipe, count: int) -> list[Row]:
    """At most `count` of the rows with their own label shares, in their own order."""
    if count >= len(rows):
        return list(rows)
    random = rng(recipe.seed, "given rows")
    places: dict[str | None, list[int]] = {}
    for place, row in enumerate(rows):
        places.setdefault(row.label, []).append(place)
    chosen = [
        group[i]
        for group in places.values()
        for i in random.permutation(len(group))[: round(count * len(group) / len(rows))]
    ]
    return [rows[place] for place in sorted(chosen)]


def _reading(recipe: Recipe) -> _Reading:
    wanted = recipe.natural
    return _Reading(recipe, wanted, "natural", () if wanted.preprocessed else wanted.preprocess)


def _zero_shot_rows(recipe: Recipe, natural: NaturalData) -> list[Row]:
    """The rows of the variant `zero_shot`, without those whose normalised text stands among the natural rows."""
    wanted = recipe.study.zero_shot
    if wanted is None or "zero_shot" not in recipe.study.variants:
        return []
    reading = _Reading(recipe, wanted, "study.zero_shot", recipe.natural.preprocess)
    place, records, names = _source_records(recipe, wanted, "study.zero_shot")
    rows = reading.rows(
        ((f"{place} row {number}", f"zero_shot/{record.get('id', number)}", record) for number, record in records),
        names,
    )
    shared = {row.request_id for row in shared_texts(rows, [*natural.train, *natural.validation, *natural.test])}
    if shared:
        log.warn(f"{len(shared)} rows of study.zero_shot stand among the natural rows, and are left out")
    return [row for row in rows if row.request_id not in shared]


def _hub_rows(recipe: Recipe) -> tuple[dict[str, Any], dict[str, list[Row]]]:
    wanted = recipe.natural
    parts, info = _parts(wanted, "natural")
    licence = info.card_data.get("license") if info.card_data is not None else None
    source = {
        "kind": "hub",
        "dataset": wanted.dataset,
        "revision": wanted.revision,
        "commit": info.sha,
        "config_name": wanted.config_name,
        "licence": wanted.licence or licence,
    }
    named = {split: name for split, name in wanted.splits if name is not None}
    found = {
        split: _part_rows(_reading(recipe), parts, name, split, f"natural.splits.{split}")
        for split, name in named.items()
    }
    return source, found


def _parts(wanted: Natural | RowSource, keys: str) -> tuple[Any, Any]:
    """The splits of a Hub dataset at its pinned commit, and what the Hub says of it."""
    import datasets
    from huggingface_hub import HfApi
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    assert wanted.dataset is not None
    try:
        info = HfApi().dataset_info(wanted.dataset, revision=wanted.revision)
    except GatedRepoError:
        raise DataError(
            f"{keys}.dataset: {wanted.dataset} is gated; accept its terms on its page and set HF_TOKEN"
        ) from None
    except RevisionNotFoundError:
        raise DataError(
            f"{keys}.revision: {wanted.dataset} has no revision {wanted.revision!r}; see its tags on its page"
        ) from None
    except RepositoryNotFoundError:
        raise DataError(
            f"{keys}.dataset: {wanted.dataset} is not on the Hub, or is private; check the id and HF_TOKEN"
        ) from None
    return datasets.load_dataset(wanted.dataset, wanted.config_name, revision=info.sha), info


def _source_records(
    recipe: Recipe, wanted: RowSource, keys: str
) -> tuple[str, Iterable[tuple[int, dict[str, Any]]], list[str] | None]:
    """Where the records are from, the records with their numbers, and the names of their labels if they are
    integers."""
    if wanted.file is not None:
        path = recipe.local_file(wanted.file)
        return f"{path}:", read_file(path), None
    parts, _ = _parts(wanted, keys)
    part = _part(parts, wanted.split, wanted.dataset, f"{keys}.split")
    return (
        f"{wanted.dataset}: {wanted.split}",
        enumerate(part),
        _class_names(part.features.get(wanted.label_column)),
    )


def _part_rows(reading: _Reading, parts: Any, name: str, split: str, key: str) -> list[Row]:
    dataset = reading.wanted.dataset
    part = _part(parts, name, dataset, key)
    records = (
        (f"{dataset}: {name} row {number}", f"{split}/{record.get('id', number)}", record)
        for number, record in enumerate(part)
    )
    return reading.rows(records, _class_names(part.features.get(reading.wanted.label_column)))


def _part(parts: Any, name: str, dataset: str | None, key: str) -> Any:
    if name not in parts:
        raise DataError(
            f"{key}: {dataset} has no split {name!r}; it has {', '.join(parts)}{did_you_mean(name, parts)}"
        )
    return parts[name]


def _class_names(feature: Any) -> list[str] | None:
    """Label names of a ClassLabel column, None for any other."""
    import datasets

    return list(feature.names) if isinstance(feature, datasets.ClassLabel) else None


def _complete(recipe: Recipe, found: dict[str, list[Row]]) -> dict[str, list[Row]]:
    """Take the splits the source lacks out of train: rows of one normalised text always go to the same side."""
    splits = {split: found.get(split, []) for split in SPLITS}
    for split, share in (("test", _TEST_SHARE), ("validation", _VALIDATION_SHARE)):
        if split not in found:
            held = _stratified(splits["train"], recipe, round(share * len(found["train"])), f"hold out {split}")
            texts = {normalised(row.text) for row in held}
            splits[split] = held
            splits["train"] = [row for row in splits["train"] if normalised(row.text) not in texts]
    for split, rows in splits.items():
        missing = [label for label, group in by_label(rows, recipe.labels).items() if not group]
        if missing and split != "test":
            raise DataError(
                f"natural {split}: no row with label {', '.join(map(repr, missing))}; every label needs rows"
            )
        if not rows:
            raise DataError(f"natural {split}: no rows; bring more, or name another split")
    return splits


def _stratified(rows: Sequence[Row], recipe: Recipe, count: int, purpose: str) -> list[Row]:
    """At most `count` rows of distinct texts with the labels' shares kept, in the order of a seeded shuffle."""
    if count >= len(rows):
        return list(rows)
    random = rng(recipe.seed, purpose)
    chosen: list[Row] = []
    for group in by_label(rows, recipe.labels).values():
        group = sorted({normalised(row.text): row for row in group}.values(), key=lambda row: (row.id, row.request_id))
        order = random.permutation(len(group))
        chosen += [group[i] for i in order[: round(count * len(group) / len(rows))]]
    return [chosen[i] for i in random.permutation(len(chosen))]
