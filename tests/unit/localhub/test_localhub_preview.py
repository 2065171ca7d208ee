"""First rows and histograms, of good files and bad ones."""

from pathlib import Path

import pytest

from sentisynth_hub.localhub.preview import preview_of
from sentisynth_hub.localhub.preview_reader import ROWS, read_preview


def test_parquet_with_label_names(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    info = '{"info": {"features": {"label": {"names": ["negative", "positive"], "_type": "ClassLabel"}}}}'
    rows = {"text": ["abc", "abcdef", None, "x" * 600] * 10, "label": [0, 1, 1, None] * 10}
    parquet.write_table(pa.table(rows).replace_schema_metadata({"huggingface": info}), tmp_path / "x.parquet")
    preview = preview_of(tmp_path / "x.parquet", ".parquet")
    assert preview.problem == ""
    assert preview.columns == ["text", "label"]
    assert len(preview.rows) == ROWS
    assert preview.rows[:3] == [["abc", "negative"], ["abcdef", "positive"], [None, "positive"]]
    assert [tuple(item) for item in preview.labels] == [("negative", 10), ("positive", 20), ("(none)", 10)]
    assert sum(count for _, count in preview.lengths) == 30
    assert len(preview.rows[3][0] or "") == 501


def test_json_lines_and_csv(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text('{"text": "ü", "label": "good"}\n\n{"text": "b", "label": "bad", "more": 1}\n')
    preview = read_preview(tmp_path / "x.jsonl", ".jsonl")
    assert preview.rows == [["ü", "good"], ["b", "bad"]]
    (tmp_path / "x.csv").write_text("sentence,label\nhello,1\nworld,0\nagain,1\n")
    preview = read_preview(tmp_path / "x.csv", ".csv")
    assert preview.rows[0] == ["hello", "1"]
    assert preview.labels == [("1", 2), ("0", 1)]
    assert preview.lengths == [(f"{length}–{length}", 3 if length == 5 else 0) for length in range(6)]


@pytest.mark.parametrize(
    ("suffix", "content"),
    [(".parquet", b"PAR1" + b"\0" * 50 + b"PAR1"), (".parquet", b""), (".jsonl", b"not json"), (".jsonl", b"5\n[]\n")],
)
def test_a_file_that_cannot_be_read_is_a_problem_and_no_more(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"x{suffix}"
    path.write_bytes(content)
    preview = preview_of(path, suffix)
    assert "cannot be read" in preview.problem
    assert preview.rows == []


def test_an_empty_file_of_lines_has_no_rows(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_bytes(b"")
    assert preview_of(tmp_path / "x.jsonl", ".jsonl").problem == ""
