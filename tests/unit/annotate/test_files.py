"""Reading back what raters export: in any order, once each, and refused in one line where it does not fit."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sentisynth_hub.annotate.rating_files import read_files
from sentisynth_hub.annotate.score import result_path, score_exports, score_lines
from sentisynth_hub.core.errors import InputError
from tests.support.ratings import export, key


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A key and the exports of three raters."""
    made = key()
    write(tmp_path / "private-key.json", made.model_dump(mode="json"))
    for rater in (1, 2, 3):
        write(tmp_path / f"rater-{rater}.json", export(made, rater).model_dump(mode="json"))
    return tmp_path


def write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.json"))


def test_the_key_is_known_among_the_files_whatever_it_is_called(folder: Path) -> None:
    (folder / "private-key.json").rename(folder / "zzz.json")
    where, found, exports = read_files(files(folder), folder / "runs")
    assert (where.name, found.sheet) == ("zzz.json", "5" * 16)
    assert [one.rater for one in exports] == [1, 2, 3]


def test_the_key_is_found_in_the_run_folder(folder: Path) -> None:
    runs = folder / "runs"
    hidden = runs / "tiny" / "annotate" / ("5" * 16) / "private-key.json"
    hidden.parent.mkdir(parents=True)
    (folder / "private-key.json").rename(hidden)
    write(runs / "other" / "annotate" / "x" / "private-key.json", key(sheet="6" * 16).model_dump(mode="json"))
    where, found, _ = read_files(files(folder), runs)
    assert where == hidden
    assert result_path(where, found) == runs / "tiny" / "human_evaluation.json"
    hidden.unlink()
    with pytest.raises(InputError, match="no key of its sheet 5555"):
        read_files(files(folder), runs)


def test_an_earlier_result_among_the_files_is_passed_over(folder: Path) -> None:
    where, found, exports = read_files(files(folder), folder)
    write(folder / "human_evaluation.json", score_exports(found, exports))
    assert len(read_files(files(folder), folder)[2]) == 3


def test_the_same_export_twice_counts_once_and_another_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "rater-2 (1).json").write_text((folder / "rater-2.json").read_text())
    assert len(read_files(files(folder), folder)[2]) == 3
    assert "the same answers" in capsys.readouterr().err
    changed = json.loads((folder / "rater-2.json").read_text())
    changed["answers"][0]["naturalness"] = None
    write(folder / "rater-2 (1).json", changed)
    with pytest.raises(InputError, match="other answers of rater 2"):
        read_files(files(folder), folder)


def set_in(*path: Any, to: Any) -> Callable[[Any], None]:
    def change(content: Any) -> None:
        for part in path[:-1]:
            content = content[part]
        content[path[-1]] = to

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            set_in("sheet", to="6" * 16),
            "of sheet 6{16}, but .*private-key.json is the key of sheet 5{16}",
        ),
        (set_in("rater", to=4), "rater 4, but the sheet was made for 3"),
        (set_in("rater", to=True), "rater: Input should be a valid integer"),
        (set_in("version", to=2), "version: .*of another version"),
        (set_in("answers", 0, "id", to="r999"), "row 'r999' is not on the sheet"),
        (set_in("answers", 0, "id", to="r001"), "row 'r001' is answered twice"),
        (set_in("answers", 0, "label", to="<b>"), "label '<b>' is not one of negative, positive"),
        (set_in("answers", 0, "naturalness", to=6), "answers.0.naturalness"),
        (set_in("answers", 0, "naturalness", to=3.5), "answers.0.naturalness"),
        (set_in("answers", 0, "source", to="alien"), "answers.0.source"),
        (set_in("answers", to=None), "answers: Input should be a valid list"),
        (set_in("name", to="Ada"), "name: Extra inputs are not permitted"),
        (set_in("format", to="else"), "neither a key of `annotate make` nor an export"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(folder: Path, change: Callable[[Any], None], message: str) -> None:
    content = json.loads((folder / "rater-3.json").read_text())
    change(content)
    write(folder / "rater-3.json", content)
    with pytest.raises(InputError, match=message) as raised:
        read_files(files(folder), folder)
    assert "rater-3.json" in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("content", ["", "{", "[" * 100_000, "[]", '"x"', "\udcff"])
def test_files_that_are_not_json_objects(folder: Path, content: str) -> None:
    (folder / "broken.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError, match=r"broken\.json: not "):
        read_files(files(folder), folder)


def test_a_key_alone_and_two_keys(folder: Path) -> None:
    with pytest.raises(InputError, match="no export of a rater"):
        read_files([folder / "private-key.json"], folder)
    with pytest.raises(InputError, match="gone.json: cannot be read"):
        read_files([folder / "gone.json"], folder)
    write(folder / "second.json", key(sheet="6" * 16).model_dump(mode="json"))
    with pytest.raises(InputError, match="a second key"):
        read_files(files(folder), folder)


def test_who_answered_too_little_is_left_out_and_said(folder: Path) -> None:
    made = key()
    lazy = export(made, 3)
    lazy = lazy.model_copy(update={"answers": lazy.answers[:5]})
    record = score_exports(made, [export(made, 1), export(made, 2), lazy])
    assert (record["raters"], record["left_out"], record["missing"]) == (2, [3], 0)
    assert record["warnings"] == ["Left out, under 50% of the questions answered: rater 3."]
    with pytest.raises(InputError, match="no rater answered 50% of the questions"):
        score_exports(made, [lazy])


def test_open_answers_and_absent_raters_are_counted() -> None:
    made = key()
    first = export(made, 1)
    opened = first.answers[0].model_copy(update={"label": None, "source": None})
    first = first.model_copy(update={"answers": [opened, *first.answers[2:]]})  # the second row is not there at all
    record = score_exports(made, [first, export(made, 2)])
    assert record["missing"] == 2 + 3
    assert record["tell"] is not None
    assert record["tell"]["rows"] == 10
    assert record["warnings"][0].startswith("5 answers were left open")
    assert record["warnings"][1] == "The sheet was made for 3 raters; 1 of them gave no answers."


def test_the_lines_say_what_the_record_says() -> None:
    made = key(120, strata=("num_shots=15", "num_shots=50"))
    record = score_exports(made, [export(made, rater, told=0.9) for rater in (1, 2, 3)])
    lines = "\n".join(score_lines(record))
    assert record["sentences"][0].startswith("Raters can tell natural from synthetic rows: accuracy 0.")
    assert record["sentences"][1].startswith("Natural rows sound more natural")
    assert record["tell"] is not None
    assert f"{record['tell']['value']:.3f}" in lines
    for words in ("60 natural and 60 synthetic rows, 3 raters", "num_shots=15", "num_shots=50", "no majority"):
        assert words in lines
