"""What the section of every kind of generator has; the package's own kinds are in `generator_kinds`."""

from typing import TYPE_CHECKING, Any, ClassVar

from sentisynth_hub.recipe.prompt_section import Prompting
from sentisynth_hub.recipe.section import Section


if TYPE_CHECKING:
    from sentisynth_hub.recipe.generate_section import Generate


class GeneratorSection(Section):
    """What the section of every kind of generator has, of the package and from outside it.

    What can be asked of a kind stands here, since a recipe is checked by it; what the kind does is its `Provider`
    (`sentisynth_hub.generate.providers.base`).
    """

    kind: str
    """Which kind it is."""

    has_prompt: ClassVar[bool] = True
    """Prompts are rendered and sent; False: the rows are there already."""
    no_labels_because: ClassVar[str | None] = None
    """Why it cannot be asked for labels, to follow `ask the generator for labels, and`; None: it can."""
    only_few_shot_because: ClassVar[str | None] = None
    """Why no other method than few-shot suits it; None: any does."""
    leaves_machine: ClassVar[bool] = False
    """Natural texts in its prompts leave this machine."""
    repeatable: ClassVar[bool] = True
    """The same request gives the same text again, so that a corpus can be generated anew to check it."""
    samples_per_prompt: ClassVar[int] = 32
    """Completions asked of one prompt where the recipe does not say."""
    decides_nothing: ClassVar[frozenset[str]] = frozenset()
    """Fields that only decide when and at what price an answer comes: changing them asks nothing again."""
    later_fields: ClassVar[frozenset[str]] = frozenset()
    """Fields added since the first version: part of a digest only where they are set."""

    @property
    def name(self) -> str:
        """Who writes, for people: the model's name."""
        return str(getattr(self, "model", self.kind))

    @property
    def key_variables(self) -> list[str]:
        """Environment variables with the keys it needs."""
        return []

    @property
    def reasoning_tokens(self) -> int:
        """Tokens it may reason with, on top of those of a text."""
        return 0

    @property
    def stated_licence(self) -> str | None:
        """The licence of what it gives, where the recipe states one."""
        return None

    @property
    def rows_file(self) -> str | None:
        """The local file its rows are taken from, if any."""
        return None

    def attribute_names(self, prompt: Prompting) -> list[str]:
        """What is told apart from row to row."""
        return list(prompt.attributes)

    def check(self, generate: "Generate") -> None:
        """Raise a ValueError, `key: what to do`, where the rest of the `generate` section does not suit this kind."""

    def record(self) -> dict[str, Any]:
        """What of it decides what is answered, JSON-ready."""
        content = self.model_dump(mode="json", exclude=set(self.decides_nothing))
        for field in self.later_fields:
            if content.get(field) == type(self).model_fields[field].get_default(call_default_factory=True):
                del content[field]
        return content
