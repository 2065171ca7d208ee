"""Does a method of asking a small writer beat plain few-shot, with as many requests? SST-2 beside few human labels.

    python benchmarks/methods.py --data $DATA --generator FOLDER --student FOLDER
    python benchmarks/methods.py --quick ...          # two methods, 2 replicates: the way, not the result

Every method has the same writer, the same human labels, the same number of requests and the same filters. Each is
compared with few-shot replicate by replicate, with the package's own intervals and verdict. What is complete is not
run again. Writes docs/results/methods.md. `--json` prints one object as the last line.
"""

import argparse
import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from measuring import points

from sentisynth_hub.core.distributed import Processes
from sentisynth_hub.generate.methods.method_table import METHODS
from sentisynth_hub.recipe import load_recipe


ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "results" / "methods.md"
ARMS = ("kept", "mixed", "unfiltered")
LABELS = (50, 10)
REQUESTS, REPLICATES = 80, 5
UNSUITED = {
    "verbalised": "its answers are JSON of several texts, which this writer cannot write",
    "mix": "SST-2 is in one language",
}


@dataclass(frozen=True)
class Outcome:
    """One method beside one number of labels.

    Attributes:
        predictions: Of every variant on the test rows.
        evaluation: Of the study by itself: its variants against natural rows.
        parsed: Rows that came of the requests, by replicate.
        kept: Rows that passed the filters, by replicate.
        overlapping: Rows that the overlap filter dropped, by replicate.
    """

    predictions: Any
    evaluation: Any
    parsed: list[int]
    kept: list[int]
    overlapping: list[int]


def study(arguments: argparse.Namespace, method: str, labels: int) -> Outcome:
    """Run one study, or read it where it is complete."""
    from sentisynth_hub.pipeline import open_pipeline
    from sentisynth_hub.study.predictions import read_predictions

    folder = arguments.data / "sst2"
    section = f"{{kind: ground, file: {folder}/train.jsonl}}" if method == "ground" else method
    overrides = [
        "natural.dataset=null",
        "natural.text_column=text",
        f"natural.files={{train: {folder}/train.jsonl, validation: {folder}/dev.jsonl, test: {folder}/test.jsonl}}",
        f"natural.rows_per_label={labels}",
        "natural.validation_per_label=null",
        f"generate.generator={{kind: transformers, model: {arguments.generator}, threads: 1}}",
        f"generate.method={section}",
        "generate.prompt.text_name=movie review",
        f"generate.candidates={REQUESTS}",
        "generate.samples_per_prompt=4",
        f"filter.teacher.teacher.model={arguments.student}",
        f"study.student.model={arguments.student}",
        f"study.replicates={arguments.replicates}",
        "study.variants=[natural, natural_repeated, kept, mixed, unfiltered]",
    ]
    pipeline = open_pipeline(load_recipe("sst2-low-resource", overrides), runs=arguments.runs, processes=Processes())
    results = pipeline.through("verdict")
    filtered = results.filter.replicates
    return Outcome(
        read_predictions([results.study.predictions_path]),
        results.verdict,
        [replicate.candidate_count for _, replicate in sorted(results.generate.replicates.items())],
        [filtered[number].kept for number in sorted(filtered)],
        [
            sum(count.rejected for count in filtered[number].funnel if count.filter == "overlap")
            for number in sorted(filtered)
        ],
    )


def against_few_shot(outcome: Outcome, plain: Outcome, arm: str, labels: int) -> Any:
    """The evaluation of a method's arm against the same arm of few-shot, replicate with replicate."""
    from sentisynth_hub.study.predictions import StudyPredictions
    from sentisynth_hub.verdict.evaluate import EvaluationConfig, evaluate_study

    ours, theirs = outcome.predictions, plain.predictions
    assert ours.item_ids == theirs.item_ids
    assert (ours.y == theirs.y).all()
    pair = StudyPredictions(
        ours.labels, ours.item_ids, ours.y, {"few_shot": theirs.predicted(arm), "method": ours.predicted(arm)}
    )
    config = EvaluationConfig(
        margin=0.01, primary="method", baseline="few_shot", control=None, alternatives=(), controls={},
        worth_of=(), overlap=2 * labels / 6920,
    )  # fmt: skip
    return evaluate_study(pair, config)


