"""Labelled rows from the sources a recipe names: natural rows, given rows, zero-shot rows, and rows to be filtered.

    rows, left_out = RowReader.of_natural(recipe).read(records, "train")

How a cell is read is the business of `core.cells`, what a source is that of `core.open_records`; here labels get the
recipe's names, texts the recipe's preprocessing, and rows their ids.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sentisynth_hub.core import log
from sentisynth_hub.core.cells import (
    NO_LABEL,
    NO_TEXT,
    Columns,
    LeftOut,
    cell,
    is_null,
    label_cell,
    text_cell,
    unique_id,
)
from sentisynth_hub.core.errors import DataError
from sentisynth_hub.core.open_records import Records, open_dataset
from sentisynth_hub.core.preprocess import Step, preprocess
from sentisynth_hub.core.random import rng
from sentisynth_hub.core.read_files import read_file
from sentisynth_hub.core.rows import Row
from sentisynth_hub.natural.splits import NaturalData, shared_texts
from sentisynth_hub.recipe import Recipe
from sentisynth_hub.recipe.generator_kinds import GivenRows
from sentisynth_hub.recipe.natural_section import Natural
from sentisynth_hub.recipe.section import RowSource


@dataclass(frozen=True)
class RowReader:
    """How the records of a source become rows.

    Attributes:
        section: The part of the recipe that describes the source.
        key: Its key path, for messages.
        steps: Preprocessing of every text.
        keep_empty: An empty text is a row, to be dropped later with a reason, rather than left out here.
    """

    recipe: Recipe
    section: Natural | RowSource
    key: str
    steps: Sequence[Step]
    keep_empty: bool = False

    @classmethod
    def of_natural(cls, recipe: Recipe) -> "RowReader":
        """The reader of the recipe's natural rows."""
        return cls(recipe, recipe.natural, "natural", () if recipe.natural.preprocessed else recipe.natural.preprocess)

    def read(
        self,
        records: Records,
        prefix: str = "",
        *,
        row_id: Callable[[Mapping[str, Any], int], str] | None = None,
        clusters: dict[str, str] | None = None,
    ) -> tuple[list[Row], LeftOut]:
        """The rows of a source, and how many records became none.

        Args:
            prefix: What the ids of its rows begin with, as `train/`.
            row_id: Makes the id of a row from record and number; None: its `id`, made unique, or its number.
            clusters: Gets what the column `natural.cluster` says of each row, by the row's id, unless it is empty.

        Raises:
            DataError: A column is missing, a cell holds something else than text or label, or a label is none of the
                recipe's.
        """
        section, left_out, taken = self.section, LeftOut(), set[str]()
        columns = Columns(
            section.text_column, section.label_column, f"set {self.key}.text_column and {self.key}.label_column"
        )
        names = records.class_names(section.label_column)
        rows = []
        for number, record in records.rows:
            where = f"{records.name}: row {number}"
            own = row_id(record, number) if row_id is not None else unique_id(record, number, taken)
            text = text_cell(record, columns, where)
            label = label_cell(record, columns, where, names)
            if label is None:
                left_out.count(NO_LABEL)
            elif (named := self._named(label, where)) is None:
                left_out.count(f"labelled {log.printable(label, 40)}, which {self.key}.label_names leaves out")
            elif text is None and not self.keep_empty:
                left_out.count(NO_TEXT)
            else:
                written = "" if text is None else preprocess(text, self.steps)
                rows.append(Row(written, named, request_id=prefix + own, language=",".join(self.recipe.language)))
                if clusters is not None and (cluster := self._cluster(record, where)) is not None:
                    clusters[prefix + own] = cluster
        left_out.rows = len(rows)
        left_out.say(records.name)
        return rows, left_out

    def _cluster(self, record: Mapping[str, Any], where: str) -> str | None:
        """Which rows this one belongs to; None where the recipe names no column, or the cell is empty."""
        column = self.recipe.natural.cluster
        if column is None:
            return None
        value = cell(record, column, Columns("", None, "set natural.cluster, or leave it out"), where)
        return None if is_null(value) or not str(value).strip() else str(value).strip()

    def _named(self, label: str, where: str) -> str | None:
        """What the recipe calls the label; None where its rows are left out."""
        renamed = (self.section.label_names or {}).get(label, label)
        if renamed is not None and renamed not in self.recipe.labels:
            raise DataError(
                f"{where}: label '{log.printable(renamed, 40)}' is not one of {self.recipe.labels}; "
                f"add it to `labels`, or map it in {self.key}.label_names (null leaves its rows out)"
            )
        return renamed


