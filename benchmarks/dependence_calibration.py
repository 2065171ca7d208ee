"""How often is a verdict false where test rows belong together, replicates share rows, or a label is rare?

    python benchmarks/dependence_calibration.py --quick --json     400 studies a cell, about four minutes
    python benchmarks/dependence_calibration.py --write            2,000 a cell, into docs/results/dependence.md

The world is that of verdict_calibration.py, with clusters of test rows, replicates whose luck correlates as their
natural rows overlap, and labels of 2 %. Every study is judged twice: by the engine with what it knows of the
dependence, and by the same engine told nothing.
"""

import argparse
import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from simulated_studies import ALPHA, TASKS, Cell, Study, Task, World, draw, make_world, scenarios

from sentisynth_hub.metrics.classification import METRICS, Array
from sentisynth_hub.verdict.evaluation import LEAST_LABEL_ROWS
from sentisynth_hub.verdict.outcome import decide
from sentisynth_hub.verdict.statistics.comparisons import INDEPENDENT, Dependence
from sentisynth_hub.verdict.statistics.crossed import PseudoValues, pseudo_values


DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "results" / "dependence.md"
PILOT = 60
LIMIT = 0.06
HEAVY = Task("binary, heavy own items", "macro_f1", (0.5, 0.5), (0.72, 0.68), 2.0)
RARE = Task("three labels, one of 2 %", "macro_f1", (0.55, 0.43, 0.02), (0.75, 0.70, 0.40), 0.7)
ROWS = {"0 to 2": 2, "3 or 4": 4, "5 to 9": 9, "10 to 15": 15, "16 or more": 10_000}
CELLS = {
    "clusters of 3": [Cell(TASKS[1], 10, 0.015, 999, cluster=3), Cell(TASKS[2], 10, 0.015, 999, cluster=3)],
    "clusters of 10": [Cell(TASKS[1], 10, 0.015, 1_000, cluster=10), Cell(HEAVY, 10, 0.015, 1_000, cluster=10)],
    "overlapping replicates": [
        Cell(TASKS[1], replicates, 0.015, items, overlap=overlap)
        for replicates in (5, 10)
        for items in (300, 2_000)
        for overlap in (0.25, 0.5)
    ],
    "a label of 2 %": [Cell(RARE, replicates, 0.015, items) for replicates in (5, 10) for items in (150, 500, 1_000)],
}


class JudgedTwice:
    """One study under several truths, judged with and without knowledge of what depends on what."""

    def __init__(self, study: Study, world: World):
        cell = world.cell
        clusters = np.arange(study.y.size) // cell.cluster if cell.cluster > 1 else None
        self.study, self.world = study, world
        self.knowing = Dependence(clusters, cell.overlap)
        units = np.arange(study.y.size) if clusters is None else clusters
        labels = range(len(cell.task.shares))
        rows = min(np.unique(units[study.y == label]).size for label in labels)
        self.rare_label = cell.task.metric == "macro_f1" and rows < LEAST_LABEL_ROWS
        self._parts: dict[tuple[int, float, bool], PseudoValues] = {}

    def outcomes(self, repeated: float, mixed: float, margin: float) -> tuple[str, str]:
        """What the engine says, and what it would say if it took everything for independent."""
        knowing = self._outcome(repeated, mixed, margin, self.knowing)
        return "no verdict" if self.rare_label else knowing, self._outcome(repeated, mixed, margin, INDEPENDENT)

    def half_width(self) -> float:
        """Half-width of the interval of mixed − natural without any effect."""
        low, high = self._interval((2, 0.0), (0, 0.0), self.knowing)
        return (high - low) / 2

    def _outcome(self, repeated: float, mixed: float, margin: float, dependence: Dependence) -> str:
        natural = self._interval((2, mixed), (0, 0.0), dependence)
        return decide(natural, self._interval((2, mixed), (1, repeated), dependence), margin)

    def _interval(
        self, first: tuple[int, float], second: tuple[int, float], dependence: Dependence
    ) -> tuple[float, float]:
        one, other = self._part(*first, dependence.clusters), self._part(*second, dependence.clusters)
        value = float((one.scores - other.scores).mean())
        estimate = dependence.estimate(one.values - other.values, value, max(one.one_item, other.one_item))
        interval = estimate.interval(ALPHA)
        assert interval is not None
        return interval

    def _part(self, variant: int, shift: float, clusters: Array | None) -> PseudoValues:
        key = (variant, shift, clusters is None)
        if key not in self._parts:
            task = self.world.cell.task
            predicted = self.study.predicted(variant, shift)
            labels = len(task.shares)
            self._parts[key] = pseudo_values(self.study.y, predicted, labels, METRICS[task.metric], clusters)
        return self._parts[key]


