"""`generate.generator`: the kinds of generators there are, and kinds from outside the package."""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import (
    Field,
    SerializeAsAny,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    field_validator,
)

from sentisynth_hub.core.errors import RecipeError
from sentisynth_hub.core.plugins import is_object_path, load_outside, outside_names
from sentisynth_hub.recipe.endpoint_rules import check_base_url, check_key_name
from sentisynth_hub.recipe.generator_section import GeneratorSection
from sentisynth_hub.recipe.prompt_section import Prompting
from sentisynth_hub.recipe.section import RowSource, Section


if TYPE_CHECKING:
    from sentisynth_hub.recipe.generate_section import Generate


def _sampling_is_set(generate: "Generate") -> None:
    for field in ("temperature", "top_p", "seed"):
        if getattr(generate.sampling, field) is None:
            raise ValueError(
                f"sampling.{field}: null leaves a field out of a call, and a model that runs here needs it"
            )


class LocalGenerator(GeneratorSection):
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

    def check(self, generate: "Generate") -> None:
        """A model that runs here draws by temperature, nucleus and seeds."""
        _sampling_is_set(generate)


class FineTunedGenerator(GeneratorSection):
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

    only_few_shot_because: ClassVar[str | None] = "a fine-tuned generator continues the prompt it was trained on"
    no_labels_because: ClassVar[str | None] = "a fine-tuned one only writes texts; leave them out, or prompt a model"

    def check(self, generate: "Generate") -> None:
        """It continues a bare prompt with one text."""
        _sampling_is_set(generate)
        if generate.prompt.num_shots:
            raise ValueError("prompt.num_shots: a fine-tuned generator learned from the rows themselves; set it to 0")
        if generate.prompt.chat or generate.prompt.texts_per_call > 1:
            raise ValueError(
                "prompt: a fine-tuned generator continues plain text, one a call; no chat, no texts_per_call"
            )


class Price(Section):
    """What a model costs, where the shipped table does not know it."""

    input_usd_per_million: float = Field(ge=0)
    """US dollars a million prompt tokens."""
    output_usd_per_million: float = Field(ge=0)
    """US dollars a million completion tokens."""
    as_of: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")
    """Day this price was looked up, YYYY-MM-DD."""


class EndpointGenerator(GeneratorSection):
    """Any OpenAI-compatible endpoint."""

    kind: Literal["openai"]
    """`openai`: a hosted or self-hosted server that speaks OpenAI's protocol."""
    model: str = Field(min_length=1)
    """Model name as the server knows it."""
    base_url: str | list[str] | None = None
    """Address of the server; None: `OPENAI_BASE_URL` or OpenAI's own. Or a list of servers of the same model, which
    share the requests; one that is down is left out. Never published.
    """
    api_key_variable: str = "OPENAI_API_KEY"
    """Environment variable that holds the key: a name that ends in `_API_KEY`. It is sent to its own provider, and to
    servers that you allowed with `sentisynth trust HOST` or that your environment or command line names.
    """
    concurrency: int = Field(default=8, ge=1)
    """Calls in flight, in each process, to each server."""
    requests_per_minute: float | None = Field(default=None, gt=0)
    """A server's limit of calls, shared by all processes; None: no limit of ours."""
    tokens_per_minute: float | None = Field(default=None, gt=0)
    """A server's limit of tokens, prompt and completion, shared by all processes; None: no limit of ours."""
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
    thinking_tokens: int = Field(default=0, ge=0)
    """Tokens a model may reason with, on top of `sampling.max_new_tokens`; they are paid like any other."""
    extra_body: dict[str, Any] = {}
    """More fields of a call, sent as they are, such as `reasoning_effort: low` or
    `chat_template_kwargs: {enable_thinking: false}`.
    """

    leaves_machine: ClassVar[bool] = True
    repeatable: ClassVar[bool] = False
    samples_per_prompt: ClassVar[int] = 1
    decides_nothing: ClassVar[frozenset[str]] = frozenset({
        "base_url", "api_key_variable", "concurrency", "requests_per_minute", "tokens_per_minute", "timeout_seconds",
        "max_attempts", "batch_api", "price",
    })  # fmt: skip
    later_fields: ClassVar[frozenset[str]] = frozenset({"thinking_tokens", "extra_body"})

    @property
    def key_variables(self) -> list[str]:
        """The variable with the endpoint's key."""
        return [self.api_key_variable]

    @property
    def addresses(self) -> list[str | None]:
        """The servers' addresses; None: the one that the environment names, or OpenAI's."""
        return [*self.base_url] if isinstance(self.base_url, list) else [self.base_url]

    @property
    def reasoning_tokens(self) -> int:
        """As the recipe says."""
        return self.thinking_tokens

    def check(self, generate: "Generate") -> None:
        """Fields are those of the protocol, each said once."""
        if generate.sampling.top_k is not None:
            raise ValueError("sampling.top_k: OpenAI's protocol has no such field; use top_p, or generator.extra_body")
        if self.batch_api and len(self.addresses) > 1:
            raise ValueError("generator.batch_api: a batch goes to one server; give one base_url, or leave it out")
        if taken := sorted(_OWN_FIELDS & self.extra_body.keys()):
            raise ValueError(f"generator.extra_body.{taken[0]}: the toolkit sets this field itself; leave it out")

    @field_validator("base_url")
    @classmethod
    def _is_an_address(cls, url: str | list[str] | None) -> str | list[str] | None:
        if not isinstance(url, list):
            return None if url is None else check_base_url(url)
        if not url or len(set(url)) != len(url):
            raise ValueError("a list of servers names each address once, and at least one")
        return [check_base_url(address) for address in url]

    @field_validator("api_key_variable")
    @classmethod
    def _is_a_provider_s_key(cls, variable: str) -> str:
        return check_key_name(variable)


