"""How often is a verdict false where test rows belong together, replicates share rows, a label is rare, or the test
rows are looked at again and again?

    python benchmarks/dependence_calibration.py --quick --json     400 studies a cell, about four minutes
    python benchmarks/dependence_calibration.py --write            2,000 a cell, into docs/results/dependence.md

The world is that of verdict_calibration.py, with clusters of test rows, replicates whose luck correlates as their
natural rows overlap, labels of 2 %, and studies that go on with more replicates until they are decided. Every study is
judged twice: by the engine with what it knows of this, and by the same engine told nothing. With `--resume FILE` each
cell is written down when it is done, and a run that was stopped goes on with the next.
"""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.special import ndtri, stdtrit
from simulated_studies import ALPHA, TASKS, Cell, Study, Task, World, draw, make_world, scenarios

from sentisynth_hub.metrics.classification import METRICS, Array
from sentisynth_hub.verdict.evaluation import LEAST_CHANCE, LEAST_LABEL_ROWS
from sentisynth_hub.verdict.outcome import decide
from sentisynth_hub.verdict.statistics.comparisons import INDEPENDENT, Dependence
from sentisynth_hub.verdict.statistics.crossed import Estimate, PseudoValues, pseudo_values
from sentisynth_hub.verdict.statistics.looks import SPENDING_POWER, chance_to_settle, look_levels


DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "results" / "dependence.md"
PILOT = 60
LIMIT = 0.06
GAIN = "gain of the margin"
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
    "looks": [
        Cell(TASKS[1], looks[-1], sd, items, looks=looks)
        for looks, sd, items in (
            ((5, 10, 20, 30), 0.015, 300),
            ((5, 10, 20, 30), 0.03, 1_000),
            ((5, 10, 15, 20, 25, 30), 0.03, 300),
            ((10, 20, 40, 60, 80, 100), 0.03, 300),
        )
    ],
    "looks and clusters of 3": [Cell(TASKS[1], 30, 0.015, 300, cluster=3, looks=(5, 10, 20, 30))],
    "a label of 2 %": [Cell(RARE, replicates, 0.015, items) for replicates in (5, 10) for items in (150, 500, 1_000)],
}


class Stopped(NamedTuple):
    """A verdict and the replicates it took."""

    outcome: str
    replicates: int


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

    def outcomes(self, repeated: float, mixed: float, margin: float) -> tuple["Stopped", "Stopped"]:
        """What the engine says and after how many replicates, and the same if it takes everything for independent, and
        each look for the only one.
        """
        cell = self.world.cell
        levels = look_levels(cell.looks, ALPHA) if cell.looks else (ALPHA,)
        naive = self._walk(repeated, mixed, margin, INDEPENDENT, (ALPHA,) * len(levels))
        if self.rare_label:
            return Stopped("no verdict", cell.replicates), naive
        return self._walk(repeated, mixed, margin, self.knowing, levels), naive

    def at_the_end(self, repeated: float, mixed: float, margin: float) -> str:
        """What the engine says where the study looks once, at all replicates."""
        return self._outcome(self._estimates(repeated, mixed, self.knowing, self.world.cell.replicates), margin, ALPHA)

    def half_width(self) -> float:
        """Half-width of the interval of mixed − natural without any effect, at all replicates."""
        estimate = self._estimate((2, 0.0), (0, 0.0), self.knowing, self.world.cell.replicates)
        return estimate.spread(1 - ALPHA / 2)

    def _walk(
        self, repeated: float, mixed: float, margin: float, dependence: Dependence, levels: tuple[float, ...]
    ) -> "Stopped":
        """Look, and look again until it is settled, or hardly can be; a study without looks has one."""
        cell = self.world.cell
        for replicates, level in zip(cell.looks or (cell.replicates,), levels, strict=True):
            estimates = self._estimates(repeated, mixed, dependence, replicates)
            outcome = self._outcome(estimates, margin, level)
            if outcome != "too small to tell" or replicates == cell.replicates:
                break
            items = self.study.y.size if dependence.clusters is None else int(dependence.clusters.max()) + 1
            chance = chance_to_settle(estimates, replicates, items, cell.replicates, levels[-1], margin)
            if chance < LEAST_CHANCE:
                break
        return Stopped(outcome, replicates)

    def _estimates(
        self, repeated: float, mixed: float, dependence: Dependence, replicates: int
    ) -> dict[str, Estimate]:
        return {
            "natural": self._estimate((2, mixed), (0, 0.0), dependence, replicates),
            "repeated": self._estimate((2, mixed), (1, repeated), dependence, replicates),
        }

    def _outcome(self, estimates: dict[str, Estimate], margin: float, level: float) -> str:
        intervals = {name: estimate.interval(level) for name, estimate in estimates.items()}
        assert intervals["natural"] is not None
        return decide(intervals["natural"], intervals["repeated"], margin)

    def _estimate(
        self, first: tuple[int, float], second: tuple[int, float], dependence: Dependence, replicates: int
    ) -> Estimate:
        one, other = self._part(*first, dependence.clusters), self._part(*second, dependence.clusters)
        value = float((one.scores - other.scores)[:replicates].mean())
        values = (one.values - other.values)[:replicates]
        return dependence.estimate(values, value, max(one.one_item, other.one_item))

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
    false: Counter[str] = Counter()
    naive: Counter[str] = Counter()
    silent = helps = helps_at_the_end = replicates = 0
    for _ in range(studies):
        judged = JudgedTwice(draw(world, rng), world)
        silent += judged.rare_label
        for truth, shift in zip(truths, shifts, strict=True):
            stopped, other = judged.outcomes(*shift, margin)
            false[truth.name] += stopped.outcome in truth.false
            naive[truth.name] += other.outcome in truth.false
            if truth.name == GAIN:
                helps += stopped.outcome == "helps"
                helps_at_the_end += judged.at_the_end(*shift, margin) == "helps"
                replicates += stopped.replicates
    return {
        "worst": max(false.values(), default=0) / studies,
        "naive": max(naive.values(), default=0) / studies,
        "half_width": float(np.mean(halves)),
        "no_verdict": silent / studies,
        "helps": helps / studies,
        "helps_at_the_end": helps_at_the_end / studies,
        "replicates": replicates / studies,
        "studies": studies,
    }


