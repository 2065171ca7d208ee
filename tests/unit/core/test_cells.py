"""One set of rules for what a cell says, whoever reads it."""

import math
from typing import Any

import pytest

from sentisynth_hub.core.cells import Columns, by_value, is_blank, label_cell, text_cell, unique_id
from sentisynth_hub.core.errors import DataError


COLUMNS = Columns("text", "label", "name them")
NAMES = ["bad", "good"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a film ", "a film "),
        (["a", "cold", "plot"], "a cold plot"),
        (("a", "b"), "a b"),
        ("[1, 2]", "[1, 2]"),
        ("[UNK] is a token", "[UNK] is a token"),
        ("e\u0301", "\u00e9"),
        ("half \ud83d", "half \ufffd"),
        (None, None),
        (math.nan, None),
        ("", None),
        (" \t\n", None),
        ("\u200b\ufeff\u2060", None),
        ([], None),
    ],
)
def test_texts(value: Any, text: str | None) -> None:
    assert text_cell({"text": value}, COLUMNS, "row 1") == text


@pytest.mark.parametrize(
    ("value", "names", "label"),
    [
        (" pos ", None, "pos"),
        (1, None, "1"),
        (-1, None, "-1"),
        (1.0, None, "1"),
        (0.5, None, "0.5"),
        (0, NAMES, "bad"),
        (1, NAMES, "good"),
        (-1, NAMES, None),
        (None, NAMES, None),
        (None, None, None),
        (math.nan, None, None),
        ("", None, None),
        ("  ", None, None),
        ("[other]", None, "[other]"),
        ("good", NAMES, "good"),
        ("\ud83d", None, "\ufffd"),
    ],
)
def test_labels(value: Any, names: list[str] | None, label: str | None) -> None:
    assert label_cell({"label": value}, COLUMNS, "row 1", names) == label


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (2, "label 2 is none of the 2 of column 'label' .0 to 1."),
        (-2, "label -2 is none of the 2"),
        ([0, 1], "several labels a row"),
        ([], "several labels a row"),
        ("['a']", "several labels a row"),
        ("['fun' 'sad']", "several labels a row"),
        ({"a": 1}, "an object .a., not a label"),
        (b"pos", "bytes, not a label"),
    ],
)
def test_what_is_no_label_is_refused_with_its_place(value: Any, message: str) -> None:
    with pytest.raises(DataError, match=f"data.csv: row 7: .*{message}"):
        label_cell({"label": value}, COLUMNS, "data.csv: row 7", NAMES)


def test_a_missing_column_is_named_with_those_there_are() -> None:
    with pytest.raises(
        DataError, match=r"no column 'text'; did you mean 'texts'\?; the columns are texts, \\x1b\[31m"
    ):
        text_cell({"texts": "a", "\x1b[31m": 1}, COLUMNS, "row 1")


@pytest.mark.parametrize(
    ("labels", "ordered"),
    [
        (["10", "9", "1"], ["1", "9", "10"]),
        (["0.5", "-1", "2"], ["-1", "0.5", "2"]),
        (["b", "a", "2"], ["2", "a", "b"]),
        (["nan", "inf", "1"], ["1", "inf", "nan"]),
    ],
)
def test_numbers_by_value(labels: list[str], ordered: list[str]) -> None:
    assert by_value(labels) == ordered


def test_ids_are_unique_where_they_are_read() -> None:
    taken: set[str] = set()
    records: list[dict[str, Any]] = [
        *({"id": own} for own in ("a", "a", None, "", math.nan, 0, 0, "2", "a-1", "a")),
        {},
    ]
    ids = [unique_id(record, number, taken) for number, record in enumerate(records)]
    assert len(set(ids)) == len(records)
    assert ids[:4] == ["a", "a-1", "2", "3"]
    assert ids[5] == "0"


def test_what_can_be_seen_is_not_blank() -> None:
    assert not any(map(is_blank, ["a", "😀", "\u0d3e", ".", "\ufffd"]))
