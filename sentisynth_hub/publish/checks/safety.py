"""The last look before anything leaves: no natural row, no personal data, no secret, nothing that cannot be published
safely.

The filters have looked already, with what each replicate may see. This looks once more, with all natural rows, at
every text of every published file, also those that an early filter dropped before a later one could look at them.
"""

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from sentisynth_hub.core import log
from sentisynth_hub.core.errors import DataError, PublishError
from sentisynth_hub.core.rows import Row
from sentisynth_hub.core.text import nfc, normalised
from sentisynth_hub.filter.overlap import Overlap
from sentisynth_hub.filter.personal_data import PersonalData, PersonalDataOptions
from sentisynth_hub.metrics.words import ngrams, words
from sentisynth_hub.natural.splits import NaturalData
from sentisynth_hub.publish.checks.secret_scan import (
    find_secret,
    secret_variable,
    secret_variable_in,
    texts_with_secrets,
)
from sentisynth_hub.publish.dataset_tables import Table
from sentisynth_hub.publish.release import DatasetRelease
from sentisynth_hub.recipe import Recipe


HIDING = frozenset({"parse", "overlap", "echo", "personal_data"})
"""Filters whose rejected rows never show their text (`parse`: nobody judged what such a completion holds)."""

_NGRAM = 8
_SHORTEST = 4  # a natural row of fewer words is looked for as a whole text only, not inside others
_LARGEST_NOTES = 1_000_000  # bytes of a model's text file that is read for keys; vocabularies are larger


class NaturalTexts:
    """Natural rows, indexed to be found again: whole, as a run of eight words, or (short rows) inside another text."""

    def __init__(self, natural: NaturalData):
        parts = {"test": natural.test, "validation": natural.validation, "train": natural.train}
        self.overlap = Overlap.against(parts, _NGRAM)
        self.starts = {run[:2] for run in self.overlap.runs}
        self.short: dict[int, set[tuple[str, ...]]] = {}
        for rows in parts.values():
            for row in rows:
                unit = tuple(words(row.text))
                if len(unit) >= _SHORTEST:
                    self.starts.add((unit[0], unit[1]))
                    self.short.setdefault(min(len(unit), _NGRAM), set()).add(unit[:_NGRAM])

    def found_in(self, text: str) -> str | None:
        """Why `text` holds natural text, None where it does not: strict, for texts that have to hide when in doubt."""
        source = self.overlap.exact.get(normalised(text))
        if source is not None:
            return f"exact_{source}"
        unit, runs = words(text), self.overlap.runs
        if self.starts.isdisjoint(pairwise(unit)):  # most texts have no two words with which a natural run begins
            return None
        shared = next((runs[run] for run in ngrams(unit, self.overlap.ngram) if run in runs), None)
        if shared is not None:
            return f"ngram_{shared}"
        return next(
            ("natural_inside" for size, runs in self.short.items() if not runs.isdisjoint(ngrams(unit, size))), None
        )

    def is_copy(self, text: str) -> bool:
        """Whether `text` is a natural row, normalised."""
        return normalised(text) in self.overlap.exact


def check_rows(release: DatasetRelease, natural: NaturalTexts) -> None:
    """Check the rows that are to be published as kept.

    Raises:
        DataError: A row or label cannot be published; says which and why.
        PublishError: A kept row is a natural row, or holds personal data.
    """
    for label in release.recipe.labels:
        if not label.strip() or any(unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in label):
            raise DataError(
                f"label {log.printable(label)!r}: empty, or holds a character that cannot be seen; rename it"
            )
    if not release.kept:
        raise DataError(
            "no row was kept, so there is nothing to publish; loosen the filters or ask for more candidates"
        )
    for row in release.kept:
        if row.label not in release.recipe.labels:
            raise DataError(
                f"row {row.request_id}: label {log.printable(str(row.label), 40)!r} is not one of the recipe's"
            )
        if not row.text.strip():
            raise DataError(f"row {row.request_id}: its text is empty; add `length: {{}}` to the recipe's filters")
    _no_natural_row(release.kept, natural)
    if not release.recipe.publish.allow_personal_data:
        _no_personal_data(release)


def check_funnel(release: DatasetRelease) -> None:
    """Check that the funnel tells what the rows tell.

    Raises:
        DataError: It does not, or a row has no lineage, so a card would lie.
    """
    counted = Counter((item.filter, item.reason) for item in release.rejected)
    counts = {(step["filter"], step["reason"]): step["rejected"] for step in release.funnel if step["rejected"]}
    if dict(counted) != counts:
        raise DataError(f"the funnel says {counts}, the rejected rows say {dict(counted)}; run the filter stage again")
    request_ids = {line["request_id"] for line in release.lineage}
    missing = [
        row.request_id
        for row in (*release.kept, *(item.row for item in release.rejected))
        if row.request_id not in request_ids
    ]
    if missing:
        raise DataError(f"{len(missing)} rows have no lineage, e.g. {missing[0]}; run the generate stage again")


