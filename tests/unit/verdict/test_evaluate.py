"""The whole evaluation: JSON-ready, the same twice, and honest where there is little to say."""

import json
from dataclasses import replace

import numpy as np
import pytest

from sentisynth_hub.core.errors import DataError
from sentisynth_hub.study.predictions import StudyPredictions
from sentisynth_hub.verdict.evaluate import EvaluationConfig, TestItems, evaluate_study
from sentisynth_hub.verdict.evaluation import Evaluation, parse_evaluation
from sentisynth_hub.verdict.evaluation_parts import Unanswered
from sentisynth_hub.verdict.evaluation_text import table_lines, verdict_sentence, warnings
from sentisynth_hub.verdict.label_budget import LabelLedger
from tests.support.studies import made_study


QUICK = EvaluationConfig(resamples=999, margin=0.03)
GAIN = {"natural": 0.6, "natural_repeated": 0.6, "mixed": 0.72}


def full() -> Evaluation:
    accuracies = GAIN | {
        "rebalanced": 0.6, "mixed_natural_prior": 0.7, "shuffled_labels": 0.5, "extra_natural": 0.75,
        "natural_10": 0.5, "natural_400": 0.8, "kept": 0.7,
    }  # fmt: skip
    study = made_study(accuracies, replicates=8)
    ledger = LabelLedger()
    for name, size in {"natural_10": 10, "natural": 60, "natural_400": 400, "mixed": 60}.items():
        for replicate in range(8):
            ledger.record(name, replicate, "train", [f"{replicate}-{place}" for place in range(size)])
            ledger.record(name, replicate, "validation", [f"v{replicate}-{place}" for place in range(10)])
    known = TestItems(
        texts=[("not " if place % 3 else "") + "x" * (place % 40) for place in range(300)],
        columns={"source": ["a", "b", "c"] * 100},
        distances=np.arange(300) / 300,
    )
    config = replace(QUICK, curve=("natural_10", "natural", "natural_400"), plan=(8, 16))
    return evaluate_study(study, config, test_items=known, ledger=ledger, cost_usd={"mixed": 1.25})


def test_everything_is_there_and_survives_json() -> None:
    found = full()
    assert found == parse_evaluation(found.record())
    assert json.loads(json.dumps(found.record(), allow_nan=False))["verdict"]["outcome"] == "helps"
    assert [one.family for one in found.comparisons].count("primary") == 2
    assert {one.variant: one.passed for one in found.controls} == {
        "shuffled_labels": True,
        "extra_natural": True,
    }
    assert {one.name: one.role for one in found.variants}["natural_400"] == "curve"
    assert "natural_400" not in {one.variant for one in found.comparisons}
    assert found.factorial is not None
    assert found.worth[0].used == 70
    assert 70 < found.worth[0].labels < 410
    assert found.slices is not None
    assert {row.name for row in found.slices.rows} >= {"negation", "source: a"}
    assert found.distance is not None
    assert found.look is not None
    assert (found.look.number, found.next_look) == (1, None)  # settled


def test_the_same_twice() -> None:
    assert full().model_dump_json() == full().model_dump_json()


def test_table_shows_what_the_comparisons_say() -> None:
    found = full()
    lines = {line.split()[0]: line for line in table_lines(found) if line}
    mixed = next(one for one in found.comparisons if one.variant == "mixed" and one.baseline == "natural")
    assert mixed.interval is not None
    assert f"{mixed.difference:+.4f}" in lines["mixed"]
    assert f"[{mixed.interval[0]:+.4f}, {mixed.interval[1]:+.4f}]" in lines["mixed"]
    assert lines["mixed"].endswith("helps")
    assert lines["shuffled_labels"].endswith("worse (secondary)")
    assert table_lines(found)[-2] == f"verdict: {verdict_sentence(found)}"


