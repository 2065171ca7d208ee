"""Reading journals back: which requests have their answer, where it stands, and what has been spent."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sentisynth_hub.core.rows import Completion
from sentisynth_hub.generate.budget import Cost
from sentisynth_hub.generate.journal import read_journal, record_at


class Answers:
    """The journalled completions of one replicate, by request and batch.

    Only places in files are kept in memory, not texts. `batch` is None for an endpoint's completions, which do not
    depend on their neighbours; a local model's completion counts only for the batch it was drawn in.
    """

    def __init__(self, journals: Iterable[Path]):
        self._journals = list(journals)
        self._places: dict[int, int] = {}  # by hash: with millions of requests their ids would fill the memory
        for number, path in enumerate(self._journals):
            for offset, record in read_journal(path):
                if record["kind"] == "completion":
                    key = hash((record["request_id"], record["batch"]))
                    self._places.setdefault(key, offset * len(self._journals) + number)

    def __contains__(self, key: tuple[str, str | None]) -> bool:
        return hash(key) in self._places

    def record(self, request_id: str, batch: str | None) -> dict[str, Any] | None:
        """The journal's line of a completion; None where the request has no answer yet."""
        place = self._places.get(hash((request_id, batch)))
        if place is None:
            return None
        offset, number = divmod(place, len(self._journals))
        record = record_at(self._journals[number], offset)
        assert record["request_id"] == request_id, "two requests with one hash"
        return record

    def completion(self, request_id: str, batch: str | None) -> Completion | None:
        """The stored completion; None where the request has no answer yet."""
        record = self.record(request_id, batch)
        return None if record is None else Completion(**{name: record[name] for name in _FIELDS})


_FIELDS = tuple(Completion.__dataclass_fields__)


def completion_record(completion: Completion, *, batch: str | None = None, call: str | None = None) -> dict[str, Any]:
    """The journal's line of a completion; `call` names the reservation it settles."""
    fields = {name: getattr(completion, name) for name in _FIELDS}
    return {"kind": "completion", "batch": batch, "call": call, **fields}


def spent(journals: Iterable[Path]) -> Cost:
    """What the journals say was spent; a reservation without an answer counts as spent at its worst case."""
    tokens, dollars = 0, 0.0
    for path in journals:
        reserved: dict[str, dict[str, Any]] = {}
        for _, record in read_journal(path):
            if record["kind"] == "reservation":
                reserved[record["call"]] = record
                continue
            if record["kind"] not in ("completion", "release"):
                continue
            reserved.pop(record["call"], None)
            if record["kind"] == "release":
                tokens += record["tokens"]
            else:
                tokens += record["prompt_tokens"] + record["completion_tokens"]
            dollars += record["cost_usd"] or 0.0
        tokens += sum(record["tokens"] for record in reserved.values())
        dollars += sum(record["cost_usd"] or 0.0 for record in reserved.values())
    return Cost(tokens, dollars)
