"""How often is a verdict false? Simulated studies whose truth is known, judged by the very engine that judges real
ones.

    python benchmarks/verdict_calibration.py --quick --json            a few cells, about a minute python
    benchmarks/verdict_calibration.py --write                   the whole grid, into
    docs/results/verdict-calibration.md
 The simulated world is in simulated_studies.py; the words are those of docs/concepts/evidence.md.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from simulated_studies import ALPHA, TASKS, Cell, Judged, Study, World, draw, make_world, scenarios

from sentisynth_hub.evaluation.bootstrap import crossed_bootstrap
from sentisynth_hub.evaluation.comparisons import Arms
from sentisynth_hub.evaluation.crossed import contrast
from sentisynth_hub.evaluation.predictions import StudyPredictions
from sentisynth_hub.evaluation.verdict import Rule, judge
from sentisynth_hub.evaluation.worth import learning_curve, worth


DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "results" / "verdict-calibration.md"
REPLICATES, SDS, ITEMS = (5, 10, 20), (0.005, 0.015, 0.05), (200, 1_000, 5_000)
PILOT = 150  # studies that set a cell's margin and the effect its power is measured at
LIMIT, LEAST_POWER = 0.06, 0.75


def run_cell(cell: Cell, studies: int, seed: int) -> dict[str, Any]:
    """Judge `studies` simulated studies of a cell under every scenario; rates of false verdicts, and power."""
    world = make_world(cell)
    rng = np.random.default_rng(seed)
    margin, effect = _pilot(world, rng)
    truths = scenarios(margin, margin, effect)
    shifts = [(world.shift(truth.repeated), world.shift(truth.mixed)) for truth in truths]
    false = dict.fromkeys((truth.name for truth in truths), 0)
    kinds: dict[str, int] = {}
    others: dict[str, int] = {}
    helps = 0
    for _ in range(studies):
        judged = Judged(draw(world, rng), world)
        for truth, (repeated, mixed) in zip(truths, shifts, strict=True):
            outcome = judged.outcome(repeated, mixed, margin)
            wrong = outcome in truth.false
            false[truth.name] += wrong
            if wrong:
                kinds[outcome] = kinds.get(outcome, 0) + 1
            helps += truth.name == "detectable gain" and outcome == "helps"
        for method, differs in judged.other_methods().items():
            others[method] = others.get(method, 0) + bool(differs)
    return {
        "task": cell.task.name,
        "replicates": cell.replicates,
        "sd": cell.sd,
        "items": cell.items,
        "studies": studies,
        "margin": margin,
        "effect": effect,
        "false": {name: count / studies for name, count in false.items()},
        "worst": max(false.values()) / studies,
        "kinds": kinds,
        "power": helps / studies,
        "others": {name: count / studies for name, count in others.items()},
    }


@dataclass(frozen=True)
class Beside:
    """What is checked beside the grid: intervals of six secondary variants at once, and the interval of a worth."""

    simultaneous: float
    worth_coverage: float
    worth_median: float
    worth_truth: float
    studies: int


def run_beside(studies: int, seed: int) -> Beside:
    """Six variants without effect: does any interval of the family leave out 0? And does the interval of a worth hold
    its truth?
    """
    world = make_world(Cell(TASKS[2], 10, 0.015, 1_000))
    rng = np.random.default_rng(seed)
    names = [f"v{place}" for place in range(7)]
    sizes = {"v0": 50, "v1": 100, "v2": 200, "v3": 400, "v4": 800}
    gains = dict(zip(sizes, (-0.06, -0.03, 0.0, 0.02, 0.03), strict=True))
    shifts = [world.shift(gain) for gain in gains.values()] + [world.shift(0.01), 0.0]
    truth = float(np.exp(np.interp(0.01, list(gains.values()), np.log(list(sizes.values())))))
    some, covered, answers = 0, 0, []
    for number in range(studies):
        study = draw(world, rng, len(names))
        flat = Arms(_as_predictions(study, names, [0.0] * 7), world.cell.task.metric, "nested")
        each = flat.alpha_each(names[1:], "v0", ALPHA, seed)
        intervals = [flat.difference(name, "v0").interval(each) for name in names[1:]]
        some += any(one is not None and not one[0] <= 0 <= one[1] for one in intervals)
        curved = _as_predictions(study, names, shifts)
        arms = Arms(curved, world.cell.task.metric, "nested")
        resampled = crossed_bootstrap(
            curved.y, curved.variants, curved.n_labels, world.cell.task.metric, resamples=999, seed=number
        )
        curve = learning_curve(sizes, {name: float(arms.scores(name).mean()) for name in sizes})
        found = worth("v5", float(arms.scores("v5").mean()), 50, curve, resampled, ALPHA)
        covered += found["interval"][0] <= truth <= found["interval"][1]
        answers.append(found["labels"])
    return Beside(some / studies, covered / studies, float(np.median(answers)), truth, studies)


def _as_predictions(study: Study, names: list[str], shifts: list[float]) -> StudyPredictions:
    variants = {
        name: study.predicted(place, shift) for place, (name, shift) in enumerate(zip(names, shifts, strict=True))
    }
    ids = tuple(map(str, range(study.y.size)))
    labels = tuple(f"label {place}" for place in range(int(study.y.max()) + 1))
    return StudyPredictions(labels, ids, study.y, variants)


def _pilot(world: World, rng: np.random.Generator) -> tuple[float, float]:
    """A margin of 1.5 half-widths, so that there is an equivalence to get wrong, and the mean stated detectable
    effect.

    Both leave room below a perfect score, of which small noisy studies would ask for more than there is.
    """
    room = world.gain(6.0)
    halves, effects = [], []
    for _ in range(PILOT):
        judged = Judged(draw(world, rng), world)
        parts = {"n": judged.parts(0, 0.0), "r": judged.parts(1, 0.0), "m": judged.parts(2, 0.0)}
        estimates = {
            "natural": contrast(parts, {"m": 1, "n": -1}),
            "repeated": contrast(parts, {"m": 1, "r": -1}),
            "control": contrast(parts, {"r": 1, "n": -1}),
        }
        halves.append(estimates["natural"].spread(1 - ALPHA / 2))
        verdict = judge(estimates, world.cell.replicates, world.cell.items, Rule(margin=0.01, alpha=ALPHA))
        effects.append(verdict["minimum_detectable_effect"])
    return min(1.5 * float(np.mean(halves)), 0.4 * room), min(float(np.mean(effects)), 0.9 * room)


def grid(quick: bool) -> list[Cell]:
    """The cells: all of them, or the corners where the method is most likely to err."""
    if quick:
        return [
            Cell(TASKS[0], 5, 0.05, 200), Cell(TASKS[1], 10, 0.015, 1_000), Cell(TASKS[2], 5, 0.015, 200),
            Cell(TASKS[2], 20, 0.05, 200), Cell(TASKS[2], 10, 0.005, 1_000),
        ]  # fmt: skip
    return [
        Cell(task, replicates, sd, items)
        for task in TASKS
        for replicates in REPLICATES
        for sd in SDS
        for items in ITEMS
    ]


def run_grid(cells: list[Cell], studies: int, seed: int, state: Path | None) -> Iterator[dict[str, Any]]:
    """Run every cell; with `state`, finished cells are kept there and not run again."""
    done = {}
    if state is not None and state.exists():
        done = {line["key"]: line for line in map(json.loads, state.read_text("utf-8").splitlines())}
    for number, cell in enumerate(cells):
        key = f"{seed} {studies} {asdict(cell)}"
        if key not in done:
            started = time.monotonic()
            done[key] = {"key": key, **run_cell(cell, studies, seed * 1_000 + number)}
            if state is not None:
                with open(state, "a", encoding="utf-8") as handle:
                    handle.write(json.dumps(done[key]) + "\n")
            found = done[key]
            print(
                f"{number + 1}/{len(cells)} {cell.task.name}, {cell.replicates} replicates, sd {cell.sd}, "
                f"{cell.items} items: worst {found['worst']:.4f}, power {found['power']:.3f} "
                f"({time.monotonic() - started:.0f} s)",
                file=sys.stderr,
            )
        yield done[key]


def summary(rows: list[dict[str, Any]], beside: Beside) -> dict[str, Any]:
    """What `--json` prints."""
    worst = max(rows, key=lambda row: row["worst"])
    weakest = min(rows, key=lambda row: row["power"])
    return {
        "cells": len(rows),
        "studies_per_cell": rows[0]["studies"],
        "worst_false_rate": worst["worst"],
        "worst_cell": {key: worst[key] for key in ("task", "replicates", "sd", "items")},
        "least_power": weakest["power"],
        "least_power_cell": {key: weakest[key] for key in ("task", "replicates", "sd", "items")},
        "simultaneous_false_rate": beside.simultaneous,
        "worth_coverage": beside.worth_coverage,
        "passed": worst["worst"] <= LIMIT and weakest["power"] >= LEAST_POWER and beside.simultaneous <= LIMIT,
    }


def main() -> None:
    """Run the simulation, print its table, and write it down where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="five cells, about a minute")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line of stdout")
    parser.add_argument("--write", action="store_true", help=f"write docs/results/{DOCUMENT.name}")
    parser.add_argument("--studies", type=int, help="simulated studies a cell (1,000 with --quick, else 4,000)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--state", type=Path, help="file that keeps finished cells, to go on after an interruption")
    arguments = parser.parse_args()
    studies = arguments.studies or (1_000 if arguments.quick else 4_000)
    rows = list(run_grid(grid(arguments.quick), studies, arguments.seed, arguments.state))
    beside = run_beside(200 if arguments.quick else 1_000, arguments.seed)
    text = document(rows, beside, arguments.seed)
    print(text, end="")
    if arguments.write:
        DOCUMENT.parent.mkdir(parents=True, exist_ok=True)
        DOCUMENT.write_text(text, "utf-8")
    found = summary(rows, beside)
    if arguments.json:
        print(json.dumps(found))
    sys.exit(0 if found["passed"] else 1)