def hidden_texts(release: DatasetRelease, natural: NaturalTexts) -> list[bool]:
    """For every rejected row whether its text must not get out."""
    personal = personal_data_of(release.recipe)
    return [
        item.filter in HIDING
        or natural.found_in(item.row.text) is not None
        or personal.find(item.row.text) is not None
        or find_secret(item.row.text) is not None
        for item in release.rejected
    ]


def personal_data_of(recipe: Recipe) -> PersonalData:
    """What looks for personal data: with the regions of the recipe's filter where it uses one."""
    options = recipe.filter.of(PersonalDataOptions)
    return PersonalData() if options is None else PersonalData(tuple(options.regions))


def check_files(files: Mapping[str, str], natural: NaturalTexts | None) -> None:
    """Look through the text files that are to be published.

    Raises:
        PublishError: One holds a secret, a path of this machine, or a natural row.
    """
    home = f"{Path.home()}/"
    for path, content in files.items():
        _no_secret(path, content)
        if len(home) > len("/x/") and home in content:
            raise PublishError(f"{path}: holds a path under your home folder; take it out of the recipe or the prompt")
        for number, line in enumerate(content.split("\n"), 1):
            if natural is not None and len(words(line)) >= _SHORTEST and natural.is_copy(line):
                raise PublishError(f"{path}: line {number} is a natural row, which must not be published; take it out")


def check_tables(tables: Mapping[str, Table], *, allow_invented_keys: bool) -> None:
    """Look through every text of every table for secrets; those of hidden texts are not there any more.

    Args:
        allow_invented_keys: Let pass, in the column `text`, what only looks like a key.

    Raises:
        PublishError: One holds the value of a secret variable of this environment, or looks like a key.
    """
    for name, table in tables.items():
        for column, kind in table.kinds.items():
            if kind not in ("string", "list<string>"):
                continue
            values = table.distinct(column)
            variable = secret_variable_in(values)
            if variable is not None:
                raise PublishError(f"config {name}, column {column}: would publish the value of {variable}")
            for place, kind_of_secret in texts_with_secrets(values).items():
                if column != "text" or not allow_invented_keys:
                    excerpt = log.printable(values[place].as_py(), 30)
                    raise PublishError(
                        f"config {name}, column {column}: {excerpt!r} holds something that "
                        f"looks like a secret ({kind_of_secret}); drop the row, or set "
                        "publish.allow_invented_keys=true where a model made it up"
                    )


def check_model_files(files: Mapping[str, bytes | Path]) -> None:
    """Look through a model's files: every one for values of secret variables, short texts for what looks like a key.

    Raises:
        PublishError: One holds something of the kind.
    """
    for name, content in files.items():
        data = content if isinstance(content, bytes) else content.read_bytes()
        text = data.decode("utf-8", "replace") if len(data) <= _LARGEST_NOTES else ""
        _no_secret(name, text)
        variable = secret_variable(data.decode("latin-1")) if not text else None
        if variable is not None:
            raise PublishError(f"{name}: would publish the value of {variable}; take it out")


def _no_secret(path: str, content: str) -> None:
    variable = secret_variable(content)
    if variable is not None:
        raise PublishError(f"{path}: would publish the value of {variable}; take it out of the recipe or the prompt")
    kind = find_secret(content)
    if kind is not None:
        raise PublishError(f"{path}: holds something that looks like a secret ({kind}); take it out")


def _no_natural_row(kept: Sequence[Row], natural: NaturalTexts) -> None:
    copies = [row for row in kept if natural.is_copy(row.text)]
    if copies:
        raise PublishError(
            f"leakage gate: {len(copies)} kept rows are natural rows, e.g. {copies[0].request_id}; "
            "add `overlap: {}` to the recipe's filters"
        )


def _no_personal_data(release: DatasetRelease) -> None:
    import pyarrow as pa

    texts = pa.array([nfc(row.text) for row in release.kept], pa.string())
    kinds = personal_data_of(release.recipe).find_in(texts)
    hits = [(release.kept[place].request_id, kind) for place, kind in kinds.items()]
    if hits:
        raise PublishError(
            f"personal data: {len(hits)} kept rows hold some, e.g. {hits[0][0]} ({hits[0][1]}); "
            "add `personal_data: {}` to the recipe's filters, or set publish.allow_personal_data=true"
        )
