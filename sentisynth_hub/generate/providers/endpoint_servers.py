"""The servers of an endpoint, and the calls that wait for any of them."""

import asyncio
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from sentisynth_hub.core.rows import Request
from sentisynth_hub.generate.providers import openai_protocol as protocol
from sentisynth_hub.generate.providers.call_failures import CallFailure
from sentisynth_hub.generate.providers.openai_client import client_settings
from sentisynth_hub.generate.providers.rate_limits import RateLimits
from sentisynth_hub.generate.providers.server_fields import ServerFields
from sentisynth_hub.recipe import Recipe


@dataclass
class WaitingCall:
    """Requests of one prompt that wait for an answer: how often they were tried and told to come later, and by whom
    they were passed on.
    """

    waiting: list[Request]
    attempts: int = 0
    refusals: int = 0
    failed_by: set[str] = field(default_factory=set)


class Server:
    """One address of the endpoint: its client, its rate limits, the fields it takes, and whether it still answers.

    Attributes:
        failures: Calls in a row that it did not answer.
        down: Why it is asked nothing more in this run; None: it is.
    """

    def __init__(self, recipe: Recipe, processes: int):
        """`recipe` names this address alone; every process of a launch has its share of the limits."""
        self.recipe = recipe
        self.endpoint = protocol.endpoint_of(recipe)
        self.name = protocol.host(self.endpoint)
        per_minute = self.endpoint.requests_per_minute, self.endpoint.tokens_per_minute
        self.limits = RateLimits(*(limit / processes if limit is not None else None for limit in per_minute))
        self.fields = ServerFields(self.name, self.endpoint.model)
        self.failures = 0
        self.down: str | None = None

    def connect(self) -> Any:
        """Make the client, inside the running loop; to be closed by whoever asks for it."""
        from openai import AsyncOpenAI

        self.client = AsyncOpenAI(**client_settings(self.recipe))
        self.probing = asyncio.Lock()
        return self.client


def untried(call: WaitingCall, servers: Iterable[Server]) -> list[Server]:
    """The servers that still answer and have not failed this call."""
    return [server for server in servers if server.down is None and server.name not in call.failed_by]


def paused(server: Server, failure: CallFailure) -> CallFailure:
    """Hold all calls to a server that asked for a pause."""
    if failure.pause is not None:
        server.limits.pause(failure.pause)
    return failure


def calls_of(requests: Iterable[Request], size: int) -> Iterator[WaitingCall]:
    """Requests of one prompt, up to `size` in a call."""
    for _, group in itertools.groupby(requests, key=lambda request: request.prompt_id):
        while waiting := list(itertools.islice(group, size)):
            yield WaitingCall(waiting)