def test_an_oracle_teacher_is_said_in_table_and_warnings() -> None:
    found = evaluate_study(made_study(GAIN), replace(QUICK, oracle_teacher=6920))
    lines = table_lines(found)
    assert lines[-3].startswith("oracle teacher: it learned from 6,920 natural training labels")
    assert warnings(found)[0] == f"SH101: {lines[-3]}"
    plain = evaluate_study(made_study(GAIN), QUICK)
    assert verdict_sentence(plain).startswith("Helps: +")
    assert verdict_sentence(found) == verdict_sentence(plain).replace("Helps", "With an oracle teacher: helps")
    assert found.verdict == plain.verdict
    assert not any("oracle" in line for line in [*table_lines(plain), *warnings(plain)])


def test_nothing_is_claimed_of_a_variant_that_named_too_few_labels() -> None:
    study = made_study(GAIN | {"llm_classifier": 0.9}, replicates=6)
    silent = Unanswered(variant="llm_classifier", missing=80, questions=300)
    elsewhere = Unanswered(variant="pseudo_label", missing=9, questions=10)
    answered = evaluate_study(study, QUICK)
    found = evaluate_study(study, replace(QUICK, unanswered=[silent, elsewhere]))
    assert found.unanswered == (silent,)  # the other was not run
    readings = {one.variant: one.reading for one in found.comparisons}
    assert {one.variant: one.reading for one in answered.comparisons} == readings | {"llm_classifier": "better"}
    assert readings["llm_classifier"] == "no verdict"
    line = "SH304: llm_classifier: 80 of 300 answers name no label, so nothing is claimed of it"
    assert line in warnings(found)
    assert found.verdict == answered.verdict
    assert found == parse_evaluation(found.record())


def test_interval_verdict_and_bootstrap_agree_on_a_clear_gain() -> None:
    found = evaluate_study(made_study(GAIN), QUICK)
    for one in found.comparisons:
        if one.family == "primary":
            assert one.reading == "better"
            assert one.bootstrap is not None
            assert one.bootstrap.agrees
            assert one.p is not None
            assert one.p < 0.05


def test_natural_against_itself_says_nothing() -> None:
    study = made_study({"natural": 0.6}, replicates=10, items=1_000)
    copies = dict.fromkeys(("natural", "natural_repeated", "mixed", "other"), study.predicted("natural"))
    found = evaluate_study(StudyPredictions(study.labels, study.item_ids, study.y, copies), QUICK)
    assert found.verdict.outcome == "no difference that matters"
    assert {one.reading for one in found.comparisons} == {"no difference that matters"}
    assert {one.difference for one in found.comparisons} == {0}


def test_where_repetition_changes_nothing_the_control_equals_natural() -> None:
    study = made_study(GAIN)
    same = dict(study.variants) | {"natural_repeated": study.predicted("natural")}
    found = evaluate_study(StudyPredictions(study.labels, study.item_ids, study.y, same), QUICK)
    assert found.verdict.outcome == "helps"


def test_a_loss_hurts() -> None:
    found = evaluate_study(made_study({"natural": 0.7, "natural_repeated": 0.7, "mixed": 0.55}), QUICK)
    assert found.verdict.outcome == "hurts"


def test_four_replicates_give_numbers_and_no_verdict() -> None:
    found = evaluate_study(made_study(GAIN, replicates=4), QUICK)
    assert found.verdict.outcome == "no verdict"
    assert found.comparisons[0].interval is not None


def test_one_replicate_gives_scores_and_no_interval() -> None:
    found = evaluate_study(made_study(GAIN, replicates=1), QUICK)
    assert json.dumps(found.record(), allow_nan=False)
    assert found.comparisons[0].interval is None
    assert found.comparisons[0].bootstrap is None
    assert found.variants[0].replicate_sd is None
    assert found.variants[0].mean == pytest.approx(found.variants[0].replicate_scores[0])


