"""Does `sentisynth plan` foresee what a run then finds? Plans, and the studies they were made for.

    python benchmarks/plan_against_runs.py --sst2 FOLDER --writers FOLDER --encoder FOLDER [--runs N] [--write]

First the studies of docs/results/evaluations/, run by the toolkit itself: five replicates of 10, 50 or 250 labels a
class beside the rows of four writers, planned here from SST-2 training rows alone. Then small designs that no stored
study has: each run draws its own natural rows and test rows, is planned from the natural rows, and is carried out with
heads on frozen features, natural rows alone against natural rows with 250 rows of a writer at the weight that is best
in the folds (none at all among them), judged by the engine. No plan saw a row that its study was tested on.

`--write` writes docs/results/plan.md; runs that are done are kept in `--keep`, and a stopped benchmark goes on.
"""

# ruff: noqa: E501 (the sentences of the page are kept whole)

import argparse
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from stored_studies import stored_studies

from sentisynth_hub.metrics.classification import Array
from sentisynth_hub.plan.prior import published_prior
from sentisynth_hub.plan.rehearsal import Rehearsal, rehearse
from sentisynth_hub.plan.study_plan import chances
from sentisynth_hub.pretrained.embeddings import embed
from sentisynth_hub.pretrained.head import PENALTIES, Rows, Scaling, Scored, best_fits, held_out
from sentisynth_hub.study.predictions import StudyPredictions
from sentisynth_hub.verdict.evaluate import EvaluationConfig, evaluate_study
from sentisynth_hub.verdict.evaluation import Evaluation
from sentisynth_hub.verdict.statistics.crossed import Estimate


PAGE = Path(__file__).resolve().parents[1] / "docs" / "results" / "plan.md"
WRITERS = ("vicuna-7b-1.5v", "gpt2-xl")
MARGIN, WRITTEN = 0.02, 250
WEIGHTS = (0.0, 0.3)
FOLDS, REPEATS = 5, 1
TRIED = PENALTIES[2:11:2]  # every second one of those a study tries


@dataclass(frozen=True)
class Rowset:
    """Features and labels of rows."""

    x: Array
    y: Array

    def of(self, places: Array) -> "Rowset":
        return Rowset(self.x[places], self.y[places])


@dataclass(frozen=True)
class Design:
    """A kind of study: labels a replicate, replicates or repetitions of the folds, test rows, rows to draw from."""

    name: str
    labels: int
    replicates: int
    tested: int
    pool: int
    cross_fitted: bool = False

    def planned(self, shown: Rehearsal) -> Estimate:
        """The error that the plan foresees."""
        if self.cross_fitted:
            return shown.components.cross_fitted(self.tested, FOLDS, self.replicates, 1 - 1 / FOLDS)
        return shown.components.identical(self.tested)


DESIGNS = (
    Design("one sample of 300 rows", 300, 1, 300, 300),
    Design("cross-fitted, 300 rows", 240, 2, 300, 300, cross_fitted=True),
    Design("cross-fitted, 100 rows", 80, 2, 100, 100, cross_fitted=True),
)


def deal(y: Array, folds: int, rng: np.random.Generator) -> Array:
    """Stratified folds, (rows,)."""
    numbers = np.empty(len(y), dtype=np.int64)
    for label in (0, 1):
        own = rng.permutation(np.flatnonzero(y == label))
        numbers[own] = (np.arange(own.size) + label) % folds
    return numbers


def train(natural: Rowset, written: Rowset | None, rng: np.random.Generator) -> Callable[[Array], Array]:
    """A head of the natural rows, beside `written` ones at the weight that is best in the folds, as a predictor."""
    scaling = Scaling.of(natural.x)
    x = scaling.apply(natural.x)
    held = held_out(np.stack([deal(natural.y, FOLDS, rng) for _ in range(REPEATS)]))
    others = scaling.apply(written.x) if written is not None else x[:0]
    labels = np.concatenate([natural.y, written.y if written is not None else natural.y[:0]])
    fits = [
        best_fits(
            [
                Rows(
                    np.concatenate([x, others]),
                    labels,
                    np.concatenate([(~held).astype(float), np.full((len(held), len(others)), weight)], axis=1),
                )
            ],
            2,
            Scored(x, natural.y, held),
            penalties=TRIED,
        )
        for weight in (WEIGHTS if written is not None else (1.0,))
    ]
    best = min(fits, key=lambda each: float(each.losses.mean()))
    return lambda unseen: np.asarray(best.head.probabilities(scaling.apply(unseen)).argmax(1))


