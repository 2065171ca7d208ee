"""How often is a verdict from cross-fitting false? Simulated small data of known truth, judged by the engine itself.

    python benchmarks/cross_fitting_calibration.py [--quick] [--json]

A study draws its rows anew (30 to 900, two labels), deals them into five stratified folds two to ten times, and trains
real classifiers (ridge regression on label signs) on the three training folds of each. All arms see the same shared
features and an own block of others, drawn alike for every arm, so that no arm is better than another by anything but
chance; where an effect is wanted, the own block separates the labels better. The intervals, readings and verdicts are
the engine's. Beside them stands what the differences of folds say when they are taken for independent ones.

Writes docs/results/cross-fitting.md; `--json` prints the worst rates as the last line.
"""

import argparse
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import stdtrit

from sentisynth_hub.verdict.outcome import Rule, judge
from sentisynth_hub.verdict.predictions import StudyPredictions
from sentisynth_hub.verdict.statistics.comparisons import Arms


PAGE = Path(__file__).resolve().parents[1] / "docs" / "results" / "cross-fitting.md"
FOLDS = 5
SHARED, OWN = 8, 6  # features all arms see, and features each arm sees alone
RIDGE = 1.0
MARGIN = 0.02
ARMS = ("natural", "natural_repeated", "mixed")
SCENARIOS = {
    "no effect": (0.0, 0.0, 0.0),
    "only more steps": (0.0, 0.35, 0.35),
    "gain": (0.0, 0.0, 1.2),
}
"""How much further apart the labels stand in each arm's own block."""
FALSE = {
    "no effect": {"helps", "hurts", "just more steps"},
    "only more steps": {"helps", "hurts"},
    "gain": {"hurts", "just more steps"},
}


@dataclass(frozen=True)
class Cell:
    """One size of data and number of repetitions."""

    rows: int
    repetitions: int
    rare: float
    """Share of the second label."""


def draw_study(cell: Cell, apart: tuple[float, ...], rng: np.random.Generator) -> StudyPredictions:
    """Draw rows, deal them into folds, train and predict; what a study hands to the statistics."""
    rare = round(cell.rows * cell.rare)
    y = np.repeat([0, 1], [cell.rows - rare, rare])
    sign = np.where(y == 1, 1.0, -1.0)[:, None]
    shared = rng.standard_normal((cell.rows, SHARED)) + 0.25 * sign
    features = {
        arm: np.hstack(
            [np.ones_like(sign), shared, rng.standard_normal((cell.rows, OWN)) + (0.15 + more / OWN) * sign]
        )
        for arm, more in zip(ARMS, apart, strict=True)
    }
    folds = np.stack([deal(y, rng) for _ in range(cell.repetitions)])
    predicted = {arm: np.stack([cross_fit(x, y, fold) for fold in folds]) for arm, x in features.items()}
    return StudyPredictions(("a", "b"), tuple(map(str, range(cell.rows))), y, predicted, folds=folds)


