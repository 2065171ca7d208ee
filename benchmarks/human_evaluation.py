"""How many raters and rows does a human evaluation need, and do its intervals hold? Simulated raters of known truth.

    python benchmarks/human_evaluation.py --quick --json    a few cells, seconds
    python benchmarks/human_evaluation.py --write           the grid, into docs/results/human-evaluation.md

The raters are in simulated_raters.py; they are judged by what judges real ones.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from simulated_raters import simulated_ratings

from sentisynth_hub.annotate.statistics_of_ratings import Ratings, accuracy, group_estimate


PAGE = Path(__file__).resolve().parents[1] / "docs" / "results" / "human-evaluation.md"
RATERS, ROWS = (2, 3, 5, 10), (50, 100, 200, 400)
ALPHA, MARGIN = 0.05, 0.1
TOLD, GAP, NOISE = 0.6, 0.4, 0.2


def cell(raters: int, rows: int, worlds: int, seed: int) -> dict[str, Any]:
    """Coverage and mean half-width of three intervals, and how often what is true is said of telling."""
    random = np.random.default_rng([seed, raters, rows])
    found: dict[str, Any] = {"raters": raters, "rows": rows}
    hits: dict[str, list[bool]] = {}
    widths: dict[str, list[float]] = {}
    said = {"better": 0, "same": 0, "false": 0}
    for _ in range(worlds):
        world = simulated_ratings(random, raters=raters, side=rows // 2, told=TOLD, gap=GAP, noise=NOISE)
        for name, low, high, truth in _intervals(world):
            hits.setdefault(name, []).append(low <= truth <= high)
            widths.setdefault(name, []).append((high - low) / 2)
        said["better"] += _reading(world) == "better"
        world = simulated_ratings(random, raters=raters, side=rows // 2)
        said["same"] += _reading(world) == "no difference that matters"
        said["false"] += _reading(world) in ("better", "worse")
    for name in hits:
        found[name] = {"coverage": float(np.mean(hits[name])), "half_width": float(np.mean(widths[name]))}
    return found | {f"said_{name}": count / worlds for name, count in said.items()}


def _intervals(world: Ratings) -> list[tuple[str, float, float, float]]:
    natural, synthetic = ~world.synthetic, world.synthetic
    estimates = {
        "told": (group_estimate(world.told, [(0.5, natural), (0.5, synthetic)]), TOLD),
        "naturalness": (group_estimate(world.naturalness, [(1.0, natural), (-1.0, synthetic)]), GAP),
        "label": (group_estimate(world.matched, [(1.0, synthetic)]), 1 - NOISE),
    }
    intervals = []
    for name, (estimate, truth) in estimates.items():
        assert estimate is not None
        interval = estimate[0].interval(ALPHA)
        assert interval is not None
        intervals.append((name, *interval, truth))
    return intervals


def _reading(world: Ratings) -> str:
    found = accuracy(world, world.synthetic, MARGIN, ALPHA)
    assert found is not None
    return found["reading"]


def page(cells: list[dict[str, Any]], worlds: int, seed: int) -> str:
    """The results as Markdown."""
    least = min(one[name]["coverage"] for one in cells for name in ("told", "naturalness", "label"))
    false = max(one["said_false"] for one in cells)
    lines = [
        "# How many raters, how many rows?",
        "",
        f"Written by `python benchmarks/human_evaluation.py --write --seed {seed}`; how to run a human evaluation of",
        "your own: [annotate](../how-to/annotate.md).",
        "",
        f"{worlds:,} simulated evaluations a line. Raters differ from each other (their accuracy by up to ±0.08), and",
        f"so do rows (±0.1). In one world raters tell rightly {TOLD:.0%} of the time, find synthetic rows {GAP:g}",
        f"points less natural and give another label {NOISE:.0%} of the time; in the other they are at chance. `±` is",
        "the mean half-width of the 95 % interval, `holds` how often it held the truth.",
        "",
        f"Over all lines an interval held the truth in at least **{least:.1%}**, and where raters are at chance",
        f"*can tell* (or its opposite) was said in at most **{false:.1%}**, 5 % being allowed: the skill of two or",
        "three raters is no sample of a normal one here, and the more rows, the more it is all that counts.",
        "",
        "| raters | rows | accuracy ± | holds | naturalness ± | holds | label ± | holds "
        "| *can tell* | *cannot tell* | false |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for one in cells:
        shown = [
            f"{one[name][key]:{form}}"
            for name in ("told", "naturalness", "label")
            for key, form in (("half_width", ".3f"), ("coverage", ".1%"))
        ]
        ends = [f"{one['said_better']:.0%}", f"{one['said_same']:.0%}", f"{one['said_false']:.1%}"]
        lines.append("| " + " | ".join([str(one["raters"]), str(one["rows"]), *shown, *ends]) + " |")
    lines += [
        "",
        f"*Can tell* in the world of {TOLD:.0%}; *cannot tell* (within {MARGIN:g} of chance) and *false* in the world",
        "at chance. More raters buy more than more rows: of telling, five raters of 100 rows know more than three",
        "of 400.",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two cells, few evaluations")
    parser.add_argument("--worlds", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    grid = [(3, 100), (5, 100)] if asked.quick else [(raters, rows) for raters in RATERS for rows in ROWS]
    worlds = 200 if asked.quick else asked.worlds
    cells = [cell(raters, rows, worlds, asked.seed) for raters, rows in grid]
    text = page(cells, worlds, asked.seed)
    if asked.write:
        PAGE.write_text(text, "utf-8")
    print(json.dumps(cells, indent=1) if asked.json else text)


if __name__ == "__main__":
    main()
