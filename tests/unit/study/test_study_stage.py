"""Whole studies with the tiny student: what they leave behind, what a kill costs, and what bad input gets."""

import json
import sqlite3
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from sentisynth_hub.core.distributed import Processes
from sentisynth_hub.core.errors import DataError, RecipeError, StageError
from sentisynth_hub.core.rows import Row
from sentisynth_hub.core.run_folder import StageFolder, stage_folder
from sentisynth_hub.natural.splits import NaturalData, draw_samples
from sentisynth_hub.study import stage as module
from sentisynth_hub.study.plan import matched_steps, plan_trials
from sentisynth_hub.study.predictions import item_ids, read_predictions
from sentisynth_hub.study.progress import LiveTable
from sentisynth_hub.study.results import shipped_variant
from sentisynth_hub.study.stage import decides, load, run_study
from sentisynth_hub.study.store import TrialStore
from sentisynth_hub.study.training_rows import Corpus
from tests.support.tiny_study import make_corpora, make_natural, make_recipe, make_rows, study_of


HEAD = ["natural", "natural_repeated", "rebalanced", "synthetic", "unfiltered", "mixed", "gradual", "extra_natural"]


def trials_of(stage: StageFolder) -> list[Path]:
    """Files in the store of the run that the stage belongs to."""
    return sorted(TrialStore.of(stage).folder.glob("*.json"))


def test_head_study_leaves_what_the_statistics_read(tiny_model: Path, tmp_path: Path) -> None:
    recipe = make_recipe(tiny_model, mode="head", variants=HEAD)
    stage, result = study_of(recipe, tmp_path)
    natural = make_natural()
    found = read_predictions([result.predictions_path])
    assert list(found.variants) == HEAD
    assert (found.replicates, found.items) == (2, 30)
    assert found.labels == ("negative", "positive")
    assert list(found.item_ids) == [row.id for row in natural.test]
    assert [found.labels[i] for i in found.y] == [row.label for row in natural.test]
    for variant, probabilities in found.probabilities.items():
        assert np.allclose(probabilities.sum(-1), 1, atol=1e-5)
        assert (probabilities.argmax(-1) == found.variants[variant]).all()
    own = [{row.id for row in [*sample.train, *sample.validation]} for sample in draw_samples(recipe, natural)]
    assert set(result.human_labels["mixed"][1]["train"]) == own[1]
    assert result.human_labels["mixed"][1]["validation"] == []
    assert result.human_labels["synthetic"][0] == {"train": [], "validation": sorted(own[0])}
    assert load(stage) == result
    distances = result.distances()
    assert distances is not None
    assert distances.shape == (2, 30)
    assert distances.min() > 0  # no test text stands in training


@pytest.mark.parametrize("mode", ["head", "finetune"])
def test_no_variant_is_charged_for_a_label_it_could_not_train_on(tiny_model: Path, tmp_path: Path, mode: str) -> None:
    """Every human label of a variant that trains on natural rows trains it; held out, they choose and are charged."""
    variants = ["natural", "natural_repeated", "mixed", "kept", "eda", "natural_4"]
    student = {"budgets": [1], "epochs": 1}
    recipe = make_recipe(tiny_model, mode=mode, variants=variants, replicates=1, student=student)
    _, result = study_of(recipe, tmp_path / "crossed")
    for variant in variants:
        uses = result.human_labels[variant][0]
        assert uses["validation"] == [], variant
        assert len(uses["train"]) == (8 if variant == "natural_4" else 36), variant
    held_out = recipe.with_content(
        recipe.model_dump() | {"natural": recipe.natural.model_dump() | {"validation": "held_out"}}
    )
    _, result = study_of(held_out, tmp_path / "held-out")
    assert {use: len(ids) for use, ids in result.human_labels["mixed"][0].items()} == {"train": 16, "validation": 20}


def test_repetition_changes_nothing_in_head_mode(tiny_model: Path, tmp_path: Path) -> None:
    stage, result = study_of(
        make_recipe(tiny_model, mode="head", variants=["natural", "plain", "natural_repeated"]), tmp_path
    )
    found = read_predictions([result.predictions_path])
    assert (found.variants["plain"] == found.variants["natural_repeated"]).all()
    assert len(trials_of(stage)) == 4  # `natural`, which may teach itself too, and one for both others


