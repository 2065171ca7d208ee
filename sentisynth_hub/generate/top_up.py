"""How many texts to ask for: a fixed number, or batch after batch until enough rows of each label are kept.

With `generate.rows` the generate and the filter stage take turns. Each further batch is worked out from what the
filters kept of the ones before it, and from nothing else: whoever computes it, in whatever process, finds the same.
The plan of a round is the plan of the round before it and the further batch, so no answer is asked for twice.

    further = []
    while batch := next_batch(recipe, further, kept):   # kept: replicate to label to kept rows
        further.append(batch)                           # ask for it, filter again
"""

import math
from collections.abc import Mapping, Sequence

from sentisynth_hub.recipe import Recipe


Calls = dict[str, int]
"""Completions to ask for, by label."""
Batch = dict[int, Calls]
"""What a further round asks for, by replicate; replicates and labels that have enough are left out."""
_GROWTH = 2  # a label's further calls are at most so many times those it had: one that nothing is kept of is found out
_MARGIN = 1.0  # standard errors of the number kept that are asked for on top, so that few rounds are needed


def first_calls(recipe: Recipe) -> Calls:
    """How many completions are asked for each label to begin with.

    With `candidates` that is all there is: as even over the labels as it can be. With `rows`: as many texts as rows
    are wanted.
    """
    per_call, row_counts = recipe.generate.prompt.texts_per_call, recipe.wanted_rows
    if row_counts is not None:
        calls = {label: -(-row_counts.get(label, 0) // per_call) for label in recipe.labels}
        return _within(calls, most_requests(recipe))
    labels, total = recipe.labels, recipe.generate.candidates or 0
    rows = {label: total // len(labels) + (place < total % len(labels)) for place, label in enumerate(labels)}
    return {label: -(-count // per_call) for label, count in rows.items()}


def most_calls(recipe: Recipe) -> Calls:
    """How many completions a replicate may take at most, by label: what a budget has to be made for."""
    calls = first_calls(recipe)
    if recipe.wanted_rows is None:
        return calls
    return _within({label: count * most_requests(recipe) for label, count in calls.items()}, most_requests(recipe))


def most_requests(recipe: Recipe) -> int:
    """The cap on a replicate's requests under `rows`: `max_requests`, or 20 for each row that is wanted."""
    return recipe.generate.max_requests or 20 * sum((recipe.wanted_rows or {}).values())


def calls_so_far(recipe: Recipe, further: Sequence[Batch], replicate: int) -> list[Calls]:
    """A replicate's calls, round by round."""
    return [first_calls(recipe), *(batch[replicate] for batch in further if replicate in batch)]


def next_batch(recipe: Recipe, further: Sequence[Batch], kept: Mapping[int, Mapping[str, int]]) -> Batch | None:
    """What to ask for next, from how many rows of each label are kept; None: there is enough, or the cap is reached.

    A label that lacks rows gets as many calls as it took so far for each kept one, and a margin.

    Args:
        further: The batches after the first, in order.
        kept: Kept rows by replicate and label; what is not there is 0.
    """
    batch = {}
    for replicate, per_label in sorted(kept.items()):
        rounds = calls_so_far(recipe, further, replicate)
        calls = {
            label: _further_calls(rows - per_label.get(label, 0), per_label.get(label, 0), taken)
            for label, rows in (recipe.wanted_rows or {}).items()
            if (taken := sum(each.get(label, 0) for each in rounds)) and per_label.get(label, 0) < rows
        }
        left = most_requests(recipe) - sum(sum(each.values()) for each in rounds)
        if any((calls := _within(calls, left)).values()):
            batch[replicate] = {label: count for label, count in calls.items() if count}
    return batch or None


def shortfall(recipe: Recipe, kept: Mapping[int, Mapping[str, int]]) -> list[str]:
    """A sentence for each replicate that has fewer rows than are wanted, with the cap that stopped it."""
    sentences = []
    for replicate, per_label in sorted(kept.items()):
        lacking = [
            f"{per_label.get(label, 0):,} of {rows:,} rows of {label!r}"
            for label, rows in (recipe.wanted_rows or {}).items()
            if per_label.get(label, 0) < rows
        ]
        if lacking:
            sentences.append(
                f"generate.rows: replicate {replicate} has {', '.join(lacking)}: the cap of "
                f"{most_requests(recipe):,} requests a replicate stopped it; raise generate.max_requests, loosen the "
                "filters or change the prompt"
            )
    return sentences


def _further_calls(lacking: int, kept: int, calls: int) -> int:
    """Calls that give `lacking` rows more, told from `kept` rows of `calls` calls (Jeffreys' estimate of the rate)."""
    rate = (kept + 0.5) / (calls + 1)
    needed = (lacking + _MARGIN * math.sqrt(lacking)) / rate
    return max(1, min(math.ceil(needed), _GROWTH * calls))


def _within(calls: Calls, most: int) -> Calls:
    """`calls` where they are at most `most` in all, else cut down, every label in proportion."""
    total = sum(calls.values())
    if total <= most:
        return calls
    places = {label: count * most // total for label, count in calls.items()}
    for label in calls:  # what rounding left over goes to the first labels that were cut
        if sum(places.values()) < most and places[label] < calls[label]:
            places[label] += 1
    return places
