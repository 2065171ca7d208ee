"""What a question's cells say together: the rows, which of them hold when all are asked at once, and the table."""

from collections.abc import Sequence

from sentisynth_hub.recipe.study_section import Metric
from sentisynth_hub.verdict.evaluation_parts import Count, Design, Factorial, Interval, Name, Record, Share
from sentisynth_hub.verdict.evaluation_text import aligned, interval_words
from sentisynth_hub.verdict.statistics.components import Components
from sentisynth_hub.verdict.study_checks import oracle_line


class AnswerRow(Record):
    """One variant in one cell, against `natural` in the same cell.

    Attributes:
        cell: Level by factor.
        natural, score: Means of the metric over replicates.
        interval: Of `difference`, at level 1 − `alpha` within this cell (over all compared variants of the cell where
            there are several).
        reads: The cell's verdict for the primary variant, the secondary reading for any other.
        jointly: Still different from `natural` when all rows of the question are asked at once (Holm 1979); None
            without p.
        kept: Rows the filters kept, mean over corpora.
        rows, natural_rows: Training rows of the variant and of `natural`.
        human_labels: Distinct ones behind the variant.
        differences: One a replicate.
    """

    cell: dict[Name, Name]
    variant: Name
    natural: float
    score: float
    difference: float
    interval: Interval | None
    alpha: Share
    p: Share | None
    reads: Name
    jointly: bool | None = None
    kept: float
    rows: float
    natural_rows: float
    human_labels: Count | None
    differences: tuple[float, ...]


class CellFactorial(Record):
    """The two-by-two of a cell."""

    cell: dict[Name, Name]
    factorial: Factorial


class GridAnswer(Record):
    """The content of `runs/<recipe>/questions/<question>.json`: no clock, no path, no printed line.

    Attributes:
        reported: What earlier work reported, where the question says so.
        claim: What the verdicts are about, in words.
        variance: By variant, the components of the difference; empty where they cannot be worked out.
        factorials: The two-by-two of every cell that has one.
        warnings: What a reader should know, of all cells.
        oracle_teacher: Labels it learned from, where a cell had one; else 0.
    """

    recipe: Name
    name: Name
    question: str
    reported: str | None
    scale: str | None
    overrides: tuple[str, ...]
    compare: tuple[Name, ...]
    metric: Metric
    design: Design
    claim: str
    replicates: Count
    items: Count
    rows: tuple[AnswerRow, ...]
    variance: dict[Name, Components]
    factorials: tuple[CellFactorial, ...]
    warnings: tuple[str, ...]
    oracle_teacher: Count = 0


def holm(p_values: Sequence[float | None], alpha: float) -> list[bool | None]:
    """Which hypotheses are rejected when all are tested together (Holm 1979, step-down); None where there is no p.

    >>> holm([0.01, 0.04, 0.03], 0.05)
    [True, False, False]
    """
    ordered = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    rejected: list[bool | None] = [None] * len(p_values)
    for _, place in ordered:
        rejected[place] = False
    for step, (p, place) in enumerate(ordered):
        if p > alpha / (len(ordered) - step):
            break
        rejected[place] = True
    return rejected


def answer_lines(answer: GridAnswer) -> list[str]:
    """The answer as lines of plain text: its rows, then the variance shares and the two-by-two where there are any."""
    factors = list(answer.rows[0].cell)
    header = [*factors, "variant", "natural", "with it", "difference", "interval", "reads", "jointly", "kept", "rows"]
    count = len(answer.rows)
    lines = [
        answer.question,
        "",
        *aligned([header, *(_cells_of(row, factors) for row in answer.rows)]),
        "",
        f"{answer.metric}, {answer.replicates} replicates × {answer.items} test items a cell. Each interval is of its "
        f"own cell; jointly: different from natural also when all {count} are asked at once (Holm).",
    ]
    if answer.oracle_teacher:
        lines.append(oracle_line(answer.oracle_teacher))
    for variant, components in answer.variance.items():
        lines += ["", f"where the variance of {variant} − natural comes from (share of the sum of components)"]
        lines += aligned(
            [
                [source.name, f"{100 * source.share:.0f} %", f"sd {source.component**0.5:.4f}", _p(source.p)]
                for source in components.sources
            ]
        )
        for factor, levels in components.levels.items():
            means = ", ".join(f"{level} {mean:+.4f}" for level, mean in levels.items())
            lines.append(f"  mean by {factor}: {means}")
    for cell_factorial in answer.factorials:
        cell = ", ".join(f"{factor}={level}" for factor, level in cell_factorial.cell.items())
        lines += ["", f"imbalance or coverage?{f' ({cell})' if cell else ''}"]
        effects = cell_factorial.factorial.effects
        lines += aligned(
            [[effect.name, f"{effect.value:+.4f}", interval_words(effect.interval, "+")] for effect in effects]
        )
    return lines


def _cells_of(row: AnswerRow, factors: Sequence[str]) -> list[str]:
    jointly = {True: "yes", False: "no", None: "-"}[row.jointly]
    return [
        *(row.cell[factor] for factor in factors),
        row.variant,
        f"{row.natural:.4f}",
        f"{row.score:.4f}",
        f"{row.difference:+.4f}",
        interval_words(row.interval, "+"),
        row.reads,
        jointly,
        f"{row.kept:.0f}",
        f"{row.natural_rows:.0f} -> {row.rows:.0f}",
    ]


def _p(value: float | None) -> str:
    return "" if value is None else f"p = {value:.4f}"
