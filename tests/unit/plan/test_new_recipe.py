"""From a file to a recipe folder: all or nothing, what is left out is counted, and every way a file can be wrong."""

import csv
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from sentisynth_hub.core.errors import DataError, InputError
from sentisynth_hub.natural.folds import make_folds
from sentisynth_hub.natural.read_rows import given_rows
from sentisynth_hub.natural.stage import load_natural
from sentisynth_hub.plan.new_recipe import Choices, Started, start_recipe
from sentisynth_hub.plan.source_rows import Source
from sentisynth_hub.recipe import load_recipe


def reviews(path: Path, count: int = 1200, labels: tuple[str, ...] = ("bad", "good")) -> Path:
    with open(path, "w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["review", "stars"])
        writer.writerows([f"qué tal, “{i}” 👍", labels[i % len(labels)]] for i in range(count))
    return path


def start(source: Path, folder: Path, synthetic: Source | None = None, **choices: Any) -> Started:
    return start_recipe(Source(str(source), "review", "stars"), Choices(folder=folder, **choices), synthetic=synthetic)


def lines(path: Path, records: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def from_lines(tmp_path: Path, records: list[dict[str, Any]]) -> Started:
    source = lines(tmp_path / "rows.jsonl", records)
    return start_recipe(Source(str(source), "text", "label"), Choices(folder=tmp_path / "mine"))


def test_a_csv_becomes_a_recipe_that_loads(tmp_path: Path) -> None:
    source = reviews(tmp_path / "My Reviews.csv")
    started = start(source, tmp_path / "mine", languages=["es"])
    recipe = load_recipe(str(started.folder))
    assert recipe.name == "my-reviews"
    assert recipe.labels == ["bad", "good"]
    assert recipe.study.student.prefix == "query: "  # not English, so an e5 encoder
    natural = load_natural(recipe)
    assert len(natural.train) + len(natural.validation) + len(natural.test) == 1200
    assert {row.text for row in natural.test} <= {f"qué tal, “{i}” 👍" for i in range(1200)}
    assert "data/" in (started.folder / ".gitignore").read_text()


def test_few_rows_are_cross_fitted_so_that_each_is_tested(tmp_path: Path) -> None:
    started = start(reviews(tmp_path / "r.csv", 300), tmp_path / "mine")
    recipe = load_recipe(str(started.folder))
    assert recipe.study.cross_fitting is not None
    folds = make_folds(recipe, load_natural(recipe))
    tested = [folds.rows[place].text for replicate in range(folds.count) for place in folds.tested(replicate)]
    assert sorted(tested) == sorted(f"qué tal, “{i}” 👍" for i in range(300))
    assert started.lines[0].startswith("300 rows in ")


def test_it_says_what_the_data_can_detect_and_more_data_detects_less(tmp_path: Path) -> None:
    def points(count: int) -> int:
        source = tmp_path / f"r{count}.csv"  # texts of their own: near-duplicates count once
        lines = [f"{sha256(str(i).encode()).hexdigest()},{'good' if i % 2 else 'bad'}" for i in range(count)]
        source.write_text("\n".join(["review,stars", *lines]))
        started = start(source, tmp_path / f"f{count}")
        return int(started.lines[1].split("about ")[1].split()[0])

    assert points(4000) < points(1500)
    assert points(900) < points(300) < points(60)  # cross-fitted: all of them are tested


def test_an_endpoint_gets_a_chat_prompt_and_a_warning(tmp_path: Path) -> None:
    started = start(reviews(tmp_path / "r.csv"), tmp_path / "f", endpoint_model="big")
    assert any("leave this machine" in line for line in started.lines)
    recipe = load_recipe(str(started.folder))
    assert recipe.generate.generator.kind == "openai"
    assert recipe.generate.prompt.chat

    from sentisynth_hub.generate.prompts import PromptTemplate

    prompt = PromptTemplate(recipe).render("bad", load_natural(recipe).train[:3], {})
    assert isinstance(prompt, list)
    assert [message["role"] for message in prompt] == ["system", "user"]
    assert "👍" in prompt[1]["content"]


@pytest.mark.parametrize(
    ("count", "labels", "text", "message"),
    [
        (300, ("bad", "good"), "reviews", r"no column 'reviews'; did you mean 'review'\?"),
        (300, ("bad",), "review", "holds one value, 'bad'"),
        (300, tuple(map(str, range(100))), "review", "holds 100 different values, most of them in fewer than 12 rows"),
        (20, ("bad", "good"), "review", r"12 distinct texts, .*: 'bad' \(10 distinct texts\), 'good' \(10"),
        (0, ("bad",), "review", "no row has both"),
    ],
)
def test_what_cannot_work_is_said_and_nothing_is_written(
    tmp_path: Path, count: int, labels: tuple[str, ...], text: str, message: str
) -> None:
    source = reviews(tmp_path / "r.csv", count, labels)
    with pytest.raises(DataError, match=message):
        start_recipe(Source(str(source), text, "stars"), Choices(folder=tmp_path / "new" / "f"))
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"name": "pt-rewrite_own"}, "--name 'pt-rewrite_own': .* such as 'pt-rewrite-own'"),
        ({"name": "Mine"}, "--name 'Mine': .* such as 'mine'"),
        ({"name": "mine\n"}, "--name"),
        ({"languages": ["english"]}, "'english' is no language tag .* did you mean 'en'"),
        ({"languages": ["zh_CN"]}, "did you mean 'zh-CN'"),
        ({"languages": ["jp", "en"]}, "did you mean 'ja'"),
    ],
)
def test_names_and_languages_are_checked_first(tmp_path: Path, choices: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        start(reviews(tmp_path / "r.csv"), tmp_path / "new" / "f", **choices)
    assert not (tmp_path / "new").exists()


def test_white_space_around_languages_is_removed(tmp_path: Path) -> None:
    started = start(reviews(tmp_path / "r.csv"), tmp_path / "f", languages=["es", " en"])
    assert load_recipe(str(started.folder)).language == ["es", "en"]


def test_a_folder_that_is_there_is_never_overwritten(tmp_path: Path) -> None:
    source = reviews(tmp_path / "r.csv")
    (tmp_path / "f").mkdir()
    with pytest.raises(InputError, match="is there already"):
        start(source, tmp_path / "f")


def test_an_error_after_writing_began_leaves_nothing_and_the_next_try_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = reviews(tmp_path / "r.csv")
    monkeypatch.setattr("sentisynth_hub.plan.new_recipe._README", "{no_such_name}")
    with pytest.raises(KeyError):
        start(source, tmp_path / "new" / "f")
    assert not (tmp_path / "new").exists()
    monkeypatch.undo()
    assert start(source, tmp_path / "new" / "f").folder.is_dir()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["f"]


def test_rows_without_a_label_are_left_out_with_a_count(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    records: list[dict[str, Any]] = [
        {"text": f"text {i}", "label": None if i % 10 == 0 else i % 2} for i in range(200)
    ]
    records += [{"text": None, "label": 1}, {"text": " \u200b", "label": 0}, {"text": float("nan"), "label": 0}]
    records += [{"text": "x", "label": float("nan")}, {"text": "Text 5!", "label": 1}]
    started = from_lines(tmp_path, records)
    assert started.lines[0].startswith("180 rows")
    said = capsys.readouterr().err
    assert "left out 25 of 205 rows: 21 without a label, 3 without a text, 1 repeating a text" in said


def test_labels_that_are_numbers_are_ordered_by_value(tmp_path: Path) -> None:
    started = from_lines(tmp_path, [{"text": f"text {i}", "label": i % 11} for i in range(200)])
    assert load_recipe(str(started.folder)).labels == [str(i) for i in range(11)]


@pytest.mark.parametrize("labels", [["5e1", "6a2"], ["no", "yes"], ["1.5", "2"], ["2026-01-01", "012"], ["~", "null"]])
def test_what_is_written_is_read_back(tmp_path: Path, labels: list[str]) -> None:
    started = from_lines(tmp_path, [{"text": f"text {i}", "label": labels[i % 2]} for i in range(60)])
    recipe = load_recipe(str(started.folder))
    assert sorted(recipe.labels) == sorted(labels)
    assert {row.label for row in load_natural(recipe).train} == set(labels)


@pytest.mark.parametrize(
    "label", ["half \ud83d", "new\nline", "a: b # c", "{{ label }}", "'\"", "\\x1b[31m", "സന്തോഷം"]
)
def test_any_label_survives(tmp_path: Path, label: str) -> None:
    started = from_lines(tmp_path, [{"text": f"text {i} \ud83d", "label": (label, "b")[i % 2]} for i in range(60)])
    recipe = load_recipe(str(started.folder))
    assert set(recipe.labels) == {label.replace("\ud83d", "\ufffd"), "b"}
    assert load_natural(recipe).train[0].text.endswith("\ufffd")


def test_fifty_labels_of_thirty_rows_make_a_recipe(tmp_path: Path) -> None:
    records = [{"text": f"ask about {i} and {i % 50}", "label": f"intent {i % 50}"} for i in range(1500)]
    assert len(load_recipe(str(from_lines(tmp_path, records).folder)).labels) == 50


def test_a_label_whose_texts_are_all_the_same_is_named(tmp_path: Path) -> None:
    records = [{"text": f"text {i}" if i % 2 else "dull", "label": ("negative", "positive")[i % 2]} for i in range(60)]
    with pytest.raises(DataError, match=r"'negative' \(1 distinct text\)"):
        from_lines(tmp_path, records)
    assert not (tmp_path / "mine").exists()


def test_rows_that_differ_by_their_emoji_alone_are_all_kept(tmp_path: Path) -> None:
    records = [
        {"text": f"night {i} {face}", "label": label}
        for i in range(40)
        for face, label in (("😀", "good"), ("😡", "bad"), (":)", "good"), (":(", "bad"))
    ]
    natural = load_natural(load_recipe(str(from_lines(tmp_path, records).folder)))
    assert sum(map(len, (natural.train, natural.validation, natural.test))) == 160


def test_texts_with_two_labels_are_left_out_with_a_count(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    records = [{"text": f"text {i}", "label": "ab"[i % 2]} for i in range(60)]
    records += [{"text": "text 0", "label": "b"}, {"text": "TEXT 2.", "label": "b"}]
    started = from_lines(tmp_path, records)
    assert started.lines[0].startswith("58 rows")
    assert "4 with a text that has several labels" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"text": "a", "label": ["fun", "sad"]}, r"row 61: column 'label' holds a list .*several labels a row"),
        ({"text": "a", "label": ["fun"]}, "several labels a row"),
        ({"text": "a", "label": "['fun', 'sad']"}, "several labels a row"),
        ({"text": "a", "label": "[0, 2]"}, "several labels a row"),
        ({"text": "a", "label": "[0 2]"}, "several labels a row"),
        ({"text": "a", "label": {"fun": 1}}, r"holds an object \(fun\), not a label"),
        ({"text": {"en": "a"}, "label": "b"}, r"holds an object \(en\), not text"),
        ({"text": [{"role": "user", "content": "a"}], "label": "b"}, "a list of objects .chat messages"),
        ({"text": "['a', 'cold']", "label": "b"}, "a list written as text"),
        ({"text": 5, "label": "b"}, "holds a number, not text"),
        ({"text": True, "label": "b"}, "holds true or false, not text"),
    ],
)
def test_a_cell_that_is_no_text_or_label_is_refused(tmp_path: Path, record: dict[str, Any], message: str) -> None:
    records = [{"text": f"text {i}", "label": "ab"[i % 2]} for i in range(60)]
    with pytest.raises(DataError, match=message):
        from_lines(tmp_path, [*records, record])
    assert not (tmp_path / "mine").exists()


