"""Does a study keep its word on real data? Natural rows against themselves, more of them, and planted corpora.

    python benchmarks/controls_on_real_data.py --data $DATA/sst2 --student FOLDER [--quick] [--json]

Questions with known answers, each asked in many studies of nested replicates on SST-2 (50 labels a class, which all
train, frozen student with a trained head), planned, trained and judged by the code every study runs:

- natural against itself: `mixed` is another draw of as many natural rows. Helps or hurts is a false verdict.
- shuffled labels: the control `shuffled_labels` on 100 human rows. Helps is a false verdict.
- more human rows: the control `extra_natural`, 100 human rows. Helps is the right one.
- planted corpora: 100 human rows that the study takes for synthetic ones, with none, half or all of their labels
  flipped: helpful, useless and harmful. `mixed` may leave them out, `kept` may not: helps of useless or harmful rows
  is a false verdict, and `kept` should gain by the helpful and lose by the harmful ones.

Writes docs/results/controls.md; `--json` prints the counts as the last line. With `--measured FILE` every study's
verdicts are kept there as they come, and a second start goes on from them.
"""

import argparse
import json
import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any


os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "0")
PAGE = Path(__file__).resolve().parents[1] / "docs" / "results" / "controls.md"
QUESTIONS = {
    "natural against itself": ("helps", "hurts"),
    "shuffled labels": ("helps",),
    "more human rows": ("hurts", "just more steps"),
    "helpful rows": ("hurts", "just more steps"),
    "useless rows": ("helps", "just more steps"),
    "harmful rows": ("helps", "just more steps"),
}
"""The verdicts that would be false, by question."""
FLIPPED = {"helpful rows": 0.0, "useless rows": 0.5, "harmful rows": 1.0}
"""Share of a planted corpus's labels that are flipped."""
ADDED = 100
REPLICATES = 5
ANOTHER_DRAW = 1_000_000  # added to a study's seed


@dataclass(frozen=True)
class Task:
    """What every study shares."""

    data: Path
    student: str
    margin: float
    features: Path


def make_recipe(task: Task, seed: int, variants: list[str]) -> Any:
    """The recipe of one study."""
    from sentisynth_hub.recipe import Recipe

    names = {"train": "train.jsonl", "validation": "dev.jsonl", "test": "test.jsonl"}
    paths = {split: str(task.data.resolve() / name) for split, name in names.items()}
    recipe = Recipe.model_validate(
        {
            "name": "controls",
            "description": "Controls on real data.",
            "language": ["en"],
            "labels": ["negative", "positive"],
            "seed": seed,
            "natural": {
                "files": paths,
                "overlap": "drop_from_train",
                "rows_per_label": 50,
            },
            "generate": {"generator": {"kind": "transformers", "model": "none"}, "candidates": ADDED},
            "study": {
                "student": {"model": task.student, "threads": 1},
                "mode": "head",
                "replicates": REPLICATES,
                "variants": variants,
                "natural_methods": ["plain"],
                "mixed_methods": ["kept"],
                "margin": task.margin,
            },
        }
    )
    return recipe.placed(task.data, named=frozenset(paths.values()))


def studies(task: Task, seeds: list[int], processes: int) -> Iterator[dict[str, Any]]:
    """Yield the verdicts of each seed's studies as they come, `processes` studies at a time."""
    if not seeds:
        return
    with get_context("spawn").Pool(processes, start_worker, (task,)) as pool:
        yield from pool.imap_unordered(run_seed, seeds)


def start_worker(task: Task) -> None:
    """Load the rows and their features once a process, which keeps to one core."""
    import torch

    torch.set_num_threads(1)
    _worker["task"], _worker["natural"], _worker["features"] = task, *load(task)


def run_seed(seed: int) -> dict[str, Any]:
    """What one seed's studies say, in a process `start_worker` has prepared."""
    return {"seed": seed} | judge_seed(_worker["task"], _worker["natural"], _worker["features"], seed)


_worker: dict[str, Any] = {}


def load(task: Task) -> tuple[Any, Any]:
    """The natural rows and their features, computed where they are not stored yet."""
    from sentisynth_hub.core.distributed import Processes
    from sentisynth_hub.natural.stage import load_natural
    from sentisynth_hub.study.features import compute_features

    recipe = make_recipe(task, 0, ["natural"])
    natural = load_natural(recipe)
    texts = (row.text for rows in (natural.train, natural.validation, natural.test) for row in rows)
    return natural, compute_features(texts, recipe.study.student, task.features, Processes())


