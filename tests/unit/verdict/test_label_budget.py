"""Every human label once."""

import pytest

from sentisynth_hub.verdict.label_budget import LabelLedger


def test_overlaps_count_once() -> None:
    ledger = LabelLedger()
    ledger.record("mixed", 0, "train", ["a", "b", "c"])
    ledger.record("mixed", 0, "demonstrations", ["a", "b"])
    ledger.record("mixed", 0, "teacher", ["c", "d"])
    ledger.record("mixed", 0, "validation", ["e"])
    ledger.record("mixed", 0, "train", ["a"])
    found = ledger.budget("mixed")
    assert found.uses == {
        "train": 3, "teacher": 2, "demonstrations": 2, "threshold": 0, "scorer": 0, "validation": 1, "zero_shot": 0,
    }  # fmt: skip
    assert found.distinct == 5
    assert not found.oracle_validation


def test_replicates_are_counted_apart_and_together() -> None:
    ledger = LabelLedger()
    ledger.record("natural", 0, "train", ["a", "b"])
    ledger.record("natural", 1, "train", ["b", "c", "d"])
    found = ledger.budget("natural")
    assert (found.distinct, found.study_distinct) == (3, 4)


def test_more_validation_than_training_is_oracle_validation() -> None:
    ledger = LabelLedger()
    ledger.record("natural", 0, "train", ["a", "b"])
    ledger.record("natural", 0, "validation", ["x", "y"])
    assert not ledger.budget("natural").oracle_validation
    ledger.record("natural", 0, "validation", ["z"])
    assert ledger.budget("natural").oracle_validation


def test_labels_of_other_rows_are_a_use_of_their_own() -> None:
    ledger = LabelLedger()
    ledger.record("zero_shot", 0, "zero_shot", ["e1", "e2"])
    ledger.record("zero_shot", 0, "validation", ["x"])
    found = ledger.budget("zero_shot")
    assert (found.uses["zero_shot"], found.uses["train"], found.distinct) == (2, 0, 3)
    assert not found.oracle_validation  # it learned from more labels than it was chosen on


def test_unused_and_unknown() -> None:
    ledger = LabelLedger()
    assert ledger.budget("synthetic").distinct == 0
    assert ledger.variants == []
    with pytest.raises(ValueError, match="unknown use 'dev'"):
        ledger.record("mixed", 0, "dev", ["a"])  # type: ignore[arg-type]


def test_rows_a_teacher_learned_from_count_as_training() -> None:
    ledger = LabelLedger()
    ledger.record("synthetic", 0, "teacher", ["a", "b"])
    ledger.record("synthetic", 0, "validation", ["c", "d"])
    assert not ledger.budget("synthetic").oracle_validation
    ledger.record("synthetic", 0, "validation", ["e"])
    assert ledger.budget("synthetic").oracle_validation
