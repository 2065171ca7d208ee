"""Do rows that capable language models wrote help beside few human labels? SST-2 and four writers.

    python benchmarks/study_writers.py --data $DATA --student FOLDER
    python benchmarks/study_writers.py --quick ...          # one writer, 2 replicates: the way, not the result

The rows are there already (`kind: rows`); their writers saw none of these labels, so a study is nested: each
replicate draws its own human labels, trains its own teacher, and all have one corpus. What is complete is not run
again. Writes docs/results/writers.md and each evaluation to docs/results/evaluations/. `--json` prints one object as
the last line.
"""

import argparse
import itertools
import json
from pathlib import Path
from typing import Any

from measuring import points
from stored_studies import StoredStudy, store_study

from sentisynth_hub.core.distributed import Processes
from sentisynth_hub.recipe import load_recipe


ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "results" / "writers.md"
WRITERS = {
    "vicuna-7b-1.5v": "Vicuna-7B",
    "llama-2-7b-chat-hf": "Llama-2-7B chat",
    "opt-6.7b": "OPT-6.7B",
    "gpt2-xl": "GPT2-XL",
}
LABELS = (10, 50, 250)
ROWS = (100, 1000)
VARIANTS = "natural, natural_repeated, plain, synthetic, unfiltered, kept, weighted, mixed, shuffled_labels"


def run_study(arguments: argparse.Namespace, writer: str, labels: int, rows: int) -> Any:
    """Run one study, or read it where it is complete: its evaluation and how many rows a replicate kept."""
    from sentisynth_hub.pipeline import open_pipeline

    folder = arguments.data / "sst2"
    file = arguments.data / "movie_writers" / f"{writer}.jsonl"
    overrides = [
        "natural.dataset=null",
        "natural.text_column=text",
        f"natural.files={{train: {folder}/train.jsonl, validation: {folder}/dev.jsonl, test: {folder}/test.jsonl}}",
        f"generate.generator={{kind: rows, file: {file}, written_by: {writer}, saw_labels: false}}",
        f"generate.candidates={rows}",
        f"natural.rows_per_label={labels}",
        f"filter.teacher.teacher.model={arguments.student}",
        f"study.student.model={arguments.student}",
        f"study.replicates={2 if arguments.quick else 5}",
        f"study.variants=[{VARIANTS}]",
    ]
    pipeline = open_pipeline(load_recipe("sst2-low-resource", overrides), runs=arguments.runs, processes=Processes())
    results = pipeline.through("verdict")
    kept = [replicate.kept for replicate in results.filter.replicates.values()]
    abstained = sum(
        replicate.teacher is not None and replicate.teacher.abstains
        for replicate in results.filter.replicates.values()
    )
    return results.verdict, kept, abstained


def page(studies: dict[tuple[str, int, int], Any]) -> str:
    """The results page."""
    from sentisynth_hub.verdict.evaluation_text import verdict_sentence

    lines = [
        "# Rows by four language models beside few SST-2 labels",
        "",
        "**Question.** Do movie reviews that capable language models wrote help a classifier that uses all of its few",
        "human labels?",
        "",
        "**Command.** `python benchmarks/study_writers.py --data $DATA --student all-MiniLM-L6-v2`.",
        "",
        "**Set-up.** 100 or 1,000 rows of each writer (fewer after the filters), 5 replicates: each draws its own",
        "human labels and trains its own teacher; the corpus is one, and its writer saw none of these labels. All",
        "labels train; penalties, weights and the choice of method come from 5-fold cross-validation. Test: the 1,821",
        "SST-2 test sentences. Student: a head on frozen MiniLM features of unit length. Macro-F1, points; 95 %",
        "intervals.",
        "",
        "| writer | labels a class | rows | kept | `natural` | `mixed` − `natural` | verdict | `unfiltered` "
        "| `kept` | `weighted` | `shuffled_labels` |",
        "|---|---:|---:|---:|---:|---:|---|---:|---:|---:|---:|",
    ]
    for (writer, labels, size), (evaluation, kept, abstained) in studies.items():
        cells = [f"{100 * evaluation.variant('natural').mean:.1f}", points(evaluation.against("mixed", "natural"))]
        cells += [evaluation.verdict.outcome]
        cells += [
            f"{100 * evaluation.against(name, 'natural').difference:+.1f}"
            for name in ("unfiltered", "kept", "weighted", "shuffled_labels")
        ]
        rows = f"{sum(kept) / len(kept):.0f}" + (
            f" (teacher abstained in {abstained} of {len(kept)})" if abstained else ""
        )
        lines.append(f"| {WRITERS[writer]} | {labels} | {size:,} | {rows} | {' | '.join(cells)} |")
    lines += ["", "## The verdicts in words", ""]
    for (writer, labels, size), (evaluation, *_) in studies.items():
        lines.append(
            f"- **{WRITERS[writer]}, {size:,} rows beside {labels} labels a class.** {verdict_sentence(evaluation)}"
        )
    left = [
        f"{size:,} rows by {WRITERS[writer]} beside {labels}"
        for labels in LABELS
        for writer in WRITERS
        for size in ROWS
        if (writer, labels, size) not in studies
    ]
    if left:
        lines += ["", f"**Not run yet**: {', '.join(left)} labels a class."]
    lines += [
        "",
        "**Limits.** One encoder, one task, one corpus a writer; the rows were written in rounds by another project,",
        "so this is no ranking of models. `shuffled_labels` is the control: the kept rows with their labels shuffled.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="Folder with sst2/ and movie_writers/.")
    parser.add_argument("--student", required=True, help="Folder or Hub id of the encoder.")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="Folder of run folders.")
    parser.add_argument("--writers", nargs="*", default=list(WRITERS), choices=list(WRITERS))
    parser.add_argument("--labels", nargs="*", type=int, default=list(LABELS))
    parser.add_argument("--rows", nargs="*", type=int, default=list(ROWS))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.writers, arguments.labels, arguments.rows = arguments.writers[:1], [50], [100]
    grid = itertools.product(arguments.writers, arguments.labels, arguments.rows)
    studies = {(writer, labels, rows): run_study(arguments, writer, labels, rows) for writer, labels, rows in grid}
    if not arguments.quick:
        PAGE.write_text(page(studies), "utf-8")
        for (writer, labels, rows), (evaluation, *_) in studies.items():
            study = StoredStudy("SST-2", WRITERS[writer], labels, rows, "MiniLM, head", PAGE.name)
            store_study(f"sst2-{writer}-{rows}-rows-{labels}-labels", study, evaluation)
    if arguments.json:
        verdicts = {
            f"{writer}-{rows}-rows-{labels}-labels": {
                "outcome": evaluation.verdict.outcome,
                "difference": evaluation.against("mixed", "natural").difference,
            }
            for (writer, labels, rows), (evaluation, *_) in studies.items()
        }
        print(json.dumps(verdicts))


if __name__ == "__main__":
    main()
