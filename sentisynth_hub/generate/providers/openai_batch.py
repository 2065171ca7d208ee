"""The Batch API: submit everything, leave, come back, collect. The same recipe, the same journal, half the price.

A batch is one reservation in the journal. `collect` settles the batches that have ended; `submit` sends what is
neither answered nor under way. A crash between sending a batch and noting its id loses nothing: the batch carries the
reservation's name and is found by it.
"""

import io
import itertools
import json
import uuid
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from sentisynth_hub.core import log
from sentisynth_hub.core.errors import StageError
from sentisynth_hub.core.rows import Completion, Request
from sentisynth_hub.generate.answers import completion_record
from sentisynth_hub.generate.budget import Cost, Ledger, worst_case
from sentisynth_hub.generate.journal import Journal, read_journal
from sentisynth_hub.generate.providers import openai_protocol as protocol
from sentisynth_hub.generate.providers.openai_chat import client_settings
from sentisynth_hub.recipe import Recipe


_LARGEST = 50_000  # requests a batch may have, by OpenAI's limits
_ENDED = ("completed", "expired", "cancelled", "failed")
_NAME = "sentisynth_reservation"  # key of the batch's metadata


class BatchGenerator:
    """Answers through batches; `stopped` says what is under way or why nothing more was sent."""

    def __init__(self, recipe: Recipe, ledger: Ledger, journal: Journal, journals: Sequence[Path]):
        """`journals`: everything this stage wrote before, by any number of processes."""
        import openai

        self.recipe, self.ledger, self._journal = recipe, ledger, journal
        self.endpoint = protocol.endpoint_of(recipe)
        self.stopped: str | None = None
        self._client = openai.OpenAI(**client_settings(self.endpoint))
        self._open = _open_batches(journals)

    def generate(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """Yield what has been answered since the last time, then submit what nobody was asked yet.

        Raises:
            StageError: The server refused; what was collected before is kept.
        """
        import openai

        waiting = {request.request_id: request for request in requests}
        try:
            with self._client:
                for completion in self._collect():
                    waiting.pop(completion.request_id, None)
                    yield completion
                under_way = {request_id for batch in self._open.values() for request_id in batch["request_ids"]}
                self._submit([request for name, request in waiting.items() if name not in under_way])
        except openai.OpenAIError as error:
            raise StageError(f"generate: the Batch API: {str(error).splitlines()[0][:300]}; run again later") from None
        if self._open:
            asked = sum(len(batch["request_ids"]) for batch in self._open.values())
            self.stopped = self.stopped or (
                f"{len(self._open)} batches with {asked:,} requests are with the server; run the same command again"
                f" to collect"
            )

    def _collect(self) -> Iterator[Completion]:
        for call, reservation in list(self._open.items()):
            batch_id = reservation["batch_id"] or self._find(call)
            if batch_id is None:  # the crash came before it was sent
                self._close(call)
                continue
            batch = self._client.batches.retrieve(batch_id)
            if batch.status not in _ENDED:
                log.info(f"batch {batch_id}: {batch.status}")
                continue
            completions = []
            for file_id in (batch.output_file_id, batch.error_file_id):
                if file_id is not None:
                    completions += [
                        made for line in self._client.files.content(file_id).iter_lines() for made in self._read(line)
                    ]
            if batch.status == "failed" and not completions:
                self._close(call)
                why = batch.errors.data[0].message if batch.errors and batch.errors.data else "no reason given"
                raise StageError(f"generate: batch {batch_id} failed: {why}; mend the recipe and run again")
            self._journal.append(completion_record(completion) for completion in completions)
            self._close(call, completions)
            yield from completions

    def _read(self, line: str) -> Iterator[Completion]:
        """The completion in a line of a batch's output; none where the request may be asked again."""
        if not line.strip():
            return
        record = json.loads(line)
        response = record.get("response") or {}
        request_id, status = record["custom_id"], response.get("status_code")
        if status == 200:
            answer = protocol.read_answer(response["body"], self.endpoint.model)
            used = answer.usage or (0, self.recipe.generate.sampling.max_new_tokens)
            asked = Request(request_id, 0, "", "", 0, 0, "")
            yield from protocol.completions([asked], answer, used, self.ledger.cost(*used).usd)
        elif status is not None and 400 <= status < 500 and status != 429:
            why = f"HTTP {status}: {json.dumps(response.get('body'))[:200]}"
            yield Completion(request_id, "", "error", self.endpoint.model, error=why)

    def _submit(self, requests: list[Request]) -> None:
        new_tokens = self.recipe.generate.sampling.max_new_tokens
        left = iter(requests)
        while chunk := list(itertools.islice(left, _LARGEST)):
            affordable: list[Request] = []
            reserved = Cost(0, 0.0 if self.ledger.price is not None else None)
            for request in chunk:
                bound = worst_case(request.prompt, new_tokens)
                worst = self.ledger.cost(bound - new_tokens, new_tokens)
                if not self.ledger.reserve(worst):
                    self.stopped = self.ledger.limit_reached(worst)
                    break
                affordable.append(request)
                reserved = Cost(
                    reserved.tokens + bound, None if worst.usd is None else (reserved.usd or 0.0) + worst.usd
                )
            if affordable:
                self._send(affordable, reserved)
            if self.stopped:
                return

    def _send(self, requests: list[Request], reserved: Cost) -> None:
        call = uuid.uuid4().hex
        reservation = {
            "kind": "reservation",
            "batch_api": True,
            "call": call,
            "request_ids": [request.request_id for request in requests],
            "tokens": reserved.tokens,
            "cost_usd": reserved.usd,
        }
        self._journal.append([reservation])
        path = protocol.path(self.recipe)
        lines = io.BytesIO()
        for request in requests:
            body = protocol.body(self.recipe, request)
            line = {"custom_id": request.request_id, "method": "POST", "url": path, "body": body}
            lines.write(json.dumps(line, ensure_ascii=False).encode("utf-8") + b"\n")
        lines.seek(0)
        file = self._client.files.create(file=("requests.jsonl", lines), purpose="batch")
        batch = self._client.batches.create(
            input_file_id=file.id,
            endpoint=path,
            completion_window="24h",
            metadata={_NAME: call},
        )
        self._journal.append([{"kind": "batch", "call": call, "batch_id": batch.id}])
        self._open[call] = {**reservation, "batch_id": batch.id}

    def _find(self, call: str) -> str | None:
        """The id of the batch that carries this reservation's name."""
        for batch in self._client.batches.list(limit=100):
            if (batch.metadata or {}).get(_NAME) == call:
                self._journal.append([{"kind": "batch", "call": call, "batch_id": batch.id}])
                return batch.id
        return None

    def _close(self, call: str, completions: Sequence[Completion] = ()) -> None:
        """The batch is settled: its reservation no longer counts, its completions do."""
        self._journal.append([{"kind": "release", "call": call, "tokens": 0, "cost_usd": None}])
        reservation = self._open.pop(call)
        tokens = sum(completion.prompt_tokens + completion.completion_tokens for completion in completions)
        usd = sum(completion.cost_usd or 0.0 for completion in completions)
        self.ledger.settle(Cost(reservation["tokens"], reservation["cost_usd"]), Cost(tokens, usd))


def _open_batches(journals: Sequence[Path]) -> dict[str, dict[str, Any]]:
    """Reservations for batches that are not settled, with the batch's id where it is known."""
    batches: dict[str, dict[str, Any]] = {}
    for path in journals:
        for _, record in read_journal(path):
            if record["kind"] == "reservation" and record.get("batch_api"):
                batches[record["call"]] = {**record, "batch_id": None}
            elif record["kind"] == "batch":
                batches[record["call"]]["batch_id"] = record["batch_id"]
            elif record["kind"] == "release":
                batches.pop(record["call"], None)
    return batches