def test_without_mixed_or_its_control_the_report_says_so() -> None:
    found = evaluate_study(made_study({"natural": 0.6, "synthetic": 0.5}), QUICK)
    assert verdict_sentence(found) == "No verdict: the variant 'mixed' was not run."
    assert found.by_replicate == ()
    assert found.by_label is None
    found = evaluate_study(made_study({"natural": 0.5, "mixed": 0.8}), QUICK)
    assert found.verdict.outcome == "no verdict"
    assert "SH108: variant 'natural_repeated' was not run" in warnings(found)
    found = evaluate_study(made_study({"natural": 0.6, "kept": 0.5}), QUICK)
    missed = [line for line in warnings(found) if line.endswith("was not run")]
    assert missed == ["SH108: variant 'mixed' was not run", "SH108: variant 'natural_repeated' was not run"]
    missed = [line for line in warnings(found, ["kept"]) if line.endswith("was not run")]
    assert missed == ["SH108: variant 'natural_repeated' was not run"]


def test_rare_label_and_oracle_validation_are_warned_of() -> None:
    study = made_study(GAIN, items=100, labels=2)
    y = np.zeros(100, dtype=int)
    y[:7] = 1
    ledger = LabelLedger()
    ledger.record("natural", 0, "validation", ["a"])
    found = evaluate_study(StudyPredictions(study.labels, study.item_ids, y, study.variants), QUICK, ledger=ledger)
    assert any("'label 1' has 7 test items" in warning for warning in warnings(found))
    assert any("oracle validation" in warning for warning in warnings(found))


def test_mcnemar_counts_the_discordant_items_of_every_replicate() -> None:
    y = np.zeros(12, dtype=int)
    natural = np.array([[0] * 2 + [1] * 10])
    mixed = np.array([[1] * 1 + [0] * 9 + [1] * 2])
    found = evaluate_study(
        StudyPredictions(("a", "b"), tuple("abcdefghijkl"), y, {"natural": natural, "mixed": mixed}), QUICK
    )
    detail = found.by_replicate[0]
    assert (detail.only_variant, detail.only_baseline) == (8, 1)
    assert detail.p == pytest.approx(2 * (1 + 9) / 2**9)


def cross_fitted(gain: float) -> StudyPredictions:
    study = made_study({"natural": 0.6, "natural_repeated": 0.6, "mixed": 0.6 + gain}, replicates=3, items=200)
    rng = np.random.default_rng(0)
    folds = np.stack([rng.permutation(200) % 5 for _ in range(3)])
    return StudyPredictions(study.labels, study.item_ids, study.y, study.variants, folds=folds)


def test_cross_fitting_scores_every_repetition_as_a_whole() -> None:
    study = cross_fitted(0.25)
    config = replace(QUICK, design="cross_fitted", metric="accuracy")
    found = evaluate_study(study, config)
    assert found.verdict.outcome == "helps"
    assert found.verdict.remedy is None
    hits = [(study.predicted(name) == study.y).mean(axis=1) for name in ("mixed", "natural")]
    assert found.variants[0].replicate_scores == pytest.approx(hits[1])  # one a repetition, all rows together
    comparison = found.comparisons[0]
    assert comparison.difference == pytest.approx((hits[0] - hits[1]).mean())
    assert "more natural rows" in verdict_sentence(evaluate_study(cross_fitted(0.02), config))


def test_design_and_folds_must_fit() -> None:
    with pytest.raises(DataError, match="'nested', and predictions with folds"):
        evaluate_study(cross_fitted(0.1), QUICK)
    with pytest.raises(DataError, match="'cross_fitted', and predictions without folds"):
        evaluate_study(made_study(GAIN), replace(QUICK, design="cross_fitted"))
    study = cross_fitted(0.1)
    one = StudyPredictions(study.labels, study.item_ids, study.y, study.variants, folds=np.zeros((3, 200), int))
    with pytest.raises(DataError, match="at least 2 folds"):
        evaluate_study(one, replace(QUICK, design="cross_fitted"))


def test_unknown_metric_and_missing_baseline_are_named() -> None:
    with pytest.raises(DataError, match="unknown metric 'f2'; one of accuracy, macro_f1, weighted_f1"):
        evaluate_study(made_study(GAIN), replace(QUICK, metric="f2"))
    with pytest.raises(DataError, match="no variant 'natural'"):
        evaluate_study(made_study({"mixed": 0.5}), QUICK)
