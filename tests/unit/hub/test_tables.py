"""Published tables and their digests."""

from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from sentisynth_hub.hub.last_look import NaturalTexts, hidden_texts, salt
from sentisynth_hub.hub.tables import Table, dataset_tables, read_config, write_parquet
from sentisynth_hub.rows import content_digest
from tests.unit.hub.making import LABELS, NATURAL_TEST, TEXTS, natural_data, release, synthetic


def tables(folder: Path, **given: object) -> dict[str, Table]:
    made = release(folder, **given)  # type: ignore[arg-type]
    natural = natural_data()
    return dataset_tables(made, hidden_texts(made, NaturalTexts(natural)), salt(natural))


def test_the_default_digest_is_the_content_digest(tmp_path: Path) -> None:
    assert tables(tmp_path)["default"].digest == content_digest(synthetic(TEXTS))


def test_hidden_rows_carry_a_salted_hash_and_no_trace_of_their_text(tmp_path: Path) -> None:
    made = tables(tmp_path)
    rejected = made["rejected"].columns
    place = rejected["filter"].index("overlap")
    assert (rejected["id"][place], rejected["text"][place]) == (None, None)
    assert len(rejected["text_hash"][place]) == 16
    shown = rejected["filter"].index("exact_duplicates")
    assert rejected["text"][shown] is not None
    assert rejected["text_hash"][shown] is None
    for table in made.values():
        texts = [str(value) for column in table.columns.values() for value in column]
        assert not any(NATURAL_TEST.lower() in text.lower() for text in texts)


def test_unfiltered_holds_what_may_be_shown_in_the_order_it_was_asked_for(tmp_path: Path) -> None:
    made = release(tmp_path)
    backwards = replace(made, lineage=made.lineage[::-1])
    hidden = hidden_texts(made, NaturalTexts(natural_data()))
    forwards = dataset_tables(made, hidden, "salt")["unfiltered"].columns["request_id"]
    assert forwards == ["request-0", "request-1", "request-2", "request-3", "rejected-0"]
    assert dataset_tables(backwards, hidden, "salt")["unfiltered"].columns["request_id"] == forwards[::-1]


def test_scores_move_the_digest_with_scores_only(tmp_path: Path) -> None:
    kept = synthetic(TEXTS)
    moved = [replace(row, scores={**row.scores, "perplexity": 99.0}) for row in kept]
    jitter = [replace(row, scores={**row.scores, "perplexity": row.scores["perplexity"] + 1e-9}) for row in kept]
    plain, other, near = (tables(tmp_path, kept=rows)["default"] for rows in (kept, moved, jitter))
    assert plain.digest == other.digest
    assert plain.values_digest != other.values_digest
    assert plain.values_digest == near.values_digest


def test_order_does_not_move_a_digest_but_lineage_does(tmp_path: Path) -> None:
    kept = synthetic(TEXTS)
    assert tables(tmp_path, kept=kept[::-1])["default"].digest == tables(tmp_path, kept=kept)["default"].digest
    made = release(tmp_path)
    other = replace(made, lineage=[{**line, "seed": 99} for line in made.lineage])
    hidden = [True] * len(made.rejected)
    assert dataset_tables(other, hidden, "s")["lineage"].digest != dataset_tables(made, hidden, "s")["lineage"].digest


@pytest.mark.parametrize("shard_rows", [2, 3, 4, 100])
def test_shards_hold_every_row_once_and_are_read_back(
    tmp_path: Path, shard_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sentisynth_hub.hub.tables._SHARD_ROWS", shard_rows)
    table = tables(tmp_path)["default"]
    record, files = write_parquet(table, tmp_path / "out", LABELS)
    assert len(files) == -(-4 // shard_rows)
    assert sum(pq.read_metadata(path).num_rows for path in files.values()) == record["rows"] == 4
    rows = read_config(files.values(), LABELS)
    assert [(row.text, row.label) for row in rows] == [(row.text, row.label) for row in synthetic(TEXTS)]
    assert record["files"] == {path: local.stat().st_size for path, local in files.items()}


def test_a_lone_file_knows_its_label_names(tmp_path: Path) -> None:
    from datasets import Dataset

    _, files = write_parquet(tables(tmp_path)["default"], tmp_path / "out", LABELS)
    loaded = Dataset.from_parquet(str(next(iter(files.values()))), cache_dir=str(tmp_path / "cache"))
    assert loaded.features["label"].names == LABELS


def test_the_same_rows_have_one_digest_whichever_library_wrote_them(tmp_path: Path) -> None:
    """Two writers of the same rows: other bytes, one digest (Parquet bytes differ between versions of `datasets`
    too)."""
    from datasets import ClassLabel, Dataset, Features, Value

    _, files = write_parquet(tables(tmp_path)["default"], tmp_path / "out", LABELS)
    ours = next(iter(files.values()))
    rows = synthetic(TEXTS)
    theirs = tmp_path / "theirs.parquet"
    plain = {"text": Value("string"), "label": ClassLabel(names=LABELS)}
    missing = {name: Value("string") for name in ("language", "generator")}
    Dataset.from_dict(
        {
            "text": [row.text for row in rows],
            "label": [LABELS.index(str(row.label)) for row in rows],
            "language": [row.language for row in rows],
            "generator": [row.generator for row in rows],
        },
        features=Features({**plain, **missing}),
    ).to_parquet(str(theirs))
    assert ours.read_bytes() != theirs.read_bytes()
    assert content_digest(read_config([ours], LABELS)) == content_digest(read_config([theirs], LABELS))
