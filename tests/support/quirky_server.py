"""A chat server with the ways of real ones, each by its name; how it refuses, wraps and counts is in `QUIRKS`.

with quirky_server("no temperature", "thinks apart") as server: ... server.url, server.calls
"""

from collections.abc import Callable, Mapping
from typing import Any

from tests.support.scripted_server import Call, Reply, ScriptedServer, chat, reply


TEXT = "a fine film"
Answer = dict[str, Any]


def _refused(field: str, message: str, *, parameter: bool = True, status: int = 400) -> Callable[[Call], Reply | None]:
    """Refuse a call that has the field."""
    error = {"message": message, "type": "invalid_request_error", "param": field if parameter else None, "code": None}
    return lambda call: reply({"error": error}, status) if field in call.body else None


def _pydantic(field: str) -> Callable[[Call], Reply | None]:
    detail = [{"type": "extra_forbidden", "loc": ["body", field], "msg": "Extra inputs are not permitted", "input": 1}]
    return lambda call: reply({"detail": detail}, 422) if field in call.body else None


def _both(call: Call) -> Reply | None:
    if {"temperature", "top_p"} <= call.body.keys():
        message = "`temperature` and `top_p` cannot both be specified for this model. Please use only one."
        return reply({"error": {"message": message, "code": "bad"}}, 400)
    return None


REFUSALS: Mapping[str, Callable[[Call], Reply | None]] = {
    "no temperature": _refused("temperature", "Unsupported value: 'temperature' does not support 0.7 here."),
    "no top_p": _refused("top_p", "Unsupported parameter: 'top_p' is not supported with this model.", parameter=False),
    "no seed": _pydantic("seed"),
    "one of temperature and top_p": _both,
    "max_completion_tokens": _refused(
        "max_tokens", "Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens' instead."
    ),
    "no n": _refused("n", "n must be 1 for this model", parameter=False),
    "no response_format": _refused("response_format", "This response_format type is unavailable, json_schema is not "
                                   "supported now", parameter=False),
    "no reasoning_effort": _refused("reasoning_effort", "Unrecognized request argument supplied: reasoning_effort",
                                    parameter=False, status=400),
}  # fmt: skip
ANSWERS: Mapping[str, Callable[[str], Answer]] = {
    "plain": chat,
    "thinks in the text": lambda text: chat(f"<think>short\nand warm</think>\n\n{text}"),
    "thinks before the text": lambda text: chat(f"short and warm\n</think>\n\n{text}"),
    "thinks apart": lambda text: chat(
        text,
        reasoning_content="short and warm",
        usage={
            "prompt_tokens": 20, "completion_tokens": 90, "total_tokens": 110,
            "completion_tokens_details": {"reasoning_tokens": 80},
        },
    ),
    "counts thinking in the total": lambda text: chat(
        text, usage={"prompt_tokens": 20, "completion_tokens": 10, "total_tokens": 110}
    ),
    "fences": lambda text: chat(f"```\n{text}\n```"),
    "wraps in JSON": lambda text: chat(f'{{"text": "{text}"}}'),
    "answers in parts": lambda text: chat([{"type": "text", "text": text}]),
    "says eos": lambda text: chat(text, "eos"),
    "says nothing of the end": lambda text: chat(text, None),
    "leaves the turn's mark": lambda text: chat(f"{text}<|im_end|>"),
}  # fmt: skip


def quirky_server(
    *quirks: str, text: Callable[[Call], str] = lambda call: f"{TEXT}, number {call.number}"
) -> ScriptedServer:
    """A server with these quirks: any of REFUSALS, and one of ANSWERS."""
    refusals = [REFUSALS[quirk] for quirk in quirks if quirk in REFUSALS]
    form = next((ANSWERS[quirk] for quirk in quirks if quirk in ANSWERS), chat)

    def script(call: Call) -> Reply:
        for refuse in refusals:
            if (refusal := refuse(call)) is not None:
                return refusal
        answer = form(text(call))
        answer["choices"] = answer["choices"] * call.body.get("n", 1)
        return reply(answer)

    return ScriptedServer(script)
