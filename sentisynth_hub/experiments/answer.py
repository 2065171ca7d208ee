"""What a question's cells say together: the rows, which of them hold when all are asked at once, and the table."""

from collections.abc import Sequence
from typing import Any, NotRequired, TypedDict

from sentisynth_hub.verdict.text_table import oracle_line


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
