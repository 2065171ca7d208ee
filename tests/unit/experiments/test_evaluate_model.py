"""`evaluate`, `compare` and `predict`: real models, real files, and one clear line for what is wrong."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from sklearn.metrics import f1_score

from sentisynth_hub.cli import sentisynth
from sentisynth_hub.core.errors import DataError, InputError, SentisynthError
from sentisynth_hub.core.rows import Row
from sentisynth_hub.core.run_folder import stage_folder
from sentisynth_hub.experiments.bias import swapped
from sentisynth_hub.experiments.evaluate_model import Labelled, compare_predictions, score_labels
from sentisynth_hub.experiments.prediction_tables import read_variant
from sentisynth_hub.model.stage import train_model
from sentisynth_hub.natural.splits import draw_samples
from sentisynth_hub.study.predictions import TrialPredictions, item_ids, write_trials
from tests.support.tiny_study import make_corpora, make_natural, make_recipe, make_rows


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained tiny classifier and its stored predictions."""
    from tests.support.tiny_study import make_model

    folder = tmp_path_factory.mktemp("published")
    recipe = make_recipe(make_model(folder / "student"), variants=["natural"], student={"budgets": [8]})
    natural = make_natural()
    samples = draw_samples(recipe, natural)
    stage = stage_folder(folder, "model", version=1, recipe=None)
    train_model(recipe, samples, make_corpora(samples), natural, "natural", stage, folder / "features")
    return stage.path


