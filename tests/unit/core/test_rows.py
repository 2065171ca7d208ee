"""Rows go to disk and come back, and a digest says what a dataset says."""

from pathlib import Path

from sentisynth_hub.core.rows import (
    Rejected,
    Row,
    content_digest,
    read_rejected,
    read_rows,
    write_rejected,
    write_rows,
)


ROWS = [
    Row("സിനിമ കൊള്ളാം 👍", "positive", "r1", "positive", "p1", "ml,en", "m", 8, {"teacher_confidence": 0.75}),
    Row("line\nbreak | pipe", "negative", "r2"),
]


def test_rows_survive_parquet(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.parquet", ROWS)
    assert read_rows(tmp_path / "rows.parquet") == ROWS


def test_no_rows_survive_too(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.parquet", [])
    assert read_rows(tmp_path / "rows.parquet") == []


def test_rejected_rows_keep_filter_reason_and_score(tmp_path: Path) -> None:
    rejected = [Rejected(ROWS[0], "teacher", "low_confidence", 0.4), Rejected(Row("", None, "r3"), "parse", "empty")]
    write_rejected(tmp_path / "rejected.parquet", rejected)
    assert read_rejected(tmp_path / "rejected.parquet") == rejected


def test_the_digest_forgets_order_scores_and_origin_but_not_labels() -> None:
    again = [Row(ROWS[1].text, "negative", "other"), Row(ROWS[0].text, "positive", scores={"x": 1.0})]
    assert content_digest(again) == content_digest(ROWS)
    assert content_digest([Row(ROWS[0].text, "negative"), ROWS[1]]) != content_digest(ROWS)


def test_nothing_is_left_when_writing_fails(tmp_path: Path) -> None:
    bad = [Row("a", "b", num_shots="eight")]  # type: ignore[arg-type]
    try:
        write_rows(tmp_path / "rows.parquet", bad)
    except (TypeError, ValueError):
        pass
    else:
        raise AssertionError("a string in an integer column was accepted")
    assert list(tmp_path.iterdir()) == []
