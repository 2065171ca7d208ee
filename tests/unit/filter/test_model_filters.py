"""Filters that stand on an encoder or a language model."""

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sentisynth_hub.core.errors import DataError
from sentisynth_hub.core.rows import Row
from sentisynth_hub.filter.candidate_features import CandidateFeatures
from sentisynth_hub.filter.diversity_selection import DiversitySelection, by_cluster, farthest_first, shares
from sentisynth_hub.filter.overlap import Overlap
from sentisynth_hub.filter.perplexity_window import PerplexityWindow
from sentisynth_hub.filter.semantic_duplicates import SemanticDuplicates
from sentisynth_hub.filter.teacher import Teacher, TeacherOptions
from sentisynth_hub.metrics.neighbours import close_pairs, highest_cosine
from sentisynth_hub.natural.splits import NaturalData, Sample
from sentisynth_hub.pretrained.embeddings import unit
from sentisynth_hub.recipe.filter_section import Encoder, Scorer
from tests.support.tiny_study import LABELS, make_model, make_rows
from tests.support.worlds import tiny_model


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    return Encoder(model=str(make_model(tmp_path_factory.mktemp("encoder"))), threads=1)


@pytest.fixture(scope="module")
def teacher(encoder: Encoder) -> Teacher:
    sample = Sample(0, make_rows(120, 1), make_rows(60, 2))
    return Teacher.trained(sample, LABELS, TeacherOptions(teacher=encoder), CandidateFeatures())


def test_the_teacher_finds_flipped_labels(teacher: Teacher) -> None:
    right = make_rows(80, 3)
    wrong = [replace(row, label="negative" if row.label == "positive" else "positive") for row in right]
    kept_right = sum(decision.keep for decision in teacher.judge(right))
    decisions = teacher.judge(wrong)
    assert kept_right > 60
    assert sum(decision.reason == "disagrees" for decision in decisions) > 60
    for one, other in zip(teacher.judge(right), decisions, strict=True):
        assert one.score is not None
        assert other.score is not None
        assert one.score + other.score == pytest.approx(1)


def with_threshold(teacher: Teacher, least: float) -> Teacher:
    return replace(teacher, setting=teacher.setting.model_copy(update={"min_confidence": least}))


def test_the_threshold_divides_agreeing_rows(teacher: Teacher) -> None:
    rows = make_rows(80, 3)
    strict = with_threshold(teacher, 0.9).judge(rows)
    for loose, tight in zip(with_threshold(teacher, 0.0).judge(rows), strict, strict=True):
        assert tight.keep == (loose.keep and (loose.score or 0) >= 0.9)
        assert tight.reason == ("disagrees" if not loose.keep else None if tight.keep else "low_confidence")


def test_an_oracle_learns_from_every_training_row_and_says_so(encoder: Encoder) -> None:
    few, everything, held = make_rows(6, 1), make_rows(200, 9), make_rows(60, 2)
    sample = Sample(0, few, held)
    natural = NaturalData([*few, *everything], held, make_rows(20, 5))
    options = TeacherOptions(teacher=encoder, min_confidence=0.6)
    oracle = Teacher.oracle(sample, natural, LABELS, options, CandidateFeatures())
    own = Teacher.trained(sample, LABELS, options, CandidateFeatures(), held_out=True)
    assert (oracle.facts().labels, own.facts().labels) == ("oracle", "sample")
    assert (oracle.facts().trained_on, own.facts().trained_on) == (266, 66)
    assert (oracle.facts().held_out, own.facts().held_out) == (60, 60)
    assert set(oracle.human_labels()) == {"threshold"}
    rows = make_rows(80, 3)
    assert sum(one.keep for one in oracle.judge(rows)) > sum(one.keep for one in own.judge(rows))


def test_only_the_replicates_own_labels_are_used(teacher: Teacher) -> None:
    everything = [*make_rows(120, 1), *make_rows(60, 2)]
    assert teacher.human_labels() == {"teacher": sorted(row.request_id for row in everything)}


def shuffled(rows: list[Row], seed: int) -> list[Row]:
    """The rows with labels dealt out anew: nothing can be learned from them."""
    labels = random.Random(seed).sample([row.label for row in rows], len(rows))
    return [replace(row, label=label) for row, label in zip(rows, labels, strict=True)]