def mixing(data: Path) -> dict[str, Any]:
    """Code-mixing of GPT-4's Malayalam-English rows beside 400 natural ones, before and after it is matched; and of
    natural rows rewritten by a word list, and of 2,000 other natural rows.
    """
    from sentisynth_hub.core.random import rng
    from sentisynth_hub.core.rows import Row
    from sentisynth_hub.filter.mixing_match import MixingMatch, MixingMatchOptions
    from sentisynth_hub.study.augment import translated_rows

    def read(name: str) -> list[Row]:
        lines = (data / "enma_cmsa" / f"{name}.jsonl").read_text("utf-8").split("\n")
        records = [json.loads(line) for line in lines if line]
        return [Row(record["text"], record["label"], request_id=record["id"]) for record in records]

    recipe = load_recipe("malayalam-english")
    train = read("train")
    sample, others = train[:400], train[400:2400]
    rewritten = [copy for copy, _ in translated_rows(sample, 2000, recipe, rng(0, "word list"))]
    corpora = {"released": read("synthetic_llm")[:6000], "word_list": rewritten, "natural": others}
    measured: dict[str, Any] = {}
    for name, rows in corpora.items():
        match = MixingMatch(MixingMatchOptions(least_kept=0.1), sample, recipe.language, seed=0)
        kept = sum(decision.keep for decision in match.judge(rows))
        measured[name] = {"rows": len(rows), "kept": kept, **match.facts().model_dump()}
    return measured


def mixing_lines(measured: dict[str, Any]) -> list[str]:
    """The section on code-mixing."""
    names = {
        "released": "rows that GPT-4 wrote",
        "word_list": "natural rows rewritten by a word list",
        "natural": "other natural rows",
    }
    lines = [
        "",
        "## Code-mixing as a target",
        "",
        "Malayalam-English comments, 400 of them as the target; the largest gap between two cumulative distributions",
        "(0 to 1), of the code-mixing index and of the switches between words. `mixing_match` rejects rows of what is",
        "there too often. Other natural rows say how near two samples of the same comments come.",
        "",
        "| corpus | rows | kept | index, before | after | switches, before | after |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for name, of in measured.items():
        cells = [f"{of['rows']:,}", f"{of['kept']:,}"]
        cells += [
            f"{of[f'{part}_distance_{when}']:.3f}" for part in ("cmi", "i_index") for when in ("before", "after")
        ]
        lines.append(f"| {names[name]} | {' | '.join(cells)} |")
    written = measured["released"]
    cmi, switches = (
        [written[f"{part}_distance_{when}"] for when in ("before", "after")] for part in ("cmi", "i_index")
    )
    return [
        *lines,
        "",
        f"The index of the written rows comes from {cmi[0]:.3f} to {cmi[1]:.3f} at a cost of "
        f"{1 - written['kept'] / written['rows']:.0%} of them; their switches, which nothing matches, from "
        f"{switches[0]:.3f} to {switches[1]:.3f}.",
    ]


def page(outcomes: dict[tuple[str, int], Outcome], replicates: int, measured: dict[str, Any]) -> str:
    """The results page."""
    papers = {each.name: each.options.paper for each in METHODS}
    lines = [
        "# Methods of asking against plain few-shot",
        "",
        "**Question.** Do rows that a method asked for train a better classifier than rows of plain few-shot prompts,",
        "with the same writer and as many requests?",
        "",
        "**Command.** `python benchmarks/methods.py --data $DATA --generator SmolLM2-135M-Instruct --student",
        "all-MiniLM-L6-v2`.",
        "",
        f"**Set-up.** SST-2, {replicates} replicates, each with its own human labels, corpus and teacher; {REQUESTS}",
        "requests a replicate, four texts a prompt, eight demonstrations, temperature 0.8; the ready prompts of the",
        "methods (`recipes/_prompts/`). `ground` shows training sentences beyond the replicate's labels. Filters:",
        "length, echo, duplicates, overlap, teacher. Student: a head on frozen MiniLM features, penalties and weights",
        "chosen by cross-validation, a rewriting in the fold of its parent. Test: the 1,821 SST-2 test sentences.",
        "Macro-F1, points; 95 % intervals over replicates and test rows, by the package's own verdict.",
        "",
        "`kept` weighs every kept row like a human one; `mixed` chooses in the folds how, and whether, to use them.",
        "Both are compared with the same arm of few-shot, and with natural rows alone.",
        "",
    ]
    lines += _comparison(outcomes) if outcomes else ["**Nothing of it has been run to its end yet.**"]
    lines += mixing_lines(measured)
    lines += ["", "## Where each is from", ""]
    lines += [f"- `{name}`: {papers[name]}" for name in papers]
    left = [
        f"`{each.name}` beside {labels} labels a class"
        + (f" ({UNSUITED[each.name]})" if each.name in UNSUITED else "")
        for each in METHODS
        for labels in LABELS
        if (each.name, labels) not in outcomes
    ]
    if left:
        lines += ["", f"**Not run**: {'; '.join(left)}."]
    lines += [
        "",
        "**Limits.** One writer of 135M parameters, one task, one language, one draw of prompts a replicate. A method",
        "that asks more of a writer (to rewrite, to stay between two labels) may need a larger one: nothing is said",
        "of those here.",
    ]
    return "\n".join(lines) + "\n"


def _comparison(outcomes: dict[tuple[str, int], Outcome]) -> list[str]:
    """The table of the methods, and a sentence for each."""
    lines = [
        "| method | labels a class | parsed | overlap dropped | kept | `kept` − few-shot's | `mixed` − few-shot's "
        "| verdict on `mixed` | `kept` − `natural` | `mixed` − `natural` |",
        "|---|---:|---:|---:|---:|---:|---:|---|---:|---:|",
    ]
    for (method, labels), outcome in outcomes.items():
        cells = [
            f"`{method}`",
            str(labels),
            *(f"{fmean(counts):.0f}" for counts in (outcome.parsed, outcome.overlapping, outcome.kept)),
        ]
        if method == "few_shot":
            cells += ["", "", "baseline"]
        else:
            plain = outcomes["few_shot", labels]
            pairs = {arm: against_few_shot(outcome, plain, arm, labels) for arm in ("kept", "mixed")}
            cells += [points(pairs[arm].against("method", "few_shot")) for arm in pairs]
            cells += [pairs["mixed"].verdict.outcome]
        cells += [points(outcome.evaluation.against(arm, "natural")) for arm in ("kept", "mixed")]
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, "", "## What it says", "", *_findings(outcomes)]


