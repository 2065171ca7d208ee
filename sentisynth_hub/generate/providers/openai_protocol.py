"""OpenAI's protocol: the body of a call, and what is in an answer. Shared by the live endpoint and the Batch API.

Nothing a server says is believed: choices are counted, usage is checked, JSON is validated by the parser whatever was
asked for.
"""

from dataclasses import dataclass
from typing import Any, Literal

from sentisynth_hub.core.rows import Completion, Request
from sentisynth_hub.recipe import Recipe
from sentisynth_hub.recipe.generate_section import EndpointGenerator


class AnswerError(Exception):
    """A server's answer is not what the protocol says; the message says what was found."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: its choices, and the tokens the server counted (None where it did not)."""

    choices: list[dict[str, Any]]
    model: str
    system_fingerprint: str | None
    usage: tuple[int, int] | None


def endpoint_of(recipe: Recipe) -> EndpointGenerator:
    """The recipe's generator section, which must be an endpoint's."""
    generator = recipe.generate.asked
    assert generator.kind == "openai"
    return generator


def path(recipe: Recipe) -> Literal["/v1/chat/completions", "/v1/completions"]:
    """Path of the call, as the Batch API wants it."""
    return "/v1/chat/completions" if recipe.generate.prompt.chat else "/v1/completions"


def body(recipe: Recipe, request: Request, choices: int = 1) -> dict[str, Any]:
    """The JSON body of a call for `choices` texts of one prompt."""
    endpoint, prompting, sampling = endpoint_of(recipe), recipe.generate.prompt, recipe.generate.sampling
    content: dict[str, Any] = {
        "model": endpoint.model,
        endpoint.token_limit_field: sampling.max_new_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "seed": request.seed,
    }
    content["messages" if prompting.chat else "prompt"] = request.prompt
    if choices > 1:
        content["n"] = choices
    if not prompting.chat and prompting.texts_per_call == 1:
        content["stop"] = ["\n"]
    if prompting.texts_per_call > 1 and endpoint.structured_output and prompting.chat:
        content["response_format"] = {
            "type": "json_schema",
            "json_schema": {"name": "texts", "strict": True, "schema": texts_schema(prompting.texts_per_call)},
        }
    return content


def texts_schema(count: int) -> dict[str, Any]:
    """JSON Schema of an answer with `count` texts."""
    texts = {"type": "array", "items": {"type": "string"}, "minItems": count, "maxItems": count}
    return {"type": "object", "properties": {"texts": texts}, "required": ["texts"], "additionalProperties": False}


def read_answer(content: Any, model: str) -> Answer:
    """Check the shape of an answer's JSON.

    Raises:
        AnswerError: It is no JSON object, or its choices are no list of objects.
    """
    if not isinstance(content, dict):
        raise AnswerError(f"the answer is a JSON {type(content).__name__}, not an object")
    choices = content.get("choices")
    if not isinstance(choices, list) or not all(isinstance(choice, dict) for choice in choices):
        raise AnswerError("the answer has no list of choices")
    fingerprint = content.get("system_fingerprint")
    return Answer(
        choices,
        _snapshot(content.get("model"), model),
        fingerprint if isinstance(fingerprint, str) else None,
        _usage(content.get("usage"), choices),
    )


def completions(
    requests: list[Request], answer: Answer, used: tuple[int, int], cost: float | None
) -> list[Completion]:
    """One completion for each request that has a choice; surplus choices are left out.

    The first carries the tokens and the cost of the whole call, so that a journal torn after it counts everything.
    """
    made = []
    for place, (request, choice) in enumerate(zip(requests, answer.choices, strict=False)):
        text, finish_reason = _text(choice)
        tokens = used if place == 0 else (0, 0)
        made.append(
            Completion(
                request.request_id,
                text,
                finish_reason,
                answer.model,
                prompt_tokens=tokens[0],
                completion_tokens=tokens[1],
                cost_usd=cost if place == 0 or cost is None else 0.0,
                system_fingerprint=answer.system_fingerprint,
            )
        )
    return made


def _text(choice: dict[str, Any]) -> tuple[str, str]:
    """A choice's text, and whether it ended by itself, at the limit, or in a refusal."""
    message = choice.get("message")
    if isinstance(message, dict):
        if isinstance(message.get("refusal"), str) and message["refusal"]:
            return message["refusal"], "refusal"
        text = message.get("content")
    else:
        text = choice.get("text")
    reasons = {"length": "length", "content_filter": "refusal"}
    return text if isinstance(text, str) else "", reasons.get(str(choice.get("finish_reason")), "stop")


def _snapshot(said: Any, asked: str) -> str:
    """The dated snapshot a server says it used; the name asked for where it says anything else (llama.cpp: a path)."""
    return said if isinstance(said, str) and said.startswith(f"{asked}-") else asked


def _usage(content: Any, choices: list[dict[str, Any]]) -> tuple[int, int] | None:
    """The tokens a server counted; None where it counted none, or fewer than there are words (llama.cpp with `n`)."""
    if not isinstance(content, dict):
        return None
    asked, written = content.get("prompt_tokens"), content.get("completion_tokens", 0)
    if not isinstance(asked, int) or not isinstance(written, int) or min(asked, written) < 0:
        return None
    words = sum(len(_text(choice)[0].split()) for choice in choices)
    return (asked, written) if written >= words else None
