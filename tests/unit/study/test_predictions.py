"""Predictions survive the disk unchanged, in one file or one a trial; what does not fit together is named."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sentisynth_hub.core.errors import DataError
from sentisynth_hub.study.predictions import NO_ANSWER, StudyPredictions, read_predictions
from tests.support.studies import made_study, write_study


LABELS = ("നെഗറ്റീവ്", "positive", "😐")


def small() -> StudyPredictions:
    rng = np.random.default_rng(3)
    variants = {name: rng.integers(NO_ANSWER, 3, size=(3, 7)) for name in ("natural", "mixed")}
    probabilities = {"mixed": rng.random((3, 7, 3)).astype(np.float32).astype(float)}
    return StudyPredictions(LABELS, tuple("abcdefg"), rng.integers(3, size=7), variants, probabilities)


def same(first: StudyPredictions, second: StudyPredictions) -> None:
    assert (first.labels, first.item_ids) == (second.labels, second.item_ids)
    np.testing.assert_array_equal(first.y, second.y)
    assert first.variants.keys() == second.variants.keys()
    for name in first.variants:
        np.testing.assert_array_equal(first.variants[name], second.variants[name])
    assert first.probabilities.keys() == second.probabilities.keys()
    for name in first.probabilities:
        np.testing.assert_array_equal(first.probabilities[name], second.probabilities[name])
    assert (first.folds is None) == (second.folds is None)
    if first.folds is not None:
        np.testing.assert_array_equal(first.folds, second.folds)


def test_round_trip(tmp_path: Path) -> None:
    write_study(tmp_path / "predictions.parquet", small())
    same(read_predictions([tmp_path / "predictions.parquet"]), small())


def test_round_trip_with_folds(tmp_path: Path) -> None:
    study = small()
    folded = StudyPredictions(
        study.labels, study.item_ids, study.y, study.variants, folds=np.random.default_rng(0).integers(3, size=(3, 7))
    )
    write_study(tmp_path / "p.parquet", folded)
    same(read_predictions([tmp_path / "p.parquet"]), folded)


def test_one_file_a_trial_in_any_order(tmp_path: Path) -> None:
    study, paths = small(), []
    for name, predicted in study.variants.items():
        for replicate in range(study.replicates):
            probabilities = {k: v[[replicate]] for k, v in study.probabilities.items() if k == name}
            trial = StudyPredictions(
                study.labels, study.item_ids, study.y, {name: predicted[[replicate]]}, probabilities
            )
            paths.append(tmp_path / f"{name}-{replicate}.parquet")
            write_study(paths[-1], trial, replicates=[replicate])
    found = read_predictions(paths)
    same(found, study)
    backwards = read_predictions(paths[::-1])
    np.testing.assert_array_equal(backwards.variants["mixed"], study.variants["mixed"])


def test_same_bytes_twice(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_study(tmp_path / name, small())
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_missing_trial_is_named(tmp_path: Path) -> None:
    study = small()
    write_study(
        tmp_path / "a", StudyPredictions(LABELS, study.item_ids, study.y, {"natural": study.predicted("natural")})
    )
    one = StudyPredictions(LABELS, study.item_ids, study.y, {"mixed": study.predicted("mixed")[:1]})
    write_study(tmp_path / "b", one)
    with pytest.raises(
        DataError, match=r"'mixed' has 7 predictions, 3 replicates x 7 items need 21; a trial is missing"
    ):
        read_predictions([tmp_path / "a", tmp_path / "b"])


def test_trial_twice_is_refused(tmp_path: Path) -> None:
    write_study(tmp_path / "a", small())
    with pytest.raises(DataError, match="there twice"):
        read_predictions([tmp_path / "a", tmp_path / "a"])


def test_two_true_labels_are_refused(tmp_path: Path) -> None:
    study = small()
    write_study(tmp_path / "a", StudyPredictions(LABELS, study.item_ids, study.y, {"a": study.predicted("mixed")}))
    other = StudyPredictions(LABELS, study.item_ids, (study.y + 1) % 3, {"b": study.predicted("mixed")})
    write_study(tmp_path / "b", other)
    with pytest.raises(DataError, match="two true labels"):
        read_predictions([tmp_path / "a", tmp_path / "b"])


def test_other_label_names_are_refused(tmp_path: Path) -> None:
    study = small()
    write_study(tmp_path / "a", study)
    write_study(tmp_path / "b", StudyPredictions(("x", "y", "z"), study.item_ids, study.y, study.variants))
    with pytest.raises(DataError, match="label names"):
        read_predictions([tmp_path / "a", tmp_path / "b"])


def test_foreign_file_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["hello"]}), tmp_path / "foreign.parquet")
    with pytest.raises(DataError, match=r"foreign\.parquet: no label names"):
        read_predictions([tmp_path / "foreign.parquet"])
    with pytest.raises(DataError, match="no such file"):
        read_predictions([tmp_path / "absent.parquet"])
    with pytest.raises(DataError, match="no file given"):
        read_predictions([])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"item_ids": ("a",) * 7}, "item_id occurs twice"),
        ({"y": np.full(7, 3)}, "true labels must be 7 integers from 0 to 2"),
        ({"variants": {}}, "no test items or no variants"),
        ({"variants": {"a": np.zeros((3, 7), int), "b": np.zeros((2, 7), int)}}, r"'b' has shape \(2, 7\)"),
        ({"variants": {"a": np.full((3, 7), 3)}}, "outside the 3 label names"),
        ({"probabilities": {"natural": np.zeros((3, 7, 2))}}, "must have shape"),
        ({"folds": np.zeros((2, 7), int)}, "folds have shape"),
    ],
)
def test_what_does_not_fit_is_named(change: dict[str, object], message: str) -> None:
    study = small()
    parts = {"labels": LABELS, "item_ids": study.item_ids, "y": study.y, "variants": study.variants} | change
    with pytest.raises(DataError, match=message):
        StudyPredictions(**parts)  # type: ignore[arg-type]


def test_unknown_variant_is_named() -> None:
    with pytest.raises(DataError, match="no variant 'gradual'; there are natural, mixed"):
        made_study({"natural": 0.5, "mixed": 0.6}).predicted("gradual")