def call(*arguments: str) -> str:
    done = CliRunner().invoke(sentisynth, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_evaluate_a_file(published: Path, tmp_path: Path) -> None:
    rows = make_rows(40, 77)
    data = tmp_path / "held.jsonl"
    data.write_text("\n".join(json.dumps({"text": row.text, "label": row.label}) for row in rows), "utf-8")
    output = tmp_path / "held.parquet"
    found = json.loads(call("evaluate", str(published / "model"), str(data), "--output", str(output), "--json"))
    one = read_variant(str(output))
    y, predicted = [str(row.label) for row in rows], [one.predicted[0][item] for item in item_ids(rows)]
    assert found["metrics"]["macro_f1"]["value"] == pytest.approx(f1_score(y, predicted, average="macro"))
    assert found["items"] == 40
    low, high = found["metrics"]["accuracy"]["interval"]
    assert low <= np.mean(np.array(y) == np.array(predicted)) <= high
    told = call("evaluate", str(published / "model"), str(data), "--swap", "warm=dull", "--swap", "zebra=yak")
    assert "warm / dull: " in told
    assert "zebra / yak: no text has either" in told


def test_evaluate_maps_labels_and_names_unknown_ones(published: Path, tmp_path: Path) -> None:
    data = tmp_path / "held.csv"
    data.write_text("text,label\na warm film,POS\na dull film,NEG\n", "utf-8")
    model = str(published / "model")
    told = call("evaluate", model, str(data), "--label", "positive=POS", "--label", "negative=NEG")
    assert "2 items" in told
    with pytest.raises(
        DataError, match=r"label 'POS' is none of the model's \(negative, positive\).*--label MODEL=DATA"
    ):
        call("evaluate", model, str(data))
    with pytest.raises(InputError, match="'positive': write two words"):
        call("evaluate", model, str(data), "--label", "positive")


def test_predict(published: Path) -> None:
    found = json.loads(
        call("predict", str(published / "model"), "a warm lovely fresh film", "dull awful \x1b[31m", "--json")
    )
    assert found[0]["label"] in ("negative", "positive")
    assert sum(found[0]["probabilities"].values()) == pytest.approx(1)
    assert "\x1b" not in call("predict", str(published / "model"), "dull \x1b[31m")


def test_a_model_without_a_trained_head_is_refused_by_both(tmp_path: Path) -> None:
    from tests.support.tiny_study import make_model

    encoder = str(make_model(tmp_path / "encoder"))
    data = tmp_path / "held.csv"
    data.write_text("text,label\na warm film,LABEL_0\na dull film,LABEL_1\n", "utf-8")
    file = ["--file", str(data)]
    for arguments in (["evaluate", encoder, str(data)], ["predict", encoder, "a film"], ["predict", encoder, *file]):
        with pytest.raises(InputError, match="no trained classification head") as caught:
            call(*arguments)
        assert caught.value.exit_code == 2


def write(path: Path, predicted: Sequence[Sequence[str | None]], rows: Sequence[Row], variant: str = "v") -> str:
    ids, truth = item_ids(rows), [str(row.label) for row in rows]
    trials = [TrialPredictions(variant, r, ids, truth, labels) for r, labels in enumerate(predicted)]
    write_trials(path, ["negative", "positive"], trials)
    return str(path)


def test_compare_finds_a_difference_and_is_silent_on_itself(tmp_path: Path) -> None:
    rows = make_rows(200, 6)
    other = {"negative": "positive", "positive": "negative"}
    good = [str(row.label) if i % 10 else other[str(row.label)] for i, row in enumerate(rows)]
    poor = [str(row.label) if i % 3 else other[str(row.label)] for i, row in enumerate(rows)]
    a, b = write(tmp_path / "a.parquet", [poor], rows), write(tmp_path / "b.parquet", [good], rows)
    found = json.loads(call("compare", a, b, "--metric", "accuracy", "--json"))
    assert found["difference"] == pytest.approx(0.9 - 133 / 200)
    assert found["interval"][0] > 0
    assert found["p"] < 0.001
    assert "b.parquet has the better accuracy" in found["sentence"]
    back = json.loads(call("compare", b, a, "--metric", "accuracy", "--json"))
    assert back["difference"] == pytest.approx(-found["difference"])
    itself = json.loads(call("compare", a, a, "--json"))
    assert itself["difference"] == 0
    assert "cannot tell" in itself["sentence"]


def test_compare_pairs_by_item_not_by_place(tmp_path: Path) -> None:
    rows = make_rows(60, 8)
    right = [str(row.label) for row in rows]
    a = write(tmp_path / "a.parquet", [right], rows)
    b = write(tmp_path / "b.parquet", [right[::-1]], rows[::-1])
    assert compare_predictions(read_variant(a), read_variant(b), metric="macro_f1")["difference"] == 0


def test_compare_says_what_does_not_fit(tmp_path: Path) -> None:
    rows = make_rows(20, 1)
    right = [str(row.label) for row in rows]
    a = read_variant(write(tmp_path / "a.parquet", [right], rows))
    others = [Row(row.text + " more", row.label) for row in rows]
    with pytest.raises(InputError, match="share no item"):
        compare_predictions(a, read_variant(write(tmp_path / "b.parquet", [right], others)), metric="accuracy")
    flipped = [Row(row.text, "positive") for row in rows]
    with pytest.raises(InputError, match="true label of 10 items differs"):
        compare_predictions(a, read_variant(write(tmp_path / "c.parquet", [right], flipped)), metric="accuracy")
    with pytest.raises(InputError, match="1 replicates, .* has 2"):
        compare_predictions(a, read_variant(write(tmp_path / "d.parquet", [right, right], rows)), metric="accuracy")


def test_no_answer_is_a_wrong_answer() -> None:
    rows = make_rows(4, 1)
    score = score_labels("m", Labelled("d", rows), [str(rows[0].label), None, None, None], ["negative", "positive"])
    assert score["no_answer"] == 3
    assert score["metrics"]["accuracy"]["value"] == 0.25


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("He said she would", "She said he would"),
        ("the hero helps", "the hero helps"),
        ("HE", "She"),
        ("", ""),
    ],
)
def test_swaps_whole_words_both_ways(text: str, expected: str) -> None:
    assert swapped(text, "he", "she") == expected


def test_missing_dataset_file_is_one_line(published: Path) -> None:
    with pytest.raises(SentisynthError, match=r"nowhere\.csv: no such file"):
        call("evaluate", str(published / "model"), "nowhere.csv")
