"""The saved model is the student that was judged, its own library says what was stored, and its record is true."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline

from sentisynth_hub.core.errors import StageError
from sentisynth_hub.core.rows import Row
from sentisynth_hub.core.run_folder import StageFolder, stage_folder
from sentisynth_hub.model.saved_model import ScoreInterval
from sentisynth_hub.model.stage import ModelResult, count_origins, decides, load, train_model
from sentisynth_hub.natural.splits import NaturalData, draw_samples
from sentisynth_hub.pretrained.classifier import open_classifier
from sentisynth_hub.recipe import Recipe
from sentisynth_hub.study.plan import plan_replicate
from sentisynth_hub.study.predictions import read_predictions
from sentisynth_hub.study.training_rows import Corpus
from tests.support.tiny_study import make_corpora, make_natural, make_recipe, make_rows, study_of


def train(
    recipe: Recipe,
    folder: Path,
    variant: str,
    *,
    natural: NaturalData | None = None,
    corpora: dict[int, Corpus] | None = None,
) -> tuple[ModelResult, StageFolder]:
    natural = natural or make_natural()
    samples = draw_samples(recipe, natural)
    stage = stage_folder(folder, "model", version=1, recipe=[variant, decides(recipe)])
    corpora = corpora or make_corpora(samples)
    return train_model(recipe, samples, corpora, natural, variant, stage, folder / "study" / "features"), stage


def answers(path: Path, variant: str) -> list[str]:
    """The first replicate's answers in a file of predictions."""
    stored = read_predictions([path])
    return [stored.labels[i] for i in stored.variants[variant][0]]


@pytest.mark.parametrize(
    ("design", "mode"),
    [
        ("nested", "head"),
        ("conditional", "finetune"),  # each design and each mode once; crossed, they take a minute of processor
        pytest.param("nested", "finetune", marks=pytest.mark.slow),
        pytest.param("conditional", "head", marks=pytest.mark.slow),
    ],
)
def test_the_saved_model_gives_the_answers_that_were_judged(
    tiny_model: Path, tmp_path: Path, design: str, mode: str
) -> None:
    student = {"budgets": [1], "prefix": "the "}
    variants = ["natural", "mixed", "gradual"] if mode == "head" else ["natural", "kept"]
    study = {"replicates": 2, "design": design, "cross_validation": {"folds": 2, "repeats": 1}}
    recipe = make_recipe(tiny_model, variants=variants, student=student, mode=mode, **study)
    trained, _ = study_of(recipe, tmp_path)
    for variant in variants:
        result, stage = train(recipe, tmp_path, variant)
        judged = answers(trained.path / "predictions.parquet", variant)
        assert answers(stage.path / "test_predictions.parquet", variant) == judged
        texts = [row.text for row in make_natural().test]
        assert open_classifier(result.folder).predict(texts) == judged
        assert result.changed_answers == 0
        right = [a == row.label for a, row in zip(judged, make_natural().test, strict=True)]
        score = result.test_scores["accuracy"]
        assert score.value == pytest.approx(sum(right) / 30, abs=1e-6)
        assert score.low < score.value < score.high or score.value in (score.low, score.high)
        assert load(stage) == result


def test_sentence_transformers_gives_the_judged_label_of_every_test_row(tiny_model: Path, tmp_path: Path) -> None:
    library = pytest.importorskip("sentence_transformers")
    recipe = make_recipe(tiny_model, variants=["natural", "mixed"], mode="head", student={"prefix": "the "})
    study, _ = study_of(recipe, tmp_path)
    for variant in ("natural", "mixed"):
        result, _ = train(recipe, tmp_path, variant)
        assert result.layout == "sentence-transformers"
        model = library.SentenceTransformer(str(result.folder), device="cpu", trust_remote_code=False)
        names = model[0].auto_model.config.id2label
        texts = [row.text for row in make_natural().test]
        theirs = [names[int(place)] for place in np.asarray(model.encode(texts)).argmax(1)]
        assert theirs == answers(study.path / "predictions.parquet", variant)


