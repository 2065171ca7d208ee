"""What a server can do, found out by asking one request: for `sentisynth generate --check`."""

import time
from dataclasses import asdict, dataclass
from typing import Any

from sentisynth_hub.core.errors import StageError
from sentisynth_hub.core.log import printable
from sentisynth_hub.core.rows import Completion, Request
from sentisynth_hub.core.untrusted import loads_untrusted
from sentisynth_hub.generate import parse as parsing
from sentisynth_hub.generate.budget import dollars, find_price
from sentisynth_hub.generate.providers import openai_protocol as protocol
from sentisynth_hub.generate.providers.openai_client import client_settings, without_key
from sentisynth_hub.generate.providers.server_fields import ServerFields
from sentisynth_hub.generate.unwrap import without_reasoning
from sentisynth_hub.recipe import Recipe


_TRIES = 12  # more fields than that no server refuses


@dataclass(frozen=True)
class ServerCheck:
    """What one call showed.

    `reasoning` is `apart`, `in the text` or `none`; `choices` is how many texts of one prompt came, of how many asked
    for; `texts` what the parser makes of the first of them, each with its reason where it is no candidate.
    """

    host: str
    path: str
    model: str
    seconds: float
    refused: list[str]
    finish_reasons: list[str]
    usage: tuple[int, int] | None
    reasoning: str
    choices: tuple[int, int]
    texts: list[dict[str, str | None]]
    usd: float | None

    def record(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)

    def lines(self) -> list[str]:
        """For people."""
        tokens = "does not count tokens" if self.usage is None else f"{self.usage[0]} + {self.usage[1]} tokens"
        cost = "no price known" if self.usd is None else dollars(self.usd)
        lines = [
            f"{self.host} answered {self.path} as {self.model} in {self.seconds:.1f} s: {tokens}, {cost}",
            f"fields it refuses: {', '.join(self.refused) or 'none'}; they are left out from now on",
            f"texts end with: {', '.join(self.finish_reasons)}; reasoning: {self.reasoning}",
        ]
        if self.choices[1] > 1:
            lines.append(f"texts of one prompt: {self.choices[0]} of {self.choices[1]} asked for in one call")
        for text in self.texts:
            end = f"becomes no row: {text['reason']}" if text["reason"] else "a candidate"
            lines.append(f"  {end}: {text['text']}")
        return [printable(line, 200) for line in lines]


def check_server(recipe: Recipe, request: Request) -> ServerCheck:
    """Ask one request, without what the server refuses, and look at what comes. Nothing of it is kept but that.

    Raises:
        StageError: The server is not there, or refuses the call as a whole.
    """
    import openai

    endpoint = protocol.endpoint_of(recipe)
    chat, count = recipe.generate.prompt.chat, endpoint.choices_per_call
    fields = ServerFields(protocol.host(endpoint), endpoint.model, fresh=True)
    with openai.OpenAI(**(client_settings(recipe) | {"timeout": endpoint.timeout_seconds})) as client:
        kind: Any = client.chat.completions if chat else client.completions
        for _ in range(_TRIES):
            body = fields.apply(protocol.body(recipe, request, count))
            required = {name: body[name] for name in ("model", "messages" if chat else "prompt")}
            started = time.monotonic()
            try:
                content = kind.with_raw_response.create(**required, extra_body=body).content
                break
            except openai.APIStatusError as error:
                answer = error.response.content
                words, _, parameter = protocol.read_refusal(answer)
                learned = error.status_code in (400, 422) and fields.learn(
                    body, answer[:4000].decode("utf-8", "replace"), parameter
                )
                if not learned:
                    raise _problem(recipe, f"HTTP {error.status_code}: {words}") from None
            except openai.APIConnectionError as error:
                raise _problem(recipe, f"no connection to {fields.key.partition(' ')[0]} ({error})") from None
        else:
            raise _problem(recipe, f"refuses one field after the other: {fields.left_out}")
    seconds = time.monotonic() - started
    try:
        read = protocol.read_body(content, endpoint.model)
    except protocol.AnswerError as error:
        raise _problem(recipe, str(error)) from None
    fields.settle(keep=True)
    return _look(recipe, request, read, content, seconds, fields)


def _look(
    recipe: Recipe,
    request: Request,
    answer: protocol.ServerAnswer,
    content: bytes,
    seconds: float,
    fields: ServerFields,
) -> ServerCheck:
    endpoint = protocol.endpoint_of(recipe)
    price, _ = find_price(endpoint.model, endpoint.price)
    texts = [
        {"text": item.text, "reason": item.reason}
        for choice in answer.choices[:1]
        for item in parsing.parse(
            Completion(request.request_id, choice.text, choice.finish_reason, answer.model),
            request,
            recipe.generate.prompt.texts_per_call,
        )
    ]
    wrapped = any(
        without_reasoning(choice.text) not in (choice.text, choice.text.strip()) for choice in answer.choices
    )
    return ServerCheck(
        host=fields.key.partition(" ")[0],
        path=protocol.path(recipe),
        model=answer.model,
        seconds=seconds,
        refused=fields.refused,
        finish_reasons=sorted({choice.finish_reason for choice in answer.choices}),
        usage=answer.usage,
        reasoning="apart" if _reasons_apart(content) else "in the text" if wrapped else "none",
        choices=(len(answer.choices), endpoint.choices_per_call),
        texts=texts,
        usd=None if price is None or answer.usage is None else price.cost(*answer.usage),
    )


def _reasons_apart(content: bytes) -> bool:
    """Whether a message carries its reasoning beside its text, or the server counts tokens of it."""
    answer = loads_untrusted(content.decode("utf-8", "replace"))
    usage = answer.get("usage")
    details = usage.get("completion_tokens_details") if isinstance(usage, dict) else None
    if isinstance(details, dict) and details.get("reasoning_tokens"):
        return True
    messages = [choice.get("message") for choice in answer["choices"]]
    names = ("reasoning_content", "reasoning", "thinking")
    return any(isinstance(message, dict) and any(message.get(name) for name in names) for message in messages)


def _problem(recipe: Recipe, why: str) -> StageError:
    words = without_key(why, protocol.endpoint_of(recipe))
    return StageError(f"generate --check: {words}; check base_url, the model's name and the key")
