"""The training loop side by side with transformers' `Trainer`, and a grid of heads side by side with `Trainer` runs.

    python benchmarks/training.py [--model FOLDER] [--data DIR] [--part loop|grid|heads] [--quick] [--json]

loop: the same rows, starting weights, steps and schedule, both by turns; steps per second (Trainer with and without
    its own length grouping), and test accuracy paired seed by seed.
grid: 30 trials in head mode, features and two repetitions of five folds included, against 30 Trainer runs that train
    the classification layer of the same frozen encoder on five folds and once on all rows (measured on all rows, and
    taken five times: five folds have four times the rows).
heads: thirteen penalties in five folds, and the fit to all rows, against scikit-learn's LogisticRegressionCV.

Ratios above 1: we are faster.
"""

import argparse
import json
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import sources
import torch

from sentisynth_hub.core import log
from sentisynth_hub.core.distributed import Processes
from sentisynth_hub.core.rows import Row
from sentisynth_hub.core.run_folder import stage_folder
from sentisynth_hub.natural.splits import NaturalData, draw_samples
from sentisynth_hub.recipe import Recipe
from sentisynth_hub.study.encoding import Encoded, encode
from sentisynth_hub.study.finetune import load_student
from sentisynth_hub.study.loop import StageData, fit, predict, start_launch
from sentisynth_hub.study.stage import run_study
from sentisynth_hub.study.training_rows import Corpus


THREADS = 2
ROWS_IN_FOLDS = 5  # times all rows: five folds of four fifths, and the fit to all
ROWS, TEST_ROWS, EPOCHS = 224, 500, 3  # 7 steps of 32 an epoch
KEPT_ROWS = 400


