"""What is asked: a replicate's requests, prompt after prompt as the recipe's method says.

    for request in plan_requests(recipe, sample, PromptTemplate(recipe), model="...", sampling={}):
        request.prompt                      # exactly what is sent

Everything drawn for a prompt follows from the recipe's seed, the replicate and the prompt's number; the labelled rows
it shows come from the replicate's own training rows and from nothing else.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sentisynth_hub.core.files import json_digest
from sentisynth_hub.core.rows import Request
from sentisynth_hub.core.text import digest
from sentisynth_hub.generate.methods.method import MethodContext
from sentisynth_hub.generate.methods.method_table import method_of
from sentisynth_hub.generate.prompts import PromptTemplate, samples_per_prompt
from sentisynth_hub.generate.top_up import first_calls
from sentisynth_hub.natural.splits import Sample
from sentisynth_hub.recipe import Recipe


def plan_requests(
    recipe: Recipe,
    sample: Sample,
    template: PromptTemplate,
    *,
    model: str,
    sampling: Any,
    refresh: int = 0,
    held: frozenset[str] = frozenset(),
    rounds: Sequence[Mapping[str, int]] | None = None,
) -> Iterator[Request]:
    """Yield a replicate's requests in their order, the same in every process; prompts of different labels take turns.

    A further round adds to the plan and changes nothing before it.

    Args:
        model: What identifies the model (name and commit or content digest); part of every request's id.
        sampling: JSON-ready description of how tokens are drawn; part of every request's id.
        refresh: How often the same was asked for anew before; another number gives other seeds, and so other ids.
        held: Normalised texts that no prompt may show.
        rounds: Completions to ask for by label, round by round; None: the recipe's first round alone.
    """
    per_prompt = samples_per_prompt(recipe)
    method = method_of(MethodContext(recipe, sample, template, held))
    index = 0
    numbers = dict.fromkeys(recipe.labels, 0)
    for calls in [first_calls(recipe)] if rounds is None else rounds:
        for label, count in _in_turns(recipe.labels, calls, per_prompt):
            content = method.content(label, numbers[label])
            numbers[label] += 1
            attributes = dict(content.lineage_attributes)
            prompt = template.render(label, content.demonstrations, attributes, content.insertions)
            prompt_id = json_digest(prompt)[:16]
            for sample_index in range(count):
                seed = (
                    int(digest([f"{recipe.seed} {sample.replicate} {index} {refresh}"])[:8], 16) >> 1
                )  # below 2**31: all servers take it
                yield Request(
                    request_id=json_digest([prompt_id, model, sampling, seed, sample_index])[:32],
                    index=index,
                    prompt_id=prompt_id,
                    prompt=prompt,
                    sample_index=sample_index,
                    seed=seed,
                    asked_label=label,
                    demonstration_ids=content.labelled_ids,
                    attributes=attributes,
                )
                index += 1


def _in_turns(labels: Sequence[str], calls: Mapping[str, int], most: int) -> Iterator[tuple[str, int]]:
    """The prompts of one round: label after label in turn, each with its completions, at most so many."""
    left = dict(calls)
    while any(left.values()):
        for label in labels:
            if left.get(label):
                count = min(most, left[label])
                yield label, count
                left[label] -= count