def judge_seed(task: Task, natural: Any, features: Any, seed: int) -> dict[str, Any]:
    """One study a question: the verdicts, and for planted corpora the difference `kept` − `natural` too."""
    from sentisynth_hub.natural.splits import draw_samples
    from sentisynth_hub.study.choice import HeadFitter
    from sentisynth_hub.study.head_trial import run_head
    from sentisynth_hub.study.natural_rows import of_size
    from sentisynth_hub.study.plan import plan_trials, trained_on
    from sentisynth_hub.study.training_rows import Corpus

    recipe = make_recipe(task, seed, ["natural", "natural_repeated", "shuffled_labels", "extra_natural"])
    planting = make_recipe(task, seed, ["kept", "mixed", "natural"])
    samples = draw_samples(recipe, natural)
    corpora = {}
    for sample in samples:
        whole = trained_on(recipe, sample)
        own = {row.id for row in whole.train}
        rows = of_size(len(whole.train) // 2 + ADDED // 2, recipe, whole, natural)
        corpora[sample.replicate] = Corpus([row for row in rows if row.id not in own][:ADDED], [])
    planned = [(trial.variant, trial, recipe) for trial in plan_trials(recipe, samples, natural, corpora)]
    another = make_recipe(task, seed + ANOTHER_DRAW, ["natural"])
    nothing = {replicate: Corpus([], []) for replicate in corpora}
    others = plan_trials(another, draw_samples(another, natural), natural, nothing)
    planned += [("another draw", trial, another) for trial in others]
    for question, share in FLIPPED.items():
        planted = {replicate: flipped(corpus, share, seed) for replicate, corpus in corpora.items()}
        trials = plan_trials(planting, samples, natural, planted)
        planned += [
            (f"{trial.variant}, {question}", trial, planting) for trial in trials if trial.variant != "natural"
        ]
    predicted: dict[str, list[list[str]]] = {}
    for name, trial, of in planned:
        fitter = HeadFitter(of, trial.natural, features)
        predicted.setdefault(name, []).append(run_head(of, trial, fitter).test.predicted)
    mixed = {
        "natural against itself": "another draw",
        "shuffled labels": "shuffled_labels",
        "more human rows": "extra_natural",
    } | {question: f"mixed, {question}" for question in FLIPPED}
    found = {question: outcome(recipe, natural, predicted, name) for question, name in mixed.items()}
    gains = {
        question: macro_f1(natural, predicted[f"kept, {question}"]) - macro_f1(natural, predicted["natural"])
        for question in FLIPPED
    }
    return found | {"kept": {question: round(gain, 5) for question, gain in gains.items()}}


def flipped(corpus: Any, share: float, seed: int) -> Any:
    """The corpus with that share of its labels, chosen at random, turned into the other one."""
    from dataclasses import replace

    from sentisynth_hub.core.random import rng

    other = {"negative": "positive", "positive": "negative"}
    chosen = set(rng(seed, "flipped", share).permutation(len(corpus.kept))[: round(share * len(corpus.kept))].tolist())
    rows = [replace(row, label=other[row.label]) if i in chosen else row for i, row in enumerate(corpus.kept)]
    return replace(corpus, kept=rows)


def macro_f1(natural: Any, predicted: list[list[str]]) -> float:
    """Mean over the replicates."""
    from sklearn.metrics import f1_score

    truth = [row.label for row in natural.test]
    return float(sum(f1_score(truth, one, average="macro") for one in predicted) / len(predicted))


def outcome(recipe: Any, natural: Any, predicted: dict[str, list[list[str]]], mixed: str) -> str:
    """The verdict where `mixed` is the variant it is about."""
    import numpy as np

    from sentisynth_hub.study.predictions import StudyPredictions
    from sentisynth_hub.verdict.outcome import Rule, conclude
    from sentisynth_hub.verdict.statistics.comparisons import Arms

    place = {label: i for i, label in enumerate(recipe.labels)}

    def integers(labels: Any) -> Any:
        return np.array([place[label] for label in labels])

    names = {"natural": "natural", "natural_repeated": "natural_repeated", "mixed": mixed}
    predictions = StudyPredictions(
        tuple(recipe.labels),
        tuple(str(i) for i in range(len(natural.test))),
        integers(row.label for row in natural.test),
        {name: np.stack([integers(one) for one in predicted[variant]]) for name, variant in names.items()},
    )
    arms = Arms(predictions, recipe.study.metric, "nested")
    comparisons = {
        "natural": arms.difference("mixed", "natural"),
        "repeated": arms.difference("mixed", "natural_repeated"),
        "control": arms.difference("natural_repeated", "natural"),
    }
    rule = Rule(margin=recipe.study.margin)
    return str(conclude(comparisons, arms.units, predictions.items, rule).outcome)


def page(counts: dict[str, Counter[str]], gains: dict[str, list[float]], studies: int) -> str:
    """The results page; `gains` are the differences `kept` − `natural` of every study, by planted corpus."""
    from scipy.stats import binomtest

    lines = [
        "# Controls on real data",
        "",
        "**Question.** On real rows, through the code every study runs, does the verdict find nothing where there is "
        "nothing and something where there is something?",
        "",
        "**Command.** `python benchmarks/controls_on_real_data.py --data $DATA/sst2 --student all-MiniLM-L6-v2 "
        f"--studies {studies}`",
        "",
        f"**Set-up.** {studies} studies a question, each of {REPLICATES} nested replicates with 50 labels a class of "
        "SST-2, all of which train, a head on frozen MiniLM features, 1,821 test sentences. "
        f"{ADDED} human rows are added: as themselves, or as rows that the study takes for synthetic ones, with no, "
        "half or all of their labels flipped. `natural` is `plain` and `mixed` chooses the weight of `kept` (0 among "
        "them); no filter looks at the rows. The studies draw from one pool of 6,920 sentences and are scored on the "
        "same test sentences, so they are not independent of each other; the interval (Clopper-Pearson) takes them as "
        "if they were.",
        "",
        "| question | verdicts | false | 95 % interval of the false share |",
        "| --- | --- | --- | --- |",
    ]
    for question, found in counts.items():
        wrong = sum(found[name] for name in QUESTIONS[question])
        interval = binomtest(wrong, studies).proportion_ci()
        told = ", ".join(f"{name} {count}" for name, count in found.most_common())
        lines.append(f"| {question} | {told} | {wrong} of {studies} | {interval.low:.1%} to {interval.high:.1%} |")
    lines += [
        "",
        "| planted corpus | `kept` − `natural`, points: mean, least, most | above 0 |",
        "| --- | --- | --- |",
    ]
    for question, found in gains.items():
        ends = " · ".join(f"{100 * value:+.1f}" for value in (sum(found) / len(found), min(found), max(found)))
        lines.append(f"| {question} | {ends} | {sum(gain > 0 for gain in found)} of {len(found)} |")
    lines += [
        "",
        "**Read.** A false verdict of the first question should come in one study of twenty, the level of the test. "
        "More human rows and helpful rows have large true answers, and are there to show that a study does not lose "
        "them. Useless and harmful rows must not be said to help; the folds may leave them out, so `mixed` need not "
        "be hurt by them.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with train, dev and test.jsonl of SST-2")
    parser.add_argument(
        "--student", default="sentence-transformers/all-MiniLM-L6-v2", help="encoder: Hub id or folder"
    )
    parser.add_argument("--studies", type=int, default=100, help="studies a question")
    parser.add_argument("--processes", type=int, default=2, help="studies at the same time")
    parser.add_argument("--measured", type=Path, help="JSONL file that keeps every study's verdicts, to go on from")
    parser.add_argument("--quick", action="store_true", help="8 studies a question; writes no page")
    parser.add_argument("--json", action="store_true", help="last line: one object")
    arguments = parser.parse_args()
    wanted = range(8 if arguments.quick else arguments.studies)
    with tempfile.TemporaryDirectory() as folder:
        kept = arguments.measured or Path(folder, "measured.jsonl")
        kept.touch()
        outcomes = {found["seed"]: found for found in map(json.loads, kept.read_text("utf-8").splitlines())}
        task = Task(arguments.data, arguments.student, 0.02, Path(folder))
        load(task)  # the features, once
        with kept.open("a", encoding="utf-8") as file:
            for found in studies(task, [seed for seed in wanted if seed not in outcomes], arguments.processes):
                outcomes[found["seed"]] = found
                file.write(json.dumps(found) + "\n")
                file.flush()
    counts = {question: Counter(outcomes[seed][question] for seed in wanted) for question in QUESTIONS}
    gains = {question: [outcomes[seed]["kept"][question] for seed in wanted] for question in FLIPPED}
    text = page(counts, gains, len(wanted))
    print(text)
    if not arguments.quick:
        PAGE.write_text(text, "utf-8")
    if arguments.json:
        print(json.dumps({question: dict(found) for question, found in counts.items()}))


if __name__ == "__main__":
    main()
