"""Does the whole pipeline keep its word on real data? Natural rows against themselves, shuffled labels, more rows.

    python benchmarks/controls_on_real_data.py --data $DATA/sst2 --student FOLDER [--quick] [--json]

Three questions with known answers, each asked in many studies of 10 nested replicates on SST-2 (50 labels a class,
frozen student with a trained head), planned, trained and judged by the code every study runs:

- natural against itself: `mixed` is another draw of as many natural rows. Helps or hurts is a false verdict.
- shuffled labels: `mixed` adds 100 human rows under shuffled labels. Helps is a false verdict.
- more human rows: `mixed` adds 100 human rows. Helps is the right one.

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
}
"""The verdicts that would be false, by question."""
ADDED = 100
REPLICATES = 10
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

    files = {"train": "train.jsonl", "validation": "dev.jsonl", "test": "test.jsonl"}
    return Recipe.model_validate(
        {
            "name": "controls",
            "description": "Controls on real data.",
            "language": ["en"],
            "labels": ["negative", "positive"],
            "seed": seed,
            "natural": {
                "files": {split: str(task.data / name) for split, name in files.items()},
                "overlap": "drop_from_train",
                "rows_per_label": 50,
            },
            "generate": {"generator": {"kind": "transformers", "model": "none"}, "candidates": ADDED},
            "study": {
                "student": {"model": task.student, "learning_rate": 1e-4},
                "mode": "head",
                "replicates": REPLICATES,
                "variants": variants,
                "margin": task.margin,
            },
        }
    )


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
    """The verdict of each question for one seed, in a process `start_worker` has prepared."""
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


def judge_seed(task: Task, natural: Any, features: Any, seed: int) -> dict[str, str]:
    """One study a question."""
    from sentisynth_hub.natural.splits import draw_samples
    from sentisynth_hub.study.choice import HeadFitter
    from sentisynth_hub.study.head_trial import run_head
    from sentisynth_hub.study.natural_rows import of_size
    from sentisynth_hub.study.plan import plan_trials, trained_on
    from sentisynth_hub.study.training_rows import Corpus

    recipe = make_recipe(task, seed, ["natural", "natural_repeated", "shuffled_labels", "extra_natural"])
    samples = draw_samples(recipe, natural)
    corpora = {}
    for sample in samples:
        whole = trained_on(recipe, sample)
        own = {row.id for row in whole.train}
        rows = of_size(len(whole.train) // 2 + ADDED // 2, recipe, whole, natural)
        corpora[sample.replicate] = Corpus([row for row in rows if row.id not in own][:ADDED], [])
    trials = plan_trials(recipe, samples, natural, corpora)
    another = make_recipe(task, seed + ANOTHER_DRAW, ["natural"])
    nothing = {replicate: Corpus([], []) for replicate in corpora}
    others = plan_trials(another, draw_samples(another, natural), natural, nothing)
    predicted: dict[str, list[list[str]]] = {name: [] for name in (*recipe.study.variants, "another draw")}
    for name, trial, of in [
        *((t.variant, t, recipe) for t in trials),
        *(("another draw", t, another) for t in others),
    ]:
        fitter = HeadFitter(of, trial.natural, features)
        predicted[name].append(run_head(of, trial, fitter).test.predicted)
    mixed = {
        "natural against itself": "another draw",
        "shuffled labels": "shuffled_labels",
        "more human rows": "extra_natural",
    }
    return {question: outcome(recipe, natural, predicted, name) for question, name in mixed.items()}


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


def page(counts: dict[str, Counter[str]], studies: int) -> str:
    """The results page."""
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
        f"SST-2, a head on frozen MiniLM features, 1,821 test sentences; {ADDED} rows are added. The studies draw "
        "from one pool of 6,920 sentences and are scored on the same test sentences, so they are not independent of "
        "each other; the interval (Clopper-Pearson) takes them as if they were.",
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
        "**Read.** A false verdict of the first question should come in one study of twenty, the level of the test. "
        "The other two questions have large true answers, and are there to show that the pipeline does not lose them.",
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
    text = page(counts, len(wanted))
    print(text)
    if not arguments.quick:
        PAGE.write_text(text, "utf-8")
    if arguments.json:
        print(json.dumps({question: dict(found) for question, found in counts.items()}))


if __name__ == "__main__":
    main()
