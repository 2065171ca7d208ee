"""Whole studies with the tiny student: what they leave behind, what a kill costs, and what bad input gets."""

import json
import sqlite3
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sentisynth_hub.core.distributed import Processes
from sentisynth_hub.core.errors import DataError, RecipeError
from sentisynth_hub.core.files import read_json, write_json
from sentisynth_hub.core.rows import Row
from sentisynth_hub.core.run_folder import stage_folder
from sentisynth_hub.natural.splits import NaturalData, draw_samples
from sentisynth_hub.study import stage as module
from sentisynth_hub.study.progress import LiveTable
from sentisynth_hub.study.stage import best_on_validation, run_study
from sentisynth_hub.study.trial import matched_steps
from sentisynth_hub.study.trial_predictions import item_ids
from sentisynth_hub.study.variants import Corpus
from sentisynth_hub.verdict.predictions import read_predictions
from tests.support.tiny_study import make_corpora, make_natural, make_recipe, make_rows, study_of


HEAD = ["natural", "natural_repeated", "rebalanced", "synthetic", "unfiltered", "mixed", "gradual", "extra_natural"]


def test_head_study_leaves_what_the_statistics_read(tiny_model: Path, tmp_path: Path) -> None:
    recipe = make_recipe(tiny_model, mode="head", variants=HEAD)
    stage, manifest = study_of(recipe, tmp_path)
    natural = make_natural()
    found = read_predictions([stage.path / "predictions.parquet"])
    assert list(found.variants) == HEAD
    assert (found.replicates, found.items) == (2, 30)
    assert found.labels == ("negative", "positive")
    assert list(found.item_ids) == [row.id for row in natural.test]
    assert [found.labels[i] for i in found.y] == [row.label for row in natural.test]
    for variant, probabilities in found.probabilities.items():
        assert np.allclose(probabilities.sum(-1), 1, atol=1e-5)
        assert (probabilities.argmax(-1) == found.variants[variant]).all()
    human = json.loads((stage.path / "human_labels.json").read_text("utf-8"))
    samples = draw_samples(recipe, natural)
    assert human["mixed"]["1"]["train"] == sorted(row.id for row in samples[1].train)
    assert human["synthetic"]["0"]["train"] == []
    assert human["synthetic"]["0"]["validation"] == sorted(row.id for row in samples[0].validation)
    assert manifest["chosen_variant"] == best_on_validation(manifest["variants"])
    distances = np.load(stage.path / "distances.npy")
    assert distances.shape == (2, 30)
    assert distances.min() > 0  # no test text stands in training


def test_repetition_changes_nothing_in_head_mode(tiny_model: Path, tmp_path: Path) -> None:
    stage, _ = study_of(make_recipe(tiny_model, mode="head", variants=["natural", "natural_repeated"]), tmp_path)
    found = read_predictions([stage.path / "predictions.parquet"])
    assert (found.variants["natural"] == found.variants["natural_repeated"]).all()


def test_finetune_study_matches_steps(tiny_model: Path, tmp_path: Path) -> None:
    recipe = make_recipe(tiny_model, variants=["natural", "natural_repeated", "mixed", "gradual"], replicates=1)
    stage, manifest = study_of(recipe, tmp_path)
    matched = 2 * 5  # two epochs of 16 natural and 24 kept rows in batches of 8
    assert matched_steps(recipe, 40) == matched
    for variant in ("natural_repeated", "mixed"):
        assert manifest["variants"][variant]["chosen"] == [{"steps": matched}]
    assert manifest["variants"]["gradual"]["chosen"][0]["steps"] == pytest.approx(
        matched, abs=2
    )  # rounded stage by stage
    tried = json.loads((stage.path / "trials/natural-0.json").read_text("utf-8"))["chosen"]["tried"]
    assert [one["steps"] for one in tried] == [
        4,
        8,
        10,
        16,
    ]  # 2 epochs of 2 steps, times 1, 2, 4, and the matched number
    best = max(one["score"] for one in tried)
    assert manifest["variants"]["natural"]["chosen"][0]["steps"] == min(
        o["steps"] for o in tried if o["score"] == best
    )


def test_conditional_study_varies_rows_and_start(tiny_model: Path, tmp_path: Path) -> None:
    recipe = make_recipe(tiny_model, mode="head", design="conditional", variants=["natural", "mixed"], replicates=3)
    natural = make_natural()
    samples = draw_samples(recipe, natural)
    stage = stage_folder(tmp_path, "study", version=1, recipe=None)
    run_study(recipe, samples, natural, {0: make_corpora(samples)[0]}, stage, Processes())
    probabilities = read_predictions([stage.path / "predictions.parquet"]).probabilities["natural"]
    assert not np.allclose(probabilities[0], probabilities[1])
    assert not np.allclose(probabilities[1], probabilities[2])


