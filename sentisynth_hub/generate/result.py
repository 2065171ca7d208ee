"""What the generate stage left, typed: the one reader of its manifest and its tables.

result = load(folder)
result[0].candidates(), result[0].lineage(), result[0].requests, result.model.id
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sentisynth_hub.core.errors import StageError
from sentisynth_hub.core.rows import PARENT, Rejected, Row, read_records, read_rejected, read_rows
from sentisynth_hub.core.run_folder import MANIFEST, StageFolder
from sentisynth_hub.core.untrusted import loads_untrusted


Checked = TypeVar("Checked", bound=BaseModel)


class ManifestRecord(BaseModel):
    """A part of a manifest: read as it is, never changed; keys of later versions are left out."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class WriterIdentity(ManifestRecord):
    """Who wrote the rows: `id` for people, `revision` as the recipe names it, `commit` what that resolved to."""

    id: str
    revision: str | None
    commit: str | None


class WriterCount(ManifestRecord):
    """What one of several writers was asked in a replicate, and what it gave."""

    requests: int = Field(ge=0)
    candidates: int = Field(ge=0)
    prompt_tokens: int = Field(ge=0)
    completion_tokens: int = Field(ge=0)
    cost_usd: float | None = Field(ge=0)


class GeneratedReplicate(ManifestRecord):
    """One replicate's corpus before any filter."""

    path: Path
    """Its folder: tables, and journals but for a further round."""
    journals_in: str | None = None
    """Folder of the first round of the stage, where the journals of all rounds are; None: here."""
    requests: int = Field(ge=0)
    """Calls for text, several of which may have been one call for several texts."""
    demonstration_ids: tuple[str, ...]
    """Request ids of the natural rows that were shown in any prompt, sorted."""
    prompt_tokens: int = Field(ge=0)
    completion_tokens: int = Field(ge=0)
    cost_usd: float | None = Field(ge=0)
    """US dollars; None where no price is known."""
    candidate_count: int = Field(ge=0, alias="candidates")
    unparsed_count: int = Field(ge=0, alias="unparsed")
    reasons: dict[str, int]
    """How many completions became no row, by reason."""
    digest: str
    """Digest of the candidates and of what became none."""
    writers: dict[str, WriterCount] = {}
    """By name, where the recipe has several."""

    @property
    def tokens(self) -> int:
        """Prompt and completion tokens."""
        return self.prompt_tokens + self.completion_tokens

    def journals(self) -> list[Path]:
        """What was answered, and what it cost."""
        folder = self.path
        if self.journals_in is not None:
            folder = folder.parent.parent / self.journals_in / folder.name
        return sorted(folder.rglob("completions-*.jsonl"))

    def candidates(self) -> list[Row]:
        """The candidate rows, in the order they were asked for."""
        return read_rows(self.path / "candidates.parquet")

    def unparsed(self) -> list[Rejected]:
        """What became no row, with its reason."""
        return read_rejected(self.path / "unparsed.parquet")

    def lineage(self) -> Iterator[dict[str, Any]]:
        """Yield for every candidate and every unparsed row where it came from.

        Keys: request_id, prompt_id, demonstration_ids, model, model_revision, system_fingerprint, sampling (JSON),
        seed, sample_index, prompt_tokens, completion_tokens, cost_usd, attributes (JSON). Where one call gave several
        rows, the first carries the call's tokens and cost and the others zero, so that sums are right.
        """
        yield from read_records(self.path / "lineage.parquet")

    def parents(self) -> dict[str, str]:
        """Of the rows that were made from a natural one: its `request_id` by theirs."""
        attributes = {line["request_id"]: loads_untrusted(line["attributes"] or "{}") for line in self.lineage()}
        return {row: each[PARENT] for row, each in attributes.items() if isinstance(each, dict) and PARENT in each}


class GenerateResult(ManifestRecord):
    """The corpora of all replicates, and how they came about."""

    digest: str
    """Names everything that decided the result (64 hex digits)."""
    replicates: dict[int, GeneratedReplicate]
    model: WriterIdentity
    writers: dict[str, WriterIdentity] = {}
    """Every writer by name, where the recipe has several; `model` is the main one."""
    prompt_digest: str | None
    """sha256 of the prompt template; None where the rows were given."""
    parser_version: int
    sampling: dict[str, Any] | None
    num_shots: int | None
    prices: dict[str, Any] | None
    """Date, source and digest of the prices that costs were counted by; None: there are none."""

    def __getitem__(self, replicate: int) -> GeneratedReplicate:
        """A replicate's corpus; under a conditional design they all have the one of replicate 0."""
        return self.replicates.get(replicate) or self.replicates[0]

    def journals(self) -> list[Path]:
        """The journals of all replicates."""
        return [path for _, replicate in sorted(self.replicates.items()) for path in replicate.journals()]

    @property
    def cost_usd(self) -> float | None:
        """US dollars of all replicates; None where no price is known."""
        costs = [replicate.cost_usd for replicate in self.replicates.values()]
        return None if None in costs else sum(cost or 0.0 for cost in costs)


def load(folder: StageFolder) -> GenerateResult:
    """Read a finished generate stage.

    Raises:
        StageError: Its manifest is not what this stage writes; names the key.
    """
    return read_result(folder, folder.manifest())


def read_result(folder: StageFolder, manifest: Mapping[str, Any]) -> GenerateResult:
    """A manifest, written or not yet, as a result.

    Raises:
        StageError: It is not what this stage writes; names the key.
    """
    return checked(GenerateResult, of_replicates(manifest, folder), folder)


def of_replicates(manifest: Mapping[str, Any], folder: StageFolder) -> dict[str, Any]:
    """A manifest with the folder's digest, and every replicate's folder in its record."""
    replicates = manifest.get("replicates")
    if isinstance(replicates, dict):
        replicates = {
            name: {**record, "path": folder.path / f"replicate-{name}"} if isinstance(record, dict) else record
            for name, record in replicates.items()
        }
    return {**manifest, "digest": folder.digest, "replicates": replicates}


def checked(kind: type[Checked], content: Mapping[str, Any], folder: StageFolder) -> Checked:
    """`content` as a `kind`.

    Raises:
        StageError: It is none; one line that names the first key that is wrong.
    """
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise StageError(
            f"{folder.path / MANIFEST}: {key}: {first['msg'][0].lower()}{first['msg'][1:]}; it was changed by "
            "something else, or is another version's: run again after deleting that file, which asks nothing anew"
        ) from None