def test_words_in_a_list_are_joined(tmp_path: Path) -> None:
    started = from_lines(tmp_path, [{"text": ["a", "cold", str(i)], "label": "ab"[i % 2]} for i in range(60)])
    assert load_natural(load_recipe(str(started.folder))).train[0].text.startswith("a cold ")


def test_synthetic_rows_that_are_there_take_the_generators_place(tmp_path: Path) -> None:
    source, theirs = reviews(tmp_path / "r.csv"), tmp_path / "theirs.jsonl"
    rows = [{"t": f"they say {i}", "l": ("bad", "good")[i % 2], "topic": "xyz"[i % 3], "n": i} for i in range(40)]
    lines(theirs, rows)
    started = start(source, tmp_path / "mine", Source(str(theirs), "t", "l"))
    recipe = load_recipe(str(started.folder))
    assert recipe.generate.generator.kind == "rows"
    assert recipe.generate.generator.written_by == "the author of theirs.jsonl"
    assert recipe.generate.generator.attribute_columns == ["topic"]
    given = given_rows(recipe)
    assert len(given) == recipe.generate.candidates == 40
    assert {attributes["topic"] for _, attributes in given} == {"x", "y", "z"}
    assert json.loads((started.folder / "data" / "synthetic.jsonl").read_text().split("\n")[3])["n"] == 3
    assert not (started.folder / "prompt.jinja2").exists()
    assert "prompt show" not in "".join(started.lines) + (started.folder / "README.md").read_text()


