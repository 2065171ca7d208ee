"""The group whose absence helps is to blame."""

from dataclasses import replace

from sentisynth_hub.evaluation.report import EvaluationConfig, evaluate_study
from tests.unit.evaluation.studies import made_study


ACCURACIES = {
    "natural": 0.7, "natural_repeated": 0.7, "mixed": 0.6,
    "mixed_without_gpt-2": 0.75, "mixed_without_template 3": 0.5, "mixed_without_other": 0.6,
}  # fmt: skip
CONFIG = EvaluationConfig(resamples=99, margin=0.03)


def test_harmful_group_is_to_blame_and_useful_one_pays_its_way() -> None:
    found = evaluate_study(made_study(ACCURACIES, items=4_000, replicates=8), CONFIG)
    assert [one["group"] for one in found["blame"]] == ["gpt-2", "other", "template 3"]
    assert {one["group"]: one["reading"] for one in found["blame"]} == {
        "gpt-2": "to blame", "other": "no difference that matters", "template 3": "pays its way",
    }  # fmt: skip
    assert found["blame"][0]["alpha"] < 0.05
    mean = {one["name"]: one["mean"] for one in found["variants"]}
    assert found["blame"][0]["difference"] == mean["mixed_without_gpt-2"] - mean["mixed"]


def test_ablations_are_not_compared_with_natural() -> None:
    found = evaluate_study(made_study(ACCURACIES), CONFIG)
    assert not any("without" in one["variant"] for one in found["comparisons"])
    assert {one["role"] for one in found["variants"] if "without" in one["name"]} == {"without"}


def test_nothing_left_out_nobody_to_blame() -> None:
    study = made_study({"natural": 0.7, "mixed": 0.6})
    assert evaluate_study(study, CONFIG)["blame"] == []
    assert evaluate_study(study, replace(CONFIG, primary="synthetic"))["blame"] == []
