"""`generate:` who writes the synthetic rows, how they are asked, how many, and what may be spent."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from sentisynth_hub.core.errors import RecipeError
from sentisynth_hub.recipe.generator_kinds import Generator
from sentisynth_hub.recipe.generator_section import GeneratorSection
from sentisynth_hub.recipe.method_section import METHOD_SECTIONS, FewShotOptions, MethodChoice
from sentisynth_hub.recipe.prompt_section import Prompting, Sampling
from sentisynth_hub.recipe.section import Section


class BudgetLimits(Section):
    """What a run may spend; the worst case of a call is reserved before it is sent."""

    max_usd: float | None = Field(default=None, gt=0)
    """US dollars, over all runs of this stage."""
    max_tokens: int | None = Field(default=None, gt=0)
    """Prompt and completion tokens, over all runs of this stage."""
    max_minutes: float | None = Field(default=None, gt=0)
    """Minutes this run may take."""


class DiversityLimits(Section):
    """What is watched while texts come in, from the 200th on."""

    max_duplicates: float = Field(default=0.5, ge=0, le=1)
    """Share of texts that were there before (normalised)."""
    min_distinct_2: float = Field(default=0.2, ge=0, le=1)
    """Distinct word pairs over all word pairs, in the last 2,000 words."""
    max_near_copies: float = Field(default=0.3, ge=0, le=1)
    """Share of texts that repeat a demonstration, or half of its word triples."""
    on_breach: Literal["warn", "stop"] = "warn"
    """Say so, or stop before more is spent."""


class FurtherGenerator(Section):
    """A writer beside the main one."""

    generator: Generator
    """Who writes: any kind that is asked."""
    share: float = Field(default=1.0, gt=0)
    """Texts it is asked for, beside 1 of the main generator."""


class Generate(Section):
    """The generate stage."""

    generator: Generator
    """Who writes."""
    generators: dict[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=64)], FurtherGenerator] = {}
    """Further writers by name, each with its share; all of them get the same prompts."""
    method: MethodChoice = FewShotOptions()
    """How rows come about: few-shot from scratch, or another method by its name or its section."""
    prompt: Prompting = Prompting()
    """How it is asked."""
    sampling: Sampling = Sampling()
    """How tokens are drawn."""
    candidates: int | None = Field(default=None, ge=1)
    """Candidate rows to ask for in each replicate, the same number for every label; of given rows at most so many,
    drawn with their own label shares. Or give `rows`.
    """
    rows: int | dict[str, Annotated[int, Field(ge=1)]] | None = None
    """Rows a label to have after the filters, in each replicate; or a number for each label that wants rows, such as
    `{neutral: 200}`. More is asked for, label by label, until they are there or `max_requests` is reached.
    """
    max_requests: int | None = Field(default=None, ge=1)
    """Under `rows`, requests a replicate may take at most; None: 20 for each row that is wanted."""
    samples_per_prompt: int | None = Field(default=None, ge=1)
    """Texts asked of one prompt; None: 32 for a local model, 1 for an endpoint."""
    budget: BudgetLimits = BudgetLimits()
    """What may be spent; changing it never asks anything again."""
    diversity: DiversityLimits = DiversityLimits()
    """When a corpus that repeats itself is not worth going on with."""
    human_usd_per_row: float = Field(default=0.20, gt=0)
    """What one human label costs you, for the comparison beside the cost of an accepted row."""

    @property
    def asked(self) -> GeneratorSection:
        """The generator, which is asked.

        Raises:
            RecipeError: The rows are given.
        """
        if not self.generator.has_prompt:
            raise RecipeError(
                "generate.generator: the rows are given (kind: rows) and nobody is asked: there is no prompt, no "
                "pilot and nothing to refresh; go on with `sentisynth filter` and `sentisynth study`"
            )
        return self.generator

    @property
    def new_tokens(self) -> int:
        """Tokens an answer may have at most, reasoning included."""
        return self.sampling.max_new_tokens + self.generator.reasoning_tokens

    @property
    def attribute_names(self) -> list[str]:
        """What is told apart from row to row: the prompt's attributes, or the columns of given rows."""
        return [*self.generator.attribute_names(self.prompt), *(["writer"] if self.generators else [])]

    @model_validator(mode="after")
    def _has_a_size(self) -> "Generate":
        if (self.candidates is None) == (self.rows is None):
            raise ValueError(
                "give either `candidates` (rows to ask for) or `rows` (rows a label to have after the filters); on "
                "the command line: generate.candidates=null generate.rows=100"
            )
        if self.rows is not None and not self.generator.has_prompt:
            raise ValueError("rows: the rows are given and nobody can be asked for more; give `candidates`")
        if isinstance(self.rows, int) and self.rows < 1 or self.rows == {}:
            raise ValueError(f"rows: found {self.rows!r}; give a number from 1 on, or one for each label")
        if self.max_requests is not None and self.rows is None:
            raise ValueError("max_requests: it limits what `rows` asks for; leave it out, or give `rows`")
        return self

    @model_validator(mode="before")
    @classmethod
    def _method_has_a_prompt(cls, content: Any) -> Any:
        """A method whose recipe names no template takes the ready one of its name."""
        method = content.get("method") if isinstance(content, dict) else None
        kind = method.get("kind") if isinstance(method, dict) else method
        section = next((each for each in METHOD_SECTIONS if each.kind_name() == kind), None)
        prompt = content.get("prompt", {}) if isinstance(content, dict) else None
        if section is None or not section.own_template or not isinstance(prompt, dict) or "template" in prompt:
            return content
        chat = "_chat" if prompt.get("chat") is True else ""
        return content | {"prompt": prompt | {"template": f"../_prompts/{kind}{chat}.jinja2"}}

    @model_validator(mode="after")
    def _fits_together(self) -> "Generate":
        if self.method.kind != "few_shot" and self.generator.only_few_shot_because is not None:
            raise ValueError(f"method: {self.method.kind} does not go: {self.generator.only_few_shot_because}")
        if (self.method.needs_chat and not self.prompt.chat) or (
            self.method.needs_several and self.prompt.texts_per_call == 1
        ):
            raise ValueError(f"method: {self.method.kind} wants prompt.chat: true and prompt.texts_per_call over 1")
        self.generator.check(self)
        if not self.generators:
            return self
        if "writer" in self.prompt.attributes:
            raise ValueError("prompt.attributes: `writer` names who wrote a row; call the attribute something else")
        sections = {"generator": self.generator} | {
            f"generators.{name}.generator": further.generator for name, further in self.generators.items()
        }
        records: list[dict[str, Any]] = []
        for key, section in sections.items():
            if not section.has_prompt:
                raise ValueError(f"{key}: rows that are there already have no prompt to share; give them alone")
            if section.record() in records:
                raise ValueError(f"{key}: another writer is the same; give one of them a larger share instead")
            if self.method.kind != "few_shot" and section.only_few_shot_because is not None:
                raise ValueError(f"{key}: {self.method.kind} does not go: {section.only_few_shot_because}")
            records.append(section.record())
            section.check(self)
        return self
