"""Forty shapes that tables of labelled texts come in, each with what every command makes of it.

A shape is written to a folder or pushed to a Hub; `rows` says how many of its 60 rows have a text and a label, `says`
what the one line holds where it cannot be read. `predicts` is the number of rows that get a prediction: all of them.
"""

import csv
import gzip
import io
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.excel import write_excel
from tests.support.tiny import reviews


Record = dict[str, Any]
COLUMNS = ("id", "text", "label", "predicted")


def base_rows() -> list[Record]:
    """60 invented reviews, half of each label, with a prediction that is right three times in four."""
    other = {"negative": "positive", "positive": "negative"}
    return [
        {**row, "predicted": row["label"] if i % 4 else other[row["label"]]} for i, row in enumerate(reviews()[::4])
    ]


@dataclass(frozen=True)
class Shape:
    """One table.

    Attributes:
        rows: Rows with a text and a label, or None where no command can read it.
        predicts: Rows that `predict` labels; None: as many as `rows`.
        compares: Rows that `compare` pairs; None: as many as `rows`.
        says: Part of the one line of a command that refuses it, by command; `all` for every other.
    """

    name: str
    write: Callable[[Path], Path | str]
    rows: int | None = 60
    predicts: int | None = None
    compares: int | None = None
    says: tuple[tuple[str, str], ...] = ()

    def refusal(self, command: str) -> str | None:
        """What the command's one line holds; None where it works."""
        said = dict(self.says)
        return said.get(command, said.get("all"))


def _text(name: str, content: str | bytes) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
        return path

    return write


