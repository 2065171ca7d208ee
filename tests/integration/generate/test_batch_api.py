"""The Batch API: submit, leave, come back, collect, against a local server that keeps batches until told to work."""

import json
import re
import threading
from collections.abc import Callable, Iterator
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
    """Files and batches; `work` answers the batches that wait, all but every `skip`-th of their requests, and lets
    `spoil` change the lines of the output.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.batches: list[dict[str, Any]] = []
        self.url = f"http://127.0.0.1:{self.server_port}/v1"

    def work(self, *, skip: int = 0, spoil: Callable[[list[bytes]], list[bytes]] | None = None) -> None:
        for batch in self.batches:
            if batch["status"] != "in_progress":
                continue
            lines = [json.loads(line) for line in self.files[batch["input_file_id"]].splitlines()]
            answered = [line for i, line in enumerate(lines, 1) if not skip or i % skip]
            output = f"output-{batch['id']}"
            made = [json.dumps(_answer(line)).encode() for line in answered]
            self.files[output] = b"".join(line + b"\n" for line in (spoil(made) if spoil is not None else made))
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


def first_replaced(line: bytes) -> Callable[[list[bytes]], list[bytes]]:
    return lambda lines: [line, *lines[1:]]


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\u0085", "\x0b"])
def test_a_line_is_what_ends_with_a_newline(tmp_path: Path, server: BatchServer, separator: str) -> None:
    """Raw in the output file, as servers send them that do not escape: httpx's lines would end there."""

    def raw(lines: list[bytes]) -> list[bytes]:
        character = separator.encode() if separator != "\x0b" else b"\\u000b"
        return [line.replace(b"film ", b"film" + character) for line in lines]

    made = recipe(tmp_path, server)
    folder = stage(tmp_path / "runs", made)
    with pytest.raises(StageError, match="20 requests"):
        generation.generate(made, samples(), folder, alone())
    server.work(spoil=raw)
    generation.generate(made, samples(), folder, alone())
    record = generation.load(folder)[0]
    assert (record.requests, len(server.asked())) == (20, 20)
    assert record.candidate_count + record.unparsed_count == 20


@pytest.mark.parametrize(
    "line",
    [
        b"not json",
        b"[" * 50_000,
        b"null",
        b"{}",
        b'{"custom_id": 7}',
        b'{"custom_id": null, "response": {"status_code": 200}}',
        b"\xff\xfe",
    ],
)
def test_one_bad_line_costs_one_request_and_not_the_batch(tmp_path: Path, server: BatchServer, line: bytes) -> None:
    made = recipe(tmp_path, server)
    folder = stage(tmp_path / "runs", made)
    with pytest.raises(StageError, match="20 requests"):
        generation.generate(made, samples(), folder, alone())
    reserved = spent(folder.path.glob("replicate-0/completions-*.jsonl")).tokens
    server.work(spoil=first_replaced(line))
    generation.generate(made, samples(), folder, alone())
    record = generation.load(folder)[0]
    assert (record.candidate_count, record.reasons) == (19, {"error": 1})
    assert len(server.asked()) == 20
    counted = spent(folder.path.glob("replicate-0/completions-*.jsonl")).tokens
    assert counted == 19 * 40 + round(reserved / 20)  # what nobody can read is counted as it was reserved


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        ({"status_code": 200, "body": None}, "error"),
        ({"status_code": 200, "body": {"error": {"message": "no"}}}, "error"),
        ({"status_code": 200, "body": {"choices": []}}, "error"),
        ({"status_code": 400, "body": {"error": {"message": "no"}}}, "error"),
        ({"status_code": 400, "body": {"error": {"message": "no", "code": "content_filter"}}}, "refusal"),
        ({"status_code": 200, "body": {"choices": [{"text": "half", "finish_reason": "abort"}]}}, "unfinished"),
        (
            {"status_code": 200, "body": {"choices": [{"text": "\ud83d", "finish_reason": "length"}]}},
            "unfinished",
        ),
    ],
)
def test_a_line_without_a_text_is_a_rejection(
    tmp_path: Path, server: BatchServer, response: dict[str, Any], reason: str
) -> None:
    def spoil(lines: list[bytes]) -> list[bytes]:
        record = json.loads(lines[0]) | {"response": response}
        return [json.dumps(record).encode(), *lines[1:]]

    made = recipe(tmp_path, server)
    folder = stage(tmp_path / "runs", made)
    with pytest.raises(StageError, match="20 requests"):
        generation.generate(made, samples(), folder, alone())
    server.work(spoil=spoil)
    generation.generate(made, samples(), folder, alone())
    assert generation.load(folder)[0].reasons == {reason: 1}


