"""Malayalam-English with the GPT-4 rows of arXiv 2411.00691: does filtering undo the harm they did?

    python benchmarks/study_malayalam_english.py --data $DATA/enma_cmsa --student FOLDER [--mode finetune]
    python benchmarks/study_malayalam_english.py --quick ...        # 3 replicates, a tenth of the rows: the way, not
    the result

A conditional study: all natural training rows, the one released corpus, 10 replicates that vary initialisation and
order only. What is complete is not computed again, so it can be stopped at any time. Writes docs/results/malayalam-english.md; `--json` prints one object as the last line.
"""

# ruff: noqa: E501 (the sentences of the page are kept whole)

import argparse
import json
from pathlib import Path
from typing import Any

from stored_studies import StoredStudy, store_study

from sentisynth_hub.core.distributed import Processes, join_launch
from sentisynth_hub.recipe import Recipe, load_recipe


ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "results" / "malayalam-english.md"
FILTERS = ROOT / "docs" / "results" / "filters-malayalam-english.yaml"
RAREST_LABEL = 601
"""Natural rows of the rarest label, train and dev together."""
VARIANTS = [
    "natural",
    "plain",
    "natural_repeated",
    "rebalanced",
    "synthetic",
    "unfiltered",
    "kept",
    "weighted",
    "mixed",
    "gradual",
    "shuffled_labels",
]


