"""Reading journals back: which requests have their answer, where it stands, and what has been spent."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from sentisynth_hub.core.rows import Completion
from sentisynth_hub.generate.budget import TokenCost
from sentisynth_hub.generate.journal import read_journal, read_journal_from, record_at


class Answers:
    """The journalled completions of one replicate, by request and batch, and what they cost.

    Only places in files are kept in memory, not texts. `batch` is None for an endpoint's completions, which do not
    depend on their neighbours; a local model's completion counts only for the batch it was drawn in.
    """

    def __init__(self, own: Callable[[], Iterable[Path]], elsewhere: Iterable[Path] = ()):
        """Read the `own` journals, whose spending is this stage's, and of those `elsewhere` the answers alone."""
        self._own = own
        self._paths: list[Path] = []
        self._ends: dict[Path, int] = {}  # how far each was read
        self._accounts = Spending()
        # By hash: with millions of requests their ids would fill the memory.
        self._places: dict[int, int] = {}
        self.read()
        for path in elsewhere:
            self._read(path, None)

    def read(self) -> None:
        """Read what was appended to the own journals since the last time."""
        for path in self._own():
            self._read(path, self._accounts)

    def _read(self, path: Path, accounts: "Spending | None") -> None:
        if path not in self._ends:
            self._ends[path] = 0
            self._paths.append(path)
        number = self._paths.index(path)
        for offset, end, record in read_journal_from(path, self._ends[path]):
            self._ends[path] = end
            if accounts is not None:
                accounts.add(record)
            if record["kind"] == "completion":
                self._places.setdefault(hash((record["request_id"], record["batch"])), number << _BITS | offset)

    @property
    def spent(self) -> TokenCost:
        """What the own journals say was spent."""
        return self._accounts.spent

    def __contains__(self, key: tuple[str, str | None]) -> bool:
        return hash(key) in self._places

    def record(self, request_id: str, batch: str | None) -> dict[str, Any] | None:
        """The journal's line of a completion; None where the request has no answer yet."""
        place = self._places.get(hash((request_id, batch)))
        if place is None:
            return None
        number, offset = place >> _BITS, place & ((1 << _BITS) - 1)
        record = record_at(self._paths[number], offset)
        assert record["request_id"] == request_id, "two requests with one hash"
        return record

    def completion(self, request_id: str, batch: str | None) -> Completion | None:
        """The stored completion; None where the request has no answer yet."""
        record = self.record(request_id, batch)
        return None if record is None else Completion(**{name: record[name] for name in _FIELDS if name in record})


_BITS = 48  # of an offset in a journal
_FIELDS = tuple(Completion.__dataclass_fields__)


def completion_record(completion: Completion, *, batch: str | None = None, call: str | None = None) -> dict[str, Any]:
    """The journal's line of a completion; `call` names the reservation it settles."""
    fields = {name: getattr(completion, name) for name in _FIELDS}
    if completion.logprob is None:
        del fields["logprob"]
    return {"kind": "completion", "batch": batch, "call": call, **fields}


class Spending:
    """What journals say was spent; a reservation without an answer counts as spent at its worst case."""

    def __init__(self) -> None:
        self._settled = TokenCost(0, 0.0)
        self._reserved: dict[str, TokenCost] = {}

    def add(self, record: Mapping[str, Any]) -> None:
        """Count one line more."""
        if record["kind"] == "reservation":
            self._reserved[record["call"]] = TokenCost(record["tokens"], record["cost_usd"])
        elif record["kind"] in ("completion", "release"):
            self._reserved.pop(record["call"], None)
            release = record["kind"] == "release"
            tokens = record["tokens"] if release else record["prompt_tokens"] + record["completion_tokens"]
            self._settle(tokens, record["cost_usd"])

    def _settle(self, tokens: int, usd: float | None) -> None:
        self._settled = TokenCost(self._settled.tokens + tokens, (self._settled.usd or 0.0) + (usd or 0.0))

    @property
    def spent(self) -> TokenCost:
        """Tokens and US dollars so far."""
        return TokenCost(
            self._settled.tokens + sum(cost.tokens for cost in self._reserved.values()),
            (self._settled.usd or 0.0) + sum(cost.usd or 0.0 for cost in self._reserved.values()),
        )


def spent(journals: Iterable[Path]) -> TokenCost:
    """What these journals say was spent."""
    accounts = Spending()
    for path in journals:
        for _, record in read_journal(path):
            accounts.add(record)
    return accounts.spent