@pytest.mark.parametrize("held_out", [False, True])
def test_a_teacher_that_knows_nothing_drops_nothing(
    encoder: Encoder, held_out: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    sample = Sample(0, shuffled(make_rows(60, 1), 5), shuffled(make_rows(60, 2), 6))
    options = TeacherOptions(teacher=encoder, min_confidence=0.99)
    teacher = Teacher.trained(sample, LABELS, options, CandidateFeatures(), held_out=held_out)
    decisions = teacher.judge(make_rows(80, 3))
    assert teacher.facts().abstains
    assert teacher.facts().skill.low <= 0.5
    assert all(decision.keep for decision in decisions)
    assert len({decision.score for decision in decisions}) > 10  # what it believes is still kept with the row
    assert "the teacher abstains, so it drops no row" in capsys.readouterr().err


def test_a_teacher_without_rows_to_check_it_on_drops_nothing(encoder: Encoder) -> None:
    one_a_label = [*make_rows(1, 1, labels=("positive",)), *make_rows(1, 2, labels=("negative",))]
    teacher = Teacher.trained(Sample(0, one_a_label, []), LABELS, TeacherOptions(teacher=encoder), CandidateFeatures())
    decisions = teacher.judge(make_rows(10, 3))
    assert teacher.facts().abstains
    assert {(decision.keep, decision.score) for decision in decisions} == {(True, 0.5)}


def test_the_folds_of_a_teacher_follow_from_seed_and_replicate(encoder: Encoder) -> None:
    sample, options = Sample(0, make_rows(40, 1), make_rows(20, 2)), TeacherOptions(teacher=encoder)

    def scores(seed: tuple[int, int]) -> list[float | None]:
        teacher = Teacher.trained(sample, LABELS, options, CandidateFeatures(), seed=seed)
        return [decision.score for decision in teacher.judge(make_rows(10, 3))]

    assert scores((0, 0)) == scores((0, 0))
    assert scores((0, 0)) != scores((0, 1))


def test_a_label_without_training_rows_is_named(encoder: Encoder) -> None:
    sample = Sample(0, make_rows(10, 1, labels=("positive",)), make_rows(10, 2, labels=("positive",)))
    with pytest.raises(DataError, match="label 'negative'"):
        Teacher.trained(sample, LABELS, TeacherOptions(teacher=encoder), CandidateFeatures())


def test_features_of_candidates_do_not_depend_on_which_are_asked_for(encoder: Encoder) -> None:
    rows = make_rows(40, 5)
    features = CandidateFeatures(rows)
    some = features.of(rows[7:9], encoder)
    assert (CandidateFeatures(rows[::-1]).of(rows, encoder)[7:9] == some).all()
    assert features.of([], encoder).shape == (0, 32)


def test_semantic_duplicates_go_beyond_the_natural_limit(encoder: Encoder) -> None:
    natural = make_rows(60, 8)
    rows = make_rows(30, 9)
    judge = SemanticDuplicates.limit_of(natural, encoder, CandidateFeatures(rows), 1.0)
    vectors = unit(CandidateFeatures().of(natural, encoder))
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -1)
    assert judge.limit == pytest.approx(cosines.max(), abs=1e-5)
    twice = [*rows, Row(" ".join(["film", *rows[0].text.split()[1:]]), "positive"), rows[1]]
    decisions = replace(judge, features=CandidateFeatures(twice), limit=0.99999).judge(twice)
    assert decisions[-1].reason == "same_meaning"
    assert all(decision.keep for decision in decisions[:2])


def test_clusters_find_the_pairs_that_comparing_all_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(1)
    base = unit(generator.normal(size=(1500, 24)).astype(np.float32))
    near = unit(base[:500] + 0.02 * generator.normal(size=(500, 24)).astype(np.float32))
    vectors = np.concatenate([base, near])

    def pairs() -> list[tuple[int, int]]:
        rows, earlier, cosines = close_pairs(vectors, 0.98)
        assert np.allclose(cosines, (vectors[rows] * vectors[earlier]).sum(1), atol=1e-5)
        return list(zip(rows.tolist(), earlier.tolist(), strict=True))

    exact = set(pairs())
    monkeypatch.setattr("sentisynth_hub.metrics.neighbours._EXACT_UP_TO", 100)
    found = pairs()
    assert len(exact) >= 450
    assert len(found) == len(set(found))
    assert set(found) <= exact
    assert len(found) / len(exact) > 0.97


def test_highest_cosine_by_hand() -> None:
    vectors = np.array([[1, 0], [0, 1], [0.6, 0.8]], dtype=np.float32)
    assert highest_cosine(vectors, vectors[:1]).tolist() == pytest.approx([1, 0, 0.6])
    assert highest_cosine(vectors, vectors, skip_self=True).tolist() == pytest.approx([0.6, 0.8, 0.8])