def test_every_finetuned_variant_chooses_its_steps_in_the_folds(tiny_model: Path, tmp_path: Path) -> None:
    student = {"budgets": [0.5, 1], "epochs": 1}
    variants = ["natural", "natural_repeated", "kept"]
    recipe = make_recipe(tiny_model, variants=variants, replicates=1, student=student, natural_methods=["plain"])
    stage, result = study_of(recipe, tmp_path)
    matched = 8  # one epoch of 16 + 20 natural and 24 kept rows in batches of 8
    assert matched_steps(recipe, 60) == matched
    tried = {}
    outcomes = [TrialStore.of(stage).read(path.stem) for path in trials_of(stage)]
    for outcome in outcomes:
        tried.setdefault((outcome.option, len(outcome.tried)), [one["steps"] for one in outcome.tried])
        best = max(float(one["score"]) for one in outcome.tried)
        assert outcome.steps == min(one["steps"] for one in outcome.tried if one["score"] == best)
    assert tried["plain", 3] == [2, 5, 8]  # 0.5 and 1 epochs of 5 steps, and the matched number
    assert tried["plain", 2] == tried["kept", 2] == [4, 8]
    assert result.variants["natural_repeated"].budgets[0]["steps"] in (4, 8)


def test_conditional_study_varies_rows_and_start(tiny_model: Path, tmp_path: Path) -> None:
    recipe = make_recipe(tiny_model, mode="head", design="conditional", variants=["natural", "mixed"], replicates=3)
    natural = make_natural()
    samples = draw_samples(recipe, natural)
    stage = stage_folder(tmp_path, "study", version=1, recipe=None)
    result = run_study(recipe, samples, natural, {0: make_corpora(samples)[0]}, stage, Processes())
    probabilities = read_predictions([result.predictions_path]).probabilities["natural"]
    assert len({tuple(map(tuple, probabilities[replicate])) for replicate in range(3)}) > 1  # the folds are others


