"""`generate.prompt` and `generate.sampling`: how a text is asked for, and how its tokens are drawn."""

from typing import Any, Literal

from pydantic import Field

from sentisynth_hub.recipe.section import Section


class Sampling(Section):
    """How the next token is drawn."""

    temperature: float | None = Field(default=1.0, ge=0)
    """Softmax temperature; 0: always the likeliest token. null: not sent to the endpoint, which uses its own."""
    top_p: float | None = Field(default=0.95, gt=0, le=1)
    """Nucleus: the smallest set of tokens with this much probability. null: not sent to the endpoint."""
    seed: Literal["per_request"] | None = "per_request"
    """Every request has a seed of its own. null: not sent to the endpoint, for servers that refuse it."""
    top_k: int | None = Field(default=None, ge=1)
    """Only the k likeliest tokens; None: no limit. Local models only: OpenAI's protocol has no such field."""
    max_new_tokens: int = Field(default=48, ge=1)
    """Tokens a completion may have; what reaches the limit is unfinished and becomes no row."""

    def record(self) -> dict[str, Any]:
        """What decides how tokens are drawn, JSON-ready; keys added since the first version only where they are set,
        so that stored answers are found again.
        """
        content = self.model_dump()
        if self.seed is not None:
            del content["seed"]
        return content


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
    text_name: str = "text"
    """What the ready prompts of methods call a text: `movie review`, `tweet`, `comment`."""
    seed_texts: str | None = None
    """File beside the recipe with one text a line (often monolingual); each prompt shows another one as
    `seed_text`.
    """
