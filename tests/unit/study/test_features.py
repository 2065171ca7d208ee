"""Features are computed once a text, and the test rows' stay while the training rows change."""

from pathlib import Path

import numpy as np

from sentisynth_hub.core.distributed import Processes
from sentisynth_hub.study.features import compute_features
from tests.support.tiny_study import make_recipe, make_rows


def test_lasting_texts_are_not_computed_again_for_other_rows(tiny_model: Path, tmp_path: Path) -> None:
    student = make_recipe(tiny_model).study.student
    test, first, second = ([row.text for row in make_rows(20, seed)] for seed in (1, 2, 3))
    before = compute_features([*first, *test], student, tmp_path, Processes(), lasting=test)
    made = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    after = compute_features([*second, *test], student, tmp_path, Processes(), lasting=test)
    again = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert len(made) == 2
    assert len(again) == 3
    assert made.items() <= again.items()
    rows = make_rows(20, 1)
    assert np.array_equal(before.of(rows), after.of(rows))
    assert set(after.place) == {*second, *test}
    assert len(after.vectors) == len(after.place)