def test_a_fine_tuned_student_is_stock_and_plain_pipeline_says_the_same(tiny_model: Path, tmp_path: Path) -> None:
    recipe = make_recipe(tiny_model, variants=["natural"], student={"budgets": [1]})
    long = Row("film " * 100, "negative")
    natural = make_natural()
    natural = NaturalData(natural.train, natural.validation, [*natural.test, long])
    result, stage = train(recipe, tmp_path, "natural", natural=natural)
    assert (result.layout, result.mode, result.test_items) == ("transformers", "finetune", 31)
    assert result.human_labels == {"train": 36, "validation": 0}  # every label trains
    assert result.settings.keys() == {"weight", "steps"}
    model = AutoModelForSequenceClassification.from_pretrained(result.folder)
    assert model.config.id2label == {0: "negative", 1: "positive"}
    assert str(next(model.parameters()).dtype) == "torch.float32"
    assert AutoTokenizer.from_pretrained(result.folder).model_max_length == 24  # the encoder's positions
    plain = pipeline("text-classification", model=str(result.folder), device="cpu")
    stored = answers(stage.path / "test_predictions.parquet", "natural")
    assert [plain(row.text, truncation=True)[0]["label"] for row in natural.test] == stored


def test_training_rows_are_counted_by_origin(tiny_model: Path, tmp_path: Path) -> None:
    variants = ["natural", "kept", "synthetic", "unfiltered", "eda", "pseudo_label", "rebalanced", "gradual"]
    settings = {"synthetic_weights": [1], "natural_methods": ["plain"]}
    recipe = make_recipe(tiny_model, variants=variants, mode="head", replicates=1, **settings)
    samples = draw_samples(recipe, make_natural())
    labelled = tuple(make_rows(6, 900, origin="p"))
    corpora = {number: replace(corpus, pseudo_labelled=labelled) for number, corpus in make_corpora(samples).items()}
    counts = {
        variant: tuple(train(recipe, tmp_path, variant, corpora=corpora)[0].training_rows.model_dump().values())
        for variant in variants
    }
    assert counts == {  # natural, synthetic, pseudo-labelled, augmented
        "natural": (36, 0, 0, 0),
        "kept": (36, 24, 0, 0),
        "synthetic": (0, 24, 0, 0),
        "unfiltered": (36, 40, 0, 0),
        "eda": (36, 0, 0, 24),
        "pseudo_label": (36, 0, 6, 0),
        "rebalanced": (36, 0, 0, 0),
        "gradual": (36, 24, 0, 0),
    }


@pytest.mark.parametrize("variant", ["kept", "weighted", "unfiltered", "eda"])
def test_rows_of_no_weight_are_no_training_rows(tiny_model: Path, variant: str) -> None:
    """The folds may give added rows the weight 0: then the model was trained on natural rows alone, and says so."""
    recipe = make_recipe(tiny_model, variants=["natural", variant], mode="head", replicates=1)
    samples = draw_samples(recipe, make_natural())
    corpus = make_corpora(samples)[0]
    (trial,) = plan_replicate(recipe, samples[0], make_natural(), corpus, [variant])
    option = trial.options[0]
    assert count_origins(option, trial, corpus, weight=0.1).total > 36
    rows = count_origins(option, trial, corpus, weight=0)
    assert (rows.natural, rows.total) == (36, 36)


RECORD: dict[str, Any] = {
    "variant": "natural",
    "mode": "head",
    "layout": "sentence-transformers",
    "labels": ["a", "b", "c"],
    "training_rows": {"natural": 120, "synthetic": 0, "pseudo_labelled": 0, "augmented": 0},
    "human_labels": {"train": 120},
    "missing_labels": [],
    "option": "plain",
    "settings": {"penalty": 0.1},
    "test_items": 490,
    "test_scores": {"macro_f1": {"value": 0.541, "low": 0.5, "high": 0.58}},
    "confidence": 0.7,
    "changed_answers": 0,
    "constant_label": None,
}


