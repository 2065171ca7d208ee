"""What a verdict admits: contradictions, copies, shared rows, rare labels, labels counted once, rows in counts."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from sentisynth_hub.core.errors import DataError
from sentisynth_hub.study.predictions import StudyPredictions
from sentisynth_hub.verdict.clusters import join_clusters, near_duplicate_clusters
from sentisynth_hub.verdict.evaluate import EvaluationConfig, TestItems, evaluate_study
from sentisynth_hub.verdict.evaluation import Evaluation
from sentisynth_hub.verdict.evaluation_text import claim, label_sentence, size, table_lines, verdict_sentence, warnings
from sentisynth_hub.verdict.label_budget import LabelLedger
from tests.support.studies import made_study


QUICK = EvaluationConfig(resamples=200)


def judged(accuracies: Mapping[str, float], config: EvaluationConfig = QUICK) -> Evaluation:
    return evaluate_study(made_study(accuracies, replicates=8), config)


@pytest.mark.parametrize("mixed", [0.4, 0.6])
def test_a_contradicting_variant_stands_in_the_sentence(mixed: float) -> None:
    evaluation = judged({"natural": 0.6, "natural_repeated": 0.6, "mixed": mixed, "unfiltered": 0.75})
    assert evaluation.verdict.outcome != "helps"
    assert evaluation.verdict.contradicted_by == ("unfiltered",)
    assert ". But unfiltered is better than natural: +0." in verdict_sentence(evaluation)
    assert verdict_sentence(evaluation) in table_lines(evaluation)[-2] + table_lines(evaluation)[-3]


@pytest.mark.parametrize(
    "accuracies",
    [
        {"mixed": 0.75, "unfiltered": 0.75},  # nothing to contradict
        {"mixed": 0.4, "unfiltered": 0.4},
        {"mixed": 0.4, "extra_natural": 0.75},  # other human rows do not speak for the synthetic ones
        {"mixed": 0.4, "shuffled_labels": 0.75},  # a failed control is a warning of its own
    ],
)
def test_what_does_not_contradict_is_left_out(accuracies: dict[str, float]) -> None:
    evaluation = judged({"natural": 0.6, "natural_repeated": 0.6} | accuracies)
    assert evaluation.verdict.contradicted_by == ()
    assert " But " not in verdict_sentence(evaluation)


def test_a_failed_control_is_a_warning() -> None:
    evaluation = judged({"natural": 0.6, "natural_repeated": 0.6, "mixed": 0.7, "shuffled_labels": 0.75})
    assert "SH301: control shuffled_labels should be not better and reads better" in warnings(evaluation)


@pytest.mark.parametrize(("right_more", "right_less"), [(3, 0), (17, 19), (0, 0)])
def test_the_difference_is_told_in_rows(right_more: int, right_less: int) -> None:
    items = 100
    y = np.arange(items) % 2
    natural, mixed = np.tile(y, (6, 1)), np.tile(y, (6, 1))
    natural[:, :right_more] = 1 - y[:right_more]
    mixed[:4, items - right_less :] = 1 - y[items - right_less :]  # wrong in more replicates is worse
    study = StudyPredictions(("a", "b"), tuple(map(str, range(items))), y, {"natural": natural, "mixed": mixed})
    evaluation = evaluate_study(study, replace(QUICK, control=None, metric="accuracy"))
    counts = evaluation.comparisons[0].counts
    assert (counts.better, counts.worse, counts.rows) == (right_more, right_less, items)
    assert f"{right_more} of 100 test rows better, {right_less} worse" in verdict_sentence(evaluation)


@pytest.mark.parametrize("copies", [2, 10])
def test_identical_replicates_count_as_one_and_items_decide(copies: int) -> None:
    once = made_study({"natural": 0.6, "natural_repeated": 0.6, "mixed": 0.75}, replicates=1)
    many = replace(once, variants={name: np.repeat(one, copies, axis=0) for name, one in once.variants.items()})
    evaluation = evaluate_study(many, replace(QUICK, design="conditional"))
    assert (evaluation.identical, evaluation.replicates) == (True, copies)
    assert evaluation.verdict.outcome == "helps"  # the claim is about one corpus and these rows, and they are enough
    assert len(evaluation.variants[0].replicate_scores) == 1
    assert f"1 replicate ({copies} were run and are identical) × 300 test rows" in size(evaluation)
    assert "training again gives the same predictions" in claim(evaluation)
    assert evaluation.verdict.remedy is not None
    assert evaluation.verdict.remedy.replicates in (None, 1)  # more of the same replicates would never help


def test_equal_predictions_of_a_nested_study_are_replicates_all_the_same() -> None:
    once = made_study({"natural": 0.6, "natural_repeated": 0.6, "mixed": 0.75}, replicates=1)
    many = replace(once, variants={name: np.repeat(one, 6, axis=0) for name, one in once.variants.items()})
    assert not evaluate_study(many, QUICK).identical


@pytest.mark.parametrize("rows", [2, 5, 9])
def test_a_rare_label_gives_no_verdict_where_labels_weigh_the_same(rows: int) -> None:
    study = made_study({"natural": 0.5, "natural_repeated": 0.5, "mixed": 0.95}, items=200, labels=2)
    y = np.zeros(200, dtype=int)
    y[:rows] = 1
    rare = replace(
        study, y=y, variants={name: np.where(one == study.y, y, 1 - y) for name, one in study.variants.items()}
    )
    evaluation = evaluate_study(rare, QUICK)
    assert evaluation.verdict.missing == "rare label"
    assert {comparison.reading for comparison in evaluation.comparisons} == {"no verdict"}
    assert evaluation.comparisons[0].interval is not None
    assert f"label 'label 1' has {rows} test rows" in verdict_sentence(evaluation)
    assert evaluate_study(rare, replace(QUICK, metric="accuracy")).verdict.outcome == "helps"


def test_rows_of_a_rare_label_in_one_cluster_are_one_row() -> None:
    study = made_study({"natural": 0.5, "natural_repeated": 0.5, "mixed": 0.95}, items=200, labels=2)
    names = np.where(study.y == 1, -1, np.arange(200))
    evaluation = evaluate_study(study, QUICK, test_items=TestItems(clusters=names.tolist()))
    assert evaluation.verdict.missing == "rare label"


@pytest.mark.parametrize(("overlap", "design"), [(0.0, "nested"), (0.3, "nested"), (0.6, "conditional")])
def test_shared_natural_rows_widen_the_interval_or_change_the_claim(overlap: float, design: str) -> None:
    accuracies = {"natural": 0.6, "natural_repeated": 0.6, "mixed": 0.65}
    plain, shared = judged(accuracies), judged(accuracies, replace(QUICK, overlap=overlap))
    widths = [high - low for low, high in (one.comparisons[0].interval or (0, 0) for one in (plain, shared))]
    assert shared.design == design
    assert (widths[1] > 1.05 * widths[0]) == (design == "nested" and overlap > 0)
    assert any("share 30% of their natural rows" in line for line in warnings(shared)) == (overlap == 0.3)
    assert ("about this pool of natural rows" in claim(shared)) == (design == "conditional")


def test_clusters_are_told_and_must_fit() -> None:
    study = made_study({"natural": 0.6, "natural_repeated": 0.6, "mixed": 0.7})
    ids = [f"thread {place // 4}" for place in range(300)]
    evaluation = evaluate_study(study, QUICK, test_items=TestItems(clusters=ids))
    assert (evaluation.clusters, evaluation.largest_cluster) == (75, 4)
    assert "300 test rows in 75 clusters" in size(evaluation)
    assert {detail.p for detail in evaluation.by_replicate} == {None}
    alone = evaluate_study(study, QUICK, test_items=TestItems(clusters=list(range(300))))
    assert alone == evaluate_study(study, QUICK)
    with pytest.raises(DataError, match="3 cluster ids for 300 test items"):
        evaluate_study(study, QUICK, test_items=TestItems(clusters=[1, 2, 3]))


@pytest.mark.parametrize(
    ("texts", "groups"),
    [
        (["a fine film, truly", "A fine film, truly!", "nothing of the sort", "a fine film, truly"], [[0, 1, 3], [2]]),
        (["ok", "ok", "no"], [[0, 1], [2]]),
        (["ഈ സിനിമ വളരെ നല്ലതാണ് കേട്ടോ", "ഈ സിനിമ വളരെ നല്ലതാണ് കേട്ടോ", "വേറെ ഒന്നും പറയാനില്ല"], [[0, 1], [2]]),
        (["这部电影真的非常好看我很喜欢", "这部电影真的非常好看我很喜欢", "完全不同的一句话在这里"], [[0, 1], [2]]),
        ([], []),
    ],
)
def test_near_duplicates_are_one_cluster(texts: list[str], groups: list[list[int]]) -> None:
    clusters = near_duplicate_clusters(texts)
    assert [np.flatnonzero(clusters == name).tolist() for name in dict.fromkeys(clusters.tolist())] == groups


def test_a_chain_of_near_duplicates_is_one_cluster() -> None:
    base = "the quick brown fox jumps over the lazy dog and then goes home to sleep for a very long time indeed "
    chain = [base * 3 + "word " * place for place in range(6)]
    assert len(set(near_duplicate_clusters(chain).tolist())) == 1
    assert len(set(near_duplicate_clusters([*chain, "something else altogether"]).tolist())) == 2


def budgeted(test_ids: list[str]) -> tuple[Evaluation, LabelLedger]:
    ledger = LabelLedger()
    for replicate in range(6):
        for name, more in (("natural", 0), ("natural_repeated", 0), ("mixed", 5)):
            own = [f"{replicate}-{place}" for place in range(20 + more)]
            ledger.record(name, replicate, "train", own[:10])
            ledger.record(name, replicate, "validation", own[5:])
    study = made_study({"natural": 0.6, "natural_repeated": 0.6, "mixed": 0.7}, items=60)
    return evaluate_study(study, QUICK, ledger=ledger, test_items=TestItems(row_ids=test_ids)), ledger


@pytest.mark.parametrize("shared", [0, 12])
def test_the_sentence_counts_every_label_once_as_the_ledger_does(shared: int) -> None:
    test_ids = [f"0-{place}" for place in range(shared)] + [f"t{place}" for place in range(60 - shared)]
    evaluation, ledger = budgeted(test_ids)
    sentence = label_sentence(evaluation, "mixed")
    used = {
        row
        for replicates in ledger._ids.values()
        for uses in replicates.values()
        for ids in uses.values()
        for row in ids
    }
    assert len(used) == 150
    assert "mixed used 25 in one replicate and 150 over all replicates; all variants together used 150." in sentence
    assert f"{len(used | set(test_ids))} in all" in sentence
    assert ("labels of their own" in sentence) == (shared == 0)
    assert (f"{shared} are among them" in sentence) == (shared > 0)


def test_overlap_of_replicates_is_that_of_their_labels() -> None:
    ledger = LabelLedger()
    for replicate, start in enumerate((0, 5, 10)):
        ledger.record("natural", replicate, "train", map(str, range(start, start + 8)))
        ledger.record("natural", replicate, "validation", map(str, range(start + 8, start + 10)))
    assert ledger.overlap("natural") == pytest.approx((0.5 + 0.5 + 0.0) / 3)
    assert ledger.overlap("absent") == 0


def test_probabilities_are_scored_beside_the_labels() -> None:
    study = made_study({"natural": 0.6, "natural_repeated": 0.6, "mixed": 0.8})
    rng = np.random.default_rng(0)

    def probabilities(predicted: np.ndarray, sure: float) -> np.ndarray:
        rest = rng.dirichlet(np.ones(3), predicted.shape) * (1 - sure)
        return np.asarray(rest + sure * (predicted[..., None] == np.arange(3)))

    given = {name: probabilities(one, 0.5) for name, one in study.variants.items()}
    evaluation = evaluate_study(replace(study, probabilities=given), QUICK)
    others = {one.metric: one for one in evaluation.other_metrics}
    assert list(others) == ["accuracy", "weighted_f1", "log_loss", "brier"]
    truth = np.take_along_axis(given["mixed"], np.broadcast_to(study.y, (6, 300))[..., None], -1)[..., 0]
    mixed = evaluation.variant("mixed")
    assert mixed is not None
    assert mixed.metrics["log_loss"] == pytest.approx(float(-np.log(truth).mean()))
    target = study.y[:, None] == np.arange(3)
    assert mixed.metrics["brier"] == pytest.approx(float(((given["mixed"] - target) ** 2).sum(-1).mean()))
    for name in ("log_loss", "brier"):
        interval = others[name].interval
        assert interval is not None
        assert others[name].lower_is_better
        assert interval[1] < 0  # better, and lower
    without = evaluate_study(replace(study, probabilities={"mixed": given["mixed"]}), QUICK)
    assert [one.metric for one in without.other_metrics] == ["accuracy", "weighted_f1"]


def test_hurts_says_what_to_run_next() -> None:
    loss = judged({"natural": 0.7, "natural_repeated": 0.7, "mixed": 0.5})
    assert "sentisynth study RECIPE --leave-out asked_label" in table_lines(loss)[-1]
    assert all(first != second for first, second in pairwise(table_lines(loss)))


def test_near_duplicates_and_rows_of_one_name_are_joined_in_chains() -> None:
    near = np.array([0, 0, 1, 2, 3, 4])
    assert join_clusters(near, [None] * 6).tolist() == [0, 0, 1, 2, 3, 4]
    joined = join_clusters(near, ["ann", None, "ann", "bo", None, "bo"])
    assert joined.tolist() == [0, 0, 0, 1, 2, 1]  # row 1 has no name, and is a copy of ann's row 0
