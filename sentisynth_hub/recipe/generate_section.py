"""`generate:` who writes the synthetic rows, how they are asked, how many, and what may be spent."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from sentisynth_hub.core.errors import RecipeError
from sentisynth_hub.recipe.section import RowSource, Section


class Sampling(Section):
    """How the next token is drawn."""

    temperature: float = Field(default=1.0, ge=0)
    """Softmax temperature; 0: always the likeliest token."""
    top_p: float = Field(default=0.95, gt=0, le=1)
    """Nucleus: the smallest set of tokens with this much probability."""
    top_k: int | None = Field(default=None, ge=1)
    """Only the k likeliest tokens; None: no limit. Local models only: OpenAI's protocol has no such field."""
    max_new_tokens: int = Field(default=48, ge=1)
    """Tokens a completion may have; what reaches the limit is unfinished and becomes no row."""


class Prompting(Section):
    """How a prompt is made."""

    template: str = "prompt.jinja2"
    """Template beside the recipe, or one of the ready ones as `../_prompts/NAME.jinja2`; docs/how-to/generate.md
    lists what it sees.
    """
    num_shots: int = Field(default=8, ge=0, le=500)
    """Demonstrations a prompt, drawn from the replicate's own natural rows, stratified by label."""
    draw: int = Field(default=0, ge=0)
    """Another number draws other demonstrations from the same rows, and changes nothing else."""
    demonstrations_of: Literal["asked_label", "all_labels"] = "all_labels"
    """Whether a prompt shows only examples of the label it asks for, or of every label."""
    verbalizers: dict[str, str] = {}
    """What a label is called in the prompt; a label that is not named here is called by its own name."""
    chat: bool = False
    """The template renders chat messages (YAML list of role and content) rather than text to be continued."""
    texts_per_call: int = Field(default=1, ge=1, le=100)
    """Texts one completion holds; over 1 the model is asked for a JSON list of so many."""
    attributes: dict[str, list[str]] = {}
    """What to vary from prompt to prompt, such as `topic: [acting, plot]`.

    An attribute called `code_mixing` knows insertional, alternational and script.
    """
    attribute_design: Literal["crossed", "sampled"] = "crossed"
    """crossed: every combination equally often; sampled: each attribute drawn on its own for every prompt."""
    seed_texts: str | None = None
    """File beside the recipe with one text a line (often monolingual); each prompt shows another one as
    `seed_text`.
    """


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
    batch_size: int = Field(default=64, ge=1)
    """Samples drawn together; a prompt is encoded once for all its samples."""


class FineTunedGenerator(Section):
    """A small causal language model, trained on each replicate's natural rows to write a text after its label's
    prompt.
    """

    kind: Literal["fine_tuned"]
    """`fine_tuned`: trains here first, then runs here."""
    model: str = Field(min_length=1)
    """Hub id or folder of the causal language model to start from."""
    revision: str | None = None
    """Tag, branch or commit."""
    epochs: int = Field(default=4, ge=1)
    """Passes over the replicate's natural rows."""
    learning_rate: float = Field(default=1e-4, gt=0)
    """Peak learning rate of AdamW, linear warm-up over the first tenth and linear decay."""
    train_batch_size: int = Field(default=8, ge=1)
    """Rows a training step."""
    checkpoint_steps: int = Field(default=50, ge=1)
    """Training steps between two checkpoints; an interrupted training goes on from the last one."""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """Number format of the generation (training is float32); auto: bfloat16 where the processor computes in it."""
    threads: int = Field(default=2, ge=1)
    """CPU threads a process; fixed in the recipe because another number gives other samples."""
    batch_size: int = Field(default=64, ge=1)
    """Samples drawn together."""


class Price(Section):
    """What a model costs, where the shipped table does not know it."""

    input_usd_per_million: float = Field(ge=0)
    """US dollars a million prompt tokens."""
    output_usd_per_million: float = Field(ge=0)
    """US dollars a million completion tokens."""
    as_of: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")
    """Day this price was looked up, YYYY-MM-DD."""


