"""How often is a verdict false? Simulated studies of known truth, judged by the engine that judges real ones.

    python benchmarks/verdict_calibration.py --quick --json    a few cells, about a minute
    python benchmarks/verdict_calibration.py --write           the whole grid, into docs/results/verdict-calibration.md

The simulated world is in simulated_studies.py; the words are those of docs/concepts/evidence.md.
"""

import argparse
import json
import sys
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import ndtr, stdtrit
from simulated_studies import ALPHA, TASKS, Cell, Judged, Study, Truth, World, draw, make_world, scenarios

from sentisynth_hub.study.predictions import StudyPredictions
from sentisynth_hub.verdict.outcome import Rule, conclude, decide
from sentisynth_hub.verdict.statistics.bootstrap import crossed_bootstrap
from sentisynth_hub.verdict.statistics.comparisons import Arms
from sentisynth_hub.verdict.statistics.crossed import contrast
from sentisynth_hub.verdict.worth import Worth, learning_curve, worth


DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "results" / "verdict-calibration.md"
REPLICATES, SDS, ITEMS = (5, 10, 20), (0.005, 0.015, 0.05), (200, 1_000, 5_000)
PILOT = 150  # studies that set a cell's margin and the effect its power is measured at
LIMIT, CLOSE, LEAST_POWER = 0.06, 0.055, 0.75
METHODS = ("engine", "satterthwaite", "replicates_only", "items_only", "one_trial")


def run_cell(cell: Cell, studies: int, seed: int) -> dict[str, Any]:
    """Judge simulated studies of a cell under every scenario; rates of false verdicts, and power.

    `studies` of them, and three times as many more where a rate is then over 5.5 %, to tell a false rate from chance.
    """
    world = make_world(cell)
    rng = np.random.default_rng(seed)
    margin, effect = _pilot(world, rng)
    truths = scenarios(margin, margin, effect)
    counts: Counter[tuple[str, str]] = Counter()
    done = _judge(world, rng, truths, margin, studies, counts)
    if max(counts["false", truth.name] for truth in truths) > CLOSE * done:
        done += _judge(world, rng, truths, margin, 3 * studies, counts)
    false = {truth.name: counts["false", truth.name] / done for truth in truths}
    return {
        "task": cell.task.name,
        "replicates": cell.replicates,
        "sd": cell.sd,
        "items": cell.items,
        "studies": done,
        "margin": margin,
        "effect": effect,
        "false": false,
        "worst": max(false.values()),
        "power": counts["helps", "detectable gain"] / done,
        "others": {method: counts["differs", method] / done for method in METHODS},
    }


def _judge(
    world: World,
    rng: np.random.Generator,
    truths: tuple[Truth, ...],
    margin: float,
    studies: int,
    counts: Counter[tuple[str, str]],
) -> int:
    """Judge `studies` more studies and add to `counts`; returns how many."""
    choices = [truth.chosen(world.cell) for truth in truths]
    shifts = [
        (world.shift(truth.repeated), world.shift(truth.mixed, chosen=chosen))
        for truth, chosen in zip(truths, choices, strict=True)
    ]
    for _ in range(studies):
        judged = Judged(draw(world, rng), world)
        for truth, chosen, (repeated, mixed) in zip(truths, choices, shifts, strict=True):
            outcome = judged.outcome(repeated, mixed, margin, chosen=chosen)
            counts["false", truth.name] += outcome in truth.false
            counts["helps", truth.name] += outcome == "helps"
        for method, differs in judged.other_methods().items():
            counts["differs", method] += bool(differs)
    return studies


@dataclass(frozen=True)
class Beside:
    """What is checked beside the grid, in one cell of it.

    simultaneous: Six variants without effect; share of studies where any of their simultaneous intervals leaves out
    0. worth_coverage, worth_median, worth_truth: A worth in human labels: how often its interval holds the truth.
    steps_alone, steps: Mixed truly gains 0.03 over both others: share of studies called *just more steps*, if that
    meant
        "above natural, not above natural_repeated", and by the engine, which also wants the margin (0.01) ruled out.
    """

    simultaneous: float
    worth_coverage: float
    worth_median: float
    worth_truth: float
    steps_alone: float
    steps: float
    studies: int


