"""The SST-2 study: 10, 50, 250 human labels a class and all, with controls, verdicts and "worth N labels".

    python benchmarks/study_sst2_low_resource.py --data $DATA/sst2 --generator FOLDER --student FOLDER
    python benchmarks/study_sst2_low_resource.py --quick ...        # 2 replicates of 32 candidates: the way, not the
    result

Runs `recipes/sst2-low-resource` on local files at every scale; what is complete is not run again, so it can be
stopped at any time.
Writes docs/results/sst2-low-resource.md. `--json` prints one object with the verdicts as the last line.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from stored_studies import StoredStudy, store_study

from sentisynth_hub.core.distributed import Processes
from sentisynth_hub.recipe import load_recipe


ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "results" / "sst2-low-resource.md"
SCALES = {
    "n10": "10 labels a class, frozen student",
    "n50": "50 labels a class, frozen student",
    "n250": "250 labels a class, frozen student",
    "n50-finetune": "50 labels a class, fine-tuned student",
    "full": "all 7,792 labels, frozen student, one corpus",
}
LABELS = {"n10": 10, "n50": 50, "n250": 250, "n50-finetune": 50, "full": 3738}
"""Human labels a class; the fewer of the two classes where all are used."""
QUICK = [
    "study.replicates=2",
    "generate.candidates=32",
    "study.variants=[natural, natural_repeated, synthetic, mixed]",
]


NO_ROWS = (
    " {} of the replicates kept none: there `mixed` is natural rows alone, and `synthetic` a student that saw no row."
)


def study(arguments: argparse.Namespace, scale: str) -> dict[str, Any]:
    """Run one scale and return its evaluation with the yield of the filters."""
    from sentisynth_hub.pipeline import open_pipeline
    from sentisynth_hub.verdict.evaluation_text import table_lines, worth_sentence

    files = {split: str(arguments.data / f"{name}.jsonl") for split, name in
             (("train", "train"), ("validation", "dev"), ("test", "test"))}  # fmt: skip
    overrides = [
        "natural.dataset=null",
        "natural.text_column=text",
        f"natural.files={json.dumps(files)}",
        f"generate.generator.model={arguments.generator}",
        f"generate.generator.batch_size={arguments.batch_size}",
        f"filter.teacher.teacher.model={arguments.student}",
        f"study.student.model={arguments.student}",
    ]
    if arguments.replicates:
        overrides.append(f"study.replicates={arguments.replicates}")
    recipe = load_recipe("sst2-low-resource", overrides + (QUICK if arguments.quick else []), scale=scale)
    pipeline = open_pipeline(recipe, runs=arguments.runs, processes=Processes())
    results = pipeline.through("verdict")
    evaluation = results.verdict
    filtered = results.filter.replicates.values()
    corpus = {"candidates": sum(one.candidates for one in filtered), "kept": sum(one.kept for one in filtered)}
    corpus["replicates_without_rows"] = sum(not one.kept for one in filtered)
    if not arguments.quick:
        labels, rows = LABELS[scale], recipe.generate.candidates
        student = "MiniLM, fine-tuned" if recipe.study.mode == "finetune" else "MiniLM, head"
        stored = StoredStudy("SST-2", "SmolLM2-135M", labels, rows, student, PAGE.name)
        store_study(f"sst2-smollm2-135m-{scale}", stored, evaluation)
    words = {"table": table_lines(evaluation), "worth_sentences": [worth_sentence(one) for one in evaluation.worth]}
    return (
        evaluation.record() | words | {"corpus": corpus, "models": {key: pin.id for key, pin in pipeline.pins.items()}}
    )


def page(results: dict[str, dict[str, Any]]) -> str:
    """The results page."""
    lines = [
        "# SST-2 with few labels, and with all",
        "",
        "**Question.** Does text written by a small language model help a sentiment classifier that has 10, 50 "
        "or 250 human labels a class, or 7,792 in all?",
        "",
        "**Command.** `python benchmarks/study_sst2_low_resource.py --data $DATA/sst2 --generator "
        "SmolLM2-135M-Instruct "
        "--student all-MiniLM-L6-v2` (folders made by `recipes/quickstart/prepare.py`'s sources).",
        "",
        f"**Set-up.** {max(found['replicates'] for found in results.values())} nested replicates: each draws its own "
        "labels, its own demonstrations, its own teacher "
        "(frozen MiniLM and a logistic "
        "regression on the same labels) and its own corpus of 240 candidates by SmolLM2-135M-Instruct, 8 shots. "
        "Test: the 1,821 SST-2 test "
        "sentences, read once. `frozen`: a head on mean-pooled MiniLM features. Intervals 95 %, of the whole "
        "recipe (replicates and items). With all labels there is one natural sample, one teacher and one corpus of "
        "3,460 candidates; replicates differ in nothing but what a variant draws, the intervals are those of the test "
        "items, and the claim is about that corpus beside those rows.",
    ]
    for title, found in results.items():
        kept = found["corpus"]
        none = kept["replicates_without_rows"]
        lines += [
            "",
            f"## {title}",
            "",
            f"{kept['kept']:,} of {kept['candidates']:,} candidates kept." + (NO_ROWS.format(none) if none else ""),
            "",
        ]
        lines += ["```", *found["table"], "```"]
        lines += [f"\nWorth: {sentence}" for sentence in found["worth_sentences"]]
        for check in found["controls"]:
            mark = "as it must be" if check["passed"] else "**not as it must be**"
            lines.append(
                f"\nControl `{check['variant']}`: expected {check['expected']}, reads {check['reading']} ({mark})."
            )
    lines += ["", "## What follows", "", *(f"- {title}: {follows(found)}" for title, found in results.items())]
    if left := [title for title in SCALES.values() if title not in results]:
        lines += ["", f"Not run here: {'; '.join(left)} (`--scales`)."]
    lines += ["", "## What the ancestors report", "",
              "SentiSynth: F1 .791 → .841 at 1,000 labels, with a teacher and a generator that saw all 64 "
              "thousand labels, scored on a slice of "
              "train. Kumar et al. (2020), 10 labels a class, BERT-base: 52.9 → 55.4 (GPT-2) to 58.0 (BART) "
              "accuracy over 15 draws, standard "
              "deviation 5 to 7 points (quoted from memory of the paper)."]  # fmt: skip
    return "\n".join(lines) + "\n"


def follows(found: dict[str, Any]) -> str:
    """What one scale says, in words that its readings decide."""
    verdict = found["verdict"]
    beside = {one["baseline"]: one for one in found["comparisons"] if one["variant"] == "mixed"}
    mixed, repeated = beside["natural"], beside["natural_repeated"]
    low, high = mixed["interval"]
    told = f"**{verdict['outcome']}**, {mixed['difference']:+.4f} [{low:+.4f}, {high:+.4f}]"
    if verdict["minimum_detectable_effect"] is not None:
        told += f"; a gain of {verdict['minimum_detectable_effect']:.4f} would have been found"
    if repeated["interval"][0] > 0 >= low:
        told += (
            f". Against `natural_repeated` alone, the same rows for as many steps, it would have been "
            f"{repeated['difference']:+.4f} [{repeated['interval'][0]:+.4f}, {repeated['interval'][1]:+.4f}]: those "
            "steps do harm, and a comparison without `natural` at its own best number of steps would report a gain"
        )
    failed = [check["variant"] for check in found["controls"] if not check["passed"]]
    return told + (f". Not as it must be: {', '.join(failed)}." if failed else "; the controls are as they must be.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, required=True, help="folder with train.jsonl, dev.jsonl and test.jsonl of SST-2"
    )
    parser.add_argument("--generator", default="openai-community/gpt2", help="causal language model: Hub id or folder")
    parser.add_argument(
        "--student", default="sentence-transformers/all-MiniLM-L6-v2", help="encoder: Hub id or folder"
    )
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of run folders")
    parser.add_argument("--batch-size", type=int, default=64, help="samples drawn together")
    parser.add_argument("--scales", nargs="+", choices=list(SCALES), default=list(SCALES), help="only these")
    parser.add_argument(
        "--replicates", type=int, help="in place of the recipe's 10; more of them continue the same run"
    )
    parser.add_argument("--output", type=Path, default=PAGE)
    parser.add_argument("--quick", action="store_true", help="a tiny form; writes no page")
    parser.add_argument("--json", action="store_true", help="last line: one object")
    arguments = parser.parse_args()
    results = {SCALES[scale]: study(arguments, scale) for scale in arguments.scales}
    if not arguments.quick:
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        arguments.output.write_text(page(results), "utf-8")
    for title, found in results.items():
        print(f"\n{title}", *found["table"], sep="\n")
    if arguments.json:
        print(json.dumps({title: found["verdict"] for title, found in results.items()}))


if __name__ == "__main__":
    main()
