"""The provider of OpenAI-compatible endpoints: which of its two ways of asking a recipe uses, identity and price."""

from typing import TYPE_CHECKING, Any, ClassVar

from sentisynth_hub.core.rows import Request
from sentisynth_hub.generate.budget import ModelPrice, find_price
from sentisynth_hub.generate.providers import openai_protocol as protocol
from sentisynth_hub.generate.providers.base import Provider
from sentisynth_hub.generate.providers.openai_batch import BatchCaller
from sentisynth_hub.generate.providers.openai_chat import EndpointCaller
from sentisynth_hub.generate.providers.openai_check import check_server
from sentisynth_hub.natural.splits import Sample
from sentisynth_hub.recipe import Recipe
from sentisynth_hub.recipe.generator_kinds import EndpointGenerator as EndpointSection
from sentisynth_hub.recipe.generator_section import GeneratorSection


if TYPE_CHECKING:
    from sentisynth_hub.generate.answering import Task


class EndpointProvider(Provider):
    """A server that speaks OpenAI's protocol, called by single calls or through its Batch API."""

    section: ClassVar[type[GeneratorSection]] = EndpointSection

    def identity(self, recipe: Recipe, sample: Sample) -> tuple[dict[str, Any], dict[str, Any]]:
        """The model's name is all that a server tells of it; fields sent besides decide what it writes."""
        endpoint = protocol.endpoint_of(recipe)
        structured = endpoint.structured_output and recipe.generate.prompt.texts_per_call > 1
        sampling = {**recipe.generate.sampling.record(), "structured_output": structured}
        if endpoint.extra_body:
            sampling["extra_body"] = endpoint.extra_body
        if endpoint.thinking_tokens:
            sampling["thinking_tokens"] = endpoint.thinking_tokens
        return {"id": endpoint.model, "revision": None, "commit": None}, sampling

    def price(self, section: GeneratorSection) -> tuple[ModelPrice | None, dict[str, Any] | None]:
        """From the recipe or the shipped table."""
        assert isinstance(section, EndpointSection)
        return find_price(section.model, section.price, batch_api=section.batch_api)

    def takers(self, section: GeneratorSection, processes: int) -> int:
        """One process submits and collects batches for all."""
        assert isinstance(section, EndpointSection)
        return 1 if section.batch_api else processes

    def answer(self, task: "Task") -> str | None:
        """Call by call, or in batches of the server's own."""
        if protocol.endpoint_of(task.recipe).batch_api:
            return task.by_calls(BatchCaller(task.recipe, task.ledger, task.journal, task.replicate.journals()))
        return task.by_calls(
            EndpointCaller(
                task.recipe, task.ledger, task.journal, processes=task.processes.count, proven=task.watch.answered > 0
            )
        )

    def call_body(self, recipe: Recipe, request: Request) -> dict[str, Any]:
        """The JSON of the call."""
        return protocol.body(recipe, request)

    def check(self, recipe: Recipe, request: Request) -> tuple[dict[str, Any], list[str]]:
        """Ask each server one request."""
        results = [check_server(each, request) for each in protocol.by_server(recipe)]
        record = results[0].record() if len(results) == 1 else {"servers": [result.record() for result in results]}
        return record, [line for result in results for line in result.lines()]

    def cost_note(self, section: GeneratorSection) -> str:
        """Every endpoint has a price, known or not."""
        return "cost: no price is known for this model; state it as generate.generator.price"