NAMES = [f"v{place}" for place in range(7)]
SIZES = {"v0": 50, "v1": 100, "v2": 200, "v3": 400, "v4": 800}
CURVE_GAINS, VARIANT_GAIN = (-0.06, -0.03, 0.0, 0.02, 0.03), 0.01


def run_beside(studies: int, seed: int) -> Beside:
    """Run all checks on the same `studies` simulated studies."""
    world = make_world(Cell(TASKS[2], 10, 0.015, 1_000))
    rng = np.random.default_rng(seed)
    curve_shifts = [world.shift(gain) for gain in (*CURVE_GAINS, VARIANT_GAIN)] + [0.0]
    gain_shifts = [0.0, 0.0, world.shift(0.03)]
    truth = float(np.exp(np.interp(VARIANT_GAIN, CURVE_GAINS, np.log(list(SIZES.values())))))
    simultaneous, steps_alone, steps, worths = 0, 0, 0, []
    for number in range(studies):
        study = draw(world, rng, len(NAMES))
        simultaneous += _any_leaves_out_zero(_arms(study, world, [0.0] * 7), seed)
        worths.append(_worth_of(_arms(study, world, curve_shifts), seed=number))
        gained = _arms(study, world, gain_shifts)
        natural, repeated = (gained.difference("v2", name).interval(ALPHA) for name in ("v0", "v1"))
        assert natural is not None
        assert repeated is not None
        steps_alone += natural[0] > 0 >= repeated[0]
        steps += decide(natural, repeated, margin=0.01) == "just more steps"
    return Beside(
        simultaneous=simultaneous / studies,
        worth_coverage=sum(one.interval[0] <= truth <= one.interval[1] for one in worths) / studies,
        worth_median=float(np.median([one.labels for one in worths])),
        worth_truth=truth,
        steps_alone=steps_alone / studies,
        steps=steps / studies,
        studies=studies,
    )


def _any_leaves_out_zero(arms: Arms, seed: int) -> bool:
    each = arms.alpha_each(NAMES[1:], "v0", ALPHA, seed)
    intervals = [arms.difference(name, "v0").interval(each) for name in NAMES[1:]]
    return any(one is not None and not one[0] <= 0 <= one[1] for one in intervals)


def _worth_of(arms: Arms, seed: int) -> Worth:
    study, metric = arms.predictions, arms.metric
    resampled = crossed_bootstrap(study.y, study.variants, study.n_labels, metric, resamples=999, seed=seed)
    curve = learning_curve(SIZES, {name: float(arms.scores(name).mean()) for name in SIZES})
    return worth("v5", float(arms.scores("v5").mean()), 50, curve, resampled, ALPHA)


def _arms(study: Study, world: World, shifts: list[float]) -> Arms:
    variants = {NAMES[place]: study.predicted(place, shift) for place, shift in enumerate(shifts)}
    ids = tuple(map(str, range(study.y.size)))
    labels = tuple(f"label {place}" for place in range(len(world.cell.task.shares)))
    return Arms(StudyPredictions(labels, ids, study.y, variants), world.cell.task.metric, "nested")


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
        verdict = conclude(estimates, world.cell.replicates, world.cell.items, Rule(margin=0.01, alpha=ALPHA))
        effects.append(verdict.minimum_detectable_effect)
    return min(1.5 * float(np.mean(halves)), 0.4 * room), min(float(np.mean(effects)), 0.9 * room)


def normal_worlds(replicates: int) -> dict[str, tuple[float, float]]:
    """The two intervals where all parts are normal and the items many: highest error rate and mean width over 55
    mixes of parts.

    The width is that of the interval which knows the variance, times what is returned. The rates are exact but for the
    200,000 draws of the replicates' variance.
    """
    df = replicates - 1
    drawn = np.random.default_rng(3).chisquare(df, 200_000) / df
    rates: dict[str, list[float]] = {"banerjee": [], "satterthwaite": []}
    widths: dict[str, list[float]] = {"banerjee": [], "satterthwaite": []}
    for own in np.linspace(0.1, 1, 10):
        for rest in np.arange(0, 1.05 - own, 0.1):
            item, found = max(1 - own - rest, 0.0), (own + rest) * drawn
            total = found + item
            halves = {
                "banerjee": np.sqrt(stdtrit(df, 0.975) ** 2 * found + stdtrit(np.inf, 0.975) ** 2 * item),
                "satterthwaite": stdtrit(np.maximum(df * (total / found) ** 2, 1), 0.975) * np.sqrt(total),
            }
            for name, half in halves.items():
                rates[name].append(float(np.mean(2 * ndtr(-half))))
                widths[name].append(float(half.mean()) / 1.96)
    return {name: (max(rates[name]), float(np.mean(widths[name]))) for name in rates}


