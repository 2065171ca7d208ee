"""The client of a recipe's endpoint: its key, and where that may go."""

import os
from typing import Any

from sentisynth_hub.core import log
from sentisynth_hub.core.errors import InputError
from sentisynth_hub.generate.providers import openai_protocol as protocol
from sentisynth_hub.recipe import Recipe
from sentisynth_hub.recipe.generator_kinds import EndpointGenerator
from sentisynth_hub.recipe.trust import endpoint_access


_NO_KEY = "none"


def client_settings(recipe: Recipe) -> dict[str, Any]:
    """Arguments of the `openai` client of a recipe's endpoint; it retries nothing, as every attempt has its own
    reservation. Says once what is sent where.

    Raises:
        InputError: No key is set and the server wants one, or the recipe may not send its key there.
    """
    access = endpoint_access(recipe)
    log.warn_once(access.sentence)
    key = access.key
    if key and not (key.isascii() and key.isprintable() and " " not in key):
        raise InputError(
            f"the key in the environment variable {protocol.endpoint_of(recipe).api_key_variable} holds characters no "
            "key has (a space, a line end or a typographic quote); set it again"
        )
    return {
        "api_key": key or _NO_KEY,
        "base_url": protocol.endpoint_of(recipe).addresses[0],
        "max_retries": 0,
        "timeout": None,
    }


def without_key(words: str, endpoint: EndpointGenerator) -> str:
    """A server's words without the key, should it repeat it; of words that were cut, without the part that is left."""
    key = os.environ.get(endpoint.api_key_variable, "")
    if len(key) < _SHORTEST_KEY:
        return words
    words = words.replace(key, _MASK)
    end = words.removesuffix("…")
    for length in range(min(len(key), len(end)), _SHORTEST_KEY - 1, -1):
        if end.endswith(key[:length]):
            return end[:-length] + _MASK + words[len(end) :]
    return words


_MASK = "[key]"
_SHORTEST_KEY = 4  # characters; less is no secret, and would be found in ordinary words
