"""Published tables and their digests."""

import hashlib
import random
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sentisynth_hub.core.rows import content_digest
from sentisynth_hub.publish.checks.safety import NaturalTexts, hidden_texts
from sentisynth_hub.publish.dataset_tables import Table, dataset_tables, read_config, write_parquet
from sentisynth_hub.publish.versions.digests import rows_digest, table_digests
from tests.support.releases import LABELS, NATURAL_TEST, TEXTS, natural_data, release, synthetic


def tables(folder: Path, **given: object) -> dict[str, Table]:
    made = release(folder, **given)  # type: ignore[arg-type]
    natural = natural_data()
    return dataset_tables(made, hidden_texts(made, NaturalTexts(natural)), made.hiding_key)


def test_the_default_digest_is_the_content_digest(tmp_path: Path) -> None:
    assert tables(tmp_path)["default"].digest == content_digest(synthetic(TEXTS))


def test_hidden_rows_carry_a_salted_hash_and_no_trace_of_their_text(tmp_path: Path) -> None:
    made = tables(tmp_path)
    rejected = {name: made["rejected"].column(name) for name in made["rejected"].kinds}
    place = rejected["filter"].index("overlap")
    assert (rejected["id"][place], rejected["text"][place]) == (None, None)
    assert len(rejected["text_hash"][place]) == 16
    shown = rejected["filter"].index("exact_duplicates")
    assert rejected["text"][shown] is not None
    assert rejected["text_hash"][shown] is None
    for table in made.values():
        texts = [str(value) for name in table.kinds for value in table.column(name)]
        assert not any(NATURAL_TEST.lower() in text.lower() for text in texts)


def test_unfiltered_holds_what_may_be_shown_in_the_order_it_was_asked_for(tmp_path: Path) -> None:
    made = release(tmp_path)
    backwards = replace(made, lineage=made.lineage[::-1])
    hidden = hidden_texts(made, NaturalTexts(natural_data()))
    forwards = dataset_tables(made, hidden, "salt")["unfiltered"].column("request_id")
    assert forwards == ["request-0", "request-1", "request-2", "request-3", "rejected-0"]
    assert dataset_tables(backwards, hidden, "salt")["unfiltered"].column("request_id") == forwards[::-1]


def test_scores_move_the_digest_with_scores_only(tmp_path: Path) -> None:
    kept = synthetic(TEXTS)
    moved = [replace(row, scores={**row.scores, "perplexity": 99.0}) for row in kept]
    jitter = [replace(row, scores={**row.scores, "perplexity": row.scores["perplexity"] + 1e-9}) for row in kept]
    plain, other, near = (tables(tmp_path, kept=rows)["default"] for rows in (kept, moved, jitter))
    assert plain.digest == other.digest
    assert plain.values_digest != other.values_digest
    assert plain.values_digest == near.values_digest


def test_the_digest_of_a_table_is_of_its_lines_as_they_are_documented() -> None:
    """Spelled out by hand: None is U+0001, items are parted by U+0002, values by NUL, floats have six digits, a line
    feed inside a value is written as backslash and n; sorted by code points, each line closed by a line feed."""
    kinds = {
        "id": "string",
        "text": "string",
        "label": "label",
        "num_shots": "int32",
        "kept": "bool",
        "demonstration_ids": "list<string>",
        "perplexity": "float64",
        "cmi": "float64",
    }
    columns = {
        "id": ["b", "a", None, "\U0001f600", "\uff5e"],
        "text": ["not", "part", "of", "the", "digest"],
        "label": ["positive", "two\nlines", "", "negative", None],
        "num_shots": [3, None, -1, 0, 20],
        "kept": [True, False, None, True, False],
        "demonstration_ids": [["x", "y"], [], None, ["only"], ["x", None]],
        "perplexity": [0.1 + 0.2, 1e-7, float("inf"), None, 1234567.0],
        "cmi": [None] * 5,
    }
    exact = [
        "a\0two\\nlines\0\1\0False\0",
        "b\0positive\x003\0True\0x\2y",
        "\1\0\0-1\0\1\0\1",
        "\U0001f600\0negative\x000\0True\0only",
        "\uff5e\0\1\x0020\0False\0x\2\1",
    ]
    floats = ["1e-07\0\1", "0.3\0\1", "inf\0\1", "\1\0\1", "1.23457e+06\0\1"]

    def sha256(lines: list[str]) -> str:
        return hashlib.sha256("".join(f"{line}\n" for line in sorted(lines)).encode()).hexdigest()

    expected = sha256(exact), sha256([f"{line}\0{more}" for line, more in zip(exact, floats, strict=True)])
    assert table_digests(kinds, columns) == expected
    types = {"demonstration_ids": pa.list_(pa.string()), "num_shots": pa.int32(), "cmi": pa.float64()}
    arrays = {name: pa.array(values, types.get(name)) for name, values in columns.items()}
    sliced = {name: pa.concat_arrays([array.slice(4), array]).slice(1) for name, array in arrays.items()}
    assert table_digests(kinds, arrays) == table_digests(kinds, sliced) == expected
    assert table_digests({"id": "string"}, {"id": pa.array([], pa.string())})[0] == hashlib.sha256(b"").hexdigest()


@pytest.mark.parametrize("kind", ["ids", "copies", "alike", "short", "other letters", "one", "none"])
def test_a_digest_sorts_lines_as_text_is_sorted_whatever_they_begin_with(kind: str) -> None:
    """Ids that differ are sorted as numbers; the digest is that of lines sorted as text."""
    draw = random.Random(kind)
    ids = [f"{draw.getrandbits(64):016x}" for _ in range(300)]
    firsts = {
        "ids": ids,
        "copies": ids + ids[:50],
        "alike": [name[:15] + "0" for name in ids for _ in "ab"],
        "short": [name[: draw.randrange(20)] for name in ids],
        "other letters": [draw.choice("aé\u0d05\U0001f600\uff5e") * 3 + name for name in ids],
        "one": ids[:1],
        "none": [],
    }[kind]
    texts = [draw.choice(["", "é", "\x01", "z\nz", "😀"]) for _ in firsts]
    escaped = [text.replace("\n", "\\n") for text in texts]
    for split in ("train", "a longer name of a split"):
        lines = sorted(f"{split}\0{first}\0{text}" for first, text in zip(firsts, escaped, strict=True))
        expected = hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()
        assert rows_digest(pa.array(firsts, pa.string()), pa.array(texts, pa.string()), split) == expected
    lines = sorted(f"{first}\0{text}" for first, text in zip(firsts, escaped, strict=True))
    expected = hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()
    columns = {"id": pa.array(firsts, pa.string()), "label": pa.array(texts, pa.string())}
    assert table_digests({"id": "string", "label": "label"}, columns)[0] == expected


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
    monkeypatch.setattr("sentisynth_hub.publish.dataset_tables._SHARD_ROWS", shard_rows)
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
