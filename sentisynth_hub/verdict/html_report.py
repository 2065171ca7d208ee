"""The report of a study: one HTML file with its figures inside, no script, nothing fetched from anywhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sentisynth_hub.core.files import replaced, shipped
from sentisynth_hub.verdict import evaluation_text
from sentisynth_hub.verdict.evaluation import Evaluation
from sentisynth_hub.verdict.figures import draw


TEMPLATE = "report.html.jinja2"
CAPTIONS = {
    "effects": "What each variant changes. A bar is an interval; the verdict is read off the primary variant's alone.",
    "curve": "What human labels buy, with intervals, and where synthetic variants stand. A tick marks the labels a "
    "variant is worth.",
    "confusion": "Which labels are taken for which: shares of the true label, over all replicates.",
    "labels": "Gain or loss by label. Blue: the interval lies above zero; red: below.",
    "slices": "Gain or loss by slice, test rows in brackets. Blue: the interval lies above zero; red: below; pale: "
    "too few test rows to compare.",
    "distance": "Does synthetic text help where natural rows are far away?",
}


@dataclass(frozen=True)
class ExampleRow:
    """One synthetic row, and what became of it: `kept`, or the filter and the reason that dropped it."""

    text: str
    label: str
    became: str


@dataclass(frozen=True)
class ReportParts:
    """What a report says beside the evaluation; all of it may be left out.

    Attributes:
        funnel: What was dropped of replicate 0, (filter, reason, rows), from `requests` to `kept` rows.
        examples: Rows of replicate 0, some of each fate.
        cost: What generation took, a line each.
        model: The model that ships: its score with interval and what it was trained on.
        notes: What a user of it should know.
    """

    requests: int = 0
    funnel: Sequence[tuple[str, str, int]] = ()
    kept: int = 0
    examples: Sequence[ExampleRow] = ()
    cost: Sequence[str] = ()
    model: str | None = None
    notes: Sequence[str] = ()


def write_report(
    path: Path, name: str, description: str, evaluation: Evaluation, parts: ReportParts | None = None
) -> None:
    """Write the report of `evaluation` to `path`, whole or not at all."""
    with replaced(path) as temporary:
        temporary.write_text(render_report(name, description, evaluation, parts), "utf-8")


def render_report(name: str, description: str, evaluation: Evaluation, parts: ReportParts | None = None) -> str:
    """The report as HTML; whatever a recipe, a label, a slice or a row says is escaped."""
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(shipped("dataset_cards")), autoescape=True, undefined=jinja2.StrictUndefined
    )
    figures = {figure: Markup(svg) for figure, svg in draw(evaluation).items()}  # noqa: S704 (drawn here, words escaped)
    return environment.get_template(TEMPLATE).render(
        name=name,
        description=description,
        evaluation=evaluation,
        parts=parts or ReportParts(),
        words=evaluation_text,
        comparisons={comparison.variant: comparison for comparison in evaluation.first_comparisons()},
        figures=figures,
        captions=CAPTIONS,
    )
