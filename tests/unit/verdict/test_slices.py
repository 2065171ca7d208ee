"""Slices hold the right items in any script, and a slice that loses is found."""

import numpy as np
import pytest

from sentisynth_hub.metrics.classification import confusion_counts, f1_per_class
from sentisynth_hub.study.predictions import StudyPredictions
from sentisynth_hub.verdict.slices import (
    LEAST_ITEMS,
    column_slices,
    compare_labels,
    compare_slices,
    gain_by_distance,
    text_slices,
)
from tests.support.studies import made_study


TEXTS = [
    "a good film",
    "not a good film",
    "I don't know",
    "i DON’T like it",
    "fine, but long",
    "Butter is fine",
    "ഈ സിനിമ നല്ലതാണ്",
    "super സിനിമ ആണ് 😀",
    "знать",
    "☺",
]


@pytest.mark.parametrize(
    ("name", "members"),
    [
        ("negation", [1, 2, 3]),
        ("contrast", [4]),
        ("emoji", [7, 9]),
        ("script: malayalam", [6, 7]),
        ("script: latin", [0, 1, 2, 3, 4, 5]),
        ("script: cyrillic", [8]),
        ("script: mixed", [7]),
    ],
)
def test_text_slices(name: str, members: list[int]) -> None:
    assert np.flatnonzero(text_slices(TEXTS)[name]).tolist() == members


def test_lengths_and_language_share_come_in_thirds() -> None:
    slices = text_slices(["x" * (place + 1) for place in range(30)], np.arange(30) / 30)
    for name in ("length: short", "length: middle", "length: long", "language share: low", "language share: high"):
        assert slices[name].sum() == 10
    assert np.flatnonzero(slices["length: long"]).min() == 20


def test_slices_with_all_items_or_none_are_left_out() -> None:
    assert "emoji" not in text_slices(["no", "yes it is"])
    assert "script: latin" not in text_slices(["no", "yes it is"])


def test_columns_make_one_slice_a_value() -> None:
    slices = column_slices("source", ["b", "a", None, "a"])
    assert {name: mask.tolist() for name, mask in slices.items()} == {
        "source: None": [False, False, True, False],
        "source: a": [False, True, False, True],
        "source: b": [True, False, False, False],
    }


def losing(items: int = 600) -> tuple[StudyPredictions, np.ndarray]:
    """mixed gains everywhere but on the last fifth of the items, where it loses."""
    study = made_study({"natural": 0.6, "mixed": 0.8, "bad": 0.3}, items=items)
    last = np.arange(items) >= items * 4 // 5
    mixed = np.where(last, study.predicted("bad"), study.predicted("mixed"))
    return StudyPredictions(
        study.labels, study.item_ids, study.y, {"natural": study.predicted("natural"), "mixed": mixed}
    ), last


def test_worst_slice_is_named_with_its_interval() -> None:
    study, last = losing()
    few = np.arange(600) < LEAST_ITEMS - 1
    table = compare_slices(study, {"first": ~last, "last": last, "few": few}, "mixed", "natural", 0.05)
    assert {row.name: row.reading for row in table.rows} == {"first": "better", "last": "worse", "few": "too few rows"}
    assert [row.name for row in table.skipped] == ["few"]
    assert table.alpha_each == pytest.approx(0.025)  # the slice with too few items is not compared
    rows = {row.name: row for row in table.rows}
    assert rows["last"].interval is not None
    assert rows["last"].interval[1] < 0 < rows["first"].difference
    assert rows["few"].interval is None
    hits = study.predicted("mixed")[:, last] == study.y[last]
    assert rows["last"].variant_score == pytest.approx(hits.mean())
    assert rows["last"].items == 120


def test_labels_are_compared_in_their_own_f1() -> None:
    study = made_study({"natural": 0.6, "mixed": 0.75})
    table = compare_labels(study, "mixed", "natural", 0.05)
    for place, row in enumerate(table.rows):
        for key, name in (("variant_score", "mixed"), ("baseline_score", "natural")):
            f1 = f1_per_class(confusion_counts(study.y, study.predicted(name), 3))[:, place]
            assert getattr(row, key) == pytest.approx(float(f1.mean()))
        assert row.interval is not None
        assert row.interval[0] < row.difference < row.interval[1]
    assert sum(row.items for row in table.rows) == study.items


def test_gain_that_falls_with_distance_is_seen() -> None:
    study, last = losing()
    distances = np.where(last, 2.0, np.arange(600) / 600)
    found = gain_by_distance(study, distances, "mixed", "natural", 0.05)
    assert [row.items for row in found.bins.rows] == [150] * 4
    assert [row.reading for row in found.bins.rows][3] == "worse"
    assert found.slope_interval is not None
    assert found.slope_interval[1] < 0
    gain = (study.predicted("mixed") == study.y).mean(0) - (study.predicted("natural") == study.y).mean(0)
    assert found.slope == pytest.approx(np.polyfit((distances - distances.mean()) / distances.std(), gain, 1)[0])


def test_distances_of_every_replicate_are_averaged_and_may_all_be_equal() -> None:
    study, last = losing()
    distances = np.where(last, 2.0, np.arange(600) / 600)
    by_replicate = distances + np.array([-0.5, -0.1, 0, 0, 0.1, 0.5])[:, None]
    one, many = (gain_by_distance(study, d, "mixed", "natural", 0.05) for d in (distances, by_replicate))
    assert many.slope == pytest.approx(one.slope)
    assert gain_by_distance(study, np.zeros(600), "mixed", "natural", 0.05).slope == 0