def run(design: Design, pool: Rowset, test: Rowset, written: Rowset, rng: np.random.Generator) -> Evaluation:
    """Carry the study out and judge it."""
    names = ("natural", "natural_repeated", "mixed")
    predicted: dict[str, list[Array]] = {name: [] for name in names}
    folds = None
    tested = test
    if design.cross_fitted:
        tested = pool
        folds = np.stack([deal(pool.y, FOLDS, rng) for _ in range(design.replicates)])
        for repetition in folds:
            columns = {name: np.empty(len(pool.y), dtype=np.int64) for name in names}
            for fold in range(FOLDS):
                visible, out = pool.of(np.flatnonzero(repetition != fold)), np.flatnonzero(repetition == fold)
                natural, mixed = train(visible, None, rng), train(visible, written, rng)
                columns["natural"][out] = columns["natural_repeated"][out] = natural(pool.x[out])
                columns["mixed"][out] = mixed(pool.x[out])
            for name in names:
                predicted[name].append(columns[name])
    else:
        for _ in range(design.replicates):
            each = design.labels // 2
            own = [rng.permutation(np.flatnonzero(pool.y == label))[:each] for label in (0, 1)]
            sample = pool.of(np.concatenate(own))
            natural, mixed = train(sample, None, rng)(test.x), train(sample, written, rng)(test.x)
            for name, labels in zip(names, (natural, natural, mixed), strict=True):
                predicted[name].append(labels)
    study = StudyPredictions(
        ("negative", "positive"),
        tuple(str(place) for place in range(len(tested.y))),
        tested.y,
        {name: np.stack(rows) for name, rows in predicted.items()},
        folds=folds,
    )
    # One run of models: the items alone decide, as for replicates that are identical.
    kind: Literal["cross_fitted", "models"] = "cross_fitted" if design.cross_fitted else "models"
    return evaluate_study(study, EvaluationConfig(design=kind, margin=MARGIN, resamples=0))


@dataclass(frozen=True)
class Line:
    """What the runs of one design said of their plans."""

    design: Design
    planned: list[float]
    found: list[float]
    expected: list[float]
    decided: list[bool]

    @property
    def ratios(self) -> list[float]:
        return [found / planned for found, planned in zip(self.found, self.planned, strict=True)]

    def cells(self) -> list[str]:
        low, middle, high = np.quantile(self.ratios, [0.1, 0.5, 0.9])
        return [
            self.design.name,
            str(len(self.found)),
            f"{np.mean(self.planned):.3f}",
            f"{np.mean(self.found):.3f}",
            f"{middle:.2f} ({low:.2f} to {high:.2f})",
            f"{np.mean(self.expected):.0%}",
            f"{np.mean(self.decided):.0%}",
        ]


def stored_lines(natural: Rowset) -> list[Line]:
    """The studies of docs/results/evaluations/, by labels a class; all runs of one number of labels have one plan."""
    groups: dict[int, list[Evaluation]] = {}
    for study, evaluation in stored_studies():
        if study.task.startswith("SST-2"):
            groups.setdefault(study.labels, []).append(evaluation)
    lines = []
    for each, evaluations in sorted(groups.items()):
        shown = rehearse(natural.x, natural.y, 2, metric="macro_f1", labels=2 * each, seed=0)
        first = evaluations[0]
        items = first.clusters or first.items
        error = shown.components.crossed(items, first.replicates, overlap=first.overlap)
        chance = 1 - chances(error, first.margin, published_prior(each), seed=0).get("too small to tell", 0.0)
        intervals = [evaluation.comparisons[0].interval for evaluation in evaluations]
        design = Design(f"stored: {each} labels a class", 2 * each, first.replicates, items, len(natural.y))
        lines.append(
            Line(
                design,
                planned=[error.spread(0.975)] * len(evaluations),
                found=[(high - low) / 2 for low, high in intervals if high is not None],
                expected=[chance] * len(evaluations),
                decided=[evaluation.verdict.outcome != "too small to tell" for evaluation in evaluations],
            )
        )
    return lines


def line_of(design: Design, done: Sequence[dict[str, Any]]) -> Line:
    """The runs of one design."""
    runs = [each for each in done if each["design"] == design.name]
    columns = ([each[key] for each in runs] for key in ("planned", "found", "expected", "decided"))
    return Line(design, *columns)


def measure(
    design: Design, number: int, natural: Rowset, test: Rowset, written: Sequence[Rowset], seed: int
) -> dict[str, Any]:
    """Plan and carry out one study, the writers taking turns."""
    rng = np.random.default_rng([seed, number])
    pool = natural.of(rng.permutation(len(natural.y))[: design.pool])
    items = test.of(rng.permutation(len(test.y))[: design.tested])
    rows = written[number % len(written)]
    rows = rows.of(rng.permutation(len(rows.y))[:WRITTEN])
    shown = rehearse(pool.x, pool.y, 2, metric="macro_f1", labels=design.labels, seed=number)
    error = design.planned(shown)
    evaluation = run(design, pool, items, rows, rng)
    interval = evaluation.comparisons[0].interval
    assert interval is not None
    return {
        "design": design.name,
        "number": number,
        "planned": error.spread(0.975),
        "found": (interval[1] - interval[0]) / 2,
        "expected": 1
        - chances(error, MARGIN, published_prior(design.labels / 2), seed=number).get("too small to tell", 0.0),
        "decided": evaluation.verdict.outcome != "too small to tell",
        "gain": evaluation.comparisons[0].difference,
    }


