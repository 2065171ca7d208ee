"""The files of a human evaluation: the private key of a sheet, what raters export, and reading both back.

Exports come from other people's machines, so every field is checked, and what does not fit is refused in one line.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from sentisynth_hub.core import log
from sentisynth_hub.core.errors import InputError
from sentisynth_hub.core.files import canonical_json


FORMAT_KEY: Literal["sentisynth-annotation-key"] = "sentisynth-annotation-key"
FORMAT_DISAGREEMENTS: Literal["sentisynth-disagreements-key"] = "sentisynth-disagreements-key"
FORMAT_EXPORT: Literal["sentisynth-annotations"] = "sentisynth-annotations"
FORMAT_RESULT = "sentisynth-human-evaluation"
KEY_FILE = "private-key.json"
RESULT_FILE = "human_evaluation.json"
_MOST_BYTES = 50_000_000


T = TypeVar("T", bound=BaseModel)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Item(_Strict):
    """What a row of the sheet really is."""

    id: str
    origin: Literal["natural", "synthetic"]
    label: str
    stratum: str | None


class Margins(_Strict):
    """Differences that do not matter: of accuracy from chance, and of mean naturalness in points of its scale."""

    accuracy: float = Field(gt=0, lt=0.5)
    naturalness: float = Field(gt=0, lt=4)


class Key(_Strict):
    """The private key: never for raters. `run` is the run folder the result goes to, `content_digest` says what corpus
    was rated, `settings` are the corpora rows were drawn from ("": the recipe's own)."""

    format: Literal["sentisynth-annotation-key"]
    version: Literal[1]
    sheet: str
    recipe: str
    run: str
    content_digest: str
    settings: list[str]
    labels: list[str] = Field(min_length=1)
    raters: int = Field(ge=1)
    seed: int
    strata: list[str]
    margins: Margins
    items: list[Item] = Field(min_length=2)


class DisagreementItem(_Strict):
    """A row on which two models disagree: its id in the source, and what each of them says (None: no answer)."""

    id: str
    row: str
    first: str | None
    second: str | None


class DisagreementKey(_Strict):
    """The private key of a sheet of disagreements: of `rows` that two models judged, they differ on `disagreements`,
    some of which are on the sheet."""

    format: Literal["sentisynth-disagreements-key"]
    version: Literal[1]
    sheet: str
    first: str
    second: str
    rows: int = Field(ge=1)
    disagreements: int = Field(ge=1)
    labels: list[str] = Field(min_length=1)
    raters: int = Field(ge=1)
    seed: int
    items: list[DisagreementItem] = Field(min_length=1)

    @model_validator(mode="after")
    def _counts_fit(self) -> "DisagreementKey":
        if not len(self.items) <= self.disagreements <= self.rows:
            raise ValueError("more rows on the sheet than disagreements, or more disagreements than rows")
        return self


AnyKey = Key | DisagreementKey
_KEYS: dict[object, type[Key] | type[DisagreementKey]] = {FORMAT_KEY: Key, FORMAT_DISAGREEMENTS: DisagreementKey}


class Answer(_Strict):
    """What a rater said of one row; None: left open."""

    id: str
    label: str | None
    naturalness: Annotated[int, Field(ge=1, le=5)] | None
    source: Literal["human", "machine"] | None


class Export(_Strict):
    """What the page hands out: a rater number and answers, nothing else."""

    format: Literal["sentisynth-annotations"]
    version: Literal[1]
    sheet: str
    rater: int = Field(ge=1)
    answers: list[Answer]


def read_files(paths: Sequence[Path], runs: Path) -> tuple[Path, AnyKey, list[Export]]:
    """Sort the key and the exports out of `paths`, in any order; earlier results among them are passed over.

    A key that is not among them is looked for beside the exports and in the run folders under `runs`.

    Raises:
        InputError: A file is not one of these, there is no key or no export, an export belongs to another sheet, names
            a row, label or rater the key does not know, or two exports of one rater differ.
    """
    keys: list[tuple[Path, AnyKey]] = []
    exports: list[tuple[Path, Export]] = []
    for path in paths:
        content = _read(path)
        kind = content.get("format")
        if kind in _KEYS:
            keys.append((path, _checked(_KEYS[kind], path, content)))
        elif kind == FORMAT_EXPORT:
            exports.append((path, _checked(Export, path, content)))
        elif kind != FORMAT_RESULT:
            raise InputError(f"{path}: neither a key of `annotate make` nor an export of its page; leave it out")
    if len(keys) > 1:
        raise InputError(f"{keys[1][0]}: a second key beside {keys[0][0]}; score one sheet at a time")
    if not exports:
        raise InputError("no export of a rater among the files; give the files that the page's download button wrote")
    where, key = keys[0] if keys else _find_key(exports, runs)
    for path, export in exports:
        _check_export(path, export, where, key)
    return where, key, _one_each(exports)


def _find_key(exports: Sequence[tuple[Path, Export]], runs: Path) -> tuple[Path, AnyKey]:
    sheet = exports[0][1].sheet
    beside = [path.parent / KEY_FILE for path, _ in exports]
    for path in [*dict.fromkeys(beside), *sorted(runs.glob(f"*/annotate/*/{KEY_FILE}"))]:
        if path.is_file():
            content = _read(path)
            key = _checked(_KEYS.get(content.get("format"), Key), path, content)
            if key.sheet == sheet:
                return path, key
    raise InputError(
        f"{exports[0][0]}: no key of its sheet {sheet} here or under {runs}; "
        f"give the {KEY_FILE} that `annotate make` wrote"
    )


def _check_export(path: Path, export: Export, where: Path, key: AnyKey) -> None:
    if export.sheet != key.sheet:
        raise InputError(f"{path}: of sheet {export.sheet}, but {where} is the key of sheet {key.sheet}; leave it out")
    if export.rater > key.raters:
        raise InputError(f"{path}: rater {export.rater}, but the sheet was made for {key.raters}")
    ids = {item.id for item in key.items}
    answered: set[str] = set()
    for answer in export.answers:
        if answer.id not in ids:
            raise InputError(f"{path}: row {answer.id!r} is not on the sheet; the file was changed")
        if answer.id in answered:
            raise InputError(f"{path}: row {answer.id!r} is answered twice; the file was changed")
        if answer.label is not None and answer.label not in key.labels:
            raise InputError(f"{path}: row {answer.id}: label {answer.label!r} is not one of {', '.join(key.labels)}")
        answered.add(answer.id)


def _one_each(exports: Iterable[tuple[Path, Export]]) -> list[Export]:
    """One export a rater, by rater; a file that was given twice counts once."""
    exports_by_rater: dict[int, tuple[Path, Export]] = {}
    for path, export in exports:
        first = exports_by_rater.setdefault(export.rater, (path, export))
        if _content(first[1]) != _content(export):
            raise InputError(
                f"{path}: other answers of rater {export.rater} than in {first[0]}; keep one of the two, or give the "
                "second person a rater number of their own"
            )
        if first[0] != path:
            log.warn(f"{path}: the same answers as {first[0]}; counted once")
    return [export for _, (_, export) in sorted(exports_by_rater.items())]


def _content(export: Export) -> str:
    return canonical_json(
        sorted((answer.model_dump() for answer in export.answers), key=lambda answer: str(answer["id"]))
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise InputError(f"{path}: {path.stat().st_size:,} bytes; no file of a human evaluation is that large")
        content = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError):
        raise InputError(f"{path}: not JSON; give files that the page exported, as they are") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: not a key and not an export; leave it out")
    return content


def _checked(model: type[T], path: Path, content: dict[str, Any]) -> T:
    try:
        return model.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{path}: {where}: {first['msg']}; the file was changed, or is of another version") from None