class GivenRows(GeneratorSection, RowSource):
    """Rows that are there already, whoever wrote them: nobody is asked, and everything after that is the same."""

    kind: Literal["rows"]
    """`rows`: taken from a file or a Hub dataset."""
    written_by: str = Field(min_length=1)
    """Who wrote them, as far as is known, such as `gpt-4-0613 by distilabel 1.5`; for the card."""
    attribute_columns: list[str] = []
    """Columns that say how a row came about (topic, prompt, model): what may be to blame, for `study --leave-out`."""
    saw_labels: bool = True
    """Whether whoever wrote them may have seen the recipe's human labels; false allows `study.design: nested`."""
    licence: str | None = None
    """Licence of these rows as a Hub licence id; None: read from the dataset's card."""

    has_prompt: ClassVar[bool] = False
    only_few_shot_because: ClassVar[str | None] = "the rows of this recipe are given and nobody is asked"
    no_labels_because: ClassVar[str | None] = "the rows of this recipe are given; leave them out"

    @property
    def name(self) -> str:
        """Who wrote the rows."""
        return self.written_by

    @property
    def stated_licence(self) -> str | None:
        """The licence the recipe states for the rows."""
        return self.licence

    @property
    def rows_file(self) -> str | None:
        """The local file with the rows."""
        return self.file

    def attribute_names(self, prompt: Prompting) -> list[str]:
        """The columns that say how a row came about."""
        return self.attribute_columns


_OWN_FIELDS = {
    "model", "messages", "prompt", "n", "stream", "max_tokens", "max_completion_tokens", "temperature", "top_p",
    "seed",
}  # fmt: skip
PROVIDERS = "sentisynth_hub.providers"
"""Entry point group of kinds of generators from outside the package."""
BUILT_IN_KINDS = ("transformers", "fine_tuned", "openai", "rows")


def _from_outside(value: Any, built_in: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    """A section of a kind that is not the package's is read by that kind's own model."""
    if isinstance(value, GeneratorSection):
        return value
    kind = value.get("kind") if isinstance(value, dict) else None
    if not isinstance(kind, str) or kind in BUILT_IN_KINDS or not (is_object_path(kind) or kind in _outside()):
        return built_in(value)
    own = bool((info.context or {}).get("own"))
    provider = load_outside(kind, PROVIDERS, where="generate.generator.kind", own=own)
    section = getattr(provider, "section", None)
    if not (isinstance(section, type) and issubclass(section, GeneratorSection)):
        raise RecipeError(
            f"generate.generator.kind: {kind!r} is no provider: it has no `section` that is a GeneratorSection; see "
            "docs/how-to/generate.md"
        )
    return section.model_validate(value)


def _outside() -> list[str]:
    return outside_names(PROVIDERS)


if TYPE_CHECKING:
    Generator = GeneratorSection  # code outside asks a section what it can do, not which kind it is
else:
    Generator = SerializeAsAny[
        Annotated[
            Annotated[
                LocalGenerator | FineTunedGenerator | EndpointGenerator | GivenRows, Field(discriminator="kind")
            ],
            WrapValidator(_from_outside),
        ]
    ]
