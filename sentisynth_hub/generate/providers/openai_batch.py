"""The Batch API: submit everything, leave, come back, collect. The same recipe, the same journal, half the price.

A batch is one reservation in the journal. `collect` settles the batches that have ended; `submit` sends what is
neither answered nor under way. A crash between sending a batch and noting its id loses nothing: the batch carries the
reservation's name and is found by it.
"""

import io
import itertools
import json
import uuid
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sentisynth_hub.core import log
from sentisynth_hub.core.errors import StageError
from sentisynth_hub.core.rows import Completion, Request
from sentisynth_hub.core.untrusted import loads_untrusted, one_line
from sentisynth_hub.generate.answers import completion_record
from sentisynth_hub.generate.budget import Ledger, TokenCost, worst_case
from sentisynth_hub.generate.journal import Journal, read_journal
from sentisynth_hub.generate.providers import openai_protocol as protocol
from sentisynth_hub.generate.providers.openai_client import client_settings
from sentisynth_hub.generate.providers.server_fields import ServerFields
from sentisynth_hub.recipe import Recipe


_LARGEST = 50_000  # requests a batch may have, by OpenAI's limits
_ENDED = ("completed", "expired", "cancelled", "failed")
_PAGES = 1000  # of a hundred batches each, looked through for one
_NAME = "sentisynth_reservation"  # key of the batch's metadata


@dataclass
class _Batch:
    """A batch that is not settled: what it reserved, and which of its requests are in the journal already."""

    call: str
    request_ids: list[str]
    reserved: TokenCost
    batch_id: str | None = None