def test_a_crash_while_collecting_pays_and_counts_nothing_twice(
    tmp_path: Path, server: BatchServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = recipe(tmp_path, server)
    folder = stage(tmp_path / "runs", made)
    with pytest.raises(StageError, match="20 requests"):
        generation.generate(made, samples(), folder, alone())
    server.work()
    honest = batch_api.Journal.append

    def torn(self: Any, records: Any) -> None:
        records = list(records)
        if records[0]["kind"] == "completion":  # the machine dies with seven of them on the disk
            honest(self, records[:7])
            raise KeyboardInterrupt
        honest(self, records)

    with monkeypatch.context() as patched:
        patched.setattr(batch_api.Journal, "append", torn)
        with pytest.raises(KeyboardInterrupt):
            generation.generate(made, samples(), folder, alone())
    generation.generate(made, samples(), folder, alone())
    assert generation.load(folder)[0].candidate_count == 20
    assert len(server.asked()) == 20
    assert spent(folder.path.glob("replicate-0/completions-*.jsonl")).tokens == 20 * 40


def test_a_field_a_batch_refused_is_left_out_of_the_next(tmp_path: Path, server: BatchServer) -> None:
    error = {"message": "Unsupported parameter: 'seed' is not supported with this model.", "param": "seed"}

    def refuse(lines: list[bytes]) -> list[bytes]:
        refusal = {"status_code": 400, "body": {"error": error}}
        return [json.dumps(json.loads(line) | {"response": refusal}).encode() for line in lines]

    made = recipe(tmp_path, server)
    folder = stage(tmp_path / "runs", made)
    with pytest.raises(StageError, match="20 requests"):
        generation.generate(made, samples(), folder, alone())
    server.work(spoil=refuse)
    with pytest.raises(StageError, match="1 batches with 20 requests"):
        generation.generate(made, samples(), folder, alone())
    second = server.files[server.batches[1]["input_file_id"]]
    assert all("seed" not in json.loads(line)["body"] for line in second.split(b"\n") if line)


@pytest.mark.parametrize("content", [b"<html>", b"[]", b"null", b"[" * 50_000, b"\xff"])
def test_an_answer_that_is_no_object_is_told_in_one_line(
    tmp_path: Path, server: BatchServer, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    made = recipe(tmp_path, server)
    folder = stage(tmp_path / "runs", made)
    with pytest.raises(StageError, match="20 requests"):
        generation.generate(made, samples(), folder, alone())
    with monkeypatch.context() as patched:
        patched.setattr(Handler, "do_GET", lambda self: self._send(content))
        with pytest.raises(StageError, match="the Batch API answered with no JSON object; check base_url"):
            generation.generate(made, samples(), folder, alone())
    server.work()
    generation.generate(made, samples(), folder, alone())
    assert generation.load(folder)[0].candidate_count == 20


KEY = "sk-0123456789abcdef"


@pytest.mark.parametrize(
    "response",
    [
        {"status_code": 401, "body": {"error": {"message": f"Incorrect API key: Bearer {KEY}"}}},
        {"status_code": 400, "body": {"error": {"message": f"odd {KEY}", "code": "content_filter"}}},
        {"status_code": 200, "body": {"error": {"message": f"no credit for {KEY}"}}},
        {"status_code": 400, "body": {"error": {"message": "x" * 185 + KEY}}},
    ],
)
def test_a_key_that_the_server_repeats_is_kept_nowhere(
    tmp_path: Path, server: BatchServer, monkeypatch: pytest.MonkeyPatch, response: dict[str, Any]
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)

    def spoil(lines: list[bytes]) -> list[bytes]:
        return [json.dumps({**json.loads(line), "response": response}).encode() for line in lines[:1]] + lines[1:]

    made = recipe(tmp_path, server)
    folder = stage(tmp_path / "runs", made)
    with pytest.raises(StageError, match="20 requests"):
        generation.generate(made, samples(), folder, alone())
    server.work(spoil=spoil)
    generation.generate(made, samples(), folder, alone())
    journals = sorted(folder.path.rglob("completions-*.jsonl"))
    assert any(b"[key" in path.read_bytes() for path in journals)
    assert all(KEY[:6].encode() not in path.read_bytes() for path in journals)


def test_a_key_in_a_failed_batchs_reason_is_not_told(
    tmp_path: Path, server: BatchServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    made = recipe(tmp_path, server)
    folder = stage(tmp_path / "runs", made)
    with pytest.raises(StageError, match="20 requests"):
        generation.generate(made, samples(), folder, alone())
    server.batches[0] |= {"status": "failed", "errors": {"data": [{"message": f"Bearer {KEY} is blocked"}]}}
    with pytest.raises(StageError, match=r"Bearer \[key\] is blocked"):
        generation.generate(made, samples(), folder, alone())
