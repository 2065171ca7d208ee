"""A generator that answers from a queue."""

from collections import deque
from collections.abc import Iterable, Iterator

from sentisynth_hub.core.rows import Completion, Request


class QueuedGenerator:
    """Gives the texts it was given, in the order it is asked; `asked` remembers the requests."""

    def __init__(self, texts: Iterable[str] = (), model: str = "queued"):
        self.texts = deque(texts)
        self.model = model
        self.asked: list[Request] = []

    def generate(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """Answer each request with the next text of the queue; an empty queue answers with an error, never with a
        made-up text.
        """
        for request in requests:
            self.asked.append(request)
            if self.texts:
                text = self.texts.popleft()
                yield Completion(request.request_id, text, "stop", self.model, completion_tokens=len(text.split()))
            else:
                yield Completion(request.request_id, "", "error", self.model, error="the queue is empty")