def run_all(
    kinds: dict[str, list[Cell]], studies: int, seed: int, quick: bool, resume: Path | None
) -> list[tuple[str, Cell, dict[str, Any]]]:
    """Every cell, or with `quick` one or two of each kind; those in `resume` are taken as they are."""
    lines = resume.read_text("utf-8").splitlines() if resume is not None and resume.exists() else []
    done = {record["cell"]: record["result"] for record in map(json.loads, lines)}
    rows = []
    for kind, cells in kinds.items():
        for number, cell in enumerate(cells[-1::-3] if quick else cells):
            name, started = f"{seed} {cell}", time.monotonic()
            if name not in done:
                done[name] = run_cell(cell, studies, seed * 1_000 + number)
                if resume is not None:
                    with resume.open("a", encoding="utf-8") as file:
                        file.write(json.dumps({"cell": name, "result": done[name]}) + "\n")
            rows.append((kind, cell, done[name]))
            print(kind, cell, done[name], f"{time.monotonic() - started:.0f} s", file=sys.stderr)
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


COLUMNS = (
    "task", "replicates", "items", "clusters of", "overlap", "half-width", "no verdict", "false", "told nothing",
    "helps", "one look", "used", "studies",
)  # fmt: skip
HEAD = f"| | {' | '.join(COLUMNS)} |\n|---|---|{'---:|' * (len(COLUMNS) - 1)}"
PAGE = """# Are the verdicts calibrated where rows are not independent?

Written by `python benchmarks/dependence_calibration.py {arguments}`; method in
[the evidence](../concepts/evidence.md), independent rows in [verdict calibration](verdict-calibration.md).

Simulated studies, each judged under five scenarios (no effect, only more steps, gain and loss of
the margin, steps and the margin). *false*: share of studies with a false verdict, in the worst scenario. *told
nothing*: the same by the engine when it takes rows and replicates for independent, and every look for the only one.
*helps*: share of studies with that verdict where the gain is the margin; *one look*: the same at the last number of
replicates alone; *used*: replicates that the study with looks took on average. Standard error of a rate of 5 %:
0.5 points in 2,000 studies, 1.0 in 500.

Highest rate **{worst:.1%}**; told nothing, up to {naive:.0%}.

{head}
{lines}

Items of a cluster share label, difficulty, what each variant makes of them and {together:.0%} of the noise. Replicates
that overlap have correlated luck, by the part of natural rows they share; the correction takes all they share for
luck of the rows, so it errs on the safe side. A label with fewer than {least} test rows gives no verdict on macro-F1.

## How the looks share the level out

By the look at R of R_last replicates, 5 % · (R / R_last)^p is spent. p = 1 is near Pocock's boundary, p = 3 near
O'Brien and Fleming's. {spending_studies:,} studies a cell in which the replicates are normal and the test items have
the stated share of the variance at the last look; the margin is 1.5 half-widths of that look. *helps* at a gain of
the margin, and the mean number of replicates at a gain of the margin and of 1.5 margins; none stops for want of hope.
The toolkit takes p = {power}.

| looks at | items' share | p | levels | helps | replicates | at 1.5 margins |
|---|---:|---:|---|---:|---:|---:|
{spending_lines}

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


def spending_table(studies: int, seed: int) -> str:
    """The lines of the table of spending functions; power None: one look, at the last number of replicates."""
    lines = []
    for looks in ((5, 10, 20, 30), (10, 20, 40, 60, 80, 100)):
        for share in (0.0, 0.6, 0.86):
            item = share / (1 - share) / looks[-1]  # variance of the items' part, where a replicate's is 1
            margin = 1.5 * float(ndtri(1 - ALPHA / 2)) * (1 / looks[-1] + item) ** 0.5
            rng = np.random.default_rng(seed)
            draws = rng.standard_normal((studies, looks[-1])) + item**0.5 * rng.standard_normal((studies, 1))
            for power in (1, 1.5, 2, 3, None):
                levels = look_levels(looks, ALPHA, power) if power else (*(0.0 for _ in looks[:-1]), ALPHA)
                helps, used = _settle(draws + margin, item, looks, levels, margin)
                _, sooner = _settle(draws + 1.5 * margin, item, looks, levels, margin)
                shown = ", ".join(f"{level:.4f}" for level in levels) if power else "one look"
                at = ", ".join(map(str, looks))
                lines.append(
                    f"| {at} | {share:.0%} | {power or '–'} | {shown} | {helps:.1%} | {used:.1f} | {sooner:.1f} |"
                )
    return "\n".join(lines)


def _settle(
    draws: Array, item: float, looks: Sequence[int], levels: Sequence[float], margin: float
) -> tuple[float, float]:
    """Share of studies that say *helps*, and mean replicates; `draws` (studies, replicates) of the difference."""
    open_, helps, used = np.ones(len(draws), bool), 0, 0
    for replicates, level in zip(looks, levels, strict=True):
        used += int(open_.sum()) * (replicates - (looks[looks.index(replicates) - 1] if replicates > looks[0] else 0))
        if not level:
            continue
        part = draws[:, :replicates]
        mean, variance = part.mean(axis=1), part.var(axis=1, ddof=1) / replicates
        t, z = stdtrit(replicates - 1, 1 - level / 2), ndtri(1 - level / 2)
        half = np.sqrt(t**2 * variance + z**2 * item)
        helps += int((open_ & (mean > half)).sum())
        open_ &= (np.abs(mean) <= half) & (np.abs(mean) + half >= margin)
    return helps / len(draws), used / len(draws)


def main() -> None:
    """Run the simulation, print the table, and write it down where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a part of the cells, 400 studies each")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line of stdout")
    parser.add_argument("--write", action="store_true", help=f"write docs/results/{DOCUMENT.name}")
    parser.add_argument("--resume", type=Path, help="JSON lines, one a cell; cells in it are taken as they are")
    parser.add_argument("--only", choices=CELLS, help="this kind of cells")
    parser.add_argument("--studies", type=int, help="simulated studies a cell (2,000 unless given)")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    studies = arguments.studies or (400 if arguments.quick else 2_000)
    kinds = {arguments.only: CELLS[arguments.only]} if arguments.only else CELLS
    rows = run_all(kinds, studies, arguments.seed, arguments.quick, arguments.resume)
    rare_studies = min(studies, 1_000)
    from simulated_studies import NOISE_TOGETHER

    text = PAGE.format(
        arguments=f"{'--quick ' * arguments.quick}--write --studies {studies} --seed {arguments.seed}",
        head=HEAD,
        worst=max(result["worst"] for _, _, result in rows),
        naive=max(result["naive"] for _, _, result in rows),
        lines="\n".join(
            f"| {kind} | {cell.task.name} | {cell.replicates} | {cell.items} | {cell.cluster} | {cell.overlap:g} "
            f"| {result['half_width']:.3f} | {result['no_verdict']:.0%} | {result['worst']:.1%} "
            f"| {result['naive']:.1%} | {result['helps']:.0%} | {result['helps_at_the_end']:.0%} "
            f"| {result['replicates']:.1f} | {result['studies']:,} |"
            for kind, cell, result in rows
        ),
        together=NOISE_TOGETHER,
        least=LEAST_LABEL_ROWS,
        power=SPENDING_POWER,
        spending_studies=10 * studies,
        spending_lines=spending_table(10 * studies, arguments.seed),
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
