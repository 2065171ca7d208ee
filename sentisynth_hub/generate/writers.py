"""Several writers in one recipe: each one's recipe and share of the calls, and one order for what all of them wrote.

A writer has a plan and a journal of its own; prompts of the same number show the same demonstrations to every writer,
so that writers are compared on the same prompts. `generate.generator` is the first writer, with share 1.
"""

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sentisynth_hub.core.rows import Request
from sentisynth_hub.generate.providers.base import provider_of
from sentisynth_hub.generate.requests import Replicate
from sentisynth_hub.generate.top_up import Calls
from sentisynth_hub.recipe import Recipe


@dataclass(frozen=True)
class Writer:
    """One writer.

    Attributes:
        name: What lineage and tables call it: the main one by its model, the others as the recipe does.
        recipe: The recipe with it alone.
        share: Of all calls, from 0 to 1.
        main: Whether it is `generate.generator`.
        several: Whether there are others.
    """

    name: str
    recipe: Recipe
    share: float = 1.0
    main: bool = True
    several: bool = False


def writers_of(recipe: Recipe) -> list[Writer]:
    """The recipe's writers, the main one first; a recipe with one is its own writer's."""
    generate = recipe.generate
    if not generate.generators:
        return [Writer(generate.generator.name, recipe)]
    total = 1.0 + sum(each.share for each in generate.generators.values())
    main = _recipe_of(recipe, recipe.model_dump(mode="json")["generate"]["generator"])
    return [Writer(generate.generator.name, main, 1 / total, several=True)] + [
        Writer(name, _recipe_of(recipe, each.generator.model_dump(mode="json")), each.share / total, False, True)
        for name, each in generate.generators.items()
    ]


def rounds_of(writers: Sequence[Writer], rounds: Sequence[Mapping[str, int]]) -> list[list[Calls]]:
    """Each writer's calls by label, round by round: whole numbers by its share, which add up to the round's."""
    ends = [sum(writer.share for writer in writers[: place + 1]) for place in range(len(writers))]
    return [
        [
            {label: _before(count, ends[place]) - _before(count, ends[place - 1] if place else 0.0)
             for label, count in calls.items()}
            for calls in rounds
        ]
        for place in range(len(writers))
    ]  # fmt: skip


def in_one_order(replicates: Sequence[Replicate]) -> Iterator[tuple[Replicate, str | None, Request]]:
    """Every request of every writer with its batch, round by round; within a round the writers' requests are spread
    evenly between each other's, so that no writer's rows come first.
    """
    streams = [_placed(replicate, place) for place, replicate in enumerate(replicates)]
    for _, replicate, batch_id, request in heapq.merge(*streams, key=lambda item: item[0]):
        yield replicate, batch_id, request


def _placed(
    replicate: Replicate, writer: int
) -> Iterator[tuple[tuple[int, float, int], Replicate, str | None, Request]]:
    sizes = [sum(calls.values()) for calls in replicate.rounds]
    places = ((number, (i + 0.5) / size, writer) for number, size in enumerate(sizes) for i in range(size))
    requests = ((batch_id, request) for batch_id, batch in replicate.batches() for request in batch)
    for place, (batch_id, request) in zip(places, requests, strict=False):  # a pilot asks only the first of them
        yield place, replicate, batch_id, request


def _before(count: int, end: float) -> int:
    """How many of `count` calls lie before `end`, a share."""
    return int(count * end + 0.5)


def _recipe_of(recipe: Recipe, generator: Mapping[str, object]) -> Recipe:
    content = recipe.model_dump(mode="json")
    content["generate"] |= {"generator": dict(generator), "generators": {}}
    alone = recipe.with_content(content)
    price, _ = provider_of(alone).price(alone.generate.generator)
    if price is None and not alone.generate.generator.leaves_machine:  # it costs time, whatever the others cost
        content["generate"]["budget"] |= {"max_usd": None}
    return recipe.with_content(content)
