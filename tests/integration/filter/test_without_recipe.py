"""`sentisynth filter FILE` with the filters on the command line, and a report on two corpora."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from sentisynth_hub import InputError, corpus_report
from sentisynth_hub.cli import sentisynth


ROWS = [
    ("good", "a fine phone with a bright screen"),
    ("good", "A fine phone with a bright screen!"),
    ("bad", "a fine phone, with a bright screen now"),
    ("bad", "meh"),
    ("bad", "write to jo@mail.example.org about it"),
    ("good", "നല്ല ഫോൺ വളരെ നല്ലത്"),
    ("bad", "the battery died within one week of use"),
]


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.csv"
    with open(path, "w", encoding="utf-8", newline="") as handle:
        csv.writer(handle).writerows([("stars", "review"), *ROWS])
    return path


def said(*arguments: str) -> Any:
    result = CliRunner().invoke(sentisynth, ["filter", *arguments, "--json"])
    if result.exception is not None:
        raise result.exception
    return json.loads(result.stdout)


def records(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def test_rows_that_stay_and_rows_that_go_are_files(mine: Path) -> None:
    columns = ("--text", "review", "--label", "stars")
    options = ("--length", "3,80", "--personal-data", "--exact-duplicates", "--near-duplicates", "0.7")
    record = said(str(mine), *columns, *options)
    folder = mine.with_name("mine-filtered")
    kept, rejected = records(folder / "kept.csv"), records(folder / "rejected.csv")
    assert record["kept"] == len(kept)
    assert [row["review"] for row in kept] == [ROWS[0][1], ROWS[5][1], ROWS[6][1]]
    reasons = [(row["filter"], row["reason"]) for row in rejected]
    assert reasons == [
        ("exact_duplicates", "duplicate"),
        ("near_duplicates", "near_duplicate"),
        ("length", "too_short"),
        ("personal_data", "email"),
    ]
    assert sum(step["rejected"] for step in record["funnel"]) == 4


def test_rows_of_a_test_set_are_kept_out(mine: Path, tmp_path: Path) -> None:
    (tmp_path / "test.csv").write_text("review\nThe battery died within one week of use\n", "utf-8")
    record = said(
        str(mine), "--text", "review", "--apart-from", str(tmp_path / "test.csv"), "--out", str(tmp_path / "o")
    )
    assert [(step["filter"], step["rejected"]) for step in record["funnel"] if step["rejected"]] == [("overlap", 1)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "a file needs filters, e.g. --length 3,80"),
        (("--length", "80,3", "--text", "review"), "write the fewest and the most words with a comma"),
        (("--conflicting-labels", "--text", "review"), "the file has no column 'label'"),
        (("--refusals", "--recipe", "quickstart"), "--recipe names the filters"),
        (("--refusals",), "no column 'text'"),
    ],
)
def test_a_mistake_is_one_line(mine: Path, options: tuple[str, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        said(str(mine), *options)


def test_a_report_on_two_corpora(mine: Path) -> None:
    natural = [{"review": f"the screen {place} is what I wanted", "stars": "good"} for place in range(6)]
    report = corpus_report(mine, natural, text="review", label="stars")
    assert report["rows"] == {"synthetic": 7, "natural": 6}
    assert report["labels"] == {"synthetic": {"bad": 0.5714, "good": 0.4286}, "natural": {"good": 1.0}}
    frame = report.frame().set_index("measure")
    assert frame.loc["rows", "natural"] == 6
    assert frame.loc["length median", "natural"] == 7.0
    assert frame.loc["labels bad", "synthetic"] == 0.5714
    assert "length median" in str(report)
    assert "<table" in report._repr_html_()
