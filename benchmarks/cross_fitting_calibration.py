"""How often is a verdict from cross-fitting false? Simulated small data of known truth, judged by the engine itself.

    python benchmarks/cross_fitting_calibration.py [--quick] [--write] [--json]

A study draws its rows anew (30 to 900, two labels), deals them into five stratified folds two to ten times, and trains
real classifiers (ridge regression on label signs) on the three training folds of each. All arms see the same shared
features and an own block of others, drawn alike for every arm, so that no arm is better than another by anything but
chance; where an effect is wanted, the own block separates the labels better. The intervals, readings and verdicts are
the engine's. Beside them stands what the differences of folds say when they are taken for independent ones.

`--write` writes docs/results/cross-fitting.md; `--json` prints the worst rates as the last line.
"""

import argparse
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import stdtrit

from sentisynth_hub.metrics.classification import METRICS, confusion_counts
from sentisynth_hub.study.predictions import StudyPredictions
from sentisynth_hub.verdict.outcome import Rule, conclude
from sentisynth_hub.verdict.statistics.comparisons import Arms, Dependence


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


def fold_differences(study: StudyPredictions) -> np.ndarray:
    """mixed − natural in macro-F1, one a fold of each repetition."""
    assert study.folds is not None
    scores = {
        arm: [
            METRICS["macro_f1"](confusion_counts(study.y[fold == test], row[fold == test], study.n_labels))
            for row, fold in zip(study.predicted(arm), study.folds, strict=True)
            for test in range(FOLDS)
        ]
        for arm in ("mixed", "natural")
    }
    return np.array(scores["mixed"]) - np.array(scores["natural"])


def run_cell(cell: Cell, scenario: str, studies: int, seed: int) -> dict[str, Any]:
    """Rates of false verdicts and of covered truths over simulated studies."""
    rng = np.random.default_rng(
        [seed, cell.rows, cell.repetitions, round(100 * cell.rare), list(FALSE).index(scenario)]
    )
    verdicts: Counter[str] = Counter()
    values, halves, naive, corrected = [], [], [], []
    for _ in range(studies):
        study = draw_study(cell, SCENARIOS[scenario], rng)
        arms = Arms(study, "macro_f1", "cross_fitted", Dependence(training_share=(FOLDS - 2) / FOLDS))
        comparisons = {
            "natural": arms.difference("mixed", "natural"),
            "repeated": arms.difference("mixed", "natural_repeated"),
            "control": arms.difference("natural_repeated", "natural"),
        }
        verdicts[str(conclude(comparisons, arms.units, cell.rows, Rule(margin=MARGIN)).outcome)] += 1
        low, high = comparisons["natural"].interval(0.05) or (-1.0, 1.0)
        values.append(comparisons["natural"].value)
        halves.append((high - low) / 2)
        differences = fold_differences(study)
        t = stdtrit(differences.size - 1, 0.975)
        naive.append(t * (differences.var(ddof=1) / differences.size) ** 0.5)
        corrected.append(t * (differences.var(ddof=1) * (1 / differences.size + 1 / (FOLDS - 1))) ** 0.5)
    distance = np.abs(np.array(values) - np.mean(values))
    oracle = 1.96 * float(np.std(values))
    return {
        "false": sum(verdicts[name] for name in FALSE[scenario]) / studies,
        "effect": float(np.mean(values)),
        "missed": float((distance > np.array(halves)).mean()),
        "missed_if_independent": float((distance > np.array(naive)).mean()),
        "helps": verdicts["helps"] / studies,
        "half_width": float(np.mean(halves)),
        "against_oracle": float(np.mean(halves)) / oracle,
        "nadeau_bengio": float(np.mean(corrected)) / oracle,
    }


def page(found: list[tuple[Cell, str, dict[str, Any]]], studies: int, command: str) -> str:
    """The results page."""
    worst = max(one["false"] for _, _, one in found)
    missed = max(one["missed"] for _, _, one in found)
    independent = max(one["missed_if_independent"] for _, _, one in found)
    width = max(one["against_oracle"] for _, _, one in found)
    usual = max(one["nadeau_bengio"] for _, _, one in found)
    lines = [
        "# Cross-fitting: is the verdict still honest on small data?",
        "",
        "**Question.** With under a thousand rows a study tests every row in turn (five folds, repeated). Its "
        "differences share rows and are not independent. How often is its verdict false, and its interval wrong?",
        "",
        f"**Command.** `python benchmarks/cross_fitting_calibration.py {command}`",
        "",
        f"**Set-up.** {studies:,} simulated studies a line. Each draws its rows anew, deals them into five stratified "
        "folds and trains real (ridge) classifiers on three folds, one being left for validation as in a study. All "
        f"arms see {SHARED} shared features and {OWN} of their own; macro-F1, margin {MARGIN}. *missed*: the 95 % "
        "interval of mixed − natural does not contain the true difference (the mean over all studies of the line). "
        "*if independent*: the same for a t interval that takes the folds' differences for independent ones, as is "
        "often published.",
        "",
        "*width*: mean half-width over that of the interval which knows the spread of the estimate over all studies; "
        "*Nadeau-Bengio*: the same for the usual correction of fold differences (2003).",
        "",
        f"**Read.** False verdicts: at most {worst:.1%}. Intervals that miss the truth: at most {missed:.1%}, up to "
        f"{independent:.0%} where folds are taken for independent. Width: at most {width:.2f} times the oracle's; "
        f"with Nadeau and Bengio's correction up to {usual:.2f}.",
        "",
        "| rows | rare label | repetitions | scenario | effect | false verdicts | *helps* | half-width | width | "
        "Nadeau-Bengio | missed | if independent |",
        "| ---: | ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for cell, scenario, one in found:
        lines.append(
            f"| {cell.rows} | {cell.rare:.0%} | {cell.repetitions} | {scenario} | {one['effect']:+.3f} "
            f"| {one['false']:.1%} | {one['helps']:.1%} | {one['half_width']:.3f} | {one['against_oracle']:.2f} "
            f"| {one['nadeau_bengio']:.2f} | {one['missed']:.1%} "
            f"| {one['missed_if_independent']:.1%} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=1000, help="simulated studies a line of the table")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="the cells of 100 and 300 rows only")
    parser.add_argument("--write", action="store_true", help="write docs/results/cross-fitting.md")
    parser.add_argument("--json", action="store_true", help="last line: one object")
    arguments = parser.parse_args()
    sizes = ((60, 0.5), (100, 0.5), (300, 0.5), (300, 0.15), (800, 0.5))
    cells = [Cell(rows, repetitions, rare) for rows, rare in sizes for repetitions in (2, 5)]
    studies = arguments.studies
    found = []
    for cell in cells[2:8] if arguments.quick else cells:
        for scenario in SCENARIOS:
            found.append((cell, scenario, run_cell(cell, scenario, studies, arguments.seed)))
            print(cell, scenario, found[-1][2])
    if arguments.write:
        command = f"{'--quick ' * arguments.quick}--write --studies {studies} --seed {arguments.seed}"
        PAGE.write_text(page(found, studies, command), "utf-8")
    if arguments.json:
        names = ("false", "missed", "missed_if_independent", "against_oracle", "nadeau_bengio")
        print(json.dumps({f"worst_{name}": max(one[name] for _, _, one in found) for name in names}))


if __name__ == "__main__":
    main()
