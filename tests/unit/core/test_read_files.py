"""Files as people and programs write them: each is read as it is meant, or one line says why not."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from sentisynth_hub.core.errors import DataError
from sentisynth_hub.core.read_files import read_file
from tests.support.excel import write_excel


ROWS = [{"text": "a, cold plot", "label": "neg"}, {"text": "warm", "label": "pos"}]
JSON_ROWS = json.dumps(ROWS)
JSON_LINES = "".join(json.dumps(row) + "\n" for row in ROWS)


def read(path: Path, content: bytes | str) -> list[dict[str, Any]]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return [record for _, record in read_file(path)]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("comma.csv", 'text,label\n"a, cold plot",neg\nwarm,pos\n'),
        ("semicolon.csv", "text;label\na, cold plot;neg\nwarm;pos\n"),
        ("tab.csv", "text\tlabel\na, cold plot\tneg\nwarm\tpos\n"),
        ("bar.csv", "text|label\na, cold plot|neg\nwarm|pos\n"),
        ("sep-line.csv", "sep=;\r\ntext;label\r\na, cold plot;neg\r\nwarm;pos\r\n"),
        ("sep-line-tab.csv", "sep=\t\ntext\tlabel\na, cold plot\tneg\nwarm\tpos\n"),
        ("SEP.CSV", "SEP=|\ntext|label\na, cold plot|neg\nwarm|pos\n"),
        ("tabs.tsv", "text\tlabel\na, cold plot\tneg\nwarm\tpos\n"),
        ("semicolons.tsv.gz", gzip.compress(b"text\tlabel\na, cold plot\tneg\nwarm\tpos\n", mtime=0)),
        ("bom.csv", '\ufefftext,label\r\n"a, cold plot",neg\r\nwarm,pos\r\n'),
        ("old-mac.csv", 'text,label\r"a, cold plot",neg\rwarm,pos\r'),
        ("utf16.csv", "text;label\na, cold plot;neg\nwarm;pos\n".encode("utf-16")),
        ("utf16-big.csv", b"\xfe\xff" + "text;label\na, cold plot;neg\nwarm;pos\n".encode("utf-16-be")),
        ("blank-lines.csv", '\n\ntext,label\n   \n"a, cold plot",neg\n\nwarm,pos\n \n'),
        ("padded.csv", 'text,label,,\n"a, cold plot",neg,,\nwarm,pos,,\n'),
        ("padded-rows.csv", 'text,label\n"a, cold plot",neg,,,\nwarm,pos\n'),
        ("spaced-header.csv", ' text , label \n"a, cold plot",neg\nwarm,pos\n'),
        ("zipped.csv.gz", gzip.compress(b'text,label\n"a, cold plot",neg\nwarm,pos\n', mtime=0)),
        ("lines.jsonl", JSON_LINES),
        ("lines.ndjson", JSON_LINES.replace("\n", "\r\n\r\n")),
        ("notepad.jsonl", "\ufeff" + JSON_LINES),
        ("powershell.jsonl", JSON_LINES.encode("utf-16")),
        ("zipped.jsonl.gz", gzip.compress(JSON_LINES.encode(), mtime=0)),
        ("list.jsonl", JSON_ROWS),
        ("list.json", JSON_ROWS),
        ("list-bom.json", "\ufeff" + JSON_ROWS),
        ("pretty.json", json.dumps(ROWS, indent=2)),
        ("lines.json", JSON_LINES),
        ("wrapped.json", json.dumps({"version": "1.1", "data": ROWS}, indent=1)),
        ("columns.json", json.dumps({name: [row[name] for row in ROWS] for name in ROWS[0]})),
        ("pandas.json", json.dumps({name: {str(i): row[name] for i, row in enumerate(ROWS)} for name in ROWS[0]})),
        ("zipped.json.gz", gzip.compress(JSON_ROWS.encode(), mtime=0)),
    ],
)
def test_it_is_read_as_it_is_meant(tmp_path: Path, name: str, content: bytes | str) -> None:
    assert read(tmp_path / name, content) == ROWS


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "text,label\nx,positive,extra\n", r"line 2 does not have the header's 2 columns but 3 .*commas"),
        ("a.csv", "text;label\nx\n", r"line 2 .* but 1 .*semicolons"),
        ("a.csv", "text,label,text\na,b,c\n", "names column 'text' twice"),
        ("a.csv", 'text,label\n"x,positive\n', "near line 2: unexpected end of data; mend the quoting"),
        ("a.csv", 'text,label\n"x"y,positive\n', "near line 2: .* mend the quoting"),
        ("a.csv", b"text,label\nqu\xe9,positive\n", "not UTF-8 .byte 13.; save it as UTF-8"),
        ("a.csv.gz", b"no gzip", "not a whole gzip file"),
        ("a.csv.gz", gzip.compress(b"text,label\n" * 999, mtime=0)[:-20], "not a whole gzip file"),
        ("a.jsonl", '{"text": 1\n', "line 1 is not a JSON object"),
        ("a.jsonl", '{"text": "a"}\n[1]\n', "line 2 is not a JSON object"),
        ("a.jsonl", "[1]\n", "line 1 is not a JSON object"),
        ("a.jsonl", '{"a":' * 5000, "nested too deeply"),
        ("a.json", "no json", "neither a JSON list of objects nor columns"),
        ("a.json", "[" * 5000, "nested too deeply"),
        ("a.json", '{"a": [1, 2], "b": [1]}', "neither a JSON list"),
        ("a.parquet", "no parquet", "not a Parquet file"),
        ("a.doc", "", "ending '.doc' is not one of"),
        ("reviews", "", r"ending '\(none\)' is not one of"),
        ("a.zip.gz", "", "ending '.gz' is not one of"),
    ],
)
def test_what_cannot_be_read_says_why_in_one_line(
    tmp_path: Path, name: str, content: bytes | str, message: str
) -> None:
    with pytest.raises(DataError, match=message) as raised:
        read(tmp_path / name, content)
    assert "\n" not in str(raised.value)
    assert name in str(raised.value)


def test_a_cell_may_be_as_long_as_a_book(tmp_path: Path) -> None:
    assert len(read(tmp_path / "a.csv", f'text,label\n"{"long " * 100_000}",pos\n')[0]["text"]) == 500_000


def test_a_line_without_a_text_is_a_row_where_its_columns_are_there(tmp_path: Path) -> None:
    assert read(tmp_path / "a.csv", "id,text\n1,\n,\n2,b\n") == [
        {"id": "1", "text": ""},
        {"id": "", "text": ""},
        {"id": "2", "text": "b"},
    ]


def test_quoted_line_breaks_count_as_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('text,label\n"two\nlines, one text",pos\nb,neg\n')
    assert [number for number, _ in read_file(path)] == [3, 4]


def test_a_folder_and_what_is_not_there_are_said(tmp_path: Path) -> None:
    (tmp_path / "reviews.csv").write_text("text,label\n")
    with pytest.raises(DataError, match="is a folder; name one file in it"):
        read_file(tmp_path)
    with pytest.raises(DataError, match=r"review.csv: no such file; did you mean 'reviews.csv'\?"):
        read_file(tmp_path / "review.csv")


def test_parquet_keeps_the_names_of_a_class_label(tmp_path: Path) -> None:
    import datasets

    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["no", "yes"])})
    rows = [{"text": "a", "label": 1}, {"text": "b", "label": -1}]
    datasets.Dataset.from_list(rows, features=features).to_parquet(tmp_path / "a.parquet")
    table = read_file(tmp_path / "a.parquet")
    assert [record["label"] for _, record in table] == [1, -1]
    assert table.class_names("label") == ["no", "yes"]
    assert table.class_names("text") is None


def test_the_first_filled_sheet_of_an_excel_file_is_read(tmp_path: Path) -> None:
    pytest.importorskip("python_calamine")
    rows = [["text", "label"], ["a, cold plot", 1], ["10", 2.5], [7, None]]
    path = write_excel(tmp_path / "a.xlsx", {"Empty": [], "Reviews": rows})
    assert [record for _, record in read_file(path)] == [
        {"text": "a, cold plot", "label": "1"},
        {"text": "10", "label": "2.5"},
        {"text": "7", "label": ""},
    ]
    with pytest.raises(DataError, match=r"has several sheets \(One, Two\)"):
        list(read_file(write_excel(tmp_path / "b.xlsx", {"One": rows, "Two": rows})))
    (tmp_path / "c.xlsx").write_text("no excel")
    with pytest.raises(DataError, match="not an Excel file"):
        list(read_file(tmp_path / "c.xlsx"))
