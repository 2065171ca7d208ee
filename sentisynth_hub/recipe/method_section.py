"""`generate.method:` how rows come about: what a prompt shows and asks for, and what is asked before it.

What can be said of a method stands here; what it does is its class in `sentisynth_hub/generate/methods/`. The name
alone, `method: rewrite`, is the method with its defaults.
"""

from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import BeforeValidator, Field

from sentisynth_hub.recipe.section import Section


class MethodSection(Section):
    """What every method has."""

    kind: str
    """Which method it is."""

    paper: ClassVar[str]
    """Who described it first: title and arXiv id."""
    own_template: ClassVar[bool] = True
    """A ready prompt of the method's own is used where the recipe names none."""

    @classmethod
    def kind_name(cls) -> str:
        """The one `kind` that this section can have."""
        return str(get_args(cls.model_fields["kind"].annotation)[0])


class FewShotOptions(MethodSection):
    """Writes a new text after demonstrations of the replicate's own rows."""

    kind: Literal["few_shot"] = "few_shot"
    """`few_shot`: the prompt shows labelled rows and asks for one more."""

    paper: ClassVar[str] = "Language Models are Few-Shot Learners (arXiv 2005.14165)"
    own_template: ClassVar[bool] = False


class RewriteOptions(MethodSection):
    """Rewrites labelled rows: each prompt shows one, its parent, and asks for it in another manner."""

    kind: Literal["rewrite"]
    """`rewrite`: the label is that of the row which is rewritten."""
    manners: list[str] = Field(default=["paraphrase", "style"], min_length=1)
    """How to rewrite, taken in turn: `paraphrase`, `style` (as another person would say it), `mix` (into the recipe's
    languages, mixed as in the demonstrations), or an instruction of your own.
    """

    paper: ClassVar[str] = "LLMs vs Established Text Augmentation Techniques for Classification (arXiv 2408.16502)"


def _named(value: Any) -> Any:
    return {"kind": value} if isinstance(value, str) else value


METHOD_SECTIONS: tuple[type[MethodSection], ...] = (FewShotOptions, RewriteOptions)
MethodChoice = Annotated[
    Annotated[FewShotOptions | RewriteOptions, Field(discriminator="kind")],
    BeforeValidator(_named),
]