def _csv(rows: Sequence[Record], delimiter: str = ",", end: str = "\n", columns: Sequence[str] = COLUMNS) -> str:
    held = io.StringIO()
    writer = csv.DictWriter(held, columns, delimiter=delimiter, lineterminator=end, extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return held.getvalue()


def _lines(rows: Sequence[Record]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def _changed(**cells: Any) -> list[Record]:
    """The rows with the first one's cells changed."""
    first, *others = base_rows()
    return [first | cells, *others]


def _parquet(rows: Sequence[Record], **columns: Any) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        import pyarrow as pa
        import pyarrow.parquet as pq

        table = pa.table({name: columns.get(name, [row[name] for row in rows]) for name in COLUMNS})
        pq.write_table(table, folder / "rows.parquet")
        return folder / "rows.parquet"

    return write


def _class_labels(folder: Path) -> Path:
    import datasets

    rows = [row | {"label": -1 if i < 6 else int(row["label"] == "positive")} for i, row in enumerate(base_rows())]
    names = datasets.ClassLabel(names=["negative", "positive"])
    text = datasets.Value("string")
    features = datasets.Features({"id": text, "text": text, "label": names, "predicted": text})
    datasets.Dataset.from_list(rows, features=features).to_parquet(folder / "rows.parquet")
    return folder / "rows.parquet"


def _frame(rows: Sequence[Record]) -> dict[str, dict[str, Any]]:
    return {column: {str(i): row[column] for i, row in enumerate(rows)} for column in COLUMNS}


_CSV, _JSONL = _csv(base_rows()), _lines(base_rows())
_EMPTY = (("compare", "no rows"), ("predict", "no rows"), ("check", "every label needs rows"), ("filter", "works"),
          ("all", "no row has both"))  # fmt: skip

FILES = [
    Shape("comma", _text("rows.csv", _CSV)),
    Shape("semicolon", _text("rows.csv", _csv(base_rows(), ";"))),
    Shape("tab in .csv", _text("rows.csv", _csv(base_rows(), "\t"))),
    Shape("bar", _text("rows.csv", _csv(base_rows(), "|"))),
    Shape("sep= line", _text("rows.csv", "sep=;\r\n" + _csv(base_rows(), ";", "\r\n"))),
    Shape("tsv", _text("rows.tsv", _csv(base_rows(), "\t"))),
    Shape("byte order mark", _text("rows.csv", "\ufeff" + _csv(base_rows(), ",", "\r\n"))),
    Shape("UTF-16", _text("rows.csv", _CSV.encode("utf-16"))),
    Shape("old Mac line ends", _text("rows.csv", _csv(base_rows(), ",", "\r"))),
    Shape("padded columns", _text("rows.csv", "".join(f"{line},,\n" for line in _CSV.splitlines()))),
    Shape("blank lines", _text("rows.csv", "\n" + _CSV.replace("\n", "\n   \n"))),
    Shape("spaced header", _text("rows.csv", _CSV.replace("id,text,label,predicted", "id , text, label , predicted"))),
    Shape("huge cell", _text("rows.csv", _csv(_changed(text="what a dull plot " * 9000)))),
    Shape("gzipped", _text("rows.csv.gz", gzip.compress(_CSV.encode()))),
    Shape("JSONL", _text("rows.jsonl", _JSONL)),
    Shape("JSONL with a mark", _text("rows.jsonl", "\ufeff" + _JSONL)),
    Shape("JSONL of PowerShell", _text("rows.jsonl", _JSONL.replace("\n", "\r\n").encode("utf-16"))),
    Shape("JSON list", _text("rows.json", json.dumps(base_rows(), indent=1))),
    Shape("JSON of pandas", _text("rows.json", json.dumps(_frame(base_rows())))),
    Shape("JSON with the rows inside", _text("rows.json", json.dumps({"version": 2, "data": base_rows()}))),
    Shape("Parquet", _parquet(base_rows())),
    Shape("Parquet, words in lists", _parquet(base_rows(), text=[row["text"].split() for row in base_rows()])),
    Shape("Parquet, ClassLabel with -1", _class_labels, rows=54, predicts=60,
          says=(("compare", "the true label is empty"),)),
    Shape("Excel", lambda folder: write_excel(
        folder / "rows.xlsx", {"Rows": [COLUMNS, *([row[name] for name in COLUMNS] for row in base_rows())]})),
    Shape("null text", _text("rows.jsonl", _lines(_changed(text=None))), rows=59, predicts=60, compares=60),
    Shape("NaN text and label", _text("rows.jsonl", _lines(_changed(text=math.nan, label=math.nan))), rows=59,
          predicts=60, says=(("compare", "the true label is empty"),)),
    Shape("repeated ids", _text("rows.jsonl", _lines([row | {"id": "a"} for row in base_rows()])),
          says=(("compare", "stands there twice"),)),
    Shape("null ids", _text("rows.jsonl", _lines([row | {"id": None} for row in base_rows()]))),
    Shape("half an emoji", _text("rows.jsonl", _lines(_changed(text="what a dull plot \ud83d")))),
    Shape("several labels", _text("rows.jsonl", _lines(_changed(label=["negative", "positive"]))), predicts=60,
          says=(("predict", "works"), ("all", "several labels a row"))),
    Shape("several labels in CSV", _text("rows.csv", _csv(_changed(label="['negative', 'positive']"))), predicts=60,
          says=(("predict", "works"), ("all", "several labels a row"))),
    Shape("chat messages", _text("rows.jsonl", _lines(_changed(text=[{"role": "user", "content": "a"}]))), compares=60,
          says=(("compare", "works"), ("all", "holds a list of objects"))),
    Shape("no text column", _text("rows.csv", _csv([row | {"review": row["text"]} for row in base_rows()],
                                                   columns=("id", "review", "label", "predicted"))), compares=60,
          says=(("compare", "works"), ("all", "no column 'text'"))),
    Shape("Latin-1", _text("rows.csv", _csv(_changed(text="qué")).encode("latin-1")), says=(("all", "not UTF-8"),)),
    Shape("torn gzip", _text("rows.csv.gz", gzip.compress(_CSV.encode())[:-9]), says=(("all", "not a whole gzip"),)),
    Shape("unquoted comma", _text("rows.csv", _CSV.replace("what a", "what, a", 1)),
          says=(("all", "line 2 does not have the header's 4 columns"),)),
    Shape("a column twice", _text("rows.csv", _CSV.replace("predicted", "text", 1)),
          says=(("all", "names column 'text' twice"),)),
    Shape("torn JSON", _text("rows.jsonl", _JSONL[:-9]), says=(("all", "line 60 is not a JSON object"),)),
    Shape("no Parquet", _text("rows.parquet", "PAR1"), says=(("all", "not a Parquet file"),)),
    Shape("header alone", _text("rows.csv", "id,text,label,predicted\n"), rows=0, says=_EMPTY),
    Shape("another ending", _text("rows.pdf", "%PDF"), says=(("all", "ending '.pdf' is not one of"),)),
    Shape("not there", lambda folder: folder / "rows.csv", says=(("all", "rows.csv"),)),
]  # fmt: skip