def given_rows(recipe: Recipe) -> list[tuple[Row, dict[str, str]]]:
    """The rows that `generate.generator` names (kind `rows`) as candidates, at most `generate.candidates` of them.

    Returns:
        Each row, and what its `attribute_columns` say of it.

    Raises:
        DataError: A column is missing, or a label is not one of the recipe's.
    """
    section = recipe.generate.generator
    assert isinstance(section, GivenRows)
    attributes: dict[str, dict[str, str]] = {}
    advice = Columns("", None, "mend generate.generator.attribute_columns")
    records = source_records(recipe, section, "generate.generator")

    def numbered(record: Mapping[str, Any], number: int) -> str:
        where = f"{records.name}: row {number}"
        attributes[str(number)] = {
            column: "" if (value := cell(record, column, advice, where)) is None else str(value)
            for column in section.attribute_columns
        }
        return str(number)

    reader = RowReader(recipe, section, "generate.generator", recipe.natural.preprocess, keep_empty=True)
    rows, _ = reader.read(records, row_id=numbered)
    return [
        (replace(row, asked_label=row.label, generator=section.written_by), attributes[row.request_id])
        for row in _draw(rows, recipe, recipe.generate.candidates or len(rows))
    ]


def file_candidates(recipe: Recipe, path: Path) -> list[Row]:
    """The rows of a file as candidates; their `request_id` is the file's own, its `id`, or the row's number."""
    return _candidates(recipe, Records(str(path), read_file(path)))


def hub_candidates(recipe: Recipe, repo_id: str, revision: str) -> list[Row]:
    """The rows of a published dataset's `train` split as candidates."""
    return _candidates(recipe, open_dataset(repo_id, revision=revision).split("train"))


def _candidates(recipe: Recipe, records: Records) -> list[Row]:
    """Records as candidates, with the columns that the natural rows have."""
    taken: set[str] = set()

    def own_id(record: Mapping[str, Any], number: int) -> str:
        return unique_id({"id": record.get("request_id") or record.get("id")}, number, taken)

    rows, _ = RowReader(recipe, recipe.natural, "natural", (), keep_empty=True).read(records, row_id=own_id)
    return [replace(row, asked_label=row.label) for row in rows]


def zero_shot_rows(recipe: Recipe, natural: NaturalData) -> list[Row]:
    """The rows of the variant `zero_shot`, without those whose normalised text stands among the natural rows."""
    section = recipe.study.zero_shot
    if section is None or "zero_shot" not in recipe.study.variants:
        return []
    reader = RowReader(recipe, section, "study.zero_shot", recipe.natural.preprocess)
    rows, _ = reader.read(source_records(recipe, section, "study.zero_shot"), "zero_shot/")
    shared = {row.request_id for row in shared_texts(rows, [*natural.train, *natural.validation, *natural.test])}
    if shared:
        log.warn(f"{len(shared)} rows of study.zero_shot stand among the natural rows, and are left out")
    return [row for row in rows if row.request_id not in shared]


def source_records(recipe: Recipe, section: RowSource, key: str) -> Records:
    """The records of a file or of a split of a Hub dataset that a section of the recipe names."""
    if section.file is not None:
        path = recipe.local_file(section.file, f"{key}.file")
        return Records(str(path), read_file(path))
    assert section.dataset is not None
    dataset = open_dataset(
        section.dataset, config_name=section.config_name, revision=section.revision, key=f"{key}.dataset"
    )
    return dataset.split(section.split, f"{key}.split")


def _draw(rows: Sequence[Row], recipe: Recipe, count: int) -> Iterator[Row]:
    """At most `count` of the rows with their own label shares, in their own order."""
    if count >= len(rows):
        yield from rows
        return
    random = rng(recipe.seed, "given rows")
    places: dict[str | None, list[int]] = {}
    for place, row in enumerate(rows):
        places.setdefault(row.label, []).append(place)
    places_kept = [
        group[i]
        for group in places.values()
        for i in random.permutation(len(group))[: round(count * len(group) / len(rows))]
    ]
    yield from (rows[place] for place in sorted(places_kept))