class BatchCaller:
    """Answers through batches; `stopped` says what is under way or why nothing more was sent."""

    def __init__(self, recipe: Recipe, ledger: Ledger, journal: Journal, journals: Sequence[Path]):
        """`journals`: everything this stage wrote before, by any number of processes."""
        import openai

        self.recipe, self.ledger, self._journal = recipe, ledger, journal
        self.endpoint = protocol.endpoint_of(recipe)
        self.stopped: str | None = None
        self._client = openai.OpenAI(**client_settings(recipe))
        self._open, self._answered = _open_batches(journals)
        self._fields = ServerFields(protocol.host(self.endpoint), self.endpoint.model)
        self._example: Request | None = None  # stands for all: the fields of a call are the same for every request

    def generate(self, requests: Iterable[Request]) -> Generator[Completion]:
        """Yield what has been answered since the last time, then submit what nobody was asked yet.

        Raises:
            StageError: The server refused; what was collected before is kept.
        """
        import openai

        waiting = {request.request_id: request for request in requests}
        self._example = next(iter(waiting.values()), None)
        try:
            with self._client:
                for completion in self._collect():
                    waiting.pop(completion.request_id, None)
                    yield completion
                under_way = {request_id for batch in self._open.values() for request_id in batch.request_ids}
                self._submit([request for name, request in waiting.items() if name not in under_way])
        except openai.APIStatusError as error:
            words = one_line(error.response.content[:800].decode("utf-8", "replace"))
            raise StageError(f"generate: the Batch API: HTTP {error.status_code}: {words}; run again later") from None
        except openai.OpenAIError as error:
            raise StageError(f"generate: the Batch API: {one_line(str(error))}; run again later") from None
        if self._open:
            count = sum(len(batch.request_ids) for batch in self._open.values())
            self.stopped = self.stopped or (
                f"{len(self._open)} batches with {count:,} requests are with the server; run the same command again"
                f" to collect"
            )

    def _collect(self) -> Iterator[Completion]:
        for call, batch in list(self._open.items()):
            batch_id = batch.batch_id or self._find(call)
            if batch_id is None:  # the crash came before it was sent
                self._close(call)
                continue
            state = self._object(self._client.batches.with_raw_response.retrieve(batch_id))
            if state.get("status") not in _ENDED:
                log.info(f"batch {batch_id}: {one_line(str(state.get('status')), 40)}")
                continue
            files = [state.get(name) for name in ("output_file_id", "error_file_id")]
            lines = [
                line
                for file_id in files
                if isinstance(file_id, str) and file_id
                for line in self._client.files.content(file_id).content.split(b"\n")
                if line.strip()
            ]
            if state["status"] == "failed" and not lines:
                self._close(call)
                words, _ = protocol.server_words(_first_error(state))
                raise StageError(
                    f"generate: batch {batch_id} failed: {one_line(words or 'no reason given')}; mend the recipe and "
                    "run again"
                )
            completions, unreadable = self._read(batch, lines)
            self._close(call, completions, unreadable)
            yield from completions

    def _read(self, batch: _Batch, lines: list[bytes]) -> tuple[list[Completion], int]:
        """The completions in a batch's output, and how many of its lines cannot be read.

        A request without a line, or with an error that may pass, is asked again. Where as many lines are unreadable as
        requests are without one, these are the unreadable ones, and end with an error: asked again, they might come
        back the same for ever.
        """
        open_ids = dict.fromkeys(name for name in batch.request_ids if name not in self._answered)
        completions, unreadable, again = [], 0, 0
        for line in lines:
            try:
                record = loads_untrusted(line)
            except ValueError:
                record = None
            request_id = record.get("custom_id") if isinstance(record, dict) else None
            if not isinstance(request_id, str):
                unreadable += 1
                continue
            if request_id not in open_ids:
                continue  # of another batch, a second answer, or in the journal since a crash
            completion = self._completion(request_id, record)
            del open_ids[request_id]
            if completion is None:
                again += 1
            else:
                completions.append(completion)
        if unreadable:
            log.warn(
                f"batch {batch.batch_id}: {unreadable:,} lines of its output cannot be read; what they cost is "
                "counted as what was reserved for them"
            )
        if unreadable == len(open_ids) and not again:
            completions += [self._failed(name, "its line in the batch's output is no JSON") for name in open_ids]
        return completions, unreadable

    def _completion(self, request_id: str, record: dict[str, Any]) -> Completion | None:
        """The completion in a line of a batch's output; None where the request may be asked again."""
        response = record.get("response")
        status = response.get("status_code") if isinstance(response, dict) else None
        content = response.get("body") if isinstance(response, dict) else None
        if status == 200:
            try:
                answer = protocol.read_answer(content, self.endpoint.model)
            except protocol.AnswerError as error:
                return self._failed(request_id, one_line(str(error)))
            used = answer.usage or (0, self.recipe.generate.new_tokens)
            request = Request(request_id, 0, "", "", 0, 0, "")
            cost = self.ledger.cost(*used).usd
            for completion in protocol.completions([request], answer, used, cost, left_out=self._fields.left_out):
                return completion
            why = next((choice.error for choice in answer.choices if choice.error), None)
            return Completion(
                request_id,
                "",
                "error",
                answer.model,
                prompt_tokens=used[0],
                completion_tokens=used[1],
                cost_usd=cost,
                error=one_line(why or "the answer has no choices"),
            )
        if isinstance(status, int) and 400 <= status < 500 and status not in (408, 409, 429):
            words, code, parameter = protocol.read_refusal(_dumped(content))
            if status in (400, 422) and self._refuses_field(words, parameter):
                return None
            why = f"HTTP {status}: {words}"
            if code is not None and protocol.is_refusal(code):
                return replace(self._failed(request_id, ""), text=why, finish_reason="refusal", error=None)
            return self._failed(request_id, why)
        return None

    def _failed(self, request_id: str, why: str) -> Completion:
        """A request that got no text, and costs nothing."""
        nothing = self.ledger.cost(0, 0).usd
        return Completion(request_id, "", "error", self.endpoint.model, cost_usd=nothing, error=why)

    def _refuses_field(self, words: str, parameter: str | None) -> bool:
        """Whether a line was refused for a field that the next batch leaves out."""
        if self._example is None:
            return False
        body = protocol.body(self.recipe, self._example)
        if self._fields.learn(body, words, parameter) is not None:
            self._fields.settle(keep=True)
        return bool(self._fields.refused) and any(name in words or name == parameter for name in self._fields.refused)

    def _submit(self, requests: list[Request]) -> None:
        new_tokens = self.recipe.generate.new_tokens
        left = iter(requests)
        while chunk := list(itertools.islice(left, _LARGEST)):
            affordable: list[Request] = []
            reserved = TokenCost(0, 0.0 if self.ledger.price is not None else None)
            for request in chunk:
                bound = worst_case(request.prompt, new_tokens)
                worst = self.ledger.cost(bound - new_tokens, new_tokens)
                if not self.ledger.reserve(worst):
                    self.stopped = self.ledger.limit_reached(worst)
                    break
                affordable.append(request)
                reserved = TokenCost(
                    reserved.tokens + bound, None if worst.usd is None else (reserved.usd or 0.0) + worst.usd
                )
            if affordable:
                self._send(affordable, reserved)
            if self.stopped:
                return

    def _send(self, requests: list[Request], reserved: TokenCost) -> None:
        call = uuid.uuid4().hex
        batch = _Batch(call, [request.request_id for request in requests], reserved)
        reservation = {
            "kind": "reservation",
            "batch_api": True,
            "call": call,
            "request_ids": batch.request_ids,
            "tokens": reserved.tokens,
            "cost_usd": reserved.usd,
        }
        self._journal.append([reservation])
        path = protocol.path(self.recipe)
        lines = io.BytesIO()
        for request in requests:
            body = self._fields.apply(protocol.body(self.recipe, request))
            line = {"custom_id": request.request_id, "method": "POST", "url": path, "body": body}
            lines.write(json.dumps(line).encode("ascii") + b"\n")
        lines.seek(0)
        file = self._object(
            self._client.files.with_raw_response.create(file=("requests.jsonl", lines), purpose="batch")
        )
        created = self._object(
            self._client.batches.with_raw_response.create(
                input_file_id=_id_of(file, "file"),
                endpoint=path,
                completion_window="24h",
                metadata={_NAME: call},
            )
        )
        batch.batch_id = _id_of(created, "batch")
        self._journal.append([{"kind": "batch", "call": call, "batch_id": batch.batch_id}])
        self._open[call] = batch

    def _find(self, call: str) -> str | None:
        """The id of the batch that carries this reservation's name."""
        from openai import omit

        last: str | None = None
        for _ in range(_PAGES):
            page = self._object(self._client.batches.with_raw_response.list(limit=100, after=last or omit))
            batches = page.get("data")
            batches = [item for item in batches if isinstance(item, dict)] if isinstance(batches, list) else []
            for item in batches:
                metadata = item.get("metadata")
                if isinstance(metadata, dict) and metadata.get(_NAME) == call:
                    batch_id = _id_of(item, "batch")
                    self._journal.append([{"kind": "batch", "call": call, "batch_id": batch_id}])
                    self._open[call].batch_id = batch_id
                    return batch_id
            if page.get("has_more") is not True or not batches:
                break
            last = _id_of(batches[-1], "batch")
        return None

    @staticmethod
    def _object(response: Any) -> dict[str, Any]:
        """The JSON object in a raw response.

        Raises:
            StageError: There is none.
        """
        try:
            content = loads_untrusted(response.content)
        except ValueError:
            content = None
        if not isinstance(content, dict):
            raise StageError(
                f"generate: the Batch API answered with no JSON object; {protocol.BASE_URL_HINT}; run again later"
            )
        return content

    def _close(self, call: str, completions: Sequence[Completion] = (), unreadable: int = 0) -> None:
        """The batch is settled: its reservation no longer counts, its completions do, and for lines that nobody can
        read their share of what was reserved.

        All in one write: a crash between the completions and the release would have them collected twice.
        """
        batch = self._open.pop(call)
        share = unreadable / max(1, len(batch.request_ids))
        lost = TokenCost(
            round(share * batch.reserved.tokens), None if batch.reserved.usd is None else share * batch.reserved.usd
        )
        release = {"kind": "release", "call": call, "tokens": lost.tokens, "cost_usd": lost.usd}
        self._journal.append([*(completion_record(completion) for completion in completions), release])
        self._answered.update(completion.request_id for completion in completions)
        tokens = lost.tokens + sum(item.prompt_tokens + item.completion_tokens for item in completions)
        usd = (lost.usd or 0.0) + sum(item.cost_usd or 0.0 for item in completions)
        self.ledger.settle(batch.reserved, TokenCost(tokens, usd))