PAGE = """# Are the verdicts calibrated?

Written by `python benchmarks/verdict_calibration.py --write --seed {seed}`; method and words in
[the evidence](../concepts/evidence.md).

{cells} cells, {studies:,} simulated studies in each, every study judged under every scenario.
Highest rate of false verdicts **{worst:.2%}** (limit {limit:.0%}), lowest power at the stated minimum detectable
effect **{power:.1%}** (at least {least_power:.0%}).

A rate is the share of studies whose verdict is false in that scenario, all kinds of false verdict together:

| scenario | natural_repeated − natural | mixed − natural | false there |
|---|---|---|---|
{truths}

`sd` is the standard deviation over replicates of the true difference between two variants. The margin is 1.5 mean
half-widths of the cell, so that *no difference that matters* is within reach, and there to be got wrong. `power` is
the share of *helps* where mixed gains exactly the mean stated minimum detectable effect over both.

{grid}

## Other methods on the same studies

Share of studies without any effect in which a method calls mixed − natural different from zero at 5 %: lowest, mean
and highest over the cells with that many replicates.

| replicates | this engine's interval | Satterthwaite | replicates only | items only | one trial |
|---:|---|---|---|---|---|
{others}

*Satterthwaite*: V_R + V_I − V_E with Satterthwaite's degrees of freedom. *Replicates only*: the paired t-test over
seeds. *Items only*: the paired t-test over items of the replicates' mean. *One trial*: the paired test over the items
of replicate 0.

## Beside the grid

Three labels, 10 replicates, sd 0.015, 1,000 items, {beside.studies:,} studies.

- Six further variants without effect: any of their simultaneous 95 % intervals leaves out zero in
  {beside.simultaneous:.1%} of studies.
- A variant truly worth {beside.worth_truth:.0f} human labels on a curve of 50 to 800: the median answer is
  {beside.worth_median:.0f}, and the 95 % interval holds the truth in {beside.worth_coverage:.1%} of studies
  (999 resamples each).
"""


