"""Predictions of one variant or one model, from a study's file or from anybody's table.

    variant = read_variant("predictions.parquet:mixed")
    variant = read_variant("mine.csv")          # columns label and predicted, and id where the rows have one

A study's file has several variants and replicates; a table of one's own has one of each unless its columns `variant`
and `replicate` say otherwise.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sentisynth_hub.core import log
from sentisynth_hub.core.cells import Columns, by_value, is_null, label_cell
from sentisynth_hub.core.errors import DataError
from sentisynth_hub.core.read_files import FileTable, read_file


_SHOWN = 8  # variants named in a message


@dataclass(frozen=True)
class OneVariant:
    """Predictions of one variant: true and predicted label by item, one mapping of predicted labels a replicate."""

    name: str
    labels: tuple[str, ...]
    truth: dict[str, str]
    predicted: list[dict[str, str | None]]


def read_variant(source: str) -> OneVariant:
    """Read one variant of a file of predictions: `FILE`, or `FILE:variant` where it holds several.

    Raises:
        DataError: It is no file of predictions, or holds several variants and none is named.
    """
    name, colon, variant = source.rpartition(":")
    whole = not colon or Path(source).exists()
    path = Path(source if whole else name).expanduser()
    table = read_file(path)
    variants = _of_study(path) if _is_study(path) else _of_table(table)
    named = next(iter(variants)) if whole and len(variants) == 1 else None if whole else variant
    if named not in variants:
        held = ", ".join(list(variants)[:_SHOWN])
        problem = "holds several variants" if named is None else f"has no variant {log.printable(named, 40)!r}; it has"
        raise DataError(f"{source}: {problem} ({held}); name one: {path}:{next(iter(variants))}")
    return variants[named]


def _is_study(path: Path) -> bool:
    """Whether `sentisynth` wrote the file: the label names stand in its metadata."""
    if path.suffix.lower() != ".parquet":
        return False
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return b"sentisynth.labels" in (pq.read_schema(path).metadata or {})
    except (pa.ArrowException, OSError):
        return False


def _of_study(path: Path) -> dict[str, OneVariant]:
    from sentisynth_hub.metrics.classification import NO_ANSWER
    from sentisynth_hub.study.predictions import read_predictions

    study = read_predictions([path])
    truth = {item: study.labels[place] for item, place in zip(study.item_ids, study.y, strict=True)}
    several = len(study.variants) > 1
    return {
        name: OneVariant(
            f"{path.name}:{name}" if several else f"{path}",
            study.labels,
            truth,
            [
                {
                    item: None if place == NO_ANSWER else study.labels[place]
                    for item, place in zip(study.item_ids, answers, strict=True)
                }
                for answers in study.predicted(name)
            ],
        )
        for name in study.variants
    }


def _of_table(table: FileTable) -> dict[str, OneVariant]:
    """Variants of a table with the columns `label` and `predicted`; `item_id` or `id`, `variant` and `replicate` where
    it has them.
    """
    advice = "`compare` reads the columns label (the true one), predicted, and id where the rows have one"
    names = {column: table.class_names(column) for column in ("label", "predicted")}
    truth: dict[str, dict[str, str]] = {}
    answers: dict[str, dict[str, dict[str, str | None]]] = {}
    for number, record in table:
        where = f"{table.path}: row {number}"
        own, answer = (label_cell(record, Columns("", column, advice), where, names[column]) for column in names)
        if own is None:
            raise DataError(f"{where}: the true label is empty; every row needs one")
        variant, replicate = (
            "" if is_null(value := record.get(column)) else str(value) for column in ("variant", "replicate")
        )
        item = _item(record, number)
        given = answers.setdefault(variant, {}).setdefault(replicate, {})
        if item in given:
            raise DataError(f"{where}: the id {log.printable(item, 40)} stands there twice; give every row its own")
        if truth.setdefault(variant, {}).setdefault(item, own) != own:
            raise DataError(f"{where}: the true label of {log.printable(item, 40)} differs between replicates")
        given[item] = answer
    if not answers:
        raise DataError(f"{table.path}: no rows; there is nothing to compare")
    variants = {}
    for variant, replicates in answers.items():
        if any(set(given) != set(truth[variant]) for given in replicates.values()):
            raise DataError(f"{table.path}: the replicates are not about the same rows; give every one all of them")
        labels = {*truth[variant].values(), *(a for given in replicates.values() for a in given.values() if a)}
        name = f"{table.path.name}:{variant}" if len(answers) > 1 else str(table.path)
        in_order = [replicates[replicate] for replicate in by_value(list(replicates))]
        variants[variant] = OneVariant(name, tuple(by_value(list(labels))), truth[variant], in_order)
    return variants


def _item(record: Mapping[str, Any], number: int) -> str:
    for column in ("item_id", "id"):
        if not is_null(record.get(column)) and str(record[column]).strip():
            return str(record[column]).strip()
    return str(number)
