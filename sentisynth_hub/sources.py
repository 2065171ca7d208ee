"""Natural rows: from a Hub dataset at a pinned commit, or from CSV, JSONL and Parquet files.

    natural = load_natural(recipe)      # NaturalData: train / validation / test, and where they came from

Splits the source lacks are taken out of train once, seeded, stratified by label; the user's own splits are used as
given.
"""

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sentisynth_hub import log
from sentisynth_hub.errors import DataError
from sentisynth_hub.filters.gate import check_natural_splits
from sentisynth_hub.recipe import Recipe
from sentisynth_hub.recipe.load import did_you_mean
from sentisynth_hub.rows import Row, content_digest
from sentisynth_hub.splits import NaturalData, by_label, rng
from sentisynth_hub.text import nfc, normalised


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
            split: _file_rows(recipe, split, recipe.local_file(path))
            for split, path in wanted.files
            if path is not None
        }
    else:
        source, found = _hub_rows(recipe)
    splits = _complete(recipe, found)
    whole = NaturalData(splits["train"], splits["validation"], splits["test"])
    gated, dropped = check_natural_splits(whole, wanted.overlap)
    splits = {split: getattr(gated, split) for split in SPLITS}
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
    return NaturalData(**splits, source=source)


def read_file(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line or row number, record) of a CSV, TSV, JSONL or Parquet file, told apart by its ending.

    Raises:
        DataError: The file is not there, has another ending, or a line of it cannot be read.
    """
    if not path.is_file():
        near = [other.name for other in path.parent.glob(f"*{path.suffix}")] if path.parent.is_dir() else []
        raise DataError(
            f"{path}: no such file{did_you_mean(path.name, near)}; give the path of a CSV, JSONL or Parquet file"
        )
    readers = {
        ".csv": _read_csv,
        ".tsv": _read_csv,
        ".jsonl": _read_jsonl,
        ".ndjson": _read_jsonl,
        ".parquet": _read_parquet,
    }
    if path.suffix.lower() not in readers:
        raise DataError(
            f"{path}: ending {path.suffix or '(none)'!r} is not one of {', '.join(readers)}; convert the file"
        )
    try:
        yield from readers[path.suffix.lower()](path)
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 (byte {error.start}); save it as UTF-8") from None


def _read_csv(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with open(path, encoding="utf-8-sig", newline="") as handle:
        reader = csv.DictReader(handle, delimiter="\t" if path.suffix.lower() == ".tsv" else ",", strict=True)
        try:
            for record in reader:
                if None in record or None in record.values():
                    raise DataError(
                        f"{path}: line {reader.line_num} does not have the header's {len(reader.fieldnames or [])} "
                        "columns; quote texts that hold a comma"
                    )
                yield reader.line_num, dict(record)
        except csv.Error as error:
            raise DataError(f"{path}: near line {reader.line_num}: {error}; mend the quoting there") from None


def _read_jsonl(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with open(path, encoding="utf-8") as handle:
        for number, line in enumerate(handle, 1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except ValueError:
                record = None
            if not isinstance(record, dict):
                raise DataError(f"{path}: line {number} is not a JSON object; one object a line is expected")
            yield number, record


def _read_parquet(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        records = pq.read_table(path).to_pylist()
    except pa.ArrowInvalid as error:
        raise DataError(f"{path}: not a Parquet file ({str(error).splitlines()[0]})") from None
    yield from enumerate(records)


def _file_rows(recipe: Recipe, split: str, path: Path) -> list[Row]:
    return [
        _row(recipe, record, f"{path}: row {number}", f"{split}/{record.get('id', number)}")
        for number, record in read_file(path)
    ]


def _hub_rows(recipe: Recipe) -> tuple[dict[str, Any], dict[str, list[Row]]]:
    import datasets
    from huggingface_hub import HfApi
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    wanted = recipe.natural
    assert wanted.dataset is not None
    try:
        info = HfApi().dataset_info(wanted.dataset, revision=wanted.revision)
    except GatedRepoError:
        raise DataError(
            f"natural.dataset: {wanted.dataset} is gated; accept its terms on its page and set HF_TOKEN"
        ) from None
    except RevisionNotFoundError:
        raise DataError(
            f"natural.revision: {wanted.dataset} has no revision {wanted.revision!r}; see its tags on its page"
        ) from None
    except RepositoryNotFoundError:
        raise DataError(
            f"natural.dataset: {wanted.dataset} is not on the Hub, or is private; check the id and HF_TOKEN"
        ) from None
    licence = info.card_data.get("license") if info.card_data is not None else None
    source = {
        "kind": "hub",
        "dataset": wanted.dataset,
        "revision": wanted.revision,
        "commit": info.sha,
        "config_name": wanted.config_name,
        "licence": wanted.licence or licence,
    }
    parts = datasets.load_dataset(wanted.dataset, wanted.config_name, revision=info.sha)
    found = {}
    for split, name in wanted.splits:
        if name is None:
            continue
        if name not in parts:
            raise DataError(
                f"natural.splits.{split}: {wanted.dataset} has no split {name!r}; it has {', '.join(parts)}"
                f"{did_you_mean(name, parts)}"
            )
        names = _class_names(parts[name].features.get(wanted.label_column))
        found[split] = [
            _row(
                recipe, record, f"{wanted.dataset}: {name} row {number}", f"{split}/{record.get('id', number)}", names
            )
            for number, record in enumerate(parts[name])
        ]
    return source, found


def _class_names(feature: Any) -> list[str] | None:
    """Label names of a ClassLabel column, None for any other."""
    import datasets

    return list(feature.names) if isinstance(feature, datasets.ClassLabel) else None


def _row(recipe: Recipe, record: dict[str, Any], where: str, row_id: str, names: list[str] | None = None) -> Row:
    wanted = recipe.natural
    for column in (wanted.text_column, wanted.label_column):
        if column not in record:
            raise DataError(
                f"{where}: no column {column!r}{did_you_mean(column, record)}; the columns are "
                f"{', '.join(map(str, record))}; set natural.text_column and natural.label_column"
            )
    text, label = record[wanted.text_column], record[wanted.label_column]
    if not isinstance(text, str) or not text.strip():
        raise DataError(f"{where}: the text in column {wanted.text_column!r} is empty; remove the row")
    if names is not None and isinstance(label, int) and 0 <= label < len(names):
        label = names[label]
    label = str(label).strip()
    label = (wanted.label_names or {}).get(label, label)
    if label not in recipe.labels:
        raise DataError(
            f"{where}: label '{log.printable(label, 40)}' is not one of {recipe.labels}; "
            "add it to `labels`, or map it in natural.label_names"
        )
    text = nfc(text)
    return Row(text, label, request_id=row_id, language=",".join(recipe.language))


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
