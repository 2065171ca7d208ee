"""Features are computed once a text, and the test rows' stay while the training rows change."""

import io
from pathlib import Path

import numpy as np
import pytest

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


def test_damaged_features_are_computed_again(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    student = make_recipe(tiny_model).study.student
    rows = make_rows(20, 1)
    before = compute_features([row.text for row in rows], student, tmp_path, Processes())
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    other_rows = io.BytesIO()
    np.save(other_rows, before.vectors[:-1])
    for damaged in (b"", whole[:50], whole[:-7], whole + b"more", b"PK\x03\x04" + whole, other_rows.getvalue()):
        path.write_bytes(damaged)
        after = compute_features([row.text for row in rows], student, tmp_path, Processes())
        assert np.array_equal(before.of(rows), after.of(rows))
        assert path.read_bytes() == whole
    assert f"warning: {path}: damaged" in capsys.readouterr().err
