"""The report of a study: one HTML file with its figures inside, no script, nothing fetched from anywhere."""

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


def write_report(path: Path, name: str, description: str, evaluation: Evaluation) -> None:
    """Write the report of `evaluation` to `path`, whole or not at all."""
    with replaced(path) as temporary:
        temporary.write_text(render_report(name, description, evaluation), "utf-8")


def render_report(name: str, description: str, evaluation: Evaluation) -> str:
    """The report as HTML; whatever a recipe, a label or a slice is called is escaped."""
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
        words=evaluation_text,
        comparisons={comparison.variant: comparison for comparison in evaluation.first_comparisons()},
        figures=figures,
        captions=CAPTIONS,
    )
