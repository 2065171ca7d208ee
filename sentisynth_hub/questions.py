"""Asking a question: every cell run as an ordinary recipe in one run folder, and the answer as one table.

    answer = ask("sst2-low-resource", "prompt-sensitivity")     # also runs/sst2-low-resource/questions/<question>.json

Stages that do not differ between cells are shared, since a stage's folder is named by what decides it; an interrupted
question continues where it was for the same reason.
"""

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from pathlib import Path
from statistics import fmean
from typing import Any, NotRequired, TypedDict

from sentisynth_hub import log
from sentisynth_hub.manifest import write_json
from sentisynth_hub.processes import Processes, join_launch
from sentisynth_hub.recipe.question import FOLDER, Cell, Question, load_cells, load_question
from sentisynth_hub.run import RUNS, open_pipeline
from sentisynth_hub.runs import locked


class AnswerRow(TypedDict):
    """One variant in one cell, against `natural` in the same cell.

    `cell`: level by factor. `score`, `natural`: means of the metric over replicates. `interval`: of `difference` at
    level 1 − `alpha` within this cell (over all compared variants of the cell where there are several). `reads`: the
    cell's verdict for `mixed`, the secondary reading for any other variant. `jointly`: still different from `natural`
    when all rows of the question are asked at once (Holm 1979); None without p. `kept`: rows the filters kept, mean
    over corpora. `rows`, `natural_rows`: training rows of the variant and of `natural`. `human_labels`: distinct ones
    behind the variant.
    """

    cell: dict[str, str]
    variant: str
    natural: float
    score: float
    difference: float
    interval: tuple[float, float] | None
    alpha: float
    p: float | None
    reads: str
    sentence: str
    jointly: bool | None
    kept: float
    rows: float
    natural_rows: float
    human_labels: int | None
    differences: list[float]


class Answer(TypedDict):
    """The content of `runs/<recipe>/questions/<question>.json`: no clock, no path.

    `variance`: by variant, the components of the difference (`evaluation/components.py`); empty where they cannot be
    worked out. `factorials`: the two-by-two of every cell that has one. `oracle_teacher`: labels it read, where a
    cell had one.
    """

    recipe: str
    name: str
    question: str
    reported: str | None
    scale: str | None
    overrides: list[str]
    compare: list[str]
    metric: str
    design: str
    claim: str
    replicates: int
    items: int
    rows: list[AnswerRow]
    variance: dict[str, Any]
    factorials: list[dict[str, Any]]
    warnings: list[str]
    table: list[str]
    oracle_teacher: NotRequired[int]


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


def holm(p_values: Sequence[float | None], alpha: float) -> list[bool | None]:
    """Which hypotheses are rejected when all are tested together (Holm 1979, step-down); None where there is no p.

    >>> holm([0.01, 0.04, 0.03], 0.05)
    [True, False, False]
    """
    known = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    rejected: list[bool | None] = [None] * len(p_values)
    for _, place in known:
        rejected[place] = False
    for step, (p, place) in enumerate(known):
        if p > alpha / (len(known) - step):
            break
        rejected[place] = True
    return rejected


def _variance(question: Question, cells: Sequence[Cell], rows: Sequence[AnswerRow]) -> dict[str, Any]:
    """Components by variant; nothing where there are no factors, or replicates are too few or not equally many."""
    if not question.factors:
        return {}
    import numpy as np

    from sentisynth_hub.evaluation.components import variance_components

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


def table_lines(answer: Answer) -> list[str]:
    """The answer as lines of plain text: its rows, then the variance shares and the two-by-two where there are any."""
    factors = list(answer["rows"][0]["cell"])
    header = [*factors, "variant", "natural", "with it", "difference", "interval", "reads", "jointly", "kept", "rows"]
    lines = [answer["question"], ""]
    lines += _columns([header, *(_cells_of(row, factors) for row in answer["rows"])])
    count = len(answer["rows"])
    lines += ["", f"{answer['metric']}, {answer['replicates']} replicates × {answer['items']} test items a cell. "
              f"Each interval is of its own cell; jointly: different from natural also when all {count} are asked at "
              "once (Holm)."]  # fmt: skip
    if "oracle_teacher" in answer:
        from sentisynth_hub.evaluation.table import oracle_line

        lines.append(oracle_line(answer["oracle_teacher"]))
    for variant, components in answer["variance"].items():
        lines += ["", f"where the variance of {variant} − natural comes from (share of the sum of components)"]
        shown = [[one["name"], f"{100 * one['share']:.0f} %", f"sd {one['component'] ** 0.5:.4f}", _p(one["p"])]
                 for one in components["sources"]]  # fmt: skip
        lines += _columns(shown)
        for factor, levels in components["levels"].items():
            means = ", ".join(f"{level} {mean:+.4f}" for level, mean in levels.items())
            lines.append(f"  mean by {factor}: {means}")
    for one in answer["factorials"]:
        cell = ", ".join(f"{factor}={level}" for factor, level in one["cell"].items())
        lines += ["", f"imbalance or coverage?{f' ({cell})' if cell else ''}"]
        lines += _columns(
            [[effect["name"], f"{effect['value']:+.4f}", _interval(effect["interval"])] for effect in one["effects"]]
        )
    return lines


def _cells_of(row: AnswerRow, factors: Sequence[str]) -> list[str]:
    jointly = {True: "yes", False: "no", None: "-"}[row["jointly"]]
    return [
        *(row["cell"][factor] for factor in factors),
        row["variant"],
        f"{row['natural']:.4f}",
        f"{row['score']:.4f}",
        f"{row['difference']:+.4f}",
        _interval(row["interval"]),
        row["reads"],
        jointly,
        f"{row['kept']:.0f}",
        f"{row['natural_rows']:.0f} -> {row['rows']:.0f}",
    ]


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _interval(pair: Sequence[float] | None) -> str:
    return "-" if pair is None else f"[{pair[0]:+.4f}, {pair[1]:+.4f}]"


def _p(value: float | None) -> str:
    return "" if value is None else f"p = {value:.4f}"
