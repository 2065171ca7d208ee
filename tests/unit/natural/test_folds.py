"""Cross-fitting: every row is tested once a repetition, by a student that never saw it or its copies."""

from collections import Counter
from pathlib import Path

import pytest

from sentisynth_hub.core.distributed import Processes
from sentisynth_hub.core.errors import DataError
from sentisynth_hub.core.rows import Row
from sentisynth_hub.core.run_folder import stage_folder
from sentisynth_hub.core.text import normalised
from sentisynth_hub.natural.folds import fold_samples, make_folds
from sentisynth_hub.natural.splits import NaturalData
from sentisynth_hub.study.predictions import read_predictions
from sentisynth_hub.study.stage import run_study
from sentisynth_hub.verdict.evaluate import EvaluationConfig, evaluate_study
from tests.support.tiny_study import make_corpora, make_recipe, make_rows


def small_data() -> NaturalData:
    rows = make_rows(45, 3)
    copies = [Row(row.text + " !", row.label, f"copy-{i}") for i, row in enumerate(rows[:5])]
    return NaturalData([*rows[:30], *copies], rows[30:38], rows[38:])


def test_every_item_is_tested_once_and_never_beside_its_copy() -> None:
    recipe = make_recipe(Path("none"), cross_fitting={"folds": 5}, replicates=3)
    folds = make_folds(recipe, small_data())
    assert len(folds.rows) == 50
    for repetition in range(3):
        tested = [place for fold in range(5) for place in folds.tested(repetition * 5 + fold)]
        assert sorted(tested) == list(range(50))
        for fold in range(5):
            parts = folds.natural(repetition * 5 + fold)
            texts = [{normalised(row.text) for row in part} for part in (parts.train, parts.validation, parts.test)]
            assert not texts[0] & texts[1]
            assert not texts[0] & texts[2]
            assert not texts[1] & texts[2]
            labels = Counter(row.label for row in parts.test)
            assert abs(labels["negative"] - labels["positive"]) <= 4  # stratified; a copy may tip it
    assert folds.assigned[0] != folds.assigned[1]


def test_too_few_folds_or_rows_are_refused() -> None:
    with pytest.raises(DataError, match="2 leave no rows to train on"):
        make_folds(make_recipe(Path("none"), cross_fitting={"folds": 2}), small_data())
    with pytest.raises(DataError, match="label 'negative' has 23 texts for 40 folds"):
        make_folds(make_recipe(Path("none"), cross_fitting={"folds": 40}), small_data())


def test_cross_fitted_study_is_what_the_statistics_expect(tiny_model: Path, tmp_path: Path) -> None:
    variants = ["natural", "natural_repeated", "mixed"]
    recipe = make_recipe(tiny_model, mode="head", variants=variants, cross_fitting={"folds": 3}, replicates=2)
    natural = small_data()
    samples = fold_samples(recipe, natural)
    stage = stage_folder(tmp_path, "study", version=1, recipe=None)
    result = run_study(recipe, samples, natural, make_corpora(samples), stage, Processes())
    assert (result.replicates, result.test_items) == (2, 50)
    study = read_predictions([stage.path / "predictions.parquet"])
    assert (study.replicates, study.items) == (2, 50)
    folds = make_folds(recipe, natural)
    assert study.folds is not None
    assert study.folds.tolist() == folds.assigned
    assert [study.labels[i] for i in study.y] == [row.label for row in folds.rows]
    evaluation = evaluate_study(study, EvaluationConfig(design="cross_fitted", resamples=200))
    assert evaluation.design == "cross_fitted"
