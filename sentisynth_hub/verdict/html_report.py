"""The report of a study: one HTML file with its figures inside, no script, nothing fetched from anywhere."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sentisynth_hub.core.files import replaced, shipped
from sentisynth_hub.verdict.figures import draw, first_comparisons


TEMPLATE = "report.html.jinja2"
CAPTIONS = {
    "effects": "What each variant changes. A bar is an interval; the verdict is read off the primary variant's alone.",
    "curve": "What human labels buy, and where synthetic variants stand. A tick marks the labels a variant is worth.",
    "confusion": "Which labels are taken for which: shares of the true label, over all replicates.",
    "labels": "Gain or loss by label.",
    "slices": "Gain or loss by slice; the worst slice is marked. The number of test items stands in brackets.",
    "distance": "Does synthetic text help where natural rows are far away?",
}


def write_report(path: Path, name: str, description: str, evaluation: Mapping[str, Any]) -> None:
    """Write the report of `evaluation` (the content of evaluation.json) to `path`, whole or not at all."""
    with replaced(path) as temporary:
        temporary.write_text(render_report(name, description, evaluation), "utf-8")


def render_report(name: str, description: str, evaluation: Mapping[str, Any]) -> str:
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
        comparisons={one["variant"]: one for one in first_comparisons(evaluation)},
        figures=figures,
        captions=CAPTIONS,
    )
