"""Natural rows from files: every mistake names its line, nothing leaks between splits, no script is damaged."""

import json
from pathlib import Path

import pytest
import yaml

from sentisynth_hub.core.errors import DataError, RecipeError
from sentisynth_hub.core.read_files import read_file
from sentisynth_hub.core.text import normalised
from sentisynth_hub.natural.splits import NaturalData
from sentisynth_hub.natural.stage import load_natural
from sentisynth_hub.recipe import load_recipe
from tests.unit.recipe.test_load import SMALLEST


TEXTS = ["സിനിമ കൊള്ളാം {}", "qué peli {} 😍", "bahut acchi movie {}", 'flat, dull and "long" {}']


def records(count: int) -> list[dict[str, str]]:
    return [
        {"id": f"n{i}", "text": TEXTS[i % 4].format(i), "label": ("positive", "negative")[i % 2]} for i in range(count)
    ]


def load(tmp_path: Path, overrides: list[str], **files: list[dict[str, str]]) -> NaturalData:
    (tmp_path / "prompt.jinja2").write_text("{{ label }}")
    for name, lines in files.items():
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    named = {name: str(tmp_path / f"{name}.jsonl") for name in files}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(SMALLEST | {"natural": {"files": named}}))
    return load_natural(load_recipe(str(tmp_path), overrides))


def test_missing_splits_come_out_of_train_without_sharing_a_text(tmp_path: Path) -> None:
    twice = records(100) + [
        {**record, "id": record["id"] + "b", "text": record["text"].upper()} for record in records(20)
    ]
    natural = load(tmp_path, [], train=twice)
    parts = [{normalised(row.text) for row in part} for part in (natural.train, natural.validation, natural.test)]
    assert not parts[0] & parts[1]
    assert not parts[0] & parts[2]
    assert not parts[1] & parts[2]
    assert parts[0] | parts[1] | parts[2] == {normalised(record["text"]) for record in records(100)}
    assert natural.source["splits"]["test"]["labels"]["positive"] in range(18, 30)


def test_splits_that_are_given_are_kept_as_they_are(tmp_path: Path) -> None:
    rows = records(30)
    natural = load(tmp_path, [], train=rows[:20], validation=rows[20:24], test=rows[24:])
    assert [row.request_id for row in natural.test] == [f"test/{record['id']}" for record in rows[24:]]
    assert [row.text for row in natural.test] == [record["text"] for record in rows[24:]]


def test_a_leak_between_splits_stops_or_is_dropped_from_train(tmp_path: Path) -> None:
    rows = records(30)
    leaking = [*rows[:20], {"id": "leak", "text": rows[25]["text"].upper() + "!!", "label": "positive"}]
    with pytest.raises(
        DataError, match=r"1 train rows stand in validation or test too.*train train/leak \(also in test\)"
    ):
        load(tmp_path, [], train=leaking, validation=rows[20:24], test=rows[24:])
    natural = load(
        tmp_path, ["natural.overlap=drop_from_train"], train=leaking, validation=rows[20:24], test=rows[24:]
    )
    assert "train/leak" not in {row.request_id for row in natural.train}
    assert natural.source["left_out"] == {"train": 1, "validation": 0}


def test_test_rows_are_drawn_once_and_keep_the_labels_shares(tmp_path: Path) -> None:
    rows = records(200)
    natural = load(tmp_path, ["natural.test_rows=40"], train=rows[:50], validation=rows[50:60], test=rows[60:])
    assert sorted(row.label for row in natural.test) == ["negative"] * 20 + ["positive"] * 20  # type: ignore[type-var]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"text": "a", "label": "meh"}, r"row 21: label 'meh' is not one of"),
        ({"text": {"en": "a"}, "label": "positive"}, r"row 21: column 'text' holds an object \(en\), not text"),
        ({"text": "a", "label": ["positive", "negative"]}, r"row 21: column 'label' holds a list .* several labels"),
        ({"txt": "a", "label": "positive"}, r"row 21: no column 'text'; did you mean 'txt'\?"),
        ({"text": "a", "label": "\x1b[31mred"}, r"label '\\x1b\[31mred' is not one of"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, line: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        load(tmp_path, [], train=[*records(20), line])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "text,label\nx,positive,extra\n", "line 2 does not have the header's 2 columns"),
        ("a.csv", 'text,label\n"x,positive\n', "near line 2: unexpected end of data; mend the quoting"),
        ("a.jsonl", '{"text": 1\n', "line 1 is not a JSON object"),
        ("a.jsonl", "[1]\n", "line 1 is not a JSON object"),
        ("a.parquet", "no parquet", "not a Parquet file"),
        ("a.doc", "", "ending '.doc' is not one of"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=message):
        list(read_file(tmp_path / name))