def result_with(**changes: Any) -> ModelResult:
    return ModelResult.model_validate(RECORD | {"folder": Path("model")} | changes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"confidence": 0.345}, ["nearly uniform", "0.34", "0.33"]),  # 0.34 to 0.35 of three labels on a real run
        ({"labels": ["a", "b"], "confidence": 0.52}, ["nearly uniform", "0.52", "0.50"]),
        ({"constant_label": "b", "confidence": 0.9}, ["'b' to every one of 490"]),
        ({"changed_answers": 2}, ["2 of 490 test rows otherwise"]),
        ({"confidence": 0.45}, []),
    ],
)
def test_what_a_user_should_know_is_warned_of(changes: dict[str, Any], words: Sequence[str]) -> None:
    lines = result_with(**changes).warnings()
    assert len(lines) == bool(words)
    assert all(word in lines[0] for word in words)


def test_an_untrained_student_is_called_nearly_uniform(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`synthetic` where the filters kept nothing in this replicate: no row, no knowledge, and it says so."""
    recipe = make_recipe(tiny_model, variants=["natural", "synthetic"], mode="head", replicates=1)
    result, _ = train(recipe, tmp_path, "synthetic", corpora={0: Corpus([], make_rows(4, 3))})
    assert result.nearly_uniform
    assert result.confidence == pytest.approx(0.5)
    assert (
        "warning: SH402: the model (synthetic) answers 'negative' to every one of 30 test rows"
        in capsys.readouterr().err
    )


def test_the_summary_says_score_interval_and_rows() -> None:
    assert result_with().summary("macro_f1") == (
        "natural, the student that was judged (replicate 0): macro_f1 0.541 [0.500, 0.580] on 490 test rows; "
        "trained on 120 natural and 0 synthetic rows"
    )
    assert not result_with().trained_on_synthetic


NO_RECORD = "not the record of a finished model stage"
NO_OBJECT = "not a JSON object; delete the folder it is in and run again"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, NO_RECORD),
        ({"variant": 3}, NO_RECORD),
        (RECORD | {"confidence": 7.0}, NO_RECORD),
        (RECORD | {"test_scores": {"macro_f1": 0.5}}, NO_RECORD),
        (RECORD | {"layout": "pickle"}, NO_RECORD),
        (RECORD | {"training_rows": {"natural": -1}}, NO_RECORD),
        ([], NO_OBJECT),
        (3, NO_OBJECT),
        (None, NO_OBJECT),
    ],
)
def test_a_record_that_is_none_is_refused_in_one_line(tmp_path: Path, content: Any, message: str) -> None:
    stage = stage_folder(tmp_path, "model", version=1, recipe=None)
    stage.path.mkdir(parents=True)
    (stage.path / "manifest.json").write_text(json.dumps(content), "utf-8")
    with pytest.raises(StageError, match=message) as caught:
        load(stage)
    assert "\n" not in str(caught.value)


def test_what_does_not_change_the_model_does_not_rename_it(tiny_model: Path) -> None:
    one = make_recipe(tiny_model, variants=["natural", "mixed"], replicates=2, margin=0.02)
    assert decides(one) == decides(make_recipe(tiny_model, variants=["natural"], replicates=5, margin=0.05))
    assert decides(one) != decides(make_recipe(tiny_model, variants=["natural"], student={"max_length": 12}))
    assert decides(one) != decides(make_recipe(tiny_model, variants=["natural"], mode="head"))


def test_score_interval_is_bounded() -> None:
    with pytest.raises(ValueError, match="less than or equal to 1"):
        ScoreInterval(value=1.1, low=0.0, high=1.0)