def read(path: Path, most: int, encoder: str, cache: Path | None) -> Rowset:
    """Features of `most` rows of a JSONL file, drawn with one seed."""
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    random.Random(0).shuffle(rows)
    rows = rows[:most]
    features = embed([row["text"] for row in rows], encoder, max_length=64, cache=cache)
    return Rowset(features, np.array([int(str(row["label"]) in ("1", "positive")) for row in rows]))


HEAD = ["design", "runs", "half-width planned", "found", "found / planned (10 to 90 %)", "decided, planned", "found"]


def page(lines: Sequence[Line], command: str) -> str:
    """The page of results."""
    inside = [ratio for line in lines for ratio in line.ratios]
    table = [" | ".join(line.cells()) for line in lines]
    return "\n".join(
        [
            "# Plans: does a study find what was foreseen?",
            "",
            "**Question.** `sentisynth plan` says from the natural rows alone how wide a study's interval will be and "
            "how likely a verdict is. Is it so?",
            "",
            f"**Command.** `{command}`",
            "",
            "**Set-up.** *stored*: the studies of docs/results/evaluations, run by the toolkit: five replicates of 10, "
            "50 or 250 SST-2 labels a class, 100 or 1,000 rows by four writers, 1,821 test rows; the plan is made from "
            "1,500 SST-2 training rows. The others: each run draws its natural rows and its test rows anew from SST-2, "
            "is planned from the natural rows, and is then carried out: heads on frozen MiniLM features, natural rows "
            "alone against natural rows with 250 rows by Vicuna-7B or GPT2-XL (in turn) at the weight that is best in "
            "the folds; macro-F1, margin 0.02, judged by the engine. *decided*: any verdict but *too small to tell*; "
            "the plan's share is the mean of its chances under the prior of the stored studies, the other the share of "
            "the runs.",
            "",
            f"**Read.** Half of the intervals found are {np.quantile(inside, 0.25):.2f} to "
            f"{np.quantile(inside, 0.75):.2f} times as wide as planned, nine of ten "
            f"{np.quantile(inside, 0.05):.2f} to {np.quantile(inside, 0.95):.2f} times.",
            "",
            f"| {' | '.join(HEAD)} |",
            f"| {' | '.join(['---', *['---:'] * (len(HEAD) - 1)])} |",
            *(f"| {row} |" for row in table),
            "",
            "A plan estimates a spread over replicates that five replicates then estimate again: both are rough, and "
            "so is their ratio. The prior of the stored rows is these studies' own, so that their *decided* shows "
            "only that widths and rule fit together.",
            "Not shown: fine-tuned students (planned with heads of the same encoder), other languages, more labels.",
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sst2", type=Path, required=True, help="Folder with train.jsonl and test.jsonl.")
    parser.add_argument("--writers", type=Path, required=True, help="Folder with a JSONL file a writer.")
    parser.add_argument("--encoder", required=True, help="Encoder, a folder or a Hub id.")
    parser.add_argument("--cache", type=Path, help="Folder to keep features in.")
    parser.add_argument("--keep", type=Path, default=Path("plan_runs.jsonl"), help="Runs that are done; they go on.")
    parser.add_argument("--runs", type=int, help="Runs of each design; default 20, with --quick 6.")
    parser.add_argument("--quick", action="store_true", help="Fewer runs.")
    parser.add_argument("--write", action="store_true", help="Write the page of results.")
    parser.add_argument("--seed", type=int, default=2)
    options = parser.parse_args()
    runs = options.runs or (6 if options.quick else 20)
    natural = read(options.sst2 / "train.jsonl", 1_500, options.encoder, options.cache)
    test = read(options.sst2 / "test.jsonl", 900, options.encoder, options.cache)
    written = [read(options.writers / f"{name}.jsonl", 350, options.encoder, options.cache) for name in WRITERS]
    done = [json.loads(line) for line in options.keep.read_text().splitlines()] if options.keep.is_file() else []
    for number in range(runs):
        for design in DESIGNS:
            if any((each["design"], each["number"]) == (design.name, number) for each in done):
                continue
            done.append(measure(design, number, natural, test, written, options.seed))
            with open(options.keep, "a", encoding="utf-8") as handle:
                handle.write(json.dumps(done[-1]) + "\n")
            print(done[-1], flush=True)
    lines = stored_lines(natural) + [line_of(design, done) for design in DESIGNS]
    for line in lines:
        print(" | ".join(line.cells()), flush=True)
    if options.write:
        quick = " --quick" if options.quick else ""
        given = f" --runs {options.runs}" if options.runs else ""
        command = f"python benchmarks/plan_against_runs.py --sst2 … --writers … --encoder …{quick}{given} --write"
        PAGE.write_text(page(lines, command), "utf-8")


if __name__ == "__main__":
    main()
