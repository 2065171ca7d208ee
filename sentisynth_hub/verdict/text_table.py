"""The evaluation as lines of plain text, for the terminal and for a code block in a card."""

from sentisynth_hub.verdict.evaluation import Evaluation, VariantScores
from sentisynth_hub.verdict.statistics.comparisons import Comparison


def table_lines(evaluation: Evaluation) -> list[str]:
    """One line a variant: mean of the metric with its interval, difference to natural with its interval, and what
    that says.
    """
    level = f"{100 * (1 - evaluation['alpha']):g} %"
    header = ["variant", evaluation["metric"], f"{level} interval", "to natural", "interval", "reads"]
    to_natural: dict[str, Comparison] = {}
    for comparison in evaluation["comparisons"]:  # of the primary variant's two, the first is with natural
        to_natural.setdefault(comparison["variant"], comparison)
    rows = [header] + [_row(scores, to_natural.get(scores["name"]), evaluation) for scores in evaluation["variants"]]
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    oracle = [oracle_line(evaluation["oracle_teacher"])] if "oracle_teacher" in evaluation else []
    return [*lines, "", *oracle, f"verdict: {evaluation['verdict']['sentence']}"]


def oracle_line(labels: int) -> str:
    """What is said wherever a study with an oracle teacher is shown."""
    return (
        f"oracle teacher: it learned from all {labels:,} natural training labels, not from the replicate's own, so "
        "this is a comparison and not a claim about few labels"
    )


def _row(scores: VariantScores, comparison: Comparison | None, evaluation: Evaluation) -> list[str]:
    shown = [scores["name"], f"{scores['mean']:.4f}", _interval(scores["interval"], "")]
    if comparison is None:
        return [*shown, "", "", ""]
    primary = comparison["family"] == "primary"
    reading = evaluation["verdict"]["outcome"] if primary else f"{comparison['reading']} (secondary)"
    return [*shown, f"{comparison['difference']:+.4f}", _interval(comparison["interval"], "+"), reading]


def _interval(interval: tuple[float, float] | None, sign: str) -> str:
    return f"[{interval[0]:{sign}.4f}, {interval[1]:{sign}.4f}]" if interval else "-"
