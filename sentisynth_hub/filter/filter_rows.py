"""The filters for rows of one's own, without a recipe: lists, pandas data frames, `datasets.Dataset`.

from sentisynth_hub import filter_rows
from sentisynth_hub.filter.length import Length
from sentisynth_hub.filter.near_duplicates import NearDuplicates

result = filter_rows(frame, Length(3, 80), NearDuplicates(0.8), text="review", label="stars")
result.kept, result.rejected, result.funnel
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sentisynth_hub.core.cells import Columns, label_cell, text_cell
from sentisynth_hub.core.errors import InputError
from sentisynth_hub.core.rows import Rejected, Row
from sentisynth_hub.filter.apply import funnel, run_filters
from sentisynth_hub.filter.contract import Filter
from sentisynth_hub.filter.filter_result import FunnelCount


FilterOrMaker = Filter | Callable[[Sequence[Row]], Filter]
NO_TEXT = Rejected(Row("", None), "parse", "no_text")
"""What becomes of a record without a text: no filter sees it."""


@dataclass(frozen=True)
class FilteredRows:
    """Rows that stay and rows that go; together they are the rows that came in.

    Attributes:
        kept: As the rows came in: a list, a data frame with its index, a `Dataset`.
        rejected: Likewise, with the columns `filter`, `reason` and `score`; of a list of texts, dictionaries.
        funnel: Dropped rows by filter and reason, in the order of the filters.
        scores: For every kept row, in order, what the filters measured.
    """

    kept: Any
    rejected: Any
    funnel: list[FunnelCount]
    scores: list[dict[str, float]]

    def frame(self) -> Any:
        """The funnel as a pandas DataFrame: `filter`, `reason`, `rejected`."""
        import pandas as pd

        return pd.DataFrame([step.model_dump() for step in self.funnel], columns=["filter", "reason", "rejected"])

    def __str__(self) -> str:
        rows = len(self.kept) + len(self.rejected)
        steps = [f"  {step.filter:<20} {step.reason:<20} {step.rejected:>8,}" for step in self.funnel if step.rejected]
        return "\n".join([f"{len(self.kept):,} of {rows:,} rows stay", *steps])

    def _repr_html_(self) -> str:
        rows = len(self.kept) + len(self.rejected)
        table = self.frame().query("rejected > 0").to_html(index=False, escape=True)
        return f"<p><b>{len(self.kept):,} of {rows:,} rows stay</b></p>{table}"


def filter_rows(rows: Any, *filters: FilterOrMaker, text: str = "text", label: str | None = None) -> FilteredRows:
    """Let filters judge rows, each what the ones before it left.

    Args:
        rows: Texts, dictionaries, a pandas data frame or a `datasets.Dataset`; any other iterable of dictionaries,
            such as a streamed dataset, is read into a list.
        filters: Filters, or functions that make one of all rows, such as `ConflictingLabels.among`.
        text: Column with the text.
        label: Column with the label; None: the rows have none, and filters that compare labels see none.

    Raises:
        DataError: A column is missing, or a cell is neither text nor empty; names the row.
        InputError: `rows` or a filter is something else.
    """
    table = _table(rows, text)
    columns = Columns(text, label, "name them with text=... and label=...")
    read = [_row(record, columns, place, table.label_names(label)) for place, record in enumerate(table.records)]
    judged = [row for row in read if row is not None]
    built = [_made(each, judged) for each in filters]
    kept, dropped = run_filters(built, judged)
    by_place = {int(item.row.request_id): item for item in dropped}
    gone = [place for place, row in enumerate(read) if row is None or place in by_place]
    rejected = [(place, by_place.get(place, NO_TEXT)) for place in gone]
    return FilteredRows(
        table.take([int(row.request_id) for row in kept]),
        table.take_rejected(rejected),
        funnel([item for _, item in rejected], [each.name for each in built]),
        [row.scores for row in kept],
    )


def _row(record: Mapping[str, Any], columns: Columns, place: int, names: Sequence[str] | None) -> Row | None:
    where = f"row {place}"
    words = text_cell(record, columns, where)
    name = None if columns.label is None else label_cell(record, columns, where, names)
    return None if words is None else Row(words, name, str(place))


def _made(each: FilterOrMaker, rows: Sequence[Row]) -> Filter:
    built = each if isinstance(each, Filter) else each(rows) if callable(each) else each
    if not isinstance(built, Filter):
        raise InputError(f"filter_rows: {built!r:.60} is no filter; give one such as Length(3, 80)")
    return built


@dataclass(frozen=True)
class _List:
    """Texts or dictionaries."""

    items: list[Any]
    text: str

    @property
    def records(self) -> Iterable[Mapping[str, Any]]:
        return [item if isinstance(item, Mapping) else {self.text: item} for item in self.items]

    def label_names(self, label: str | None) -> Sequence[str] | None:
        return None

    def take(self, places: Sequence[int]) -> list[Any]:
        return [self.items[place] for place in places]

    def take_rejected(self, rejected: Sequence[tuple[int, Rejected]]) -> list[dict[str, Any]]:
        records = list(self.records)
        return [{**records[place], **_why(item)} for place, item in rejected]


@dataclass(frozen=True)
class _Frame:
    """A pandas data frame."""

    frame: Any

    @property
    def records(self) -> Iterable[Mapping[str, Any]]:
        records: list[Mapping[str, Any]] = self.frame.to_dict("records")
        return records

    def label_names(self, label: str | None) -> Sequence[str] | None:
        return None

    def take(self, places: Sequence[int]) -> Any:
        return self.frame.iloc[list(places)]

    def take_rejected(self, rejected: Sequence[tuple[int, Rejected]]) -> Any:
        why = [_why(item) for _, item in rejected]
        part = self.take([place for place, _ in rejected])
        return part.assign(**{key: [each[key] for each in why] for key in _why(NO_TEXT)})


@dataclass(frozen=True)
class _Dataset:
    """A `datasets.Dataset`."""

    dataset: Any

    @property
    def records(self) -> Iterable[Mapping[str, Any]]:
        records: Iterable[Mapping[str, Any]] = self.dataset
        return records

    def label_names(self, label: str | None) -> Sequence[str] | None:
        return getattr(self.dataset.features.get(label), "names", None)

    def take(self, places: Sequence[int]) -> Any:
        return self.dataset.select(list(places))

    def take_rejected(self, rejected: Sequence[tuple[int, Rejected]]) -> Any:
        part = self.take([place for place, _ in rejected])
        for key in _why(NO_TEXT):
            part = part.add_column(key, [_why(item)[key] for _, item in rejected])
        return part


def _table(rows: Any, text: str) -> _List | _Frame | _Dataset:
    if hasattr(rows, "iloc") and hasattr(rows, "to_dict"):
        return _Frame(rows)
    if hasattr(rows, "select") and hasattr(rows, "features"):
        return _Dataset(rows)
    if isinstance(rows, str | bytes | Mapping) or not isinstance(rows, Iterable):
        raise InputError(
            "filter_rows: rows are a list of texts or dictionaries, a data frame or a Dataset; found "
            f"{type(rows).__name__}"
        )
    return _List(list(rows), text)


def _why(item: Rejected) -> dict[str, Any]:
    return {"filter": item.filter, "reason": item.reason, "score": item.score}
