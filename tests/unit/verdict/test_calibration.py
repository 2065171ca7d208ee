"""A small cell of benchmarks/verdict_calibration.py: false verdicts stay rare and stated effects are found.

The whole grid, with the rates it gave, is in docs/results/verdict-calibration.md.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sentisynth_hub.study.predictions import StudyPredictions
from sentisynth_hub.verdict.outcome import Rule, conclude
from sentisynth_hub.verdict.statistics.comparisons import Arms


BENCHMARKS = Path(__file__).resolve().parents[3] / "benchmarks"


def test_false_verdicts_are_rare_and_the_stated_effect_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    from simulated_studies import TASKS, Cell
    from verdict_calibration import run_cell

    found = run_cell(Cell(TASKS[2], 10, 0.015, 200), 400, seed=5)
    assert set(found["false"]) > {"no effect", "only more steps", "gain of the margin", "loss of the margin"}
    assert found["worst"] <= 0.07  # 5 % would be exceeded by more than this by chance in one of 30 runs of the cell
    assert found["power"] >= 0.75
    assert found["others"]["replicates_only"] > 0.08  # the world is one where the usual test over seeds fails


def test_the_world_has_the_truth_it_claims(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    from simulated_studies import TASKS, Cell, Judged, draw, make_world

    world = make_world(Cell(TASKS[2], 20, 0.02, 4_000))
    shift = world.shift(0.06)
    rng = np.random.default_rng(0)
    gains = []
    for _ in range(60):
        judged = Judged(draw(world, rng), world)
        gains.append(judged.parts(2, shift).scores - judged.parts(0, 0.0).scores)
    means = np.mean(gains, axis=1)
    assert np.mean(means) == pytest.approx(0.06, abs=3 * np.std(means) / np.sqrt(60))
    assert np.std(gains, axis=1, ddof=1).mean() == pytest.approx(0.02, rel=0.35)  # and some noise of the items


def test_cross_fitting_errs_on_the_safe_side(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small cell of benchmarks/cross_fitting_calibration.py, whose table is in docs/results/cross-fitting.md."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    from cross_fitting_calibration import Cell, run_cell

    nothing = run_cell(Cell(rows=100, repetitions=5, rare=0.5), "no effect", 200, seed=2)
    assert nothing["false"] <= 0.03
    assert nothing["missed"] <= 0.05
    assert nothing["missed_if_independent"] > 0.15  # the world is one where folds are not independent
    gain = run_cell(Cell(rows=600, repetitions=5, rare=0.5), "gain", 60, seed=2)
    assert gain["helps"] >= 0.75


def test_clusters_and_shared_rows_are_allowed_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two small cells of benchmarks/dependence_calibration.py, whose table is in docs/results/dependence.md."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    from dependence_calibration import HEAVY, TASKS, run_cell
    from simulated_studies import Cell

    for cell in (Cell(HEAVY, 6, 0.015, 400, cluster=10), Cell(TASKS[1], 6, 0.05, 1_000, overlap=0.5)):
        rates = run_cell(cell, 120, seed=3)
        assert rates["worst"] <= 0.12  # 5 % would be exceeded by so much in one of five hundred runs
        assert rates["naive"] > 0.15  # the world is one where taking everything for independent fails


def test_replicates_that_are_all_the_same_leave_the_test_items_to_decide() -> None:
    """A conditional study of heads: ten equal replicates, two classifiers that are right equally often."""
    rng = np.random.default_rng(0)
    false, studies, items = 0, 400, 200
    for _ in range(studies):
        y, hard = rng.integers(0, 2, items), rng.random(items)
        chance = np.where(hard < 0.6, 0.97, np.where(hard < 0.8, 0.6, 0.3))
        one, other = (np.tile(np.where(rng.random(items) < chance, y, 1 - y), (10, 1)) for _ in range(2))
        predicted = {"natural": one, "natural_repeated": one, "mixed": other}
        arms = Arms(
            StudyPredictions(("a", "b"), tuple(map(str, range(items))), y, predicted), "macro_f1", "conditional"
        )
        comparisons = {
            "natural": arms.difference("mixed", "natural"),
            "repeated": arms.difference("mixed", "natural_repeated"),
            "control": arms.difference("natural_repeated", "natural"),
        }
        false += conclude(comparisons, arms.units, items, Rule(margin=0.02)).outcome in ("helps", "hurts")
    assert 0.01 < false / studies <= 0.075  # 5 % would be exceeded by so much in one of a hundred runs


@pytest.mark.slow
def test_quick_run_of_the_benchmark_passes() -> None:
    command = [sys.executable, str(BENCHMARKS / "verdict_calibration.py"), "--quick", "--json", "--studies", "400"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=BENCHMARKS.parent)
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["cells"] == 5
    assert found["worst_false_rate"] <= 0.075
    assert found["least_power"] >= 0.75
