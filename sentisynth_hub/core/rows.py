"""What flows between the stages: rows, requests for text, completions of them, and a filter's decisions.

A label is always its name (a string); integers appear only inside training and in published ClassLabel columns.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sentisynth_hub.core.errors import StageError
from sentisynth_hub.core.text import digest, text_id
from sentisynth_hub.core.untrusted import clean_text, one_line


PARENT = "parent"
"""The attribute in a row's lineage that names the natural row it was made from, by its `request_id`."""


@dataclass(frozen=True, slots=True)
class Row:
    """One labelled (or not yet labelled) text, natural or synthetic.

    Attributes:
        text: NFC text, never empty for a natural row.
        label: Label name; None where unlabelled or where a completion could not be parsed.
        request_id: What tells candidates apart, since duplicates share an `id`; for natural rows the source's own row
            id.
        asked_label: The label the generator was asked for; None for natural rows.
        prompt_id: Digest of the prompt a synthetic row came from; None for natural rows.
        language: BCP-47 tag, or a comma-separated list of them for code-mixed text.
        generator: Model that wrote it; None for natural rows.
        num_shots: Demonstrations in its prompt.
        scores: What filters measured on it, by filter name (`teacher_confidence`, `perplexity`, `cmi`); stays with
            the row,
            so that a threshold can be moved without scoring again.
    """

    text: str
    label: str | None
    request_id: str = ""
    asked_label: str | None = None
    prompt_id: str | None = None
    language: str | None = None
    generator: str | None = None
    num_shots: int | None = None
    scores: dict[str, float] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """First 16 hex digits of the sha256 of the NFC text: a relabelled row keeps its id."""
        return text_id(self.text)


@dataclass(frozen=True, slots=True)
class Decision:
    """What one filter says of one row: `keep` True means the row stays.

    A dropped row always has a `reason` (snake_case, from a small fixed set a filter documents); `score` is what was
    measured, kept for kept rows too. `label` is what a kept row is called from now on; None: as before. `scores` are
    further measures by name, which stay with the row.
    """

    keep: bool
    reason: str | None = None
    score: float | None = None
    label: str | None = None
    scores: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rejected:
    """A candidate that was dropped: by which filter (`parse` where no row could be made of the completion), and
    why."""

    row: Row
    filter: str
    reason: str
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """One call for one text.

    `request_id` is a digest of (prompt, model, sampling, seed, sample index); `seed` depends on the recipe's seed and
    the
    request's index, never on which process asks. `prompt` is a string for raw completion or a list of chat messages.
    """

    request_id: str
    index: int
    prompt_id: str
    prompt: str | list[dict[str, str]]
    sample_index: int
    seed: int
    asked_label: str
    demonstration_ids: tuple[str, ...] = ()
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Completion:
    """What a generator answered to one request, stored before anything parses it.

    `finish_reason` is "stop", "length" (cut at the token limit), "interrupted" (cut by anything else), "refusal" or
    "error" (then `text` is empty and `error` says why). Token counts are the server's own where it reports them.
    `cost_usd` is None where no price is known, never 0. `left_out` names the fields of a call that the server refused
    and that were not sent, with commas between. `logprob` is the sum of its tokens' log-probabilities,
    where a server was asked for them and gave them. Every string is cleaned here, whoever wrote it: what UTF-8 cannot
    hold (half an emoji) becomes U+FFFD.
    """

    request_id: str
    text: str
    finish_reason: str
    model: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float | None = None
    system_fingerprint: str | None = None
    error: str | None = None
    left_out: str = ""
    logprob: float | None = None

    def __post_init__(self) -> None:
        for name in ("text", "model", "system_fingerprint", "error"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, clean_text(value))


class ContentDigest:
    """Digest of what a dataset says: sha256 over the sorted lines `split NUL id NUL label` of its rows.

    No floats and no Parquet bytes: those differ between versions of the writer while the content does not.
    """

    def __init__(self, split: str = "train"):
        self._split = split
        self._lines: list[str] = []

    def add(self, row: Row) -> None:
        """Count one more row, in any order."""
        self._lines.append(f"{self._split}\0{row.id}\0{row.label}")

    def __len__(self) -> int:
        return len(self._lines)

    def hexdigest(self) -> str:
        """The digest of the rows so far."""
        return digest(sorted(self._lines))


def content_digest(rows: Iterable[Row], split: str = "train") -> str:
    """The `ContentDigest` of these rows."""
    counted = ContentDigest(split)
    for row in rows:
        counted.add(row)
    return counted.hexdigest()


def write_rows(path: Path, rows: Sequence[Row], extra: dict[str, Sequence[Any]] | None = None) -> None:
    """Write rows to a Parquet file, whole or not at all, with `extra` columns beside the row's own (same length)."""
    import pyarrow as pa

    columns: dict[str, Any] = {
        name: pa.array([getattr(row, name) for row in rows], kind) for name, kind in row_schema().items()
    }
    for name in sorted({name for row in rows for name in row.scores}):
        columns[f"score_{name}"] = pa.array([row.scores.get(name) for row in rows], pa.float64())
    for name, values in (extra or {}).items():
        columns[name] = values if isinstance(values, pa.Array) else pa.array(values)
    write_table(path, pa.table(columns))


