"""The variant `setfit`: the library tunes a tiny real encoder, no fold sees the rows it is scored on, every label
trains, and what is saved is what was judged.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from sklearn.linear_model import LogisticRegression

from sentisynth_hub.core.distributed import Processes
from sentisynth_hub.core.errors import InputError
from sentisynth_hub.core.rows import Row
from sentisynth_hub.core.run_folder import stage_folder
from sentisynth_hub.model.stage import hyperparameters, train_model
from sentisynth_hub.natural.splits import draw_samples
from sentisynth_hub.pretrained.head_model import read_head_model
from sentisynth_hub.study import setfit_trial
from sentisynth_hub.study.plan import plan_replicate
from sentisynth_hub.study.stage import run_study
from sentisynth_hub.study.training_rows import Corpus
from tests.support.tiny_study import make_model, make_natural, make_recipe


def test_the_saved_model_is_the_judged_one_and_learned_from_every_label(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("setfit")
    variants = ["natural", "setfit"]
    recipe = make_recipe(
        make_model(tmp_path / "encoder"), mode="head", variants=variants, natural_methods=["plain", "setfit"]
    )
    natural, seen = make_natural(), []
    (sample, _) = draw_samples(recipe, natural)
    tune = setfit_trial._tuned

    def tune_and_note(recipe: Any, rows: Sequence[Row], folder: Path) -> Any:
        seen.append({row.text for row in rows})
        return tune(recipe, rows, folder)

    monkeypatch.setattr(setfit_trial, "_tuned", tune_and_note)
    nothing = {0: Corpus([], [])}
    stage = stage_folder(tmp_path, "model", version=1, recipe={})
    result = train_model(recipe, [sample], nothing, natural, "setfit", stage, tmp_path / "features")
    (_, trial) = plan_replicate(recipe, sample, natural, nothing[0], variants)
    labels = {row.text for row in trial.natural}
    assert len(seen) == 3  # two folds and all rows
    assert seen[-1] == labels
    assert (labels - seen[0]) | (labels - seen[1]) == labels  # each row is left out of one of the two
    assert (labels - seen[0]).isdisjoint(labels - seen[1])
    assert result.human_labels["train"] == len(labels) == result.training_rows.natural
    assert result.changed_answers == 0  # the saved folder answers as the student that was judged
    assert hyperparameters(recipe, result)["trained"] == "encoder and head, by SetFit"

    tuned_weights = next(result.folder.glob("0_Transformer/*.safetensors")).read_bytes()
    assert tuned_weights != (tmp_path / "encoder/model.safetensors").read_bytes()
    texts = [row.text for row in natural.test]
    (again,) = plan_replicate(recipe, sample, natural, nothing[0], ["setfit"])
    monkeypatch.undo()
    tuned = setfit_trial.fit_setfit(recipe, again.options[0].stages[0], again.validation)
    assert np.array_equal(tuned.model.probabilities(texts), read_head_model(result.folder).probabilities(texts))


def test_setfit_is_one_of_naturals_ways(tmp_path: Path) -> None:
    natural = make_natural()
    model = make_model(tmp_path)
    recipe = make_recipe(model, mode="head", natural_methods=["plain", "setfit"], variants=["natural"])
    sample = draw_samples(recipe, natural)[0]
    (trial,) = plan_replicate(recipe, sample, natural, Corpus([], []), ["natural"])
    assert [(option.name, option.rank, option.tuned) for option in trial.options] == [
        ("plain", 0, False),
        ("setfit", 1, True),
    ]
    other = recipe.with_content(recipe.model_dump() | {"seed": recipe.seed + 1})
    plain = make_recipe(model, mode="head", natural_methods=["plain"], variants=["natural"])
    (without,) = plan_replicate(plain, sample, natural, Corpus([], []), ["natural"])
    assert trial.digest(recipe) != trial.digest(other)  # a tuning draws from the seed
    assert without.digest(recipe) == without.digest(other)  # a head draws nothing


@pytest.mark.parametrize("labels", [["a", "b"], ["a", "b", "c"]])
def test_the_heads_weights_are_scikit_learns(labels: list[str]) -> None:
    random = np.random.default_rng(0)
    x, y = random.normal(size=(30, 4)), np.arange(30) % len(labels)
    head = LogisticRegression().fit(x, y)
    logits = x @ (weights := setfit_trial._weights(head, len(labels) + 1))[:-1] + weights[-1]
    odds = np.exp(logits)
    probabilities = odds / odds.sum(1, keepdims=True)
    np.testing.assert_allclose(probabilities[:, :-1], head.predict_proba(x), atol=1e-9)
    assert probabilities[:, -1].max() < 1e-9  # a label of which there is no row


def test_without_the_library_one_line_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "setfit", None)
    with pytest.raises(InputError, match=r"pip install 'sentisynth-hub\[setfit\]'"):
        setfit_trial._libraries()


def test_a_launch_of_several_processes_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    recipe = make_recipe(Path("none"), mode="head", variants=["natural", "setfit"])
    samples = draw_samples(recipe, natural := make_natural())
    stage, corpora = stage_folder(tmp_path, "study", version=1, recipe={}), {0: Corpus([], []), 1: Corpus([], [])}
    with pytest.raises(InputError, match="would take all 2 processes of this launch"):
        run_study(recipe, samples, natural, corpora, stage, Processes(rank=0, count=2))


def test_a_fine_tuned_study_has_no_setfit() -> None:
    with pytest.raises(ValidationError, match="setfit fits a head on an encoder it tunes itself"):
        make_recipe(Path("none"), mode="finetune", variants=["natural", "setfit"])
