"""The last look before anything leaves: no natural row, no personal data, no secret, nothing that cannot be published
safely.

The filters have looked already, with what each replicate may see. This looks once more, with all natural rows, at
every text of every published file, also those that an early filter dropped before a later one could look at them.
"""

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence

from sentisynth_hub.core import log
from sentisynth_hub.core.errors import DataError, PublishError
from sentisynth_hub.core.rows import Row
from sentisynth_hub.core.text import digest, normalised
from sentisynth_hub.filter.overlap import Overlap
from sentisynth_hub.filter.personal_data import PersonalData
from sentisynth_hub.metrics.words import ngrams, words
from sentisynth_hub.natural.splits import NaturalData
from sentisynth_hub.publish.release import DatasetRelease
from sentisynth_hub.recipe import Recipe


HIDING = frozenset({"parse", "overlap", "echo", "personal_data"})
"""Filters whose rejected rows never show their text (`parse`: nobody judged what such a completion holds)."""

_NGRAM = 8
_SHORTEST = 4  # a natural row of fewer words is looked for as a whole text only, not inside others
_SECRET_NAME = re.compile(r"TOKEN|SECRET|PASSWORD|API_?KEY|CREDENTIAL", re.IGNORECASE)
_SECRET_FORM = re.compile(r"\b(?:hf_[A-Za-z0-9]{20,}|sk-[A-Za-z0-9_\-]{20,}|gh[pousr]_[A-Za-z0-9]{20,})\b")
_LEAST_SECRET = 8


class NaturalTexts:
    """Natural rows, indexed to be found again: whole, as a run of eight words, or (short rows) inside another text."""

    def __init__(self, natural: NaturalData):
        parts = {"test": natural.test, "validation": natural.validation, "train": natural.train}
        self.overlap = Overlap.against(parts, _NGRAM)
        self.short: dict[int, set[tuple[str, ...]]] = {}
        for rows in parts.values():
            for row in rows:
                unit = tuple(words(row.text))
                if len(unit) >= _SHORTEST:
                    self.short.setdefault(min(len(unit), _NGRAM), set()).add(unit[:_NGRAM])

    def found_in(self, text: str) -> str | None:
        """Why `text` holds natural text, None where it does not: strict, for texts that have to hide when in doubt."""
        source = self.overlap.exact.get(normalised(text))
        if source is not None:
            return f"exact_{source}"
        unit, runs = words(text), self.overlap.runs
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
    told = {(step["filter"], step["reason"]): step["rejected"] for step in release.funnel if step["rejected"]}
    if dict(counted) != told:
        raise DataError(f"the funnel says {told}, the rejected rows say {dict(counted)}; run the filter stage again")
    known = {line["request_id"] for line in release.lineage}
    missing = [
        row.request_id
        for row in (*release.kept, *(item.row for item in release.rejected))
        if row.request_id not in known
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
        for item in release.rejected
    ]


def personal_data_of(recipe: Recipe) -> PersonalData:
    """What looks for personal data: with the regions of the recipe's filter where it uses one."""
    wanted = recipe.filter.personal_data
    return PersonalData(tuple(wanted.regions)) if wanted is not None else PersonalData()


def salt(natural: NaturalData) -> str:
    """Key of the hashes that stand for hidden texts: follows from the natural texts, so it is stable, and is never
    published."""
    rows = (row for part in (natural.train, natural.validation, natural.test) for row in part)
    return digest(["sentisynth salt", *sorted(row.text.replace("\n", " ") for row in rows)])


def check_files(files: Mapping[str, str], natural: NaturalTexts | None) -> None:
    """Look through the text files that are to be published.

    Raises:
        PublishError: One holds a secret of this environment, or a natural row.
    """
    secrets = {
        value: name for name, value in os.environ.items() if _SECRET_NAME.search(name) and len(value) >= _LEAST_SECRET
    }
    for path, content in files.items():
        for value, name in secrets.items():
            if value in content:
                raise PublishError(
                    f"{path}: would publish the value of {name}; take it out of the recipe or the prompt"
                )
        if _SECRET_FORM.search(content):
            raise PublishError(f"{path}: holds something that looks like an access token; take it out")
        for number, line in enumerate(content.splitlines(), 1):
            if natural is not None and len(words(line)) >= _SHORTEST and natural.is_copy(line):
                raise PublishError(f"{path}: line {number} is a natural row, which must not be published; take it out")


def _no_natural_row(kept: Sequence[Row], natural: NaturalTexts) -> None:
    copies = [row for row in kept if natural.is_copy(row.text)]
    if copies:
        raise PublishError(
            f"leakage gate: {len(copies)} kept rows are natural rows, e.g. {copies[0].request_id}; "
            "add `overlap: {}` to the recipe's filters"
        )


def _no_personal_data(release: DatasetRelease) -> None:
    personal = personal_data_of(release.recipe)
    found = [(row.request_id, kind) for row in release.kept if (kind := personal.find(row.text))]
    if found:
        raise PublishError(
            f"personal data: {len(found)} kept rows hold some, e.g. {found[0][0]} ({found[0][1]}); "
            "add `personal_data: {}` to the recipe's filters, or set publish.allow_personal_data=true"
        )