@pytest.mark.parametrize("mode", ["head", "finetune"])
def test_killed_after_every_trial_trains_none_twice(
    tiny_model: Path, tmp_path: Path, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = make_recipe(tiny_model, mode=mode, variants=["natural", "mixed"], student={"budgets": [1], "epochs": 1})
    _, whole = study_of(recipe, tmp_path / "whole")
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
    _, again = study_of(recipe, tmp_path / "killed")
    assert sorted(trained) == ["mixed-0", "mixed-1", "natural-0", "natural-1"]
    assert again.variants == whole.variants
    assert again.predictions_path.read_bytes() == whole.predictions_path.read_bytes()
    assert again.validation_path.read_bytes() == whole.validation_path.read_bytes()


@pytest.mark.parametrize(
    "change",
    [{"margin": 0.05}, {"trackers": ["tensorboard"]}, {"parallel": "data"}, {"metric": "accuracy"}, {"replicates": 1}],
)
def test_what_decides_no_trial_trains_none(
    tiny_model: Path, tmp_path: Path, change: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = make_recipe(tiny_model, mode="head", variants=["natural", "kept"])
    study_of(recipe, tmp_path)
    monkeypatch.setattr(module, "run_head", lambda *_: pytest.fail("a trial was trained again"))
    study = recipe.study.model_dump() | change
    changed = recipe.with_content(recipe.model_dump() | {"study": study})
    study_of(changed, tmp_path)
    assert (decides(changed) == decides(recipe)) == (set(change) <= {"margin", "trackers", "parallel"})


def test_another_variant_trains_that_variant(tiny_model: Path, tmp_path: Path) -> None:
    variants = ["natural", "kept"]
    stage, _ = study_of(make_recipe(tiny_model, mode="head", variants=variants), tmp_path)
    before = {path: path.stat().st_mtime_ns for path in trials_of(stage)}
    stage, result = study_of(make_recipe(tiny_model, mode="head", variants=[*variants, "unfiltered"]), tmp_path)
    after = {path: path.stat().st_mtime_ns for path in trials_of(stage)}
    assert len(before) == 4
    assert len(after) == 6
    assert before.items() <= after.items()
    assert set(result.variants) == {*variants, "unfiltered"}


def test_a_trial_of_other_rows_is_trained_again(tiny_model: Path, tmp_path: Path) -> None:
    recipe = make_recipe(tiny_model, mode="head", variants=["natural", "synthetic"], replicates=1)
    natural, stage = make_natural(), stage_folder(tmp_path, "study", version=1, recipe=None)
    samples = draw_samples(recipe, natural)
    run_study(recipe, samples, natural, make_corpora(samples), stage, Processes())
    assert len(trials_of(stage)) == 2
    run_study(recipe, samples, natural, make_corpora(samples, kept=12), stage, Processes())
    assert len(trials_of(stage)) == 3


@pytest.mark.parametrize("content", ["", "[]", '{"option": "plain"}', "\x00"])
def test_a_damaged_trial_or_study_gives_one_line(tiny_model: Path, tmp_path: Path, content: str) -> None:
    recipe = make_recipe(tiny_model, mode="head", variants=["natural"], replicates=1)
    stage, _ = study_of(recipe, tmp_path)
    (path,) = trials_of(stage)
    path.write_text(content, "utf-8")
    with pytest.raises(StageError, match="no outcome of a trial; remove the file and run the study again"):
        study_of(recipe, tmp_path)
    (stage.path / "human_labels.json").write_text(content, "utf-8")
    with pytest.raises(StageError, match="no finished study .*remove the folder and run it again"):
        load(stage)


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
    assert not stage.path.exists()


@pytest.mark.parametrize("mode", ["head", "finetune"])
def test_one_replicate_without_kept_rows_is_natural_alone(
    tiny_model: Path, tmp_path: Path, mode: str, capsys: pytest.CaptureFixture[str]
) -> None:
    variants = ["natural", "natural_repeated", "kept", "synthetic"]
    recipe = make_recipe(tiny_model, mode=mode, variants=variants, student={"budgets": [1], "epochs": 1})
    natural = make_natural()
    samples = draw_samples(recipe, natural)
    stage = stage_folder(tmp_path, "study", version=1, recipe=None)
    corpora = make_corpora(samples) | {1: Corpus([], make_rows(5, 3))}
    result = run_study(recipe, samples, natural, corpora, stage, Processes())
    assert "kept no row in replicate 1: there kept, synthetic have nothing but natural rows" in capsys.readouterr().err
    found = read_predictions([result.predictions_path])
    assert np.array_equal(found.probabilities["kept"][1], found.probabilities["natural_repeated"][1])
    assert not np.array_equal(found.probabilities["kept"][0], found.probabilities["natural_repeated"][0])
    assert (found.variants["synthetic"][1] == 0).all()  # all labels alike: the first
    assert (found.probabilities["synthetic"][1] == 0.5).all()


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
    result = run_study(recipe, samples, natural, {0: Corpus(rows, rows)}, stage, Processes())
    assert result.variants["synthetic"].missing_labels == {0: ["negative"]}
    predicted = read_predictions([result.predictions_path]).variants["synthetic"]
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


def losses(mean: float, spread: float = 0.05) -> list[np.ndarray]:
    """Losses of four replicates of three rows, with this mean."""
    return [np.full(3, mean + spread * step) for step in (-1, 1, -0.5, 0.5)]


@pytest.mark.parametrize(
    ("others", "shipped"),
    [
        ({"mixed": losses(0.6)}, "natural"),  # as good: the simpler one
        ({"mixed": losses(0.59, 0.01)}, "natural"),  # better, by less than a standard error of the difference
        ({"mixed": losses(0.4)}, "mixed"),
        ({"extra_natural": losses(0.1), "natural_50": losses(0.1), "llm_classifier": losses(0.1)}, "natural"),
        ({"mixed": losses(0.4), "kept": losses(0.401, 0.04)}, "kept"),  # as good as the best, and simpler
        ({"synthetic": losses(0.9), "mixed": losses(0.7)}, "natural"),
    ],
)
def test_the_simplest_variant_within_a_standard_error_of_the_best_ships(
    others: dict[str, list[np.ndarray]], shipped: str
) -> None:
    assert shipped_variant({"natural": losses(0.6), **others}, by_replicate=True) == shipped


def test_items_of_one_text_have_ids_of_their_own() -> None:
    rows = [Row("a b", "x"), Row("c", "x"), Row("a b", "y"), Row("a b", "x")]
    first = rows[0].id
    assert item_ids(rows) == [first, rows[1].id, f"{first}-2", f"{first}-3"]


def tracked_study(model: Path, tracker: str, folder: Path) -> tuple[Path, float, list[float]]:
    """A study of one trial with a tracker: the stage's folder, the trial's validation score and its losses."""
    recipe = make_recipe(
        model, variants=["plain", "natural"], replicates=1, trackers=[tracker], natural_methods=["plain"],
        student={"budgets": [1], "epochs": 8},
    )  # fmt: skip
    stage, result = study_of(recipe, folder)
    (trial,) = trials_of(stage)
    return stage.path, result.variants["natural"].validation[0], TrialStore.of(stage).read(trial.stem).losses


def test_trackers_get_losses_and_scores(tiny_model: Path, tmp_path: Path) -> None:
    loading = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    path, validation, losses = tracked_study(tiny_model, "tensorboard", tmp_path)
    (folder,) = (path / "trackers").iterdir()
    events = loading.EventAccumulator(str(folder))
    events.Reload()
    assert [event.value for event in events.Scalars("plain-0/loss")] == pytest.approx(losses)
    assert events.Scalars("plain-0/validation")[0].value == pytest.approx(validation)


def test_trackio_gets_them_too_and_keeps_off_standard_output(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    pytest.importorskip("trackio")
    _, _, losses = tracked_study(tiny_model, "trackio", tmp_path)
    (project,) = (tmp_path / "trackio").glob("*.db")
    with sqlite3.connect(project) as database:
        logged = [json.loads(line) for (line,) in database.execute("select metrics from metrics order by id")]
    assert [line["plain-0/loss"] for line in logged if "plain-0/loss" in line] == pytest.approx(losses)
    assert capsys.readouterr().out == ""


def test_a_tracker_that_is_not_installed_is_named(tiny_model: Path, tmp_path: Path) -> None:
    if find_spec("trackio") is not None:
        pytest.skip("trackio is installed")
    with pytest.raises(RecipeError, match="study.trackers: trackio is not installed; pip install trackio"):
        study_of(make_recipe(tiny_model, mode="head", variants=["natural"], trackers=["trackio"]), tmp_path)


def test_live_table_counts_what_is_there(tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = make_recipe(tiny_model, mode="head", variants=["natural", "mixed"])
    stage, result = study_of(recipe, tmp_path)
    natural = make_natural()
    samples = draw_samples(recipe, natural)
    trials = plan_trials(recipe, samples, natural, make_corpora(samples))
    pairs = [(trial, trial.digest(recipe)) for trial in trials]
    store = TrialStore.of(stage)
    store.path(next(digest for trial, digest in pairs if trial.name == "natural-0")).unlink()
    store.path(next(digest for trial, digest in pairs if trial.name == "mixed-1")).unlink()
    capsys.readouterr()
    table = LiveTable(recipe, store, pairs)
    table.update()
    table.update()
    reached = result.variants["natural"].validation[1]
    assert capsys.readouterr().err.count(f"natural-1: validation macro_f1 {reached:.3f}") == 1
    assert table.lines()[1].startswith(f"  natural   1/2   {reached:.3f}")


def test_early_stopping_wants_held_out_rows(tiny_model: Path, tmp_path: Path) -> None:
    student = {"early_stopping": 1, "budgets": [20], "learning_rate": 1e-12}
    with pytest.raises(ValidationError, match="early_stopping: it looks at held-out validation rows"):
        make_recipe(tiny_model, student=student)
    recipe = make_recipe(
        tiny_model, validation="held_out", variants=["natural", "kept"], replicates=1, student=student
    )
    _, result = study_of(recipe, tmp_path)
    # So small a learning rate changes no prediction: the second epoch is no better, and the first one's weights are
    # kept: an epoch of 16 natural rows, and one of 16 natural and 24 kept ones.
    assert result.variants["natural"].budgets[0]["steps"] == 2
    assert result.variants["kept"].budgets[0]["steps"] == 5
