"""The Batch API: submit, leave, come back, collect, against a local server that keeps batches until told to work."""

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from sentisynth_hub.core.errors import StageError
from sentisynth_hub.generate import stage as generation
from sentisynth_hub.generate.answers import spent
from sentisynth_hub.generate.providers import openai_batch as batch_api
from sentisynth_hub.recipe import Recipe
from tests.support.worlds import CHAT, alone, samples, stage, write_recipe


class BatchServer(ThreadingHTTPServer):
    """Files and batches; `work` answers the batches that wait, all but every `skip`-th of their requests."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.batches: list[dict[str, Any]] = []
        self.url = f"http://127.0.0.1:{self.server_port}/v1"

    def work(self, *, skip: int = 0) -> None:
        for batch in self.batches:
            if batch["status"] != "in_progress":
                continue
            lines = [json.loads(line) for line in self.files[batch["input_file_id"]].splitlines()]
            answered = [line for i, line in enumerate(lines, 1) if not skip or i % skip]
            output = f"output-{batch['id']}"
            self.files[output] = b"".join(json.dumps(_answer(line)).encode() + b"\n" for line in answered)
            batch |= {"status": "expired" if skip else "completed", "output_file_id": output}

    def asked(self) -> list[str]:
        inputs = [self.files[batch["input_file_id"]] for batch in self.batches]
        return [json.loads(line)["custom_id"] for content in inputs for line in content.splitlines()]


def _answer(line: dict[str, Any]) -> dict[str, Any]:
    text = f"film {line['body']['seed']}"
    body = {
        "model": "fault-model",
        "choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 30, "completion_tokens": 10},
    }
    return {"custom_id": line["custom_id"], "response": {"status_code": 200, "body": body}, "error": None}


class Handler(BaseHTTPRequestHandler):
    server: BatchServer
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/v1/files":
            boundary = b"--" + re.search("boundary=(.+)", self.headers["Content-Type"])[1].encode()  # type: ignore[index]
            part = next(part for part in content.split(boundary) if b"filename=" in part)
            name = f"file-{len(self.server.files)}"
            self.server.files[name] = part.split(b"\r\n\r\n", 1)[1].rstrip(b"\r\n")
            self._send({"id": name, "object": "file"})
            return
        batch = {
            "id": f"batch-{len(self.server.batches)}",
            "object": "batch",
            "status": "in_progress",
            **json.loads(content),
        }
        self.server.batches.append(batch)
        self._send(batch)

    def do_GET(self) -> None:
        parts = self.path.partition("?")[0].split("/")
        if parts[2] == "files":
            self._send(self.server.files[parts[3]])
        elif len(parts) == 4:
            self._send(next(batch for batch in self.server.batches if batch["id"] == parts[3]))
        else:
            self._send({"object": "list", "data": self.server.batches, "has_more": False})

    def _send(self, content: Any) -> None:
        payload = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(200)
        self.send_header(
            "Content-Type", "application/octet-stream" if isinstance(content, bytes) else "application/json"
        )
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, *given: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[BatchServer]:
    running = BatchServer()
    thread = threading.Thread(target=running.serve_forever, daemon=True)
    thread.start()
    yield running
    running.shutdown()
    thread.join()
    running.server_close()


def recipe(folder: Path, server: BatchServer, **changes: Any) -> Recipe:
    price = {"input_usd_per_million": 10.0, "output_usd_per_million": 100.0, "as_of": "2026-11-01"}
    endpoint = {"kind": "openai", "model": "fault-model", "base_url": server.url, "batch_api": True, "price": price}
    section = {"generator": endpoint, "candidates": 20, "prompt": {"num_shots": 2, "chat": True}, **changes}
    return write_recipe(folder / "recipe", section, template=CHAT)


def test_submit_leave_come_back_collect(tmp_path: Path, server: BatchServer) -> None:
    made = recipe(tmp_path, server)
    folder = stage(tmp_path / "runs", made)
    for _ in range(2):  # coming back too early asks nothing again
        with pytest.raises(StageError, match="1 batches with 20 requests are with the server"):
            generation.generate(made, samples(), folder, alone())
    assert len(server.batches) == 1
    server.work()
    manifest = generation.generate(made, samples(), folder, alone())
    assert len(server.batches) == 1
    record = manifest["replicates"]["0"]
    assert (record["candidates"], record["unparsed"]) == (20, 0)
    assert record["cost_usd"] == pytest.approx(0.5 * 20 * (30 * 10 + 10 * 100) / 1e6)
    assert len(server.asked()) == len(set(server.asked())) == 20


def test_what_a_batch_left_out_is_asked_in_the_next(tmp_path: Path, server: BatchServer) -> None:
    made = recipe(tmp_path, server)
    folder = stage(tmp_path / "runs", made)
    with pytest.raises(StageError, match="20 requests"):
        generation.generate(made, samples(), folder, alone())
    server.work(skip=5)
    with pytest.raises(StageError, match="1 batches with 4 requests"):
        generation.generate(made, samples(), folder, alone())
    server.work()
    assert generation.generate(made, samples(), folder, alone())["replicates"]["0"]["candidates"] == 20
    assert len(server.asked()) == 24


def test_a_crash_between_sending_and_noting_loses_nothing(
    tmp_path: Path, server: BatchServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = recipe(tmp_path, server)
    folder = stage(tmp_path / "runs", made)
    honest = batch_api.Journal.append

    def crash(self: Any, records: Any) -> None:
        records = list(records)
        if records and records[0]["kind"] == "batch":
            raise KeyboardInterrupt
        honest(self, records)

    with monkeypatch.context() as patched:
        patched.setattr(batch_api.Journal, "append", crash)
        with pytest.raises(KeyboardInterrupt):
            generation.generate(made, samples(), folder, alone())
    assert len(server.batches) == 1
    with pytest.raises(StageError, match="1 batches with 20 requests are with the server"):
        generation.generate(made, samples(), folder, alone())
    server.work()
    assert generation.generate(made, samples(), folder, alone())["replicates"]["0"]["candidates"] == 20
    assert len(server.batches) == 1


def test_a_budget_limits_what_is_submitted(tmp_path: Path, server: BatchServer) -> None:
    made = recipe(tmp_path, server, budget={"max_tokens": 3000})
    folder = stage(tmp_path / "runs", made)
    with pytest.raises(StageError, match="the budget of 3,000 tokens"):
        generation.generate(made, samples(), folder, alone())
    first = len(server.asked())
    assert 0 < first < 20
    assert spent(folder.path.glob("replicate-0/completions-*.jsonl")).tokens <= 3000
    server.work()
    with pytest.raises(StageError, match="are with the server"):  # settled at 40 a request: there is room again
        generation.generate(made, samples(), folder, alone())
    assert len(server.asked()) == 20
    assert spent(folder.path.glob("replicate-0/completions-*.jsonl")).tokens <= 3000