def test_a_missing_or_latin1_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "reviews.csv").write_bytes("text,label\nqu\xe9,positive\n".encode("latin-1"))
    with pytest.raises(DataError, match="not UTF-8"):
        list(read_file(tmp_path / "reviews.csv"))
    with pytest.raises(DataError, match=r"did you mean 'reviews.csv'\?"):
        list(read_file(tmp_path / "review.csv"))


def test_csv_with_a_byte_order_mark_and_quoted_line_breaks(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes('\ufefftext,label\n"two\nlines, one text",positive\n'.encode())
    assert [record for _, record in read_file(tmp_path / "a.csv")] == [
        {"text": "two\nlines, one text", "label": "positive"}
    ]


def test_preprocessing_reaches_natural_rows_unless_they_were_preprocessed(tmp_path: Path) -> None:
    lines = [{**one, "text": f"@ana {one['text']} 😂 https://t.co/{i}"} for i, one in enumerate(records(30))]
    steps = "natural.preprocess=[mentions, urls, emoji_names, punctuation]"
    natural = load(tmp_path, [steps], train=lines)
    texts = {row.request_id: row.text for row in [*natural.train, *natural.validation, *natural.test]}
    assert texts["train/n0"] == "സിനിമ കൊള്ളാം 0 face with tears of joy"
    assert texts["train/n3"] == "flat dull and long 3 face with tears of joy"
    untouched = load(tmp_path, [steps, "natural.preprocessed=true"], train=lines)
    assert {row.text for row in untouched.test} <= {line["text"] for line in lines}


def test_rows_of_a_label_called_null_are_left_out(tmp_path: Path) -> None:
    lines = [*records(30), {"id": "m", "text": "so-so", "label": "mixed"}]
    natural = load(tmp_path, ["natural.label_names={mixed: null}"], train=lines)
    assert "train/m" not in {row.request_id for row in [*natural.train, *natural.validation, *natural.test]}
    with pytest.raises(DataError, match=r"label 'mixed' is not one of .* \(null leaves its rows out\)"):
        load(tmp_path, [], train=lines)


def test_a_list_of_words_is_joined(tmp_path: Path) -> None:
    lines = [{**one, "text": one["text"].split()} for one in records(30)]  # as LinCE has it on the Hub
    natural = load(tmp_path, [], train=lines)
    texts = {row.text for row in [*natural.train, *natural.validation, *natural.test]}
    assert texts == {" ".join(one["text"].split()) for one in records(30)}


def test_zero_shot_rows_are_read_without_what_stands_among_the_natural_ones(tmp_path: Path) -> None:
    foreign = [{"id": f"e{i}", "tweet": f"plain English {i}", "label": "+-"[i % 2]} for i in range(10)]
    foreign += [{"id": "shared", "tweet": records(30)[7]["text"].upper(), "label": "+"}]
    (tmp_path / "foreign.jsonl").write_text("".join(json.dumps(line) + "\n" for line in foreign))
    wanted = [
        f"study.zero_shot={{file: {tmp_path}/foreign.jsonl, text_column: tweet, "
        "label_names: {'+': positive, '-': negative}}",
    ]
    assert load(tmp_path, wanted, train=records(30)).zero_shot == []  # nobody asked for the variant
    natural = load(tmp_path, [*wanted, "study.variants=[natural, zero_shot]"], train=records(30))
    assert [row.request_id for row in natural.zero_shot] == [f"zero_shot/e{i}" for i in range(10)]
    assert [row.label for row in natural.zero_shot[:2]] == ["positive", "negative"]
    with pytest.raises(RecipeError, match="the variant zero_shot needs"):
        load(tmp_path, ["study.variants=[natural, zero_shot]"], train=records(30))
    with pytest.raises(RecipeError, match="give either `dataset`"):
        load(tmp_path, ["study.zero_shot={split: train}"], train=records(30))
