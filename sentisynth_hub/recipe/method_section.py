"""`generate.method:` how rows come about: what a prompt shows and asks for, and what is asked before it.

What can be said of a method stands here; what it does is its class in `sentisynth_hub/generate/methods/`. The name
alone, `method: rewrite`, is the method with its defaults.
"""

from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import BeforeValidator, Field, model_validator

from sentisynth_hub.recipe.filter_section import Encoder
from sentisynth_hub.recipe.section import Section


class MethodSection(Section):
    """What every method has."""

    kind: str
    """Which method it is."""

    paper: ClassVar[str]
    """Who described it first: title and arXiv id."""
    own_template: ClassVar[bool] = True
    """A ready prompt of the method's own is used where the recipe names none."""
    insertion: ClassVar[str | None] = None
    """What a prompt shows beside the demonstrations, for whoever is told what leaves the machine."""
    has_parents: ClassVar[bool] = False
    """Each text is made from a natural row."""
    needs_chat: ClassVar[bool] = False
    """Only chat messages can ask for it."""
    needs_several: ClassVar[bool] = False
    """One answer has to hold several texts."""

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
    insertion: ClassVar[str | None] = "a natural text to rewrite"
    has_parents: ClassVar[bool] = True


class GroundOptions(MethodSection):
    """Grounds each prompt in a real text without a label, from a file or a Hub dataset: its topic and manner."""

    kind: Literal["ground"]
    """`ground`: the prompt shows a text of the domain that nobody has labelled, and asks for one of the label."""
    file: str | None = None
    """File with the texts: CSV, JSONL or Parquet, or `.txt` with one text a line; or give `dataset`."""
    dataset: str | None = None
    """Hub dataset with the texts."""
    revision: str | None = None
    """Tag, branch or commit of the dataset."""
    config_name: str | None = None
    """Subset of the Hub dataset."""
    split: str = "train"
    """Split of the Hub dataset."""
    text_column: str = "text"
    """Column with the text."""
    choose: Literal["random", "nearest"] = "random"
    """`random`: every text once before one comes again; `nearest`: those whose embeddings are nearest to a labelled
    row of the label that is asked for.
    """
    encoder: Encoder | None = None
    """What embeds them, for `nearest`."""
    nearest: int = Field(default=10, ge=1)
    """Texts near a labelled row among which its prompts take turns."""

    paper: ClassVar[str] = "SynthesizRR: Generating Diverse Datasets with Retrieval Augmentation (arXiv 2405.10040)"
    insertion: ClassVar[str | None] = "a text without a label"

    @model_validator(mode="after")
    def _one_source(self) -> "GroundOptions":
        if (self.dataset is None) == (self.file is None):
            raise ValueError("give either `file` (texts on this disk) or `dataset` (a Hub id)")
        if self.choose == "nearest" and self.encoder is None:
            raise ValueError(
                "choose: nearest wants an `encoder`, such as {model: sentence-transformers/all-MiniLM-L6-v2}"
            )
        return self


class BoundaryOptions(MethodSection):
    """Asks for texts near the boundary of two labels: mostly of the one, with something of another in them."""

    kind: Literal["boundary"]
    """`boundary`: each other label in turn stands beside the one that is asked for."""
    shares: list[int] = Field(default=[60, 75, 90], min_length=1)
    """Percent of the asked label, taken in turn."""

    paper: ClassVar[str] = "PromptMix: A Class Boundary Augmentation Method (arXiv 2310.14192)"


class VerbalisedOptions(MethodSection):
    """Asks for several texts at once, each with its probability: the model says what it would seldom say too."""

    kind: Literal["verbalised"]
    """`verbalised`: wants `prompt.chat` and `prompt.texts_per_call` of two or more."""
    most: float = Field(default=0.1, gt=0, le=1)
    """Only texts of a probability below this are asked for; 1: of any."""

    paper: ClassVar[str] = "Verbalized Sampling: How to Mitigate Mode Collapse (arXiv 2510.01171)"
    needs_chat: ClassVar[bool] = True
    needs_several: ClassVar[bool] = True


class MixOptions(MethodSection):
    """Asks for code-mixed texts with the mix of the natural rows: share of each language, number of switches."""

    kind: Literal["mix"]
    """`mix`: each prompt asks for the mix of another row of the label. The filter `mixing_match` belongs to it."""
    max_unknown: float = Field(default=0.5, ge=0, lt=1)
    """Share of a row's words the tagger may not know; rows beyond it are no target."""

    paper: ClassVar[str] = "Conditioning LLMs to Generate Code-Switched Text (arXiv 2502.12924)"


def _named(value: Any) -> Any:
    return {"kind": value} if isinstance(value, str) else value


METHOD_SECTIONS: tuple[type[MethodSection], ...] = (
    FewShotOptions,
    RewriteOptions,
    GroundOptions,
    BoundaryOptions,
    VerbalisedOptions,
    MixOptions,
)
MethodChoice = Annotated[
    Annotated[
        FewShotOptions | RewriteOptions | GroundOptions | BoundaryOptions | VerbalisedOptions | MixOptions,
        Field(discriminator="kind"),
    ],
    BeforeValidator(_named),
]
