"""Building a replicate's filters and letting them judge rows, one after the other.

filters = build_filters(recipe, context)
kept, rejected = run_filters(filters, candidates)
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from sentisynth_hub.core import log
from sentisynth_hub.core.errors import RecipeError, StageError
from sentisynth_hub.core.rows import Rejected, Row
from sentisynth_hub.filter.contract import Filter, FilterContext
from sentisynth_hub.filter.filter_result import FunnelCount
from sentisynth_hub.filter.filter_table import filter_class
from sentisynth_hub.filter.overlap import Overlap, OverlapOptions


def build_filters(context: FilterContext) -> list[Filter]:
    """Make the recipe's filters for one replicate, in the recipe's order; teachers are trained here.

    The overlap filter comes last where the recipe does not name it: nothing that leaks is kept, whatever the recipe
    says.

    Raises:
        RecipeError: Two filters have the same name.
    """
    filters = [filter_class(key).build(options, context) for key, options in context.recipe.filter.sections()]
    if not any(isinstance(each, Overlap) for each in filters):
        filters.append(Overlap.build(OverlapOptions(), context))
    names = [each.name for each in filters]
    for name in names:
        if names.count(name) > 1:
            raise RecipeError(f"filter: two filters are called {name!r}; give one of them another `name`")
    return filters


def evaluation_overlap(context: FilterContext) -> set[str]:
    """`request_id`s of the candidates that overlap a row something is evaluated on, whatever becomes of them."""
    options = context.recipe.filter.of(OverlapOptions) or OverlapOptions()
    decisions = Overlap.with_evaluation_rows(options, context).judge(context.candidates)
    return {row.request_id for row, decision in zip(context.candidates, decisions, strict=True) if not decision.keep}


def run_filters(filters: Iterable[Filter], rows: Sequence[Row]) -> tuple[list[Row], list[Rejected]]:
    """Let each filter judge what the ones before it left.

    Returns:
        Kept rows in their order, and rejected ones by filter; together they are `rows`. Scores stay with the rows.

    Raises:
        StageError: A filter does not keep its contract.
    """
    kept: list[Row] = list(rows)
    rejected: list[Rejected] = []
    for each in filters:
        decisions = each.judge(kept)
        if len(decisions) != len(kept):
            raise StageError(
                f"filter {each.name}: {len(decisions)} decisions for {len(kept)} rows; its judge has to give one a row"
            )
        staying = []
        for row, decision in zip(kept, decisions, strict=True):
            scored = row
            if decision.score is not None or decision.scores:
                own = {} if decision.score is None else {each.score_name: decision.score}
                scored = replace(row, scores={**row.scores, **decision.scores, **own})
            if decision.keep:
                staying.append(scored if decision.label is None else replace(scored, label=decision.label))
            elif decision.reason in each.reasons:
                rejected.append(Rejected(scored, each.name, str(decision.reason), decision.score))
            else:
                raise StageError(
                    f"filter {each.name}: a row was dropped for {decision.reason!r}, which is none of its reasons "
                    f"({', '.join(each.reasons)}); declare it in `reasons`"
                )
        log.info(f"    {each.name}: {len(staying):,} of {len(kept):,} stay")
        kept = staying
    return kept, rejected


def funnel(rejected: Iterable[Rejected], order: Sequence[str]) -> list[FunnelCount]:
    """Count rejected rows by filter (in `order`, what is not in it first) and reason (by name)."""
    counts = Counter((item.filter, item.reason) for item in rejected)
    place = {name: number for number, name in enumerate(order)}
    return [
        FunnelCount(filter=name, reason=reason, rejected=counts[name, reason])
        for name, reason in sorted(counts, key=lambda key: (place.get(key[0], -1), key))
    ]
