"""A provider as another package would write it, with nothing but public names."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal

from sentisynth_hub.core.rows import Completion, Request
from sentisynth_hub.generate.providers.base import Generator, Provider
from sentisynth_hub.natural.splits import Sample
from sentisynth_hub.recipe import Recipe
from sentisynth_hub.recipe.generator_section import GeneratorSection


class EchoSection(GeneratorSection):
    """Writes a word again and again."""

    kind: Literal["tests.support.outside_provider:EchoProvider", "echo"]
    word: str = "fine"
    batch_size: int = 4

    no_labels_because: ClassVar[str | None] = "an echo knows no labels; leave them out"


class EchoGenerator:
    """Answers in the reverse order, as it may."""

    def __init__(self, word: str):
        self.word = word

    def generate(self, requests: Iterable[Request]) -> Iterator[Completion]:
        for request in reversed(list(requests)):
            text = f"a {self.word} film, number {request.index}"
            yield Completion(request.request_id, text, "stop", "echo-1", prompt_tokens=3, completion_tokens=5)


class EchoProvider(Provider):
    section: ClassVar[type[GeneratorSection]] = EchoSection

    def identity(self, recipe: Recipe, sample: Sample) -> tuple[dict[str, Any], dict[str, Any]]:
        model, sampling = super().identity(recipe, sample)
        return model | {"id": "echo-1"}, sampling | {"word": _section(recipe).word}

    def batch_size(self, section: GeneratorSection) -> int | None:
        assert isinstance(section, EchoSection)
        return section.batch_size

    def open(self, recipe: Recipe, folder: Path) -> Generator:
        return EchoGenerator(_section(recipe).word)


def _section(recipe: Recipe) -> EchoSection:
    section = recipe.generate.asked
    assert isinstance(section, EchoSection)
    return section


class BrokenProvider:
    """Looks like one, and is none."""

    section = dict