def deal(y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The fold of every row, stratified by label."""
    fold = np.empty(len(y), int)
    for number, label in enumerate(np.unique(y)):
        places = rng.permutation(np.flatnonzero(y == label))
        fold[places] = (np.arange(len(places)) + number) % FOLDS
    return fold


def cross_fit(x: np.ndarray, y: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Predict each fold from the folds that are neither it nor the one after it, as a study does."""
    predicted = np.empty(len(y), int)
    target = np.where(y == 1, 1.0, -1.0)
    for test in range(FOLDS):
        train = (fold != test) & (fold != (test + 1) % FOLDS)
        weights = np.where(y[train] == 1, 0.5 / y[train].mean(), 0.5 / (1 - y[train].mean()))[:, None]
        inside = x[train]
        ridge = RIDGE * np.eye(x.shape[1])
        solved = np.linalg.solve(inside.T @ (weights * inside) + ridge, inside.T @ (weights[:, 0] * target[train]))
        predicted[fold == test] = (x[fold == test] @ solved > 0).astype(int)
    return predicted


def run_cell(cell: Cell, scenario: str, studies: int, seed: int) -> dict[str, Any]:
    """Rates of false verdicts and of covered truths over simulated studies."""
    rng = np.random.default_rng(
        [seed, cell.rows, cell.repetitions, round(100 * cell.rare), list(FALSE).index(scenario)]
    )
    verdicts: Counter[str] = Counter()
    values, halves, naive = [], [], []
    for _ in range(studies):
        arms = Arms(draw_study(cell, SCENARIOS[scenario], rng), "macro_f1", "cross_fitted")
        comparisons = {
            "natural": arms.difference("mixed", "natural"),
            "repeated": arms.difference("mixed", "natural_repeated"),
            "control": arms.difference("natural_repeated", "natural"),
        }
        verdicts[str(judge(comparisons, arms.units, cell.rows, Rule(margin=MARGIN))["outcome"])] += 1
        low, high = comparisons["natural"].interval(0.05) or (-1.0, 1.0)
        values.append(comparisons["natural"].value)
        halves.append((high - low) / 2)
        differences = arms.scores("mixed") - arms.scores("natural")
        error = differences.std(ddof=1) / differences.size**0.5
        naive.append(error * stdtrit(differences.size - 1, 0.975))
    distance = np.abs(np.array(values) - np.mean(values))
    return {
        "false": sum(verdicts[name] for name in FALSE[scenario]) / studies,
        "effect": float(np.mean(values)),
        "missed": float((distance > np.array(halves)).mean()),
        "missed_if_independent": float((distance > np.array(naive)).mean()),
        "helps": verdicts["helps"] / studies,
        "half_width": float(np.mean(halves)),
    }


def page(found: list[tuple[Cell, str, dict[str, Any]]], studies: int) -> str:
    """The results page."""
    worst = max(one["false"] for _, _, one in found)
    missed = max(one["missed"] for _, _, one in found)
    independent = max(one["missed_if_independent"] for _, _, one in found)
    lines = [
        "# Cross-fitting: is the verdict still honest on small data?",
        "",
        "**Question.** With under a thousand rows a study tests every row in turn (five folds, repeated). Its "
        "differences share rows and are not independent. How often is its verdict false, and its interval wrong?",
        "",
        "**Command.** `python benchmarks/cross_fitting_calibration.py`",
        "",
        f"**Set-up.** {studies:,} simulated studies a line. Each draws its rows anew, deals them into five stratified "
        "folds and trains real (ridge) classifiers on three folds, one being left for validation as in a study. All "
        f"arms see {SHARED} shared features and {OWN} of their own; macro-F1, margin {MARGIN}. *missed*: the 95 % "
        "interval of mixed − natural does not contain the true difference (the mean over all studies of the line). "
        "*if independent*: the same for a t interval that takes the folds' differences for independent ones, as is "
        "often published.",
        "",
        f"**Read.** False verdicts: at most {worst:.1%}. Intervals that miss the truth: at most {missed:.1%} with the "
        f"correction, up to {independent:.0%} without it.",
        "",
        "| rows | rare label | repetitions | scenario | effect | false verdicts | *helps* | half-width | missed | if "
        "independent |",
        "| ---: | ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for cell, scenario, one in found:
        lines.append(
            f"| {cell.rows} | {cell.rare:.0%} | {cell.repetitions} | {scenario} | {one['effect']:+.3f} "
            f"| {one['false']:.1%} | {one['helps']:.1%} | {one['half_width']:.3f} | {one['missed']:.1%} "
            f"| {one['missed_if_independent']:.1%} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=1000, help="simulated studies a line of the table")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="two cells of 200 studies; writes no page")
    parser.add_argument("--json", action="store_true", help="last line: one object")
    arguments = parser.parse_args()
    cells = [Cell(rows, repetitions, rare) for rows, rare in ((60, 0.5), (200, 0.5), (200, 0.15), (800, 0.5))
             for repetitions in (2, 5, 10)]  # fmt: skip
    studies = 200 if arguments.quick else arguments.studies
    found = []
    for cell in cells[1:5:3] if arguments.quick else cells:
        for scenario in SCENARIOS:
            found.append((cell, scenario, run_cell(cell, scenario, studies, arguments.seed)))
            print(cell, scenario, found[-1][2])
    if not arguments.quick:
        PAGE.write_text(page(found, studies), "utf-8")
    if arguments.json:
        names = ("false", "missed", "missed_if_independent")
        print(json.dumps({f"worst_{name}": max(one[name] for _, _, one in found) for name in names}))


if __name__ == "__main__":
    main()