@pytest.mark.parametrize("mode", ["head", "finetune"])
def test_killed_after_every_trial_trains_none_twice(
    tiny_model: Path, tmp_path: Path, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = make_recipe(tiny_model, mode=mode, variants=["natural", "mixed"], student={"budgets": [1]})
    whole, manifest = study_of(recipe, tmp_path / "whole")
    trained: list[str] = []
    original = getattr(module, f"run_{mode}")

    class Killed(BaseException):
        pass

    def counting(recipe: Any, trial: Any, *rest: Any, **named: Any) -> Any:
        if trained and len(trained) > kills[-1]:
            kills.append(len(trained))
            raise Killed
        trained.append(trial.name)
        return original(recipe, trial, *rest, **named)

    kills = [0]
    monkeypatch.setattr(module, f"run_{mode}", counting)
    for _ in range(3):
        with pytest.raises(Killed):
            study_of(recipe, tmp_path / "killed")
    stage, again = study_of(recipe, tmp_path / "killed")
    assert sorted(trained) == ["mixed-0", "mixed-1", "natural-0", "natural-1"]
    assert again == manifest
    for name in ("predictions.parquet", "validation.parquet"):
        assert (stage.path / name).read_bytes() == (whole.path / name).read_bytes()


def test_a_trial_of_other_rows_is_trained_again(tiny_model: Path, tmp_path: Path) -> None:
    recipe = make_recipe(tiny_model, mode="head", variants=["natural", "synthetic"], replicates=1)
    natural, stage = make_natural(), stage_folder(tmp_path, "study", version=1, recipe=None)
    samples = draw_samples(recipe, natural)
    run_study(recipe, samples, natural, make_corpora(samples), stage, Processes())
    before = {path.name: path.stat().st_mtime_ns for path in (stage.path / "trials").iterdir()}
    run_study(recipe, samples, natural, make_corpora(samples, kept=12), stage, Processes())
    after = {path.name: path.stat().st_mtime_ns for path in (stage.path / "trials").iterdir()}
    assert before["synthetic-0.json"] != after["synthetic-0.json"]


def test_corpus_empty_in_every_replicate_is_refused_before_anything_is_trained(
    tiny_model: Path, tmp_path: Path
) -> None:
    recipe = make_recipe(tiny_model, mode="head", variants=["natural", "mixed", "synthetic"])
    natural = make_natural()
    samples = draw_samples(recipe, natural)
    stage = stage_folder(tmp_path, "study", version=1, recipe=None)
    corpora = {sample.replicate: Corpus([], make_rows(5, 3)) for sample in samples}
    with pytest.raises(DataError, match="mixed, synthetic need synthetic rows and the filters kept none; loosen"):
        run_study(recipe, samples, natural, corpora, stage, Processes())
    assert not list(stage.path.iterdir())


@pytest.mark.parametrize("mode", ["head", "finetune"])
def test_one_replicate_without_kept_rows_is_natural_alone(
    tiny_model: Path, tmp_path: Path, mode: str, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = make_recipe(tiny_model, mode=mode, variants=["natural", "natural_repeated", "mixed", "synthetic"])
    natural = make_natural()
    samples = draw_samples(recipe, natural)
    stage = stage_folder(tmp_path, "study", version=1, recipe=None)
    corpora = make_corpora(samples) | {1: Corpus([], make_rows(5, 3))}
    run_study(recipe, samples, natural, corpora, stage, Processes())
    assert (
        "kept no row in replicate 1: there mixed, synthetic have nothing but natural rows" in capsys.readouterr().err
    )
    outcomes = {path.stem: read_json(path)["test"] for path in (stage.path / "trials").glob("*.json")}
    assert outcomes["mixed-1"] == outcomes["natural_repeated-1"]
    assert outcomes["mixed-0"] != outcomes["natural_repeated-0"]
    assert set(outcomes["synthetic-1"]["predicted"]) == {"negative"}  # all labels alike: the first
    assert {p for line in outcomes["synthetic-1"]["probabilities"] for p in line} == {0.5}


@pytest.mark.parametrize("mode", ["head", "finetune"])
def test_corpus_of_one_label_gives_a_student_that_says_nothing_else(
    tiny_model: Path, tmp_path: Path, mode: str, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = make_recipe(
        tiny_model, mode=mode, variants=["natural", "synthetic"], replicates=1, student={"epochs": 10, "budgets": [1]}
    )
    natural = make_natural()
    samples = draw_samples(recipe, natural)
    stage = stage_folder(tmp_path, "study", version=1, recipe=None)
    rows = make_rows(24, 5, labels=("positive",))
    manifest = run_study(recipe, samples, natural, {0: Corpus(rows, rows)}, stage, Processes())
    assert manifest["variants"]["synthetic"]["missing_labels"] == {"0": ["negative"]}
    predicted = read_predictions([stage.path / "predictions.parquet"]).variants["synthetic"]
    assert (predicted == 1).all()
    assert "synthetic has no row of negative in replicate 0" in capsys.readouterr().err


def test_twelve_rows_in_all(tiny_model: Path, tmp_path: Path) -> None:
    recipe = make_recipe(tiny_model, mode="head", variants=["natural", "mixed"], rows_per_label=3)
    recipe = recipe.with_content(recipe.model_dump() | {"natural": {"files": {"train": "x"}}})
    rows = make_rows(12, 2)
    natural = NaturalData(rows[:6], rows[6:8], rows[8:])
    samples = draw_samples(recipe, natural)
    stage = stage_folder(tmp_path, "study", version=1, recipe=None)
    run_study(recipe, samples, natural, make_corpora(samples), stage, Processes())
    assert read_predictions([stage.path / "predictions.parquet"]).items == 4


def test_publishable_variant_with_the_best_validation_is_chosen() -> None:
    scores = {"natural": [0.6, 0.6], "mixed": [0.5, 0.7], "extra_natural": [0.9, 0.9], "natural_50": [0.9, 0.9]}
    assert best_on_validation({name: {"validation": found} for name, found in scores.items()}) == "natural"
    assert (
        best_on_validation({name: {"validation": found} for name, found in {**scores, "mixed": [0.5, 0.71]}.items()})
        == "mixed"
    )


def test_items_of_one_text_have_ids_of_their_own() -> None:
    rows = [Row("a b", "x"), Row("c", "x"), Row("a b", "y"), Row("a b", "x")]
    first = rows[0].id
    assert item_ids(rows) == [first, rows[1].id, f"{first}-2", f"{first}-3"]


def tracked_study(model: Path, tracker: str, folder: Path) -> tuple[Path, float, list[float]]:
    """A study of one trial with a tracker: the stage's folder, the trial's validation score and its losses."""
    recipe = make_recipe(
        model, variants=["natural"], replicates=1, trackers=[tracker], student={"budgets": [1], "epochs": 12}
    )
    stage, manifest = study_of(recipe, folder)
    trial = json.loads((stage.path / "trials/natural-0.json").read_text("utf-8"))
    return stage.path, manifest["variants"]["natural"]["validation"][0], trial["chosen"]["losses"]


def test_trackers_get_losses_and_scores(tiny_model: Path, tmp_path: Path) -> None:
    loading = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    path, validation, losses = tracked_study(tiny_model, "tensorboard", tmp_path)
    (folder,) = (path / "trackers").iterdir()
    events = loading.EventAccumulator(str(folder))
    events.Reload()
    assert [event.value for event in events.Scalars("natural-0/loss")] == pytest.approx(losses)
    assert events.Scalars("natural-0/validation")[0].value == pytest.approx(validation)


def test_trackio_gets_them_too_and_keeps_off_standard_output(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    pytest.importorskip("trackio")
    _, _, losses = tracked_study(tiny_model, "trackio", tmp_path)
    (project,) = (tmp_path / "trackio").glob("*.db")
    with sqlite3.connect(project) as database:
        logged = [json.loads(line) for (line,) in database.execute("select metrics from metrics order by id")]
    assert [line["natural-0/loss"] for line in logged if "natural-0/loss" in line] == pytest.approx(losses)
    assert capsys.readouterr().out == ""


def test_a_tracker_that_is_not_installed_is_named(tiny_model: Path, tmp_path: Path) -> None:
    if find_spec("trackio") is not None:
        pytest.skip("trackio is installed")
    with pytest.raises(RecipeError, match="study.trackers: trackio is not installed; pip install trackio"):
        study_of(make_recipe(tiny_model, mode="head", variants=["natural"], trackers=["trackio"]), tmp_path)


def test_live_table_counts_what_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = LiveTable(tmp_path, [("natural", 0), ("mixed", 0), ("natural", 1), ("mixed", 1)], "macro_f1")
    write_json(tmp_path / "natural-1.json", {"validation": {"score": 0.625}})
    table.update()
    table.update()
    assert capsys.readouterr().err.count("natural-1: validation macro_f1 0.625") == 1
    assert table.lines()[1:] == ["  natural   1/2   0.625   0.62", "  mixed     0/2"]


def test_early_stopping_is_for_natural_alone(tiny_model: Path, tmp_path: Path) -> None:
    student = {"early_stopping": 1, "budgets": [20], "learning_rate": 1e-12}
    recipe = make_recipe(tiny_model, variants=["natural", "mixed"], replicates=1, student=student)
    stage, manifest = study_of(recipe, tmp_path)
    # So small a learning rate changes no prediction: the second epoch is no better, and the first one's weights are
    # kept.
    assert manifest["variants"]["natural"]["chosen"] == [{"steps": 2}]
    assert manifest["variants"]["mixed"]["chosen"] == [{"steps": 10}]
