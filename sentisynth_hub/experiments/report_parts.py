"""What a study's report says beside its evaluation: funnel, examples, cost, the model that ships."""

from collections.abc import Iterator

from sentisynth_hub.core.rows import Row
from sentisynth_hub.pipeline import Results
from sentisynth_hub.run import cost_lines
from sentisynth_hub.verdict.html_report import ExampleRow, ReportParts


_OF_EACH = 2  # rows kept of each label, and rows dropped for each reason
_MOST_EXAMPLES = 24
_LONGEST = 300  # characters of an example


def report_parts(results: Results) -> ReportParts:
    """Gather them from finished stages; the model only where it was made."""
    corpus, filtered = results.generate[0], results.filter.replicates[0]
    has_model = "model" in results.folders
    return ReportParts(
        requests=corpus.requests,
        funnel=[(step.filter, step.reason, step.rejected) for step in filtered.funnel],
        kept=filtered.kept,
        examples=list(_examples(results))[:_MOST_EXAMPLES],
        cost=cost_lines(results.generate),
        model=results.model.summary(results.verdict.metric) if has_model else None,
        notes=results.model.warnings() if has_model else (),
    )


def _examples(results: Results) -> Iterator[ExampleRow]:
    """The first rows kept of each label, then the first dropped for each reason, as they were asked for."""
    counts: dict[tuple[str, ...], int] = {}

    def shown(row: Row, *fate: str) -> Iterator[ExampleRow]:
        counts[fate] = counts.get(fate, 0) + 1
        if counts[fate] <= _OF_EACH:
            text = row.text if len(row.text) <= _LONGEST else f"{row.text[:_LONGEST]}…"
            yield ExampleRow(
                text, row.asked_label or row.label or "", ": ".join(fate[-2:]) if len(fate) > 1 else "kept"
            )

    for row in results.filter.kept(0):
        yield from shown(row, str(row.label))
    for rejected in results.filter.rejected(0):
        yield from shown(rejected.row, "dropped", rejected.filter, rejected.reason)
