"""OpenAI's protocol: the body of a call, and what is in an answer. Shared by the live endpoint and the Batch API.

Nothing a server says is believed: choices are counted, usage is checked, JSON is validated by the parser whatever was
asked for.
"""

import math
import os
from dataclasses import dataclass
from typing import Any, Literal, TypeGuard
from urllib.parse import urlsplit

from sentisynth_hub.core.rows import Completion, Request
from sentisynth_hub.core.untrusted import loads_untrusted, one_line
from sentisynth_hub.recipe import Recipe
from sentisynth_hub.recipe.generator_kinds import EndpointGenerator


class AnswerError(Exception):
    """A server's answer is not what the protocol says; the message says what was found.

    `billed`: the server may have worked for it. `code` is the server's own code of an error, where it gives one.
    """

    def __init__(self, message: str, *, billed: bool = True, code: str | None = None):
        super().__init__(message)
        self.billed, self.code = billed, code


@dataclass(frozen=True, slots=True)
class Choice:
    """One text of an answer; fields as in `Completion`, with `error` the server's words where it is one."""

    text: str
    finish_reason: str
    error: str | None = None
    logprob: float | None = None


@dataclass(frozen=True, slots=True)
class ServerAnswer:
    """One answer: its choices, and the tokens the server counted (None where it did not)."""

    choices: list[Choice]
    model: str
    system_fingerprint: str | None
    usage: tuple[int, int] | None

    @property
    def texts(self) -> list[Choice]:
        """The choices the server did not call errors."""
        return [choice for choice in self.choices if choice.finish_reason != "error"]


def endpoint_of(recipe: Recipe) -> EndpointGenerator:
    """The recipe's generator section, which must be an endpoint's."""
    generator = recipe.generate.asked
    assert isinstance(generator, EndpointGenerator)
    return generator


def by_server(recipe: Recipe) -> list[Recipe]:
    """The recipe once for each address of its endpoint, naming that alone."""
    addresses = endpoint_of(recipe).addresses
    if len(addresses) == 1:
        return [recipe]
    content = recipe.model_dump(mode="json")
    recipes = []
    for address in addresses:
        content["generate"]["generator"]["base_url"] = address
        recipes.append(recipe.with_content(content))
    return recipes


def path(recipe: Recipe) -> Literal["/v1/chat/completions", "/v1/completions"]:
    """Path of the call, as the Batch API wants it."""
    return "/v1/chat/completions" if recipe.generate.prompt.chat else "/v1/completions"


def body(recipe: Recipe, request: Request, choices: int = 1) -> dict[str, Any]:
    """The JSON body of a call for `choices` texts of one prompt."""
    endpoint, prompting, sampling = endpoint_of(recipe), recipe.generate.prompt, recipe.generate.sampling
    content: dict[str, Any] = {"model": endpoint.model, endpoint.token_limit_field: recipe.generate.new_tokens}
    fields = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "seed": request.seed if sampling.seed is not None else None,
    }
    content |= {name: value for name, value in fields.items() if value is not None}
    content["messages" if prompting.chat else "prompt"] = request.prompt
    if choices > 1:
        content["n"] = choices
    if not prompting.chat and prompting.texts_per_call == 1:
        content["stop"] = ["\n"]
    if prompting.texts_per_call > 1 and endpoint.structured_output and prompting.chat:
        content["response_format"] = {
            "type": "json_schema",
            "json_schema": {"name": "texts", "strict": True, "schema": texts_schema(recipe)},
        }
    return content | endpoint.extra_body


def texts_schema(recipe: Recipe) -> dict[str, Any]:
    """JSON Schema of an answer with several texts, each with its probability where the recipe's method wants that."""
    count = recipe.generate.prompt.texts_per_call
    item: dict[str, Any] = {"type": "string"}
    if recipe.generate.method.kind == "verbalised":
        fields = {"text": item, "probability": {"type": "number"}}
        item = {"type": "object", "properties": fields, "required": [*fields], "additionalProperties": False}
    texts = {"type": "array", "items": item, "minItems": count, "maxItems": count}
    return {"type": "object", "properties": {"texts": texts}, "required": ["texts"], "additionalProperties": False}