def test_embedding_overlap_drops_what_is_closer_than_natural_rows_come(encoder: Encoder) -> None:
    train, test, validation = make_rows(40, 20), make_rows(40, 21), make_rows(20, 22)
    held = {"test": test, "validation": validation}
    reordered = " ".join(sorted(test[3].text.split()))
    rows = [*make_rows(30, 23), Row(reordered, "positive", "copy")]
    judge = Overlap.against(held, ngram=50).with_embeddings(train, held, encoder, CandidateFeatures(rows), 0.5)
    apart = (
        unit(CandidateFeatures().of(train, encoder)) @ unit(CandidateFeatures().of([*test, *validation], encoder)).T
    )
    assert judge.facts().max_cosine == pytest.approx(np.median(apart.max(1)), abs=1e-3)
    own = unit(CandidateFeatures().of(rows, encoder))
    to_test = (own @ unit(CandidateFeatures().of(test, encoder)).T).max(1)
    to_validation = (own @ unit(CandidateFeatures().of(validation, encoder)).T).max(1)
    assert judge.closeness is not None
    limit = judge.closeness.limit
    expected = [
        "close_test" if near_test > limit else "close_validation" if near_validation > limit else None
        for near_test, near_validation in zip(to_test, to_validation, strict=True)
    ]
    assert [decision.reason for decision in judge.judge(rows)] == expected
    assert expected[-1] == "close_test"
    assert None in expected


def test_perplexity_window_is_the_natural_rows_quantiles(tmp_path: Path) -> None:
    scorer = Scorer(model=str(tiny_model(tmp_path / "lm")), threads=1)
    natural = [Row(f"a quiet film number {n}", "positive", f"n{n}") for n in range(30)]
    judge = PerplexityWindow.window_of(natural, scorer, (0.1, 0.9))
    decisions = judge.judge(natural)
    values = np.array([decision.score for decision in decisions])
    assert judge.lowest == pytest.approx(np.quantile(values, 0.1))
    assert [d.keep for d in decisions] == list((values >= judge.lowest) & (values <= judge.highest))
    assert {d.reason for d in decisions} == {None, "too_predictable", "too_surprising"}
    (empty,) = judge.judge([Row("", "positive")])
    assert (empty.keep, empty.reason, empty.score) == (False, "unscorable", None)
    assert judge.human_labels()["scorer"] == tuple(sorted(row.request_id for row in natural))


def test_places_are_dealt_out_evenly() -> None:
    assert shares([10, 10, 10], 9) == [3, 3, 3]
    assert shares([10, 1, 10], 9) == [4, 1, 4]
    assert shares([10, 10], 5) == [3, 2]
    assert shares([2, 3], 99) == [2, 3]
    assert shares([0, 3], 2) == [0, 2]


def test_farthest_first_takes_one_of_each_group_before_a_second() -> None:
    generator = np.random.default_rng(0)
    centres = np.eye(5, dtype=np.float32)
    vectors = unit(np.repeat(centres, 20, axis=0) + 0.05 * generator.normal(size=(100, 5)).astype(np.float32))
    for select in (farthest_first, by_cluster):
        chosen = select(vectors, 5)
        assert sorted(index // 20 for index in chosen) == [0, 1, 2, 3, 4]
        assert len(set(select(vectors, 60))) == 60
        assert select(vectors, 0) == []


@pytest.mark.parametrize("method", ["k_means", "farthest_first"])
def test_diversity_keeps_the_size_asked_for_balanced(encoder: Encoder, method: str) -> None:
    rows = [*make_rows(60, 31), *make_rows(10, 32, labels=("positive",))]
    decisions = DiversitySelection(encoder, CandidateFeatures(rows), LABELS, 41, method).judge(rows)
    kept = [row.label for row, decision in zip(rows, decisions, strict=True) if decision.keep]
    assert (kept.count("negative"), kept.count("positive")) == (21, 20)
    assert {decision.reason for decision in decisions} == {None, "redundant"}


def test_confident_learning_finds_planted_errors(encoder: Encoder) -> None:
    pytest.importorskip("cleanlab")
    from sentisynth_hub.filter.confident_learning import ConfidentLearning

    rows = make_rows(300, 41)
    flipped = set(range(0, 300, 15))
    rows = [
        replace(row, label=LABELS[1 - LABELS.index(row.label or "")]) if number in flipped else row
        for number, row in enumerate(rows)
    ]
    decisions = ConfidentLearning(encoder, CandidateFeatures(rows), LABELS, 5).judge(rows)
    found = {number for number, decision in enumerate(decisions) if not decision.keep}
    assert len(found & flipped) >= 0.8 * len(flipped)
    assert len(found & flipped) >= 0.5 * len(found)
    assert all(d.keep for d in ConfidentLearning(encoder, CandidateFeatures(rows), LABELS, 5).judge(rows[:3]))
