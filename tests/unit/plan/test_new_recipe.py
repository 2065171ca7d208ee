"""From a file to a recipe folder: splits, prompt, what the data can show, and every way a file can be wrong."""

import csv
import json
from pathlib import Path

import pytest

from sentisynth_hub.core.errors import DataError, InputError
from sentisynth_hub.natural.stage import given_rows, load_natural
from sentisynth_hub.plan.new_recipe import start_recipe
from sentisynth_hub.recipe import load_recipe


def reviews(path: Path, count: int = 300, labels: tuple[str, ...] = ("bad", "good")) -> Path:
    with open(path, "w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["review", "stars"])
        writer.writerows([f"qué tal, “{i}” 👍", labels[i % len(labels)]] for i in range(count))
    return path


def test_a_csv_becomes_a_recipe_that_loads(tmp_path: Path) -> None:
    source = reviews(tmp_path / "My Reviews.csv")
    made = start_recipe(
        str(source), text_column="review", label_column="stars", languages=["es"], folder=tmp_path / "mine"
    )
    recipe = load_recipe(str(made.folder))
    assert recipe.name == "my-reviews"
    assert recipe.labels == ["bad", "good"]
    assert recipe.study.student.prefix == "query: "  # not English, so an e5 encoder
    natural = load_natural(recipe)
    assert len(natural.train) + len(natural.validation) + len(natural.test) == 300
    assert {row.text for row in natural.test} <= {f"qué tal, “{i}” 👍" for i in range(300)}
    assert "data/" in (made.folder / ".gitignore").read_text()


def test_it_says_what_the_data_can_detect_and_more_data_detects_less(tmp_path: Path) -> None:
    def points(count: int) -> int:
        source = reviews(tmp_path / f"r{count}.csv", count)
        made = start_recipe(str(source), text_column="review", label_column="stars", folder=tmp_path / f"f{count}")
        return int(made.lines[1].split("about ")[1].split()[0])

    assert points(3000) < points(300) < points(60)


def test_a_warning_when_rows_would_leave_the_machine(tmp_path: Path) -> None:
    source = reviews(tmp_path / "r.csv")
    made = start_recipe(
        str(source), text_column="review", label_column="stars", endpoint_model="big", folder=tmp_path / "f"
    )
    assert any("leave this machine" in line for line in made.lines)
    assert load_recipe(str(made.folder)).generate.generator.kind == "openai"


@pytest.mark.parametrize(
    ("count", "labels", "text", "message"),
    [
        (300, ("bad", "good"), "reviews", r"no column 'reviews'; did you mean 'review'\?"),
        (300, ("bad",), "review", "holds one value, 'bad'"),
        (300, tuple(map(str, range(30))), "review", "holds 30 different values; is it the label"),
        (20, ("bad", "good"), "review", r"fewer than 12 rows with label 'bad' \(10\), 'good' \(10\)"),
        (0, ("bad",), "review", "no row has both"),
    ],
)
def test_what_cannot_work_is_said_and_nothing_is_written(
    tmp_path: Path, count: int, labels: tuple[str, ...], text: str, message: str
) -> None:
    source = reviews(tmp_path / "r.csv", count, labels)
    with pytest.raises(DataError, match=message):
        start_recipe(str(source), text_column=text, label_column="stars", folder=tmp_path / "f")
    assert not (tmp_path / "f").exists()


def test_a_folder_that_is_there_is_never_overwritten(tmp_path: Path) -> None:
    source = reviews(tmp_path / "r.csv")
    (tmp_path / "f").mkdir()
    with pytest.raises(InputError, match="is there already"):
        start_recipe(str(source), text_column="review", label_column="stars", folder=tmp_path / "f")


def test_jsonl_with_missing_labels_keeps_the_rest(tmp_path: Path) -> None:
    lines = [{"text": f"text {i}", "label": None if i % 10 == 0 else i % 2} for i in range(200)]
    path = tmp_path / "r.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    made = start_recipe(str(path), text_column="text", label_column="label", folder=tmp_path / "f")
    assert made.lines[0].startswith("180 rows")


def test_synthetic_rows_that_are_there_take_the_generators_place(tmp_path: Path) -> None:
    source, theirs = reviews(tmp_path / "r.csv"), reviews(tmp_path / "theirs.csv", 40)
    made = start_recipe(
        str(source), text_column="review", label_column="stars", synthetic=str(theirs), folder=tmp_path / "mine"
    )
    recipe = load_recipe(str(made.folder))
    assert recipe.generate.generator.kind == "rows"
    assert recipe.generate.generator.written_by == "the author of theirs.csv"
    assert len(given_rows(recipe)) == recipe.generate.candidates == 40
    assert not (made.folder / "prompt.jinja2").exists()
    assert "prompt show" not in "".join(made.lines) + (made.folder / "README.md").read_text()


def test_synthetic_rows_of_another_label_are_named(tmp_path: Path) -> None:
    source, theirs = reviews(tmp_path / "r.csv"), reviews(tmp_path / "theirs.csv", 9, ("bad", "good", "so so"))
    with pytest.raises(DataError, match="theirs.csv: 'so so' is no label of .*r.csv, whose labels are bad, good"):
        start_recipe(
            str(source), text_column="review", label_column="stars", synthetic=str(theirs), folder=tmp_path / "mine"
        )
    assert not (tmp_path / "mine").exists()
