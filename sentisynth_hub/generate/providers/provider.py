"""Who writes the synthetic rows: a local causal LM, one fine-tuned on the natural rows, any OpenAI-compatible
endpoint.
"""

from collections.abc import Iterable, Iterator
from typing import Protocol

from sentisynth_hub.core.rows import Completion, Request


class Generator(Protocol):
    """Answers requests in any order; `request_id` ties a completion to its request."""

    def generate(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """Yield one completion for each request."""
        ...