def main() -> None:
    """Run the parts asked for and print what they measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="encoder; left out: all-MiniLM-L6-v2 out of a package")
    parser.add_argument(
        "--data", type=Path, help="folder with train.jsonl, dev.jsonl and test.jsonl; left out: movie sentences"
    )
    parser.add_argument("--part", choices=["loop", "grid", "heads"], help="only this part")
    parser.add_argument("--quick", action="store_true", help="1 seed, 2 Trainer runs scaled to 30; about a minute")
    parser.add_argument(
        "--measured", type=Path, help="file that keeps every single run, to go on after an interruption"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    arguments = parser.parse_args()
    arguments.model = arguments.model or str(sources.model("all-MiniLM-L6-v2"))
    arguments.data = arguments.data or sources.reviews()
    torch.set_num_threads(THREADS)
    log.set_quiet(True)
    warnings.filterwarnings("ignore")  # Trainer's, about pinned memory on CPUs
    runs = Runs(arguments.measured)
    found: dict[str, Any] = {}
    if arguments.part in (None, "heads"):
        found |= heads_part(arguments.model, arguments.data, runs, repeats=1 if arguments.quick else 5)
    if arguments.part in (None, "loop"):
        found |= loop_part(arguments.model, arguments.data, runs, seeds=1 if arguments.quick else 10)
    if arguments.part in (None, "grid"):
        found |= grid_part(arguments.model, arguments.data, runs, count=2 if arguments.quick else 30)
    for name, value in found.items():
        print(f"{name:<36} {value}")
    if arguments.json:
        print(json.dumps(found))


class Runs:
    """Single measurements by name, kept in a file where one is given."""

    def __init__(self, path: Path | None):
        self._path = path
        self._found: dict[str, dict[str, float]] = json.loads(path.read_text()) if path and path.exists() else {}

    def measure(self, name: str, run: Callable[[], dict[str, float]]) -> dict[str, float]:
        """What `run` measured, now or in an earlier, interrupted benchmark."""
        if name not in self._found:
            self._found[name] = run()
            if self._path is not None:
                self._path.write_text(json.dumps(self._found, indent=1))
        return self._found[name]


def loop_part(model: str, data: Path, runs: Runs, *, seeds: int) -> dict[str, Any]:
    """Train `seeds` pairs in turns; with the first three, Trainer also groups by length, as the loop does."""
    recipe = make_recipe(model, replicates=1)
    train, test = shuffled(data / "train.jsonl")[:ROWS], shuffled(data / "test.jsonl")[:TEST_ROWS]

    def once(arm: str, seed: int) -> dict[str, float]:
        student, tokenizer = load_student(recipe, seed)
        if arm == "ours":
            seconds = train_ours(recipe, student, tokenizer, train, seed)
        else:
            seconds = train_trainer(student, tokenizer, train, seed, grouped=arm == "trainer_grouped")
        return {"seconds": seconds, "accuracy": accuracy(recipe, student, tokenizer, test)}

    found: dict[str, list[dict[str, float]]] = {"ours": [], "trainer": [], "trainer_grouped": []}
    for seed in range(seeds):
        arms = ["ours", "trainer", *(["trainer_grouped"] if seed < 3 else [])]
        for arm in arms if seed % 2 else arms[::-1]:
            found[arm].append(runs.measure(f"loop {arm} {seed}", partial(once, arm, seed)))
    steps = EPOCHS * -(-ROWS // 32)
    seconds = {arm: [one["seconds"] for one in ones] for arm, ones in found.items()}
    ratio = {
        arm: [other / own for other, own in zip(seconds[arm], seconds["ours"], strict=False)]
        for arm in ("trainer", "trainer_grouped")
    }
    accuracies = {arm: [one["accuracy"] for one in ones] for arm, ones in found.items()}
    difference = np.subtract(accuracies["ours"], accuracies["trainer"])
    error = difference.std(ddof=1) / np.sqrt(seeds) if seeds > 1 else float("nan")
    return {
        "steps_vs_trainer": round(statistics.median(ratio["trainer"]), 3),
        "steps_vs_trainer_grouped": round(statistics.median(ratio["trainer_grouped"]), 3),
        **{f"steps_per_second_{arm}": round(steps / statistics.median(values), 3) for arm, values in seconds.items()},
        "accuracy_ours": round(statistics.mean(accuracies["ours"]), 4),
        "accuracy_trainer": round(statistics.mean(accuracies["trainer"]), 4),
        "accuracy_difference": round(float(difference.mean()), 4),
        "accuracy_difference_standard_error": round(float(error), 4) if seeds > 1 else None,
        "seeds": seeds,
        "steps": steps,
    }


def train_ours(recipe: Recipe, student: Any, tokenizer: Any, rows: list[Row], seed: int) -> float:
    """Seconds for the loop, tokenisation included."""
    launch = start_launch(recipe.study, Processes(), shared=False)
    begun = time.perf_counter()
    encoded = Encoded(
        encode([row.text for row in rows], tokenizer, 64), [int(row.label == "positive") for row in rows]
    )
    stage = StageData(encoded, EPOCHS * -(-len(rows) // 32), 5e-5)
    fit(student, [stage], recipe.study.student, launch, seed=seed, pad_id=tokenizer.pad_token_id, name="benchmark")
    return time.perf_counter() - begun


def train_trainer(
    student: Any,
    tokenizer: Any,
    rows: list[Row],
    seed: int,
    *,
    grouped: bool = False,
    epochs: int = EPOCHS,
    rate: float = 5e-5,
) -> float:
    """Seconds for Trainer with the same settings, tokenisation included."""
    from datasets import Dataset, disable_progress_bars
    from transformers import DataCollatorWithPadding, Trainer, TrainingArguments

    disable_progress_bars()
    steps = epochs * -(-len(rows) // 32)
    with tempfile.TemporaryDirectory() as folder:
        settings = TrainingArguments(
            folder, num_train_epochs=epochs, per_device_train_batch_size=32, learning_rate=rate, weight_decay=0.01,
            warmup_steps=int(np.ceil(0.1 * steps)), seed=seed, use_cpu=not torch.cuda.is_available(), report_to=[],
            save_strategy="no", disable_tqdm=True, logging_strategy="no",
            train_sampling_strategy="group_by_length" if grouped else "random",
        )  # fmt: skip
        begun = time.perf_counter()
        table = Dataset.from_dict({
            "text": [row.text for row in rows], "labels": [int(row.label == "positive") for row in rows]
        }).map(lambda batch: tokenizer(batch["text"], truncation=True, max_length=64), batched=True)  # fmt: skip
        Trainer(student, settings, train_dataset=table, data_collator=DataCollatorWithPadding(tokenizer)).train()
        return time.perf_counter() - begun


def accuracy(recipe: Recipe, student: Any, tokenizer: Any, rows: list[Row]) -> float:
    """Share of right labels on `rows`."""
    launch = start_launch(recipe.study, Processes(), shared=False)
    probabilities = predict(student, encode([row.text for row in rows], tokenizer, 64), tokenizer.pad_token_id, launch)
    return float((probabilities.argmax(1) == np.array([row.label == "positive" for row in rows])).mean())


def grid_part(model: str, data: Path, runs: Runs, *, count: int) -> dict[str, Any]:
    """Time 30 trials in head mode, and Trainer runs of the frozen encoder on the same training sets, scaled to 30."""
    recipe = make_recipe(
        model, replicates=10, mode="head", variants=["natural", "rebalanced", "kept"], natural_methods=["plain"]
    )
    rows = shuffled(data / "train.jsonl")
    natural = NaturalData(rows[:4000], shuffled(data / "dev.jsonl"), shuffled(data / "test.jsonl")[:TEST_ROWS])
    samples = draw_samples(recipe, natural)
    kept = rows[4000 : 4000 + KEPT_ROWS]
    corpora = {sample.replicate: Corpus(kept, kept) for sample in samples}

    def grid() -> dict[str, float]:
        with tempfile.TemporaryDirectory() as folder:
            stage = stage_folder(Path(folder), "study", version=1, recipe=None)
            begun = time.perf_counter()
            run_study(recipe, samples, natural, corpora, stage, Processes())
            return {"seconds": time.perf_counter() - begun}

    def trained(number: int) -> dict[str, float]:
        student, tokenizer = load_student(recipe, number)
        student.base_model.requires_grad_(False)
        seconds = train_trainer(student, tokenizer, sets[number], number, epochs=4, rate=1e-3)
        begun = time.perf_counter()
        accuracy(recipe, student, tokenizer, natural.test)
        return {"seconds": seconds + time.perf_counter() - begun}

    labelled = [[*sample.train, *sample.validation] for sample in samples]
    sets = [[*rows, *extra] for rows in labelled for extra in ([], [], kept)]
    # The short look takes one small training set and one large one and scales by rows.
    chosen = list(range(len(sets))) if count == len(sets) else [0, 2]
    ours = runs.measure("grid ours", grid)["seconds"]
    spent = sum(runs.measure(f"grid trainer {number}", partial(trained, number))["seconds"] for number in chosen)
    scaled = spent * sum(map(len, sets)) / sum(len(sets[number]) for number in chosen)
    return {
        "grid_vs_trainer": round(scaled * ROWS_IN_FOLDS / ours, 2),
        "grid_vs_trainer_without_folds": round(scaled / ours, 2),
        "grid_seconds": round(ours, 2),
        "trainer_seconds_30_runs": round(scaled, 1),
        "trainer_runs_measured": len(chosen),
    }


def heads_part(model: str, data: Path, runs: Runs, *, repeats: int) -> dict[str, Any]:
    """Time the path of penalties in five folds on 100 rows, and with 240 further ones that are never held out."""
    from sentisynth_hub.pretrained.embeddings import embed
    from sentisynth_hub.pretrained.head import PENALTIES, Rows, Scaling, Scored, best_fits, held_out

    rows = shuffled(data / "train.jsonl")[:340]
    vectors = embed([row.text for row in rows], model, max_length=64, threads=THREADS)
    x = Scaling.of(vectors[:100]).apply(vectors)
    y = np.array([int(row.label == "positive") for row in rows])
    folds = np.arange(100) % 5
    held = held_out(folds[None])

    def ours(count: int) -> dict[str, float]:
        weights = np.concatenate([~held, np.ones((len(held), count - 100), bool)], 1).astype(float)
        begun = time.perf_counter()
        best_fits([Rows(x[:count], y[:count], weights)], 2, Scored(x[:100], y[:100], held))
        return {"seconds": time.perf_counter() - begun}

    def sklearn(count: int) -> dict[str, float]:
        from sklearn.linear_model import LogisticRegressionCV

        beside = [True] * (count - 100)
        parts = [(np.flatnonzero([*(folds != k), *beside]), np.flatnonzero(folds == k)) for k in range(5)]
        model = LogisticRegressionCV(
            Cs=[2 / (count * penalty) for penalty in PENALTIES], cv=parts, scoring="neg_log_loss", max_iter=2000,
            l1_ratios=(0,), use_legacy_attributes=False,
        )  # fmt: skip
        begun = time.perf_counter()
        model.fit(x[:count], y[:count])
        return {"seconds": time.perf_counter() - begun}

    found: dict[str, float] = {}
    for count in (100, 340):
        spent: dict[str, list[float]] = {"ours": [], "sklearn": []}
        for turn in range(repeats + 1):  # the first one loads libraries
            for name, run in (("ours", ours), ("sklearn", sklearn)):
                seconds = runs.measure(f"heads {name} {count} {turn}", partial(run, count))["seconds"]
                spent[name] += [seconds] if turn else []
        own, other = statistics.median(spent["ours"]), statistics.median(spent["sklearn"])
        found |= {
            f"heads_vs_sklearn_{count}_rows": round(other / own, 2),
            f"heads_seconds_{count}_rows": round(own, 3),
        }
    return found


def make_recipe(model: str, **study: Any) -> Recipe:
    """The student's settings of both parts."""
    return Recipe.model_validate({
        "name": "benchmark", "description": "A benchmark.", "language": ["en"], "labels": ["negative", "positive"],
        "natural": {"files": {"train": "train.jsonl"}, "rows_per_label": 50, "validation_per_label": 50},
        "generate": {"generator": {"kind": "transformers", "model": "none"}, "candidates": 1},
        "study": {"student": {"model": model, "threads": THREADS}, **study},
    })  # fmt: skip


def shuffled(path: Path) -> list[Row]:
    """Rows of a JSONL file in a fixed random order: files are often sorted by label."""
    records = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    order = np.random.default_rng(0).permutation(len(records))
    return [Row(records[i]["text"], records[i]["label"], str(records[i]["id"])) for i in order]


if __name__ == "__main__":
    main()