def _findings(outcomes: dict[tuple[str, int], Outcome]) -> list[str]:
    """A sentence for each method: helps, hurts, or cannot be told from few-shot."""
    lines = []
    for (method, labels), outcome in outcomes.items():
        if method == "few_shot":
            continue
        evaluation = against_few_shot(outcome, outcomes["few_shot", labels], "kept", labels)
        low, high = evaluation.against("method", "few_shot").interval
        word = "is better than" if low > 0 else "is worse than" if high < 0 else "cannot be told from"
        lines.append(
            f"- Beside {labels} labels a class, `{method}` {word} few-shot where every kept row counts alike (`kept`: "
            f"{points(evaluation.against('method', 'few_shot'))})."
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="Folder with sst2/ and enma_cmsa/.")
    parser.add_argument("--generator", required=True, help="Folder or Hub id of the writer.")
    parser.add_argument("--student", required=True, help="Folder or Hub id of the encoder.")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="Folder of run folders.")
    known = [each.name for each in METHODS if each.name not in UNSUITED]
    parser.add_argument("--methods", nargs="*", default=known, choices=known)
    parser.add_argument("--labels", nargs="*", type=int, default=list(LABELS))
    parser.add_argument("--replicates", type=int, default=REPLICATES)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.replicates = 2
        arguments.methods, arguments.labels = known[:2], [LABELS[0]]
    methods = ["few_shot", *(name for name in arguments.methods if name != "few_shot")]
    outcomes: dict[tuple[str, int], Outcome] = {}
    measured = mixing(arguments.data)
    if not arguments.quick:
        PAGE.write_text(page(outcomes, arguments.replicates, measured), "utf-8")
    for labels, method in itertools.product(arguments.labels, methods):
        outcomes[method, labels] = study(arguments, method, labels)
        if not arguments.quick:  # after every study, so that what is done is on the page
            PAGE.write_text(page(outcomes, arguments.replicates, measured), "utf-8")
    if arguments.json:
        record = {
            f"{method}-{labels}-labels": against_few_shot(outcome, outcomes["few_shot", labels], "kept", labels)
            .against("method", "few_shot")
            .difference
            for (method, labels), outcome in outcomes.items()
            if method != "few_shot"
        } | {"mixing": measured}
        print(json.dumps(record))


if __name__ == "__main__":
    main()