def run_cell(cell: Cell, studies: int, seed: int) -> dict[str, Any]:
    """Rates of false verdicts over simulated studies, worst scenario, both ways of judging."""
    world, rng = make_world(cell), np.random.default_rng(seed)
    halves = [JudgedTwice(draw(world, rng), world).half_width() for _ in range(PILOT)]
    margin = min(1.5 * float(np.mean(halves)), 0.4 * world.gain(6.0))
    truths = scenarios(margin, margin, margin)[:-1]
    shifts = [(world.shift(truth.repeated), world.shift(truth.mixed)) for truth in truths]
    knowing: Counter[str] = Counter()
    naive: Counter[str] = Counter()
    silent = 0
    for _ in range(studies):
        judged = JudgedTwice(draw(world, rng), world)
        silent += judged.rare_label
        for truth, (repeated, mixed) in zip(truths, shifts, strict=True):
            outcome, other = judged.outcomes(repeated, mixed, margin)
            knowing[truth.name] += outcome in truth.false
            naive[truth.name] += other in truth.false
    worst, worst_naive = (max(counts[truth.name] for truth in truths) / studies for counts in (knowing, naive))
    half = float(np.mean(halves))
    return {
        "worst": worst,
        "naive": worst_naive,
        "half_width": half,
        "no_verdict": silent / studies,
        "studies": studies,
    }


def run_all(studies: int, seed: int, quick: bool) -> list[tuple[str, Cell, dict[str, Any]]]:
    """Every cell, or with `quick` one or two of each kind."""
    rows = []
    for kind, cells in CELLS.items():
        for number, cell in enumerate(cells[-1::-3] if quick else cells):
            started = time.monotonic()
            result = run_cell(cell, studies, seed * 1_000 + number)
            rows.append((kind, cell, result))
            print(kind, cell, result, f"{time.monotonic() - started:.0f} s", file=sys.stderr)
    return rows


def rare_gain(items: int, studies: int, seed: int, shift: float = 1.5) -> list[tuple[str, int, float]]:
    """A variant that is better in the rare label alone: how often the 95 % interval of macro-F1 misses its true gain.

    By the test rows the label happens to have: (rows, studies, share missed).
    """
    world, rng = make_world(Cell(RARE, 5, 0.015, items)), np.random.default_rng(seed)
    luck = world.luck * world.draws[:, 0]
    moved = luck.copy()
    moved[:, -1] += shift
    truth = float((world.scores(0.0, moved) - world.scores(0.0, luck)).mean())
    measure, labels = METRICS[RARE.metric], len(RARE.shares)
    missed: dict[str, list[bool]] = {}
    for _ in range(studies):
        study = draw(world, rng, 2)
        better = np.where(study.latent[1] + np.float32(shift) * (study.y == labels - 1) > 0, study.y, study.other)
        first, second = (
            pseudo_values(study.y, answers, labels, measure) for answers in (better, study.predicted(0, 0.0))
        )
        value = float((first.scores - second.scores).mean())
        estimate = INDEPENDENT.estimate(first.values - second.values, value, max(first.one_item, second.one_item))
        low, high = estimate.interval(ALPHA) or (-1.0, 1.0)
        count = int((study.y == labels - 1).sum())
        rows = next(name for name, most in ROWS.items() if count <= most)
        missed.setdefault(rows, []).append(not low <= truth <= high)
    return [(rows, len(missed[rows]), float(np.mean(missed[rows]))) for rows in ROWS if rows in missed]