def row_schema() -> dict[str, Any]:
    """The columns of a file of rows with their Arrow types, scores left out."""
    import pyarrow as pa

    return {name: pa.int32() if name == "num_shots" else pa.string() for name in _COLUMNS}


class TableFile:
    """A Parquet file written record by record, whole or not at all: no more than a thousand are held in memory."""

    def __init__(self, path: Path, schema: dict[str, Any]):
        from sentisynth_hub.core.files import replaced

        self._replaced = replaced(path)
        self._columns = schema
        self._records: list[dict[str, Any]] = []

    def __enter__(self) -> "TableFile":
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._schema = pa.schema(list(self._columns.items()))
        self._writer = pq.ParquetWriter(self._replaced.__enter__(), self._schema)
        return self

    def add(self, record: dict[str, Any]) -> None:
        """Write one more line."""
        self._records.append(record)
        if len(self._records) >= _CHUNK:
            self._flush()

    def add_row(self, row: Row, **extra: Any) -> None:
        """Write one more row, with `extra` columns beside its own."""
        self.add({name: getattr(row, name) for name in _COLUMNS} | extra)

    def _flush(self) -> None:
        import pyarrow as pa

        self._writer.write_table(pa.Table.from_pylist(self._records, self._schema))
        self._records = []

    def __exit__(self, *error: Any) -> None:
        if error[0] is None:
            self._flush()
        self._writer.close()
        self._replaced.__exit__(*error)


_CHUNK = 1000
_COLUMNS = ("id", "text", "label", "request_id", "asked_label", "prompt_id", "language", "generator", "num_shots")


def read_rows(path: Path) -> list[Row]:
    """Read the rows of a Parquet file made by `write_rows`; extra columns are left out.

    Raises:
        StageError: The file is damaged, or holds something else.
    """
    return [_row(record) for record in _with_columns(path, _COLUMNS)]


def read_records(path: Path) -> Iterator[dict[str, Any]]:
    """Yield each line of a Parquet file of a run folder as a dictionary.

    Raises:
        StageError: The file is damaged.
    """
    try:
        records = read_table(path).to_pylist()
    except ValueError as error:
        raise StageError(f"{path}: damaged ({one_line(str(error), 120)}); {_MEND}") from error
    yield from records


def read_table(path: Path) -> Any:
    """Read a whole Parquet file as a pyarrow table.

    Raises:
        ValueError: The file is damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
        table.validate(full=True)  # texts may be no UTF-8
        return table
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk's failure, not the file's
        raise ValueError(str(error)) from error


def _with_columns(path: Path, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    for record in read_records(path):
        if missing := [name for name in names if name not in record]:
            raise StageError(f"{path}: has no column {missing[0]}; {_MEND}")
        yield record


_MEND = "delete the folder it is in and run again"


def write_rejected(path: Path, rejected: Sequence[Rejected]) -> None:
    """Write rejected rows to a Parquet file with the columns `filter`, `reason` and `score` beside the row's own."""
    import pyarrow as pa

    write_rows(
        path,
        [item.row for item in rejected],
        {
            "filter": pa.array([item.filter for item in rejected], pa.string()),
            "reason": pa.array([item.reason for item in rejected], pa.string()),
            "score": pa.array([item.score for item in rejected], pa.float64()),
        },
    )


def read_rejected(path: Path) -> list[Rejected]:
    """Read a Parquet file made by `write_rejected`.

    Raises:
        StageError: The file is damaged, or holds something else.
    """
    return [
        Rejected(_row(record), record["filter"], record["reason"], record["score"])
        for record in _with_columns(path, (*_COLUMNS, "filter", "reason", "score"))
    ]


def write_table(path: Path, table: Any) -> None:
    """Write a pyarrow table to `path` by way of a temporary name, so that a reader sees all of it or nothing."""
    import pyarrow.parquet as pq

    from sentisynth_hub.core.files import replaced

    with replaced(path) as temporary:
        pq.write_table(table, temporary)


def _row(record: dict[str, Any]) -> Row:
    scores = {name[6:]: value for name, value in record.items() if name.startswith("score_") and value is not None}
    return Row(scores=scores, **{name: record[name] for name in _COLUMNS if name != "id"})


def by_label(rows: Sequence[Row], labels: Sequence[str]) -> dict[str, list[Row]]:
    """Rows of each label, in the order of `labels`; a label without rows has an empty list."""
    groups: dict[str, list[Row]] = {label: [] for label in labels}
    for row in rows:
        if row.label is not None:
            groups[row.label].append(row)
    return groups