def _dumped(content: Any) -> bytes:
    """JSON that was read as part of a line, as the bytes it was."""
    try:
        return json.dumps(content).encode("ascii")
    except RecursionError:
        return b""


def _id_of(content: dict[str, Any], kind: str) -> str:
    name = content.get("id")
    if not isinstance(name, str) or not name:
        raise StageError(f"generate: the Batch API made a {kind} without an id; run again later")
    return name


def _first_error(state: dict[str, Any]) -> Any:
    """The first of a failed batch's errors, wherever the server puts them."""
    errors = state.get("errors")
    if isinstance(errors, dict):
        errors = errors.get("data")
    return errors[0] if isinstance(errors, list) and errors else errors


def _open_batches(journals: Sequence[Path]) -> tuple[dict[str, _Batch], set[str]]:
    """The batches that are not settled, with their ids where these are known; and which of their requests have an
    answer already.
    """
    batches: dict[str, _Batch] = {}
    waiting: set[str] = set()
    answered: set[str] = set()
    for path in journals:
        for _, record in read_journal(path):
            if record["kind"] == "reservation" and record.get("batch_api"):
                reserved = TokenCost(record["tokens"], record["cost_usd"])
                batches[record["call"]] = _Batch(record["call"], record["request_ids"], reserved)
                waiting.update(record["request_ids"])
            elif record["kind"] == "batch" and record["call"] in batches:
                batches[record["call"]].batch_id = record["batch_id"]
            elif record["kind"] == "release":
                batches.pop(record["call"], None)
            elif record["kind"] == "completion" and record["request_id"] in waiting:
                answered.add(record["request_id"])
    return batches, answered
