"""Why a call gave no text, and what follows: wait, try again, give the request up, or stop the run."""

from dataclasses import dataclass
from typing import Any

from sentisynth_hub.core.untrusted import one_line
from sentisynth_hub.generate.providers import openai_protocol as protocol
from sentisynth_hub.recipe import Recipe


_LONGEST_PAUSE = 3600.0  # seconds; a server that asks for more is left for another day


@dataclass(frozen=True, slots=True)
class CallFailure:
    """Why an attempt gave no text, and what follows.

    `billed`: the server may have worked for it. `retry` after `wait` seconds (None: back off), or give the request up
    (which is its own fault, and with `refusal` the server's answer to it), or `stop` the run. `later`: the server only
    asked to come again, which uses up no attempt, and for a `pause` of so many seconds. `field`: the server does not
    take this field of a call.
    """

    why: str
    billed: bool = False
    retry: bool = True
    refusal: bool = False
    wait: float | None = None
    stop: bool = False
    later: bool = False
    pause: float | None = None
    field: str | None = None


def meaning(recipe: Recipe, status: int, code: str | None, why: str, wait: float | None) -> CallFailure:
    """What an error means: wait, try again, give this request up, or stop the run."""
    if code in ("insufficient_quota", "billing_hard_limit_reached"):
        return CallFailure(f"{why}; the account has no credit left", stop=True)
    if status in (400, 422) and code is not None and protocol.is_refusal(code):
        return CallFailure(why, retry=False, refusal=True)
    if status in (401, 403, 404):
        hint = f"check the key in {protocol.endpoint_of(recipe).api_key_variable}, the model and base_url"
        if "chat" in why.casefold() and not recipe.generate.prompt.chat:
            hint += "; a chat model needs generate.prompt.chat=true and a template that renders messages"
        return CallFailure(f"{why}; {hint}", stop=True)
    if status == 429 or (status >= 500 and wait is not None):
        if wait is not None and wait > _LONGEST_PAUSE:
            return CallFailure(
                f"{why}; the server asks to wait {wait / 3600:,.1f} hours: run the same command again then",
                stop=True,
            )
        return CallFailure(why, wait=None if wait is None else 0.0, later=True, pause=wait)
    return CallFailure(why, retry=status >= 500 or status in (408, 409, 425))


def status_of(code: str | None) -> int | None:
    """The HTTP status that a server means by the code of an error it sent with status 200; None: nobody knows."""
    if code is None:
        return None
    if code.isascii() and code.isdigit() and len(code) == 3 and code[0] in "45":
        return int(code)
    word = code.casefold()
    return next((status for part, status in _CODES.items() if part in word), None)


_CODES = {
    "insufficient_quota": 429, "billing": 429, "rate_limit": 429, "ratelimit": 429, "resource_exhausted": 429,
    "too_many_requests": 429, "throttl": 429, "invalid_api_key": 401, "authentication": 401, "permission": 403,
    "model_not_found": 404,
}  # fmt: skip


def lost_connection(error: Any) -> CallFailure:
    """A connection that was never made costs nothing; one that was cut may have been worked for."""
    cause = type(error.__cause__).__name__
    if cause in ("UnsupportedProtocol", "LocalProtocolError", "InvalidURL", "ProxyError"):
        return CallFailure(f"no call could be sent ({one_line(str(error.__cause__))}); {protocol.BASE_URL_HINT}")
    connected = cause not in ("ConnectError", "ConnectTimeout", "PoolTimeout")
    return CallFailure("the connection was cut" if connected else "no connection to the server", billed=connected)