def grid(quick: bool, chosen: bool) -> list[Cell]:
    """The cells: all of them, or the corners where the method is most likely to err."""
    if quick:
        corners = [
            Cell(TASKS[0], 5, 0.05, 200), Cell(TASKS[1], 10, 0.015, 1_000), Cell(TASKS[2], 5, 0.015, 200),
            Cell(TASKS[2], 20, 0.05, 200), Cell(TASKS[2], 10, 0.005, 1_000),
        ]  # fmt: skip
        return [replace(cell, chosen=chosen) for cell in corners]
    return [
        Cell(task, replicates, sd, items, chosen=chosen)
        for task in TASKS
        for replicates in REPLICATES
        for sd in SDS
        for items in ITEMS
    ]


def run_grid(cells: list[Cell], studies: int, seed: int, state: Path | None) -> list[dict[str, Any]]:
    """Run every cell, small ones first; with `state`, cells finished with as many studies are kept there."""
    done: dict[str, dict[str, Any]] = {}
    if state is not None and state.exists():
        lines = map(json.loads, state.read_text("utf-8").splitlines())
        done = {line["key"]: line for line in lines if line["studies"] >= studies}
    keys = {
        cell: f"{seed} {cell.task.name} {cell.replicates} {cell.sd} {cell.items}{' chosen' * cell.chosen}"
        for cell in cells
    }
    for cell in sorted(cells, key=lambda cell: cell.replicates * cell.items):
        if keys[cell] in done:
            continue
        started = time.monotonic()
        found = {"key": keys[cell], **run_cell(cell, studies, seed * 1_000 + cells.index(cell))}
        done[keys[cell]] = found
        if state is not None:
            with open(state, "a", encoding="utf-8") as handle:
                handle.write(json.dumps(found) + "\n")
        print(
            f"{len(done)}/{len(cells)} {keys[cell]}: {found['studies']} studies, worst {found['worst']:.4f}, "
            f"power {found['power']:.3f} ({time.monotonic() - started:.0f} s)",
            file=sys.stderr,
        )
    return [done[keys[cell]] for cell in cells]


def summary(rows: list[dict[str, Any]], beside: Beside) -> dict[str, Any]:
    """What `--json` prints."""
    worst = max(rows, key=lambda row: row["worst"])
    weakest = min(rows, key=lambda row: row["power"])
    return {
        "cells": len(rows),
        "studies_per_cell": min(row["studies"] for row in rows),
        "worst_false_rate": worst["worst"],
        "worst_cell": {key: worst[key] for key in ("task", "replicates", "sd", "items")},
        "least_power": weakest["power"],
        "least_power_cell": {key: weakest[key] for key in ("task", "replicates", "sd", "items")},
        "simultaneous_false_rate": beside.simultaneous,
        "worth_coverage": beside.worth_coverage,
        "just_more_steps_without_the_margin": beside.steps_alone,
        "just_more_steps": beside.steps,
        "passed": worst["worst"] <= LIMIT and weakest["power"] >= LEAST_POWER and beside.simultaneous <= LIMIT,
    }


def main() -> None:
    """Run the simulation, print its table, and write it down where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="five cells, about a minute")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line of stdout")
    parser.add_argument("--write", action="store_true", help=f"write docs/results/{DOCUMENT.name}")
    parser.add_argument(
        "--chosen", action="store_true", help="in each replicate folds choose if mixed uses its rows; writes no page"
    )
    parser.add_argument("--studies", type=int, help="simulated studies a cell (1,000 unless given)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--state", type=Path, help="file that keeps finished cells, to go on after an interruption")
    arguments = parser.parse_args()
    studies = arguments.studies or 1_000
    rows = run_grid(grid(arguments.quick, arguments.chosen), studies, arguments.seed, arguments.state)
    beside = run_beside(100 if arguments.quick else 500, arguments.seed)
    text = document(rows, beside, f"{'--quick ' * arguments.quick}--write --seed {arguments.seed}")
    print(text, end="")
    if arguments.write and not arguments.chosen:
        DOCUMENT.parent.mkdir(parents=True, exist_ok=True)
        DOCUMENT.write_text(text, "utf-8")
    found = summary(rows, beside)
    if arguments.json:
        print(json.dumps(found))
    sys.exit(0 if found["passed"] else 1)


PAGE = """# Are the verdicts calibrated?

