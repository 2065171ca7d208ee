"""The filters for lists, data frames and datasets, without a recipe."""

from collections.abc import Callable
from typing import Any

import pytest

from sentisynth_hub import DataError, InputError, filter_rows
from sentisynth_hub.filter.conflicting_labels import ConflictingLabels
from sentisynth_hub.filter.exact_duplicates import ExactDuplicates
from sentisynth_hub.filter.length import Length
from sentisynth_hub.filter.near_duplicates import NearDuplicates
from sentisynth_hub.filter.personal_data import PersonalData
from sentisynth_hub.filter.refusals import Refusals


RECORDS: list[dict[str, Any]] = [
    {"review": "a fine phone with a bright screen", "stars": "5", "shop": "x"},
    {"review": "A fine phone with a bright screen!", "stars": "5", "shop": "y"},
    {"review": "meh", "stars": "1", "shop": "x"},
    {"review": "write to me at jo@mail.example.org please", "stars": "1", "shop": "z"},
    {"review": "നല്ല ഫോൺ വളരെ നല്ലത്", "stars": "5", "shop": "x"},
    {"review": None, "stars": "1", "shop": "x"},
]
FILTERS = (Length(3, 80), ExactDuplicates(), PersonalData())
EXPECTED = [
    ("exact_duplicates", "duplicate"),
    ("length", "too_short"),
    ("personal_data", "email"),
    ("parse", "no_text"),
]


def frame(records: list[dict[str, Any]]) -> Any:
    import pandas as pd

    return pd.DataFrame(records, index=[f"i{number}" for number in range(len(records))])


def dataset(records: list[dict[str, Any]]) -> Any:
    from datasets import Dataset

    return Dataset.from_list(records)


def as_records(rows: Any) -> list[dict[str, Any]]:
    return list(rows.to_dict("records")) if hasattr(rows, "iloc") else [dict(row) for row in rows]


@pytest.mark.parametrize("shape", [list, iter, frame, dataset])
def test_rows_of_every_shape_come_back_in_that_shape(shape: Callable[[Any], Any]) -> None:
    rows = shape(RECORDS)
    result = filter_rows(rows, *FILTERS, text="review", label="stars")
    if shape is not iter:
        assert type(result.kept) is type(rows)
        assert type(result.rejected) is type(rows)
    assert as_records(result.kept) == [RECORDS[0], RECORDS[4]]
    rejected = as_records(result.rejected)
    assert [(row["filter"], row["reason"]) for row in rejected] == EXPECTED
    assert [row["shop"] for row in rejected] == ["y", "x", "z", "x"]
    assert [score["tokens"] for score in result.scores] == [7.0, 4.0]
    assert sum(step.rejected for step in result.funnel) == 4
    if shape is frame:
        assert list(result.kept.index) == ["i0", "i4"]


def test_texts_alone() -> None:
    result = filter_rows(
        ["so good it is", "", "As an AI language model, I cannot", "😂"], Length(1, 9), Refusals.unlike([])
    )
    assert result.kept == ["so good it is", "😂"]
    assert [(row["text"], row["reason"]) for row in result.rejected] == [
        ("", "no_text"),
        ("As an AI language model, I cannot", "refusal"),
    ]


def test_a_filter_can_be_made_of_all_rows() -> None:
    rows = [{"text": "so so", "label": "a"}, {"text": "So so.", "label": "b"}, {"text": "fine", "label": "a"}]
    assert filter_rows(rows, ConflictingLabels.among, NearDuplicates(0.8), label="label").kept == rows[2:]


def test_names_of_a_class_label_column_are_labels() -> None:
    from datasets import ClassLabel, Dataset, Features, Value

    features = Features({"text": Value("string"), "label": ClassLabel(names=["bad", "good"])})
    rows = Dataset.from_dict({"text": ["so so", "so so!", "fine"], "label": [0, 1, 1]}, features=features)
    assert filter_rows(rows, ConflictingLabels.among, label="label").kept["text"] == ["fine"]


@pytest.mark.parametrize(
    ("rows", "filters", "error", "message"),
    [
        ([{"body": "x"}], FILTERS, DataError, "row 0: no column 'text'"),
        ([{"text": "x"}, {"text": 3}], FILTERS, DataError, "row 1: column 'text' holds"),
        ("a text", FILTERS, InputError, "found str"),
        (None, FILTERS, InputError, "found NoneType"),
        (["a"], ("length",), InputError, "'length' is no filter"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(rows: Any, filters: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        filter_rows(rows, *filters)
    assert "\n" not in str(caught.value)


def test_nothing_in_nothing_out() -> None:
    result = filter_rows([], *FILTERS)
    assert (result.kept, result.rejected, result.funnel) == ([], [], [])