PAGE = """# Are the verdicts calibrated where rows are not independent?

Written by `python benchmarks/dependence_calibration.py {arguments}`; method in
[the evidence](../concepts/evidence.md), independent rows in [verdict calibration](verdict-calibration.md).

{studies:,} simulated studies a line, each judged under five scenarios (no effect, only more steps, gain and loss of
the margin, steps and the margin). *false*: share of studies with a false verdict, in the worst scenario. *told
nothing*: the same by the engine when it takes rows and replicates for independent. Standard error of a rate of 5 %:
{error:.1%}.

Highest rate **{worst:.1%}**; told nothing, up to {naive:.0%}.

| | task | replicates | items | clusters of | overlap | half-width | no verdict | false | told nothing |
|---|---|---:|---:|---:|---:|---:|---:|---:|---:|
{lines}

Items of a cluster share label, difficulty, what each variant makes of them and {together:.0%} of the noise. Replicates
that overlap have correlated luck, by the part of natural rows they share; the correction takes all they share for
luck of the rows, so it errs on the safe side. A label with fewer than {least} test rows gives no verdict on macro-F1.

## Why a rare label gives no verdict

A variant that is better in the label of 2 % alone; 5 replicates, {rare_studies:,} studies of 150, 300 and 1,000 rows
each. Share of studies whose 95 % interval of macro-F1 misses the true gain, by how many rows the label has:

| test rows of the label | studies | missed |
|---|---:|---:|
{rare_lines}
"""


def rare_table(studies: int, seed: int) -> str:
    """The lines of the table of the rare label."""
    counts: Counter[str] = Counter()
    missed: Counter[str] = Counter()
    for items in (150, 300, 1_000):
        for rows, count, share in rare_gain(items, studies, seed):
            counts[rows] += count
            missed[rows] += round(share * count)
    return "\n".join(
        f"| {rows} | {counts[rows]:,} | {missed[rows] / counts[rows]:.1%} |" for rows in ROWS if counts[rows]
    )


def main() -> None:
    """Run the simulation, print the table, and write it down where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a part of the cells, 400 studies each")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line of stdout")
    parser.add_argument("--write", action="store_true", help=f"write docs/results/{DOCUMENT.name}")
    parser.add_argument("--studies", type=int, help="simulated studies a cell (2,000 unless given)")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    studies = arguments.studies or (400 if arguments.quick else 2_000)
    rows = run_all(studies, arguments.seed, arguments.quick)
    rare_studies = min(studies, 1_000)
    from simulated_studies import NOISE_TOGETHER

    text = PAGE.format(
        arguments=f"{'--quick ' * arguments.quick}--write --studies {studies} --seed {arguments.seed}",
        studies=studies,
        error=(0.05 * 0.95 / studies) ** 0.5,
        worst=max(result["worst"] for _, _, result in rows),
        naive=max(result["naive"] for _, _, result in rows),
        lines="\n".join(
            f"| {kind} | {cell.task.name} | {cell.replicates} | {cell.items} | {cell.cluster} | {cell.overlap:g} "
            f"| {result['half_width']:.3f} | {result['no_verdict']:.0%} | {result['worst']:.1%} "
            f"| {result['naive']:.1%} |"
            for kind, cell, result in rows
        ),
        together=NOISE_TOGETHER,
        least=LEAST_LABEL_ROWS,
        rare_studies=rare_studies,
        rare_lines=rare_table(rare_studies, arguments.seed),
    )
    print(text, end="")
    if arguments.write:
        DOCUMENT.write_text(text, "utf-8")
    worst = max(result["worst"] for _, _, result in rows)
    if arguments.json:
        print(json.dumps({"worst_false_rate": worst, "told_nothing": max(result["naive"] for _, _, result in rows)}))
    sys.exit(0 if worst <= LIMIT + 2 * (0.05 * 0.95 / studies) ** 0.5 else 1)


if __name__ == "__main__":
    main()
