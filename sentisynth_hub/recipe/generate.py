"""`generate:` who writes the synthetic rows, how they are asked and how many."""

from typing import Annotated, Literal

from pydantic import Field

from sentisynth_hub.recipe.base import Section


class Sampling(Section):
    """How the next token is drawn."""

    temperature: float = Field(default=1.0, ge=0)
    """Softmax temperature."""
    top_p: float = Field(default=0.95, gt=0, le=1)
    """Nucleus: the smallest set of tokens with this much probability."""
    top_k: int | None = Field(default=None, ge=1)
    """Only the k likeliest tokens; None: no limit."""
    max_new_tokens: int = Field(default=48, ge=1)
    """Tokens a text may have."""


class Prompting(Section):
    """How a prompt is made."""

    template: str = "prompt.jinja2"
    """Template beside the recipe; sees `label`, `verbalizer`, `demonstrations`, and the attributes drawn for it."""
    num_shots: int = Field(default=8, ge=0, le=500)
    """Demonstrations a prompt, drawn from the replicate's own natural rows, stratified by label."""
    demonstrations_of: Literal["asked_label", "all_labels"] = "all_labels"
    """Whether a prompt shows only examples of the label it asks for, or of every label."""
    verbalizers: dict[str, str] = {}
    """What a label is called in the prompt; a label that is not named here is called by its own name."""
    chat: bool = False
    """The template renders chat messages (YAML list of role and content) rather than text to be continued."""


class LocalGenerator(Section):
    """A causal language model through transformers, on this machine."""

    kind: Literal["transformers"]
    """`transformers`: runs here, on CPU or GPU."""
    model: str = Field(min_length=1)
    """Hub id or folder of the causal language model."""
    revision: str | None = None
    """Tag, branch or commit."""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """Number format; auto: bfloat16 where the processor computes in it, else float32."""
    threads: int = Field(default=2, ge=1)
    """CPU threads a process; fixed in the recipe because another number gives other samples."""
    batch_size: int = Field(default=32, ge=1)
    """Samples drawn together; a prompt is encoded once for all its samples."""


class EndpointGenerator(Section):
    """Any OpenAI-compatible endpoint."""

    kind: Literal["openai"]
    """`openai`: a hosted or self-hosted server that speaks OpenAI's protocol."""
    model: str = Field(min_length=1)
    """Model name as the server knows it."""
    base_url: str | None = None
    """Address of the server; None: `OPENAI_BASE_URL` or OpenAI's own. Never published."""
    concurrency: int = Field(default=8, ge=1)
    """Calls in flight."""


Generator = Annotated[LocalGenerator | EndpointGenerator, Field(discriminator="kind")]


class Generate(Section):
    """The generate stage."""

    generator: Generator
    """Who writes."""
    prompt: Prompting = Prompting()
    """How it is asked."""
    sampling: Sampling = Sampling()
    """How tokens are drawn."""
    candidates: int = Field(ge=1)
    """Candidate rows to ask for in each replicate, the same number for every label."""
    samples_per_prompt: int | None = Field(default=None, ge=1)
    """Texts asked of one prompt; None: 32 for a local model, 1 for an endpoint."""
