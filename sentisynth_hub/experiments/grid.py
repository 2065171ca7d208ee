"""Asking a question: every cell run as an ordinary recipe in one run folder, and the answer as one table.

    answer = ask("sst2-low-resource", "prompt-sensitivity")     # also runs/sst2-low-resource/questions/<question>.json

Stages that do not differ between cells are shared, since a stage's folder is named by what decides it; an interrupted
question continues where it was for the same reason.
"""

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from pathlib import Path
from statistics import fmean
from typing import Any

from sentisynth_hub.core import log
from sentisynth_hub.core.distributed import Processes, join_launch
from sentisynth_hub.core.files import write_json
from sentisynth_hub.core.run_folder import locked
from sentisynth_hub.experiments.answer import Answer, AnswerRow, holm, table_lines
from sentisynth_hub.recipe.question import FOLDER, Cell, Question, load_cells, load_question
from sentisynth_hub.run import RUNS, open_pipeline


def ask(
    recipe: str,
    name: str,
    *,
    overrides: Iterable[str] = (),
    scale: str | None = None,
    hub: str | None = None,
    runs: Path = RUNS,
    processes: Processes | None = None,
) -> Answer:
    """Run every cell of a question up to its verdict, and put the verdicts together.

    Args:
        recipe: Recipe name, folder or path; its questions lie beside it in `questions/`.
        name: Which one.
        overrides: `key.path=value` strings for every cell.
        scale: In place of the question's own.

    Raises:
        RecipeError: No such question, or a cell is no recipe; nothing was run.
        InputError, DataError, StageError: A cell could not be run; the next call continues from what is complete.
    """
    given = list(overrides)
    question, cells = load_question(recipe, name), load_cells(recipe, name, given, scale=scale)
    processes = processes or join_launch()
    run = runs / cells[0].recipe.name
    found = []
    with locked(run) if processes.is_main else nullcontext():
        for number, cell in enumerate(cells, 1):
            log.info(f"=== cell {number} of {len(cells)}: {cell.name or name}")
            found.append(_run_cell(cell, hub, runs, processes))
        asked = {"name": name, "scale": scale or question.scale, "overrides": given}
        answer = _answer(question, cells, found, asked)
        if processes.is_main:
            write_json(run / FOLDER / f"{name}.json", answer)
    processes.wait()
    return answer


def _run_cell(cell: Cell, hub: str | None, runs: Path, processes: Processes) -> tuple[dict[str, Any], dict[str, Any]]:
    """The cell's evaluation, and what else its row needs."""
    pipeline = open_pipeline(cell.recipe, hub=hub, runs=runs, processes=processes)
    evaluation = pipeline.verdict()
    log.info(f"  {evaluation['verdict']['sentence']}")
    kept = [one["kept"] for one in pipeline.filter().manifest()["replicates"].values()]
    variants = pipeline.study().manifest()["variants"]
    rows = {variant: fmean(one["training_rows"]) for variant, one in variants.items()}
    return evaluation, {"kept": fmean(kept), "rows": rows}


def _answer(
    question: Question,
    cells: Sequence[Cell],
    found: Sequence[tuple[dict[str, Any], dict[str, Any]]],
    asked: dict[str, Any],
) -> Answer:
    rows = [
        _row(cell, variant, evaluation, counts)
        for cell, (evaluation, counts) in zip(cells, found, strict=True)
        for variant in question.compare
    ]
    evaluations = [evaluation for evaluation, _ in found]
    first = evaluations[0]
    for row, jointly in zip(rows, holm([row["p"] for row in rows], first["alpha"]), strict=True):
        row["jointly"] = jointly
    factorials = [
        {"cell": cell.levels, **evaluation["factorial"]}
        for cell, evaluation in zip(cells, evaluations, strict=True)
        if evaluation["factorial"] is not None
    ]
    answer: Answer = {
        "recipe": cells[0].recipe.name,
        "name": asked["name"],
        "question": question.question,
        "reported": question.reported,
        "scale": asked["scale"],
        "overrides": asked["overrides"],
        "compare": question.compare,
        "metric": first["metric"],
        "design": first["design"],
        "claim": first["claim"],
        "replicates": first["replicates"],
        "items": first["items"],
        "rows": rows,
        "variance": _variance(question, cells, rows),
        "factorials": factorials,
        "warnings": list(dict.fromkeys(warning for evaluation in evaluations for warning in evaluation["warnings"])),
        "table": [],
    }
    oracle = max(evaluation.get("oracle_teacher", 0) for evaluation in evaluations)
    if oracle:
        answer["oracle_teacher"] = oracle
    answer["table"] = table_lines(answer)
    return answer


def _row(cell: Cell, variant: str, evaluation: dict[str, Any], counts: dict[str, Any]) -> AnswerRow:
    scores = {one["name"]: one for one in evaluation["variants"]}
    comparison = next(
        one for one in evaluation["comparisons"] if (one["variant"], one["baseline"]) == (variant, "natural")
    )
    primary = comparison["family"] == "primary"
    own, natural = (scores[name]["replicate_scores"] for name in (variant, "natural"))
    budget = scores[variant]["budget"]
    return {
        "cell": cell.levels,
        "variant": variant,
        "natural": scores["natural"]["mean"],
        "score": scores[variant]["mean"],
        "difference": comparison["difference"],
        "interval": comparison["interval"],
        "alpha": comparison["alpha"],
        "p": comparison["p"],
        "reads": evaluation["verdict"]["outcome"] if primary else f"{comparison['reading']} (secondary)",
        "sentence": evaluation["verdict"]["sentence"] if primary else "",
        "jointly": None,
        "kept": counts["kept"],
        "rows": counts["rows"].get(variant, 0.0),
        "natural_rows": counts["rows"]["natural"],
        "human_labels": None if budget is None else budget["distinct"],
        "differences": [one - other for one, other in zip(own, natural, strict=True)],
    }


def _variance(question: Question, cells: Sequence[Cell], rows: Sequence[AnswerRow]) -> dict[str, Any]:
    """Components by variant; nothing where there are no factors, or replicates are too few or not equally many."""
    if not question.factors:
        return {}
    import numpy as np

    from sentisynth_hub.verdict.statistics.components import variance_components

    nested = question.within_replicates if cells[0].recipe.study.design != "conditional" else None
    shape = [len(levels) for levels in question.factors.values()]
    factors = {factor: list(levels) for factor, levels in question.factors.items()}
    found = {}
    for variant in question.compare:
        table = [row["differences"] for row in rows if row["variant"] == variant]
        replicates = {len(differences) for differences in table}
        if len(replicates) == 1 and min(replicates) > 1:
            values = np.array(table).reshape(*shape, -1)
            found[variant] = dict(variance_components(values, factors, nested=nested))
    return found
