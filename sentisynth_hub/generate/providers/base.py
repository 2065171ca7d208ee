"""What every kind of generator must be able to do, and the one table of them.

    provider = provider_of(recipe)
    model, sampling = provider.identity(recipe, sample)      # part of every request's id
    generator = provider.open(recipe, folder)                # answers batches of requests

A kind has two halves. Its section (`GeneratorSection`, in the recipe) says what can be asked of it; its `Provider`
does it. Kinds of other packages register their provider under the entry point group `sentisynth_hub.providers`, or are
named in a recipe as `module:object`.
"""

import importlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from sentisynth_hub.core.errors import RecipeError
from sentisynth_hub.core.plugins import load_outside
from sentisynth_hub.core.rows import Completion, Request
from sentisynth_hub.generate.budget import ModelPrice
from sentisynth_hub.natural.splits import Sample
from sentisynth_hub.recipe import Recipe
from sentisynth_hub.recipe.generator_kinds import PROVIDERS
from sentisynth_hub.recipe.generator_section import GeneratorSection


if TYPE_CHECKING:
    from sentisynth_hub.generate.answering import Task


class Generator(Protocol):
    """Answers requests in any order; `request_id` ties a completion to its request."""

    def generate(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """Yield one completion for each request."""
        ...


class Provider:
    """One kind of generator. A subclass names its section and overrides what is different about it.

    The least it must say is `section` and `open`: then its answers are journalled, budgeted and resumed like those of
    a model on this machine.
    """

    section: ClassVar[type[GeneratorSection]]
    """The recipe's section of this kind."""
    shared: ClassVar[bool] = True
    """One opened generator serves all replicates; False: each has its own, such as a model trained on its rows."""

    def identity(self, recipe: Recipe, sample: Sample) -> tuple[dict[str, Any], dict[str, Any]]:
        """What identifies the model (`id`, `revision`, `commit`, more as needed) and how it draws, both JSON-ready.

        Both are part of every request's id: where one changes, everything is asked anew.
        """
        section = recipe.generate.asked
        return {"id": section.name, "revision": None, "commit": None}, recipe.generate.sampling.record()

    def record(self, recipe: Recipe) -> dict[str, Any]:
        """What of the section decides the stage's result, JSON-ready."""
        return recipe.generate.generator.record()

    def batch_size(self, section: GeneratorSection) -> int | None:
        """Requests that are drawn together and depend on each other; None: each stands alone."""
        return None

    def price(self, section: GeneratorSection) -> tuple[ModelPrice | None, dict[str, Any] | None]:
        """What it costs, and the record of that for the manifest (date, source, digest); None: nothing but time."""
        return None, None

    def prepare(self, recipe: Recipe, sample: Sample, folder: Path) -> None:
        """Do once, in the first process, what must be done before a replicate's first request, such as training."""

    def open(self, recipe: Recipe, folder: Path) -> Generator:
        """Load what answers; `folder` is the replicate's own.

        Raises:
            RecipeError: It is not there, or the kind says neither how it is opened nor how it answers.
        """
        raise RecipeError(
            f"generate.generator.kind: {type(self).__name__} has neither `open` nor `answer`; give it one of them"
        )

    def takers(self, section: GeneratorSection, processes: int) -> int:
        """How many of a launch's processes ask."""
        return processes

    def answer(self, task: "Task") -> str | None:
        """Answer what is missing of a replicate; return why it stopped early, None where it did not."""
        return task.in_batches()

    def call_body(self, recipe: Recipe, request: Request) -> dict[str, Any]:
        """What is sent for a request, for `sentisynth prompt show --json`."""
        return {"prompt": request.prompt, **recipe.generate.sampling.record()}

    def check(self, recipe: Recipe, request: Request) -> tuple[dict[str, Any], list[str]]:
        """Ask one request and say what the server can do: JSON-ready, and as lines for people.

        Raises:
            RecipeError: There is no server.
        """
        raise RecipeError(
            f"generate --check: {recipe.generate.asked.name} runs on this machine, and there is no server to check; "
            "`sentisynth estimate` asks a pilot"
        )

    def cost_note(self, section: GeneratorSection) -> str:
        """What an estimate says where no price is known."""
        return "cost: none but time; the model runs here"


_BUILT_IN = {
    "transformers": "sentisynth_hub.generate.providers.transformers_lm:TransformersProvider",
    "fine_tuned": "sentisynth_hub.generate.providers.fine_tuned:FineTunedProvider",
    "openai": "sentisynth_hub.generate.providers.openai_endpoint:EndpointProvider",
    "rows": "sentisynth_hub.generate.providers.existing_rows:RowsProvider",
}


def built_in_provider(kind: str) -> type[Provider]:
    """The package's own provider of a kind; its module is imported now."""
    module, _, name = _BUILT_IN[kind].partition(":")
    provider: type[Provider] = getattr(importlib.import_module(module), name)
    return provider


def provider_of(recipe: Recipe) -> Provider:
    """The provider of a recipe's generator.

    Raises:
        RecipeError: It is from outside the package, and cannot be imported or is none.
    """
    kind = recipe.generate.generator.kind
    if kind in _BUILT_IN:
        return built_in_provider(kind)()
    target = load_outside(kind, PROVIDERS, where="generate.generator.kind", own=recipe.own)
    provider = target() if isinstance(target, type) else target
    if not isinstance(provider, Provider):
        raise RecipeError(
            f"generate.generator.kind: {kind!r} is a {type(provider).__name__} and no Provider; see "
            "docs/how-to/generate.md"
        )
    return provider
