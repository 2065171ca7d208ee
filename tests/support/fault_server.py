"""A local server that speaks OpenAI's protocol and fails on purpose, counting what it answered.

It runs in a thread of the test, so that it outlives a killed client and its counts can be believed. A token is a byte
of the prompt, the most a tokenizer can make of it, and every text has as many tokens as were allowed: the worst case
comes true.
"""

import asyncio
import json
import random
import threading
from collections import Counter
from typing import Any


FAULTS = (
    "429 with Retry-After",
    "429 without",
    "500",
    "hang",
    "cut",
    "invalid JSON",
    "no choices",
    "wrong number of choices",
    "refusal",
    "duplicate text",
)


class FaultServer:
    """`with FaultServer(share=0.2) as server: ... server.url`.

    Attributes:
        answered: How often each request (told apart by its seed) was sent a whole answer with choices.
        tokens: What was worked for, whole answers and those cut or held back alike.
        faults: How often each fault was committed.
    """

    def __init__(self, share: float = 0.0, *, latency: float = 0.0, seed: int = 0):
        self.share, self.latency = share, latency
        self.answered: Counter[int] = Counter()
        self.faults: Counter[str] = Counter()
        self.tokens = self.calls = self.most_in_flight = 0
        self.bodies: list[dict[str, Any]] = []
        self._in_flight = 0
        self._random = random.Random(seed)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._ready = threading.Event()

    def __enter__(self) -> "FaultServer":
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *error: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        self._handlers: set[asyncio.Task[None]] = set()
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0, backlog=512)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        for handler in self._handlers:
            handler.cancel()
        await asyncio.gather(*self._handlers, return_exceptions=True)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._handlers.add(task)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    int(line.split(b":")[1])
                    for line in head.split(b"\r\n")
                    if line.lower().startswith(b"content-length")
                )
                body = json.loads(await reader.readexactly(length))
                self._in_flight += 1
                self.most_in_flight = max(self.most_in_flight, self._in_flight)
                try:
                    await self._respond(writer, head.split()[1].decode(), body)
                finally:
                    self._in_flight -= 1
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._handlers.discard(task)
            writer.close()

    async def _respond(self, writer: asyncio.StreamWriter, path: str, body: dict[str, Any]) -> None:
        self.calls += 1
        self.bodies.append(body)
        await asyncio.sleep(self.latency)
        fault = self._random.choice(FAULTS) if self._random.random() < self.share else None
        if fault is not None:
            self.faults[fault] += 1
        if fault is not None and fault[:3] in ("429", "500"):
            extra = b"Retry-After: 0.05\r\n" if "with " in fault else b""
            await _send(writer, int(fault[:3]), {"error": {"message": fault, "code": None}}, extra)
            return
        wanted = body.get("n", 1)
        count = {"no choices": 0, "wrong number of choices": wanted + 1}.get(fault or "", wanted)
        limit = body.get("max_tokens", body.get("max_completion_tokens"))
        asked = _bytes(body)
        written = limit * wanted
        self.tokens += asked + written
        if fault == "hang":
            await asyncio.sleep(3600)
        content = {
            "id": "c",
            "model": "fault-model-2026-01-01",
            "system_fingerprint": "fp_1",
            "choices": [self._choice(path, body, i, fault) for i in range(count)],
            "usage": {"prompt_tokens": asked, "completion_tokens": written, "total_tokens": asked + written},
        }
        if fault == "cut":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9000\r\n\r\n{")
            await writer.drain()
            raise ConnectionError
        if fault == "invalid JSON":
            await _send(writer, 200, None)
            return
        if count:
            self.answered[body["seed"]] += 1
        await _send(writer, 200, content)

    def _choice(self, path: str, body: dict[str, Any], index: int, fault: str | None) -> dict[str, Any]:
        text = "the same film again" if fault == "duplicate text" else f"film {body['seed']} take {index}"
        if "response_format" in body:
            text = json.dumps({"texts": [f"{text} {i}" for i in range(_list_length(body))]})
        if not path.endswith("/chat/completions"):
            return {
                "index": index,
                "text": f" {text}",
                "finish_reason": "content_filter" if fault == "refusal" else "stop",
            }
        message = {"role": "assistant", "content": text, "refusal": None}
        if fault == "refusal":
            message = {"role": "assistant", "content": None, "refusal": "I will not."}
        return {"index": index, "message": message, "finish_reason": "stop"}


def _list_length(body: dict[str, Any]) -> int:
    return int(body["response_format"]["json_schema"]["schema"]["properties"]["texts"]["minItems"])


def _bytes(body: dict[str, Any]) -> int:
    if "prompt" in body:
        return len(body["prompt"].encode())
    return sum(len(message["content"].encode()) for message in body["messages"])


async def _send(writer: asyncio.StreamWriter, status: int, content: Any, extra: bytes = b"") -> None:
    payload = b'{"choices": [' if content is None else json.dumps(content).encode()
    head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(payload)}\r\n".encode()
    writer.write(head + extra + b"\r\n" + payload)
    await writer.drain()