def test_synthetic_rows_of_another_label_are_named(tmp_path: Path) -> None:
    source, theirs = reviews(tmp_path / "r.csv"), reviews(tmp_path / "theirs.csv", 9, ("bad", "good", "so so"))
    with pytest.raises(DataError, match="theirs.csv: 'so so' is no label of .*r.csv, whose labels are bad, good"):
        start(source, tmp_path / "mine", Source(str(theirs), "review", "stars"))
    assert not (tmp_path / "mine").exists()


def test_other_columns_stay_and_ids_are_made_unique(tmp_path: Path) -> None:
    records = [
        {
            "id": None if i < 3 else "same" if i < 6 else f"n{i}",
            "text": f"text {i}",
            "label": "ab"[i % 2],
            "who": i % 5,
        }
        for i in range(60)
    ]
    started = from_lines(tmp_path, records)
    written = [json.loads(line) for line in (started.folder / "data" / "rows.jsonl").read_text().splitlines()]
    assert len({row["id"] for row in written}) == 60
    assert [row["who"] for row in written] == [i % 5 for i in range(60)]


def test_a_column_that_says_which_rows_belong_together_is_named_and_read(tmp_path: Path) -> None:
    words = ("rain", "tea", "train", "dog", "song", "lamp", "road", "bread", "river", "coat", "key", "stone")
    records = [
        {"text": f"{'fine' if place % 2 else 'poor'} {one} {two}", "label": "ab"[place % 2], "who": who}
        for place, (one, two) in enumerate((one, two) for one in words for two in words)
        for who in [None if place < 4 else f"നീ {place // 6}"]
    ]
    source = Source(str(lines(tmp_path / "rows.jsonl", records)), "text", "label")
    with pytest.raises(DataError, match=r"--cluster: no column 'whom'; the others are: who"):
        start_recipe(source, Choices(folder=tmp_path / "mine", cluster="whom"))
    assert not (tmp_path / "mine").exists()
    recipe = load_recipe(str(start_recipe(source, Choices(folder=tmp_path / "mine", cluster="who")).folder))
    natural = load_natural(recipe)
    rows = [*natural.train, *natural.validation, *natural.test]
    named = {row.text: natural.clusters.get(row.request_id) for row in rows}
    assert named == {record["text"]: record["who"] for record in records}
    other = load_recipe(str(tmp_path / "mine"), ["natural.cluster=author"])
    with pytest.raises(DataError, match=r"no column 'author'.*set natural\.cluster, or leave it out"):
        load_natural(other)
