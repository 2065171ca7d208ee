"""What a method is: the contract that every way of asking for rows keeps.

A method is one class: what a recipe may say of it (`options`, a section of `recipe/method_section.py`), and what each
prompt shows (`content`). `generate/methods/method_table.py` lists them.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from sentisynth_hub.core.errors import RecipeError
from sentisynth_hub.core.rows import PARENT, Row
from sentisynth_hub.generate.prompts import PromptTemplate, demonstration_pool
from sentisynth_hub.natural.splits import Sample
from sentisynth_hub.recipe import Recipe
from sentisynth_hub.recipe.method_section import MethodSection


@dataclass(frozen=True)
class PromptContent:
    """What one prompt shows.

    Attributes:
        demonstrations: Natural rows of the replicate, with their labels.
        attributes: Names and values that tell prompts apart; in the lineage, and seen by the template.
        insertions: More names the template sees; they stand in no table, since texts that people wrote are among them.
        parent: The natural row that the text is made from, if there is one.
    """

    demonstrations: Sequence[Row]
    attributes: Mapping[str, str]
    insertions: Mapping[str, Any] = field(default_factory=dict)
    parent: Row | None = None

    @property
    def labelled_ids(self) -> tuple[str, ...]:
        """`request_id`s of the rows whose labels the prompt uses."""
        parents = [self.parent] if self.parent is not None else []
        return tuple(row.request_id for row in [*parents, *self.demonstrations])

    @property
    def lineage_attributes(self) -> Mapping[str, str]:
        """The attributes, the parent's id among them."""
        return self.attributes if self.parent is None else {**self.attributes, PARENT: self.parent.request_id}


@dataclass(frozen=True)
class MethodContext:
    """What a method may be built from: one replicate's rows and nothing else of the natural data.

    `held` are the normalised texts of the rows that no prompt may show: what the replicate is evaluated on.
    """

    recipe: Recipe
    sample: Sample
    template: PromptTemplate
    held: frozenset[str] = frozenset()

    @property
    def pool(self) -> dict[str, list[Row]]:
        """The replicate's training rows by label."""
        return demonstration_pool(self.recipe, self.sample)


class Method(ABC):
    """Decides what the prompts of one replicate show.

    Attributes:
        name: Its `kind` in a recipe.
        options: What a recipe may say of it; the first paragraph of its docstring is the method's help text, `paper`
            who described it.
        needs: Names of `PromptContent` that its template has to use.
        reads_texts: Whether its prompts show texts that are no rows of the replicate.
        version: Raised whenever the same recipe would ask something else.
    """

    name: ClassVar[str]
    options: ClassVar[type[MethodSection]]
    needs: ClassVar[tuple[str, ...]] = ()
    reads_texts: ClassVar[bool] = False
    version: ClassVar[int] = 1

    def __init__(self, options: Any, context: MethodContext):
        """`options` is an instance of `self.options`.

        Raises:
            RecipeError: The template leaves out what the method is about.
        """
        self.context = context
        source = context.template.source
        for need in self.needs:
            if re.search(rf"\b{need}\b", source) is None:
                raise RecipeError(
                    f"{context.template.path}: the method {self.name} is about `{need}`, which the template never "
                    f"shows; use it, or take the ready one: generate.prompt.template: ../_prompts/{self.name}.jinja2"
                )

    @abstractmethod
    def content(self, label: str, number: int) -> PromptContent:
        """What prompt `number` for `label` shows; it follows from the recipe's seed, the replicate and these two."""

    @classmethod
    def recipe_lines(cls) -> list[str]:
        """The lines that put it into a recipe's `generate` section, with what has no default to be filled in."""
        return [f"method: {cls.name}"]

    @classmethod
    def help(cls) -> str:
        """What it does, in one line."""
        return " ".join((cls.options.__doc__ or "").split("\n\n")[0].split())