def main() -> None:
    """Filter the corpus, run the study, judge it, write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, required=True, help="folder with train, dev, test and synthetic_llm.jsonl"
    )
    parser.add_argument("--student", default="intfloat/multilingual-e5-small", help="encoder: Hub id or folder")
    parser.add_argument("--mode", choices=["head", "finetune"], default="head")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of run folders")
    parser.add_argument("--output", type=Path, default=PAGE)
    parser.add_argument("--quick", action="store_true", help="3 replicates of a tenth of the rows; writes no page")
    parser.add_argument("--json", action="store_true", help="last line: one object")
    arguments = parser.parse_args()
    processes = join_launch()
    recipe = make_recipe(arguments)
    evaluation = study(recipe, arguments.runs, processes)
    if not processes.is_main:
        return
    if not arguments.quick:
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        arguments.output.write_text(page(recipe, arguments.mode, evaluation), "utf-8")
    print(*evaluation["table"], sep="\n")
    if arguments.json:
        print(json.dumps({"verdict": evaluation["verdict"], "unfiltered": find(evaluation, "unfiltered")}))


def make_recipe(arguments: argparse.Namespace) -> Recipe:
    """The recipe of the filters' results page, with this study's student and variants."""
    files = {split: str(arguments.data / f"{name}.jsonl") for split, name in
             (("train", "train"), ("validation", "dev"), ("test", "test"))}  # fmt: skip
    study = {
        "student": {"model": arguments.student, "prefix": "query: ", "max_length": 64, "learning_rate": 3e-5},
        "mode": arguments.mode, "design": "conditional", "replicates": 3 if arguments.quick else 10,
        "variants": VARIANTS, "metric": "weighted_f1", "margin": 0.01,
    }  # fmt: skip
    overrides = [
        f"natural.files={json.dumps(files)}",
        f"generate.generator.file={arguments.data / 'synthetic_llm.jsonl'}",
        f"filter.semantic_duplicates.encoder.model={arguments.student}",
        f"filter.teacher.teacher.model={arguments.student}",
        f"study={json.dumps(study)}",
    ]
    quick = ["natural.rows_per_label=40", "natural.test_rows=200",
             "generate.candidates=2391"]  # fmt: skip
    return load_recipe(str(FILTERS), overrides + (quick if arguments.quick else []))


def study(recipe: Recipe, runs: Path, processes: Processes) -> dict[str, Any]:
    """Filter and train what is not there yet, then evaluate."""
    from sentisynth_hub.pipeline import open_pipeline
    from sentisynth_hub.verdict.evaluation_text import table_lines

    pipeline = open_pipeline(recipe, runs=runs, processes=processes)
    results = pipeline.through("verdict")
    evaluation = results.verdict
    filtered = results.filter.replicates[0]
    if recipe.natural.rows_per_label is None:  # not the quick form
        student = f"multilingual-e5-small, {'head' if recipe.study.mode == 'head' else 'fine-tuned'}"
        stored = StoredStudy("Malayalam-English", "GPT-4", RAREST_LABEL, filtered.candidates, student, PAGE.name)
        store_study(f"malayalam-english-gpt-4-{recipe.study.mode}", stored, evaluation)
    return evaluation.record() | {
        "table": table_lines(evaluation),
        "corpus": {"candidates": filtered.candidates, "kept": filtered.kept},
    }


def find(evaluation: dict[str, Any], variant: str) -> dict[str, Any]:
    """The comparison of `variant` with natural."""
    return next(one for one in evaluation["comparisons"] if one["variant"] == variant and one["baseline"] == "natural")


def what_follows(evaluation: dict[str, Any]) -> str:
    """The answer to the question, in words that the readings decide."""
    unfiltered, mixed = find(evaluation, "unfiltered"), find(evaluation, "mixed")
    before = {"worse": "hurt here too", "better": "help here"}.get(unfiltered["reading"], "are not shown to hurt here")
    outcome = evaluation["verdict"]["outcome"]
    after = {"helps": "they help", "hurts": "they still hurt"}.get(outcome, "neither harm nor gain is shown")
    interval = mixed["interval"]
    return (
        f"All the GPT-4 rows together {before} ({unfiltered['difference']:+.3f}). Filtered, {after}: with 95 % "
        f"confidence the effect on {evaluation['metric']} lies between {interval[0]:+.3f} and {interval[1]:+.3f}. The "
        "claim is about this corpus, this student and this metric."
    )


def page(recipe: Recipe, mode: str, evaluation: dict[str, Any]) -> str:
    """The results page."""
    corpus = evaluation["corpus"]
    students = "head on frozen, mean-pooled features" if mode == "head" else "fine-tuned"
    sentences = {name: find(evaluation, name) for name in ("unfiltered", "mixed")}
    told = [
        f"- `{name}`: {one['difference']:+.4f} [{one['interval'][0]:+.4f}, {one['interval'][1]:+.4f}] against natural, "
        f"reads: {one['reading']}" + ("" if one["family"] == "primary" else " (secondary)")
        for name, one in sentences.items()
    ]
    return "\n".join([
        "# Malayalam-English with the paper's GPT-4 rows", "",
        "**Question.** The paper (arXiv 2411.00691) saw its GPT-4 rows hurt XLM-T: F1 0.843 with natural rows, 0.763 with "
        "natural and GPT-4 rows. Does filtering undo the harm?", "",
        f"**Command.** `python benchmarks/study_malayalam_english.py --data $DATA/enma_cmsa --student multilingual-e5-small --mode {mode}`",
        "",
        f"**Set-up.** multilingual-e5-small (not XLM-T, not mBERT), {students}. {evaluation['replicates']} replicates, conditional: one "
        "corpus, the released one; replicates vary initialisation and order, so that a head differs in nothing but what a variant draws. Teacher and student see the same natural rows. "
        f"{corpus['kept']:,} of {corpus['candidates']:,} GPT-4 rows kept by `docs/results/filters-malayalam-english.yaml`. Metric: "
        "weighted F1, as the paper's replication computes it; the test rows (1,000) are the paper's.", "",
        "```", *evaluation["table"], "```", "",
        "**Unfiltered and filtered.**", "", *told, "",
        *([] if mode == "finetune" else ["In head mode more steps have no meaning, so `natural_repeated` equals `natural` "
                                         "(docs/concepts/training.md).", ""]),
        "Controls: " + "; ".join(f"`{one['variant']}` expected {one['expected']}, reads {one['reading']}" for one in evaluation["controls"]) + ".",
        "", "**What follows.** " + what_follows(evaluation),
    ]) + "\n"  # fmt: skip


if __name__ == "__main__":
    main()