def read_body(body: bytes, model: str) -> ServerAnswer:
    """Read the bytes of an answer.

    Raises:
        AnswerError: They are no answer; `billed` says whether the server may have worked for them.
    """
    try:
        try:
            content = loads_untrusted(body)
        except UnicodeDecodeError:  # a character cut in two must not cost the whole answer
            content = loads_untrusted(body.decode("utf-8", "replace"))
    except ValueError:
        if body.lstrip()[:1] == b"<":
            raise AnswerError(f"the answer is a web page, no JSON; {BASE_URL_HINT}", billed=False) from None
        raise AnswerError(f"the answer is not JSON: {one_line(body[:400].decode('utf-8', 'replace'), 80)}") from None
    return read_answer(content, model)


BASE_URL_HINT = "check base_url, which usually ends in /v1"


def read_answer(content: Any, model: str) -> ServerAnswer:
    """Check the shape of an answer's JSON.

    Raises:
        AnswerError: It is an error of the server's own, no JSON object, or its choices are no list of objects.
    """
    if not isinstance(content, dict):
        raise AnswerError(f"the answer is a JSON {type(content).__name__}, not an object")
    choices = content.get("choices")
    if content.get("error") or not choices:
        words, code = server_words(content)
        if words is not None:
            raise AnswerError(f"the answer is an error: {words}", billed=False, code=code)
    if not isinstance(choices, list) or not all(isinstance(choice, dict) for choice in choices):
        raise AnswerError("the answer has no list of choices")
    fingerprint = content.get("system_fingerprint")
    read = [_choice(choice) for choice in choices]
    return ServerAnswer(
        read,
        _snapshot(content.get("model"), model),
        fingerprint if isinstance(fingerprint, str) else None,
        _usage(content.get("usage"), read),
    )


def server_words(content: Any) -> tuple[str | None, str | None]:
    """What a server says is wrong, and its code for it, wherever in the JSON of an error it stands; None: nowhere."""
    if not isinstance(content, dict):
        return (content, None) if isinstance(content, str) and content else (None, None)
    words, code = None, None
    for value in (content.get("error"), content):
        if isinstance(value, str) and value:
            return value, code
        if isinstance(value, dict):
            codes = (value.get(name) for name in ("code", "status", "type"))
            code = code or next((str(item) for item in codes if isinstance(item, str | int) and item), None)
            messages = (value.get(name) for name in ("message", "detail", "msg", "error_message"))
            words = words or next((item for item in messages if isinstance(item, str) and item), None)
    if words is None and content.get("error"):
        words = code or "no message"
    return words, code


def read_refusal(content: bytes) -> tuple[str, str | None, str | None]:
    """A server's own words about a call it refused (on one line, 200 characters), its code, and the field at fault."""
    try:
        value = loads_untrusted(content)
    except ValueError:
        value = None
    words, code = server_words(value)
    error = value.get("error") if isinstance(value, dict) else None
    parameter = error.get("param") if isinstance(error, dict) else None
    line = one_line(words or content[:800].decode("utf-8", "replace")) or "no message"
    return line, code, parameter if isinstance(parameter, str) and parameter else None


def host(endpoint: EndpointGenerator) -> str:
    """Host and port of an endpoint, without anything secret an address may hold."""
    address = urlsplit(endpoint.addresses[0] or os.environ.get("OPENAI_BASE_URL") or "https://api.openai.com/v1")
    try:
        return f"{address.hostname}:{address.port}" if address.port else str(address.hostname)
    except ValueError:  # no port there is
        return str(address.hostname)


def completions(
    requests: list[Request], answer: ServerAnswer, used: tuple[int, int], cost: float | None, *, left_out: str = ""
) -> list[Completion]:
    """One completion for each request that has a text; surplus texts and errors are left out.

    The first carries the tokens and the cost of the whole call, so that a journal torn after it counts everything.

    Args:
        left_out: Fields that the server refused and that were not sent.
    """
    result = []
    for place, (request, choice) in enumerate(zip(requests, answer.texts, strict=False)):
        tokens = used if place == 0 else (0, 0)
        result.append(
            Completion(
                request.request_id,
                choice.text,
                choice.finish_reason,
                answer.model,
                prompt_tokens=tokens[0],
                completion_tokens=tokens[1],
                cost_usd=cost if place == 0 or cost is None else 0.0,
                system_fingerprint=answer.system_fingerprint,
                left_out=left_out,
                logprob=choice.logprob,
            )
        )
    return result


