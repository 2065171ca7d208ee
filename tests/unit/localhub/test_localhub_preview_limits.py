"""Files that are small and large at once: a preview reads what it says it reads, within its memory and time."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sentisynth_hub.localhub.preview import MEMORY_BYTES, preview_of


def write_parquet(path: Path, table: str, **options: object) -> None:
    """Write a Parquet file in a process of its own: what a table takes in memory is not this test's matter."""
    code = (
        f"import pyarrow as pa, pyarrow.parquet as pq; pq.write_table(pa.table({table}), {str(path)!r}, **{options!r})"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def peak_of_preview(path: Path) -> tuple[dict[str, object], int]:
    """The preview of a file, and the peak resident memory of the process that read it, in bytes."""
    code = (
        "import dataclasses, json, resource, sys; from pathlib import Path\n"
        "from sentisynth_hub.localhub.preview import preview_of\n"
        "path = Path(sys.argv[1]); preview = preview_of(path, path.suffix)\n"
        "peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024\n"
        "print(json.dumps([dataclasses.asdict(preview), peak]))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, check=True)
    preview, peak = json.loads(done.stdout)
    return preview, peak


@pytest.mark.parametrize(
    "table",
    [
        "{'text': pa.DictionaryArray.from_arrays(pa.array([0] * 5000, pa.int32()), pa.array(['x' * 2_000_000]))}",
        "{'text': pa.DictionaryArray.from_arrays(pa.array([0] * 500, pa.int32()), pa.array(['x' * 20_000_000]))}",
        "{'label': pa.DictionaryArray.from_arrays(pa.array([0] * 5000, pa.int32()), pa.array([b'y' * 1_000_000]))}",
        "{'text': [['x' * 1000] * 1000] * 200}",
        "{'n': pa.repeat(1, 20_000_000)}",
    ],
    ids=["2 MB strings", "20 MB strings", "1 MB labels", "lists", "many rows"],
)
def test_a_small_file_of_large_rows_stays_within_memory(tmp_path: Path, table: str) -> None:
    path = tmp_path / "x.parquet"
    write_parquet(path, table, compression="zstd", dictionary_pagesize_limit=1 << 30)
    assert path.stat().st_size < 2_000_000
    preview, peak = peak_of_preview(path)
    assert peak < MEMORY_BYTES
    assert preview["rows"] or "cannot be read" in str(preview["problem"])


def test_a_file_says_beforehand_that_it_is_too_large(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    write_parquet(path, "{'text': ['x' * 1_000_000] * 300}", compression="zstd", use_dictionary=False)
    preview, peak = peak_of_preview(path)
    assert "its first group of rows takes" in str(preview["problem"])
    assert peak < 200_000_000
    path.write_bytes(b"PAR1" + b"\0" * 100 + b"\xff\xff\xff\x7fPAR1")
    assert "describes itself in 2,147,483,647 bytes" in preview_of(path, ".parquet").problem


def test_columns_are_capped_and_those_of_text_and_label_are_kept(tmp_path: Path) -> None:
    names = [f"c{number}" for number in range(300_000)] + ["label", "text"]
    csv = tmp_path / "x.csv"
    csv.write_text(",".join(names) + "\n" + "1," * 300_000 + "good,hello\n")
    parquet = tmp_path / "x.parquet"
    write_parquet(parquet, "{f'c{n}': ['1'] for n in range(2_000)} | {'label': ['good'], 'text': ['hello']}")
    jsonl = tmp_path / "x.jsonl"
    jsonl.write_text(json.dumps(dict.fromkeys(names[:200_000], "1") | {"label": "good", "text": "hello"}))
    for path, count in ((csv, 300_002), (parquet, 2_002), (jsonl, 200_002)):
        preview = preview_of(path, path.suffix)
        assert preview.problem == ""
        assert (len(preview.columns), preview.all_columns) == (52, count)
        assert preview.rows[0][-2:] == ["good", "hello"]
        assert [tuple(item) for item in preview.labels] == [("good", 1)]


@pytest.mark.parametrize(
    ("name", "content", "cells"),
    [
        ("x.jsonl", b'{"text": "a\\ud800b"}\n{"text": "fine"}\n', ["a\ufffdb", "fine"]),
        ("x.jsonl", b'{"text": "\\udfff", "label": "\\ud83d"}\n{"text": "fine"}\n', ["\ufffd", "fine"]),
        ("x.jsonl", b'\xef\xbb\xbf{"text": "bom"}\n{"text": "fine"}\n', ["bom", "fine"]),
        ("x.jsonl", b'{"text": "\xff\xfe"}\n{"text": "fine"}\n', ["\ufffd\ufffd", "fine"]),
        ("x.jsonl", '{"text": "a\u2028b\x85c"}\n{"text": "fine"}\n'.encode(), ["a\u2028b\x85c", "fine"]),
        ("x.csv", b"\xef\xbb\xbftext\nbom\nfine\n", ["bom", "fine"]),
        ("x.csv", b"text\n\xff\nfine\n", ["\ufffd", "fine"]),
    ],
)
def test_one_odd_row_hides_no_other(tmp_path: Path, name: str, content: bytes, cells: list[str]) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    preview = preview_of(path, path.suffix)
    assert preview.problem == ""
    assert preview.columns[0] == "text"
    assert [row[0] for row in preview.rows] == cells


def test_bytes_that_are_no_text_in_a_column_of_text(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    offsets = "pa.py_buffer(bytes([0, 0, 0, 0, 2, 0, 0, 0, 6, 0, 0, 0]))"
    column = f"pa.StringArray.from_buffers(2, {offsets}, pa.py_buffer(b'\\xff\\xfefine'))"
    write_parquet(path, f"{{'text': {column}}}")
    assert preview_of(path, ".parquet").rows == [["\ufffd\ufffd"], ["fine"]]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.jsonl", b'{"text": "' + b"x" * 5_000_000 + b'"}'),
        ("x.csv", b"text\n" + b"x" * 5_000_000),
        ("x.csv", b'text\n"' + b"x\n" * 1_000_000),
        ("x.jsonl", b"[" * 100_000),
        ("x.jsonl", b'{"n": ' + b"9" * 5000 + b"}"),
    ],
)
def test_what_is_too_much_is_a_problem_and_no_more(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert "the file " in preview_of(path, path.suffix).problem


def test_many_labels_are_counted_and_few_shown(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text("".join(f'{{"text": "a", "label": ["l{number}"]}}\n' for number in range(9_000)))
    preview = preview_of(path, ".jsonl")
    assert preview.counted == 9_000
    assert len(preview.labels) == 20
