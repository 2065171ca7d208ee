"""Asking a question: every cell run as an ordinary recipe in one run folder, and the answer as one table.

    answer = ask("sst2-low-resource", "prompt-sensitivity")     # also runs/sst2-low-resource/questions/<question>.json

Stages that do not differ between cells are shared, since a stage's folder is named by what decides it; an interrupted
question continues where it was for the same reason.
"""

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from sentisynth_hub.core import log
from sentisynth_hub.core.distributed import Processes, join_launch
from sentisynth_hub.core.errors import DataError
from sentisynth_hub.core.files import write_json
from sentisynth_hub.core.run_folder import RUNS, locked
from sentisynth_hub.experiments.answer import AnswerRow, CellFactorial, GridAnswer, holm
from sentisynth_hub.pipeline import open_pipeline
from sentisynth_hub.recipe import Recipe
from sentisynth_hub.recipe.question import FOLDER, Cell, Question, load_cells, load_question
from sentisynth_hub.verdict.evaluation import Evaluation
from sentisynth_hub.verdict.evaluation_text import claim, reading, verdict_sentence, warnings
from sentisynth_hub.verdict.statistics.components import Components, variance_components


def ask(
    recipe: str,
    name: str,
    *,
    overrides: Iterable[str] = (),
    scale: str | None = None,
    hub: str | None = None,
    runs: Path = RUNS,
    processes: Processes | None = None,
) -> GridAnswer:
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
    everywhere = list(overrides)
    question, cells = load_question(recipe, name), load_cells(recipe, name, everywhere, scale=scale)
    processes = processes or join_launch()
    run = runs / cells[0].recipe.name
    results = []
    with locked(run) if processes.is_main else nullcontext():
        for number, cell in enumerate(cells, 1):
            log.info(f"=== cell {number} of {len(cells)}: {cell.name or name}")
            results.append(_run_cell(cell, hub, runs, processes))
        answer = _answer(question, name, scale or question.scale, everywhere, results)
        if processes.is_main:
            write_json(run / FOLDER / f"{name}.json", answer.model_dump(mode="json"))
    processes.wait()
    return answer


@dataclass(frozen=True)
class CellResult:
    """A cell with its evaluation, the rows its filters kept (mean over corpora), each variant's training rows, and the
    human-labelled ones among the baseline's.
    """

    cell: Cell
    evaluation: Evaluation
    kept: float
    training_rows: dict[str, float]
    natural_rows: float


def _run_cell(cell: Cell, hub: str | None, runs: Path, processes: Processes) -> CellResult:
    pipeline = open_pipeline(cell.recipe, hub=hub, runs=runs, processes=processes)
    results = pipeline.through("verdict")
    evaluation = results.verdict
    if evaluation.variant(evaluation.primary) is not None:  # a question may compare other variants alone
        log.info(f"  {verdict_sentence(evaluation)}")
    kept = [replicate.kept for replicate in results.filter.replicates.values()]
    study = results.study
    rows = {name: fmean(summary.training_rows) for name, summary in study.variants.items()}
    natural = fmean(len(uses["train"]) for uses in study.human_labels[evaluation.baseline].values())
    return CellResult(cell, evaluation, fmean(kept), rows, natural)


def _answer(
    question: Question, name: str, scale: str | None, overrides: list[str], results: Sequence[CellResult]
) -> GridAnswer:
    rows = [_row(result, variant) for result in results for variant in question.compare]
    first = results[0].evaluation
    joint = holm([row.p for row in rows], first.alpha)
    rows = [row.model_copy(update={"jointly": holds}) for row, holds in zip(rows, joint, strict=True)]
    recipe = results[0].cell.recipe
    return GridAnswer(
        recipe=recipe.name,
        name=name,
        question=question.question,
        reported=question.reported,
        scale=scale,
        overrides=tuple(overrides),
        compare=tuple(question.compare),
        metric=first.metric,
        design=first.design,
        claim=claim(first),
        replicates=first.replicates,
        items=first.items,
        rows=tuple(rows),
        variance=_variance(question, recipe, rows),
        factorials=tuple(
            CellFactorial(cell=result.cell.levels, factorial=result.evaluation.factorial)
            for result in results
            if result.evaluation.factorial is not None
        ),
        warnings=tuple(
            dict.fromkeys(line for result in results for line in warnings(result.evaluation, question.compare))
        ),
        oracle_teacher=max(result.evaluation.oracle_teacher for result in results),
    )


def _row(result: CellResult, variant: str) -> AnswerRow:
    evaluation = result.evaluation
    comparison = evaluation.against(variant, evaluation.baseline)
    scores, natural = evaluation.variant(variant), evaluation.variant(evaluation.baseline)
    if comparison is None or scores is None or natural is None:
        raise DataError(f"question: no comparison of {variant!r} with {evaluation.baseline!r}; study both variants")
    return AnswerRow(
        cell=result.cell.levels,
        variant=variant,
        natural=natural.mean,
        score=scores.mean,
        difference=comparison.difference,
        interval=comparison.interval,
        alpha=comparison.alpha,
        p=comparison.p,
        reads=reading(evaluation, comparison),
        kept=result.kept,
        rows=result.training_rows.get(variant, 0.0),
        natural_rows=result.natural_rows,
        human_labels=None if scores.budget is None else scores.budget.distinct,
        differences=tuple(
            own - other for own, other in zip(scores.replicate_scores, natural.replicate_scores, strict=True)
        ),
    )


def _variance(question: Question, recipe: Recipe, rows: Sequence[AnswerRow]) -> dict[str, Components]:
    """Components by variant; nothing where there are no factors, or replicates are too few or not equally many."""
    if not question.factors:
        return {}
    import numpy as np

    nested = question.within_replicates if recipe.study.design != "conditional" else None
    shape = [len(levels) for levels in question.factors.values()]
    factors = {factor: list(levels) for factor, levels in question.factors.items()}
    components = {}
    for variant in question.compare:
        table = [row.differences for row in rows if row.variant == variant]
        replicates = {len(differences) for differences in table}
        if len(replicates) == 1 and min(replicates) > 1:
            values = np.array(table).reshape(*shape, -1)
            components[variant] = variance_components(values, factors, nested=nested)
    return components