Written by `python benchmarks/verdict_calibration.py {arguments}`; method and words in
[the evidence](../concepts/evidence.md). Here all rows and replicates are independent; where they are not:
[dependence](dependence.md).

{cells} cells, at least {studies:,} simulated studies in each (four times as many where a rate was over {close:.1%}
after those), every study judged under every scenario. Highest rate of false verdicts **{worst:.2%}** (limit
{limit:.0%}), lowest power at the stated minimum detectable effect **{power:.1%}** (at least {least_power:.0%}).

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

Where all parts are normal and the items many, the two can be compared without noise, over 55 mixes of replicate, item
and residual part. Width is a multiple of the interval that knows the variance.

| replicates | this engine: highest rate | mean width | Satterthwaite: highest rate | mean width |
|---:|---:|---:|---:|---:|
{normal}

## Beside the grid

Three labels, 10 replicates, sd 0.015, 1,000 items, {beside.studies:,} studies.

- Six further variants without effect: any of their simultaneous 95 % intervals leaves out zero in
  {beside.simultaneous:.1%} of studies.
- Mixed truly gains 0.03 over natural and natural_repeated: read as "above natural, not above natural_repeated" alone,
  *just more steps* would be said of {beside.steps_alone:.1%} of studies; with the margin (0.01) to be ruled out too,
  {beside.steps:.1%}.
- A variant truly worth {beside.worth_truth:.0f} human labels on a curve of 50 to 800: the median answer is
  {beside.worth_median:.0f}, and the 95 % interval holds the truth in {beside.worth_coverage:.1%} of studies
  (999 resamples each).
"""


def document(rows: list[dict[str, Any]], beside: Beside, arguments: str) -> str:
    """The page of docs/results; `arguments` are those of the command that made it."""
    found = summary(rows, beside)
    names = [name for name in rows[0]["false"] if name != "detectable gain"]
    head = ["task", "replicates", "sd", "items", "studies", "margin", *names, "effect", "power"]
    truths = [
        f"| {truth.name} | {_times(truth.repeated)} | {_times(truth.mixed)} | {', '.join(sorted(truth.false))} |"
        for truth in scenarios(1.0, 1.0, 3.0)
    ]
    table = [f"| {' | '.join(head)} |", "|---|" + "---:|" * (len(head) - 1), *(_row(row, names) for row in rows)]
    return PAGE.format(
        arguments=arguments,
        cells=found["cells"],
        studies=found["studies_per_cell"],
        worst=found["worst_false_rate"],
        limit=LIMIT,
        close=CLOSE,
        power=found["least_power"],
        least_power=LEAST_POWER,
        truths="\n".join(truths),
        grid="\n".join(table),
        others="\n".join(_others(rows, count) for count in sorted({row["replicates"] for row in rows})),
        normal="\n".join(_normal(count) for count in REPLICATES),
        beside=beside,
    )


def _times(share: float) -> str:
    return {0.0: "0", 1.0: "margin", -1.0: "−margin", 2.0: "2 × margin", 3.0: "effect"}[share]


def _row(row: dict[str, Any], names: list[str]) -> str:
    cells = [row["task"], row["replicates"], row["sd"], row["items"], row["studies"], f"{row['margin']:.3f}"]
    cells += [f"{row['false'][name]:.2%}" for name in names]
    return "| " + " | ".join(map(str, [*cells, f"{row['effect']:.3f}", f"{row['power']:.1%}"])) + " |"


def _normal(replicates: int) -> str:
    found = normal_worlds(replicates)
    cells = [f"{rate:.2%} | {width:.3f}" for rate, width in (found["banerjee"], found["satterthwaite"])]
    return f"| {replicates} | {' | '.join(cells)} |"


def _others(rows: list[dict[str, Any]], replicates: int) -> str:
    here = [row["others"] for row in rows if row["replicates"] == replicates]
    cells = []
    for method in METHODS:
        rates = [row[method] for row in here]
        cells.append(f"{min(rates):.1%} · {np.mean(rates):.1%} · {max(rates):.1%}")
    return f"| {replicates} | " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