class EndpointGenerator(Section):
    """Any OpenAI-compatible endpoint."""

    kind: Literal["openai"]
    """`openai`: a hosted or self-hosted server that speaks OpenAI's protocol."""
    model: str = Field(min_length=1)
    """Model name as the server knows it."""
    base_url: str | None = None
    """Address of the server; None: `OPENAI_BASE_URL` or OpenAI's own. Never published."""
    api_key_variable: str = "OPENAI_API_KEY"
    """Environment variable that holds the key."""
    concurrency: int = Field(default=8, ge=1)
    """Calls in flight, in each process."""
    requests_per_minute: float | None = Field(default=None, gt=0)
    """The server's limit of calls, shared by all processes; None: no limit of ours."""
    tokens_per_minute: float | None = Field(default=None, gt=0)
    """The server's limit of tokens, prompt and completion, shared by all processes; None: no limit of ours."""
    timeout_seconds: float = Field(default=120, gt=0)
    """Seconds a call may take."""
    max_attempts: int = Field(default=6, ge=1)
    """Calls a request is worth before it ends as rejected with reason `error`."""
    choices_per_call: int = Field(default=1, ge=1)
    """`n` of a call: so many texts of one prompt for one reading of it.

    Servers that ignore it are noticed and asked again.
    """
    structured_output: bool = True
    """Send a JSON schema with calls for several texts. What comes back is checked either way."""
    token_limit_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """How the server calls the limit of new tokens; OpenAI's reasoning models want the second."""
    batch_api: bool = False
    """Submit everything through the Batch API and leave; the same command collects it later."""
    price: Price | None = None
    """Price of the model; None: from the shipped table."""


class GivenRows(RowSource):
    """Rows that are there already, whoever wrote them: nobody is asked, and everything after that is the same."""

    kind: Literal["rows"]
    """`rows`: taken from a file or a Hub dataset."""
    written_by: str = Field(min_length=1)
    """Who wrote them, as far as is known, such as `gpt-4-0613 by distilabel 1.5`; for the card."""
    attribute_columns: list[str] = []
    """Columns that say how a row came about (topic, prompt, model): what may be to blame, for `study --leave-out`."""
    licence: str | None = None
    """Licence of these rows as a Hub licence id; None: read from the dataset's card."""


AskedGenerator = LocalGenerator | FineTunedGenerator | EndpointGenerator
Generator = Annotated[AskedGenerator | GivenRows, Field(discriminator="kind")]


class Budget(Section):
    """What a run may spend; the worst case of a call is reserved before it is sent."""

    max_usd: float | None = Field(default=None, gt=0)
    """US dollars, over all runs of this stage."""
    max_tokens: int | None = Field(default=None, gt=0)
    """Prompt and completion tokens, over all runs of this stage."""
    max_minutes: float | None = Field(default=None, gt=0)
    """Minutes this run may take."""


class Diversity(Section):
    """What is watched while texts come in, from the 200th on."""

    max_duplicates: float = Field(default=0.5, ge=0, le=1)
    """Share of texts that were there before (normalised)."""
    min_distinct_2: float = Field(default=0.2, ge=0, le=1)
    """Distinct word pairs over all word pairs, in the last 2,000 words."""
    max_near_copies: float = Field(default=0.3, ge=0, le=1)
    """Share of texts that repeat a demonstration, or half of its word triples."""
    on_breach: Literal["warn", "stop"] = "warn"
    """Say so, or stop before more is spent."""


class Generate(Section):
    """The generate stage."""

    generator: Generator
    """Who writes."""
    prompt: Prompting = Prompting()
    """How it is asked."""
    sampling: Sampling = Sampling()
    """How tokens are drawn."""
    candidates: int = Field(ge=1)
    """Candidate rows to ask for in each replicate, the same number for every label; of given rows at most so many,
    drawn with their own label shares.
    """
    samples_per_prompt: int | None = Field(default=None, ge=1)
    """Texts asked of one prompt; None: 32 for a local model, 1 for an endpoint."""
    budget: Budget = Budget()
    """What may be spent; changing it never asks anything again."""
    diversity: Diversity = Diversity()
    """When a corpus that repeats itself is not worth going on with."""
    human_usd_per_row: float = Field(default=0.20, gt=0)
    """What one human label costs you, for the comparison beside the cost of an accepted row."""

    @property
    def asked(self) -> AskedGenerator:
        """The model that is asked.

        Raises:
            RecipeError: The rows are given.
        """
        if self.generator.kind == "rows":
            raise RecipeError(
                "generate.generator: the rows are given (kind: rows) and nobody is asked: there is no prompt, no "
                "pilot and nothing to refresh; go on with `sentisynth filter` and `sentisynth study`"
            )
        return self.generator

    @property
    def attribute_names(self) -> list[str]:
        """What is told apart from row to row: the prompt's attributes, or the columns of given rows."""
        generator = self.generator
        return generator.attribute_columns if generator.kind == "rows" else list(self.prompt.attributes)

    @model_validator(mode="after")
    def _fits_together(self) -> "Generate":
        if self.generator.kind == "fine_tuned" and self.prompt.num_shots:
            raise ValueError("prompt.num_shots: a fine-tuned generator learned from the rows themselves; set it to 0")
        if self.generator.kind == "fine_tuned" and (self.prompt.chat or self.prompt.texts_per_call > 1):
            raise ValueError(
                "prompt: a fine-tuned generator continues plain text, one a call; no chat, no texts_per_call"
            )
        if self.generator.kind == "openai" and self.sampling.top_k is not None:
            raise ValueError("sampling.top_k: OpenAI's protocol has no such field; use top_p")
        return self