def document(rows: list[dict[str, Any]], beside: Beside, seed: int) -> str:
    """The page of docs/results."""
    found = summary(rows, beside)
    names = [name for name in rows[0]["false"] if name != "detectable gain"]
    head = ["task", "replicates", "sd", "items", "margin", *names, "effect", "power"]
    truths = [
        f"| {truth.name} | {_times(truth.repeated)} | {_times(truth.mixed)} | {', '.join(sorted(truth.false))} |"
        for truth in scenarios(1.0, 1.0, 3.0)
    ]
    table = [f"| {' | '.join(head)} |", "|---|" + "---:|" * (len(head) - 1), *(_row(row, names) for row in rows)]
    return PAGE.format(
        seed=seed,
        cells=found["cells"],
        studies=found["studies_per_cell"],
        worst=found["worst_false_rate"],
        limit=LIMIT,
        power=found["least_power"],
        least_power=LEAST_POWER,
        truths="\n".join(truths),
        grid="\n".join(table),
        others="\n".join(_others(rows, count) for count in sorted({row["replicates"] for row in rows})),
        beside=beside,
    )


def _times(share: float) -> str:
    return {0.0: "0", 1.0: "margin", -1.0: "−margin", 2.0: "2 × margin", 3.0: "effect"}[share]


def _row(row: dict[str, Any], names: list[str]) -> str:
    cells = [row["task"], row["replicates"], row["sd"], row["items"], f"{row['margin']:.3f}"]
    cells += [f"{row['false'][name]:.2%}" for name in names]
    return "| " + " | ".join(map(str, [*cells, f"{row['effect']:.3f}", f"{row['power']:.1%}"])) + " |"


def _others(rows: list[dict[str, Any]], replicates: int) -> str:
    here = [row["others"] for row in rows if row["replicates"] == replicates]
    cells = []
    for method in ("engine", "satterthwaite", "replicates_only", "items_only", "one_trial"):
        rates = [row[method] for row in here]
        cells.append(f"{min(rates):.1%} · {np.mean(rates):.1%} · {max(rates):.1%}")
    return f"| {replicates} | " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