def _choice(choice: dict[str, Any]) -> Choice:
    """A choice's text, and how it ended. Reasoning that stands apart from the text is left out."""
    finish_reason = _finish_reason(choice.get("finish_reason"))
    if choice.get("error") or finish_reason == "error":
        words, _ = server_words({"error": choice.get("error")})
        return Choice("", "error", words or "the server ended the text with an error")
    message = choice.get("message")
    if not isinstance(message, dict):
        return Choice(_content(choice.get("text")), finish_reason, logprob=_logprob(choice.get("logprobs")))
    refusal = message.get("refusal")
    if isinstance(refusal, str) and refusal:
        return Choice(refusal, "refusal")
    parts = message.get("content")
    for part in parts if isinstance(parts, list) else []:
        if isinstance(part, dict) and isinstance(part.get("refusal"), str) and part["refusal"]:
            return Choice(part["refusal"], "refusal")
    text = _content(parts) or _content(choice.get("text"))
    return Choice(text, finish_reason, logprob=_logprob(choice.get("logprobs")))


def _logprob(content: Any) -> float | None:
    """The sum of the tokens' log-probabilities, of a chat or of a completion; None where a server gives none."""
    if not isinstance(content, dict):
        return None
    tokens = content.get("content")
    values = [token.get("logprob") for token in tokens if isinstance(token, dict)] if isinstance(tokens, list) else []
    if not values:
        listed = content.get("token_logprobs")
        values = listed if isinstance(listed, list) else []
    numbers = [float(value) for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    total = math.fsum(number for number in numbers if number <= 0)
    return total if numbers and len(numbers) == len(values) and math.isfinite(total) else None


def _content(value: Any) -> str:
    """The text of a message's content: a string, an object with a text, or a list of such parts."""
    if isinstance(value, list):
        return "".join(_content(part) for part in value if not isinstance(part, list))
    if isinstance(value, dict):
        kind = value.get("type")
        if isinstance(kind, str) and kind not in _TEXT_PARTS:
            return ""
        value = value.get("text") if "text" in value else value.get("content")
    return value if isinstance(value, str) else ""


_TEXT_PARTS = ("text", "output_text")  # the others are reasoning, tool calls and pictures


def _finish_reason(value: Any) -> str:
    """How a text ended, from a closed list of good ends: whatever else a server says, the text is not whole."""
    if value is None:  # llama.cpp and older servers say nothing
        return "stop"
    word = value.strip().casefold().replace("-", "_") if isinstance(value, str) else "?"
    if word in _ENDS:
        return "stop"
    if word in _LIMITS:
        return "length"
    if is_refusal(word):
        return "refusal"
    return "error" if "error" in word else "interrupted"


def is_refusal(word: str) -> bool:
    """Whether a server's reason or code says that it refused for what the text is about."""
    return any(part in word.casefold() for part in _REFUSALS)


_ENDS = {"", "stop", "eos", "eos_token", "end_turn", "stop_sequence", "complete"}
_LIMITS = {"length", "max_tokens", "max_output_tokens", "max_length", "model_length", "token_limit", "error_limit"}
_REFUSALS = (
    "filter", "safety", "refus", "prohibited", "recitation", "blocklist", "spii", "guardrail", "moderat", "toxic",
    "sensitive", "policy",
)  # fmt: skip


def _snapshot(name: Any, model: str) -> str:
    """The dated snapshot a server says it used; the name of the recipe where it says anything else (llama.cpp: a
    path).
    """
    return name if isinstance(name, str) and name.startswith(f"{model}-") else model


def _usage(content: Any, choices: list[Choice]) -> tuple[int, int] | None:
    """The tokens a server counted; None where it counted none, or fewer than there are words (llama.cpp with `n`).

    Tokens of reasoning that a server counts in the total alone are the completion's: they are paid like it.
    """
    if not isinstance(content, dict):
        return None
    prompt, written = content.get("prompt_tokens"), content.get("completion_tokens", 0)
    if not _is_count(prompt) or not _is_count(written):
        return None
    if _is_count(total := content.get("total_tokens")) and total > prompt + written:
        written = total - prompt
    words = sum(len(choice.text.split()) for choice in choices)
    return (prompt, written) if written >= words else None


def _is_count(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31
