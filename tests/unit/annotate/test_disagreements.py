"""Labels of disagreements alone: right on average, with an interval that covers and is narrower than random rows'."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from sentisynth_hub.annotate.disagreements import AccuracyDifference, draw_disagreements, score_disagreements
from sentisynth_hub.annotate.rating_files import FORMAT_EXPORT, Answer, DisagreementKey, Export
from sentisynth_hub.annotate.sheet import Sheet
from sentisynth_hub.cli import sentisynth
from sentisynth_hub.core.errors import InputError


LABELS = ["negative", "neutral", "positive"]


def world(rows: int, random: np.random.Generator, right: tuple[float, float] = (0.8, 0.7)) -> list[list[str]]:
    """True labels and those of two models, which find the same rows hard; their accuracies are `right`."""
    truth = random.integers(3, size=rows)
    hard = random.random(rows)
    sides = [truth.tolist()]
    for accuracy in right:
        luck = 0.7 * hard + 0.3 * random.random(rows)
        bar = np.quantile(0.7 * random.random(200_000) + 0.3 * random.random(200_000), accuracy)
        sides.append(np.where(luck < bar, truth, (truth + random.integers(1, 3, size=rows)) % 3).tolist())
    return [[LABELS[label] for label in side] for side in sides]


def drawn(sides: Sequence[Sequence[str]], count: int, raters: int = 1, seed: int = 0) -> Sheet:
    rows = [(str(number), f"text {number}") for number in range(len(sides[0]))]
    return draw_disagreements(
        rows, sides[1], sides[2], names=("a", "b"), labels=LABELS, count=count, raters=raters, seed=seed
    )


def answers(key: DisagreementKey, said: dict[str, str | None], rater: int = 1) -> Export:
    given = [Answer(id=item.id, label=said[item.row], naturalness=None, source=None) for item in key.items]
    return Export(format=FORMAT_EXPORT, version=1, sheet=key.sheet, rater=rater, answers=given)


def scored(sides: Sequence[Sequence[str]], count: int, seed: int = 0) -> AccuracyDifference:
    key = drawn(sides, count, seed=seed).key
    assert isinstance(key, DisagreementKey)
    return score_disagreements(key, [answers(key, {str(i): label for i, label in enumerate(sides[0])})])


def test_the_interval_covers_and_the_estimate_is_right_on_average() -> None:
    """600 samples of 1,000 rows, of whose disagreements 40 are labelled, against the accuracies of the world."""
    random = np.random.default_rng(3)
    found = [scored(world(1_000, random), 40, seed=number) for number in range(600)]
    differences = np.array([each.difference for each in found])
    assert differences.mean() == pytest.approx(0.1, abs=4 * differences.std() / np.sqrt(600))
    covered = np.mean([each.interval[0] <= 0.1 <= each.interval[1] for each in found])
    assert 0.93 <= covered <= 0.99
    widths = np.mean([each.interval[1] - each.interval[0] for each in found]) / 2
    assert widths < 2.4 * differences.std()  # an interval that covers because it is wide says nothing


def test_two_models_alike_are_called_different_in_5_of_100() -> None:
    random = np.random.default_rng(4)
    found = [scored(world(800, random, (0.75, 0.75)), 30, seed=number) for number in range(400)]
    assert np.mean([not each.interval[0] <= 0 <= each.interval[1] for each in found]) <= 0.07


def test_it_is_worth_several_times_as_many_random_labels() -> None:
    """By simulation, not by the formula: 40 disagreements against 40 rows at random."""
    random = np.random.default_rng(5)
    aimed, by_chance = [], []
    for number in range(300):
        sides = world(1_000, random)
        aimed.append(scored(sides, 40, seed=number).difference)
        places = random.permutation(1_000)[:40]
        hits = [np.mean([sides[0][place] == side[place] for place in places]) for side in sides[1:]]
        by_chance.append(hits[0] - hits[1])
    assert np.std(aimed) < np.std(by_chance) / 1.8
    assert 80 < scored(world(1_000, random), 40).worth < 1_000


def test_all_disagreements_labelled_is_the_whole_truth_of_these_rows() -> None:
    sides = world(400, np.random.default_rng(6))
    found = scored(sides, 10_000)
    hits = [np.mean([truth == label for truth, label in zip(sides[0], side, strict=True)]) for side in sides[1:]]
    assert found.difference == pytest.approx(hits[0] - hits[1])
    assert found.labelled == found.disagreements
    assert found.worth == pytest.approx(400, rel=0.05)


def test_raters_who_differ_count_by_their_mean() -> None:
    sides = [["negative"] * 4, ["negative", "negative", "neutral", "negative"], ["neutral"] * 3 + ["negative"]]
    key = drawn(sides, 9, raters=2).key
    assert isinstance(key, DisagreementKey)
    assert (key.disagreements, len(key.items)) == (2, 2)
    first = answers(key, {"0": "negative", "1": "negative"}, 1)
    second = answers(key, {"0": "neutral", "1": None}, 2)
    found = score_disagreements(key, [first, second])
    assert found.difference == pytest.approx(0.5 * (0 + 1) / 2)  # half of the rows; 0.5 − 0.5, and 1
    with pytest.raises(InputError, match="1 rows have a label"):
        score_disagreements(key, [answers(key, {"0": None, "1": "negative"})])


def test_models_that_agree_need_no_label() -> None:
    with pytest.raises(InputError, match="agree on all 3 rows"):
        drawn([LABELS, LABELS, LABELS], 5)


def test_a_row_without_an_answer_is_a_disagreement() -> None:
    key = draw_disagreements(
        [("1", "x"), ("2", "y")], [None, "a"], ["a", "a"], names=("a", "b"), labels=["a"], count=5, raters=1, seed=0
    ).key
    assert [(item.row, item.first) for item in key.items] == [("1", None)]  # type: ignore[union-attr]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(sentisynth, ["annotate", *map(str, arguments)])


def write(path: Path, lines: Sequence[str]) -> Path:
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def files(folder: Path, count: int = 60) -> tuple[list[Path], list[list[str]]]:
    sides = world(count, np.random.default_rng(7))
    texts = write(folder / "texts.csv", ["id,text", *(f"t{i},ஒரு text {i} 👍" for i in range(count))])
    first = write(folder / "a.csv", ["row,id,label,probability", *(f"{i},t{i},{x},1" for i, x in enumerate(sides[1]))])
    lines = [json.dumps({"predicted": label}) for label in sides[2]]  # by order: it has no ids
    return [texts, first, write(folder / "b.jsonl", lines)], sides


def test_from_files_to_the_answer(tmp_path: Path) -> None:
    (texts, first, second), sides = files(tmp_path)
    out = tmp_path / "sheet"
    asked = ["make", texts, "--disagreements", 8, "--first", first, "--second", second, "--raters", 1, "--out", out]
    record = json.loads(run(*asked, "--json").stdout)
    differ = sum(one != other for one, other in zip(sides[1], sides[2], strict=True))
    assert (record["rows"], record["disagreements"], record["asked"]) == (60, differ, min(8, differ))
    page = (out / "rate.html").read_text("utf-8")
    assert "question-label" in page
    assert "question-source" not in page
    assert "a machine" not in page
    assert "a machine" not in (out / "space" / "README.md").read_text("utf-8")
    key = DisagreementKey.model_validate_json((out / "private-key.json").read_text("utf-8"))
    export = answers(key, {f"t{i}": label for i, label in enumerate(sides[0])})
    write(out / "rater-1.json", [export.model_dump_json()])
    told = json.loads(run("score", out / "private-key.json", out / "rater-1.json", "--json").stdout)
    assert told["labelled"] == record["asked"]
    assert told["interval"][0] <= told["difference"] <= told["interval"][1]
    assert told["sentence"] in run("score", out / "rater-1.json").stdout
    assert (out / "disagreements.json").is_file()


def test_the_three_options_belong_together(tmp_path: Path) -> None:
    (texts, first, _), _ = files(tmp_path)
    result = run("make", texts, "--disagreements", 8, "--first", first, "--out", tmp_path / "sheet")
    assert "--disagreements N, --first and --second belong together" in str(result.exception)
    assert not (tmp_path / "sheet").exists()


def test_predictions_for_other_rows_are_refused(tmp_path: Path) -> None:
    (texts, first, _), _ = files(tmp_path)
    short = write(tmp_path / "short.csv", ["label", "positive", "negative"])
    result = run("make", texts, "--disagreements", 8, "--first", first, "--second", short, "--out", tmp_path / "sheet")
    assert "2 predictions for 60 rows" in str(result.exception)


@pytest.mark.parametrize("change", [{"disagreements": 1}, {"rows": 2}, {"items": []}, {"first": 3}, {"format": "x"}])
def test_a_hostile_key_is_refused_in_one_line(tmp_path: Path, change: dict[str, Any]) -> None:
    (texts, first, second), sides = files(tmp_path)
    out = tmp_path / "sheet"
    run("make", texts, "--disagreements", 8, "--first", first, "--second", second, "--out", out)
    path = out / "private-key.json"
    key = DisagreementKey.model_validate_json(path.read_text("utf-8"))
    export = answers(key, {f"t{i}": label for i, label in enumerate(sides[0])})
    write(out / "rater-1.json", [export.model_dump_json()])
    write(path, [json.dumps(key.model_dump() | change)])
    result = run("score", path, out / "rater-1.json")
    assert isinstance(result.exception, InputError)
    assert "\n" not in str(result.exception)
