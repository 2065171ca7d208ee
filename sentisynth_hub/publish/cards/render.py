"""Rendering: a card is a pure function of the manifest and of what people wrote around it.

The generated part lies between two markers. Everything outside them, and every metadata key we do not generate,
belongs to people and is kept as it is.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jinja2 import UndefinedError

from sentisynth_hub.core import log
from sentisynth_hub.core.errors import DataError, PublishError
from sentisynth_hub.publish.cards.escape import environment
from sentisynth_hub.publish.cards.front_matter import (
    dataset_metadata,
    front_matter,
    given_dataset_metadata,
    given_model_metadata,
    merged,
    model_metadata,
    split_card,
)
from sentisynth_hub.publish.cards.published_manifest import (
    DatasetManifest,
    GivenDatasetManifest,
    Manifest,
    ModelManifest,
)
from sentisynth_hub.verdict import evaluation_text as words
from sentisynth_hub.verdict.evaluation import parse_evaluation


_BEGINNING = "<!-- sentisynth:begin"
BEGIN = f"{_BEGINNING} (generated; write above or below, what is between the markers is replaced) -->"
END = "<!-- sentisynth:end -->"
_ENTRY = re.compile(r"^## v\d", re.MULTILINE)
_CHANGELOG_TITLE = "# Changelog\n\nWritten with every version; what people add here is kept.\n\n"


def render_card(manifest: Manifest, existing: str) -> str:
    """README.md of a repo.

    Args:
        manifest: What is published.
        existing: README.md at the head, "" where there is none.

    Raises:
        PublishError: The existing card cannot be kept (broken metadata, or half a pair of markers), or the manifest
            holds what no card can show.
    """
    with _showing(manifest):
        if isinstance(manifest, DatasetManifest):
            metadata, template = dataset_metadata(manifest), "dataset_card.md.jinja2"
        elif isinstance(manifest, ModelManifest):
            metadata, template = model_metadata(manifest), "model_card.md.jinja2"
        elif isinstance(manifest, GivenDatasetManifest):
            metadata, template = given_dataset_metadata(manifest), "given_dataset_card.md.jinja2"
        else:
            metadata, template = given_model_metadata(manifest), "given_model_card.md.jinja2"
    people, text = split_card(existing)
    return front_matter(merged(people, metadata)) + with_generated(text, _rendered(template, manifest))


def render_changelog(manifest: Manifest, existing: str) -> str:
    """CHANGELOG.md with the manifest's version put before the entries that are there."""
    entry = _rendered("changelog_entry.md.jinja2", manifest).strip() + "\n"
    if not existing.strip():
        return _CHANGELOG_TITLE + entry
    first = _ENTRY.search(existing)
    place = first.start() if first else len(existing)
    return existing[:place] + entry + "\n" + existing[place:]


def citation(manifest: Manifest) -> str:
    """BibTeX: the published version, then the natural data and the models that went into it."""
    return _rendered("citation.bib.jinja2", manifest).strip()


def with_generated(existing: str, generated: str) -> str:
    """The text of a card with its generated part put in place of the old one, or before what was there if there was
    none.

    Raises:
        PublishError: One marker without the other, or a second pair.
    """
    block = f"{BEGIN}\n{generated.strip()}\n{END}"
    place = _marked(existing)
    if place is None:
        return block + "\n" + (f"\n{existing.lstrip()}" if existing.strip() else "")
    return existing[: place[0]] + block + existing[place[1] :]


def generated_part(card: str) -> str:
    """What stands between the markers of a card; "" where it has none.

    Raises:
        PublishError: One marker without the other, or a second pair.
    """
    place = _marked(card)
    return "" if place is None else card[card.index("-->", place[0]) + 3 : place[1] - len(END)]


def words_outside(card: str) -> str:
    """What people wrote above and below the generated part.

    Raises:
        PublishError: As for `generated_part`.
    """
    place = _marked(card)
    return card.strip() if place is None else f"{card[: place[0]].strip()} {card[place[1] :].strip()}".strip()


def _marked(text: str) -> tuple[int, int] | None:
    """Where the generated part starts and ends, markers included; None where there is no marker."""
    begins, ends = text.count(_BEGINNING), text.count(END)
    if begins == ends == 0:
        return None
    start, end = text.find(_BEGINNING), text.find(END)
    if begins != 1 or ends != 1 or not 0 <= text.find("-->", start) < end:
        raise PublishError(
            f"README.md: {begins} sentisynth:begin and {ends} sentisynth:end markers where one pair is needed; "
            "mend it on the Hub so that what people wrote can be told from what is generated"
        )
    return start, end + len(END)


def _rendered(template: str, manifest: Manifest) -> str:
    with _showing(manifest):
        return environment().get_template(template).render(_names(manifest))


@contextmanager
def _showing(manifest: Manifest) -> Iterator[None]:
    """Say in one line that a manifest, which somebody else may have written, holds what no card can show."""
    try:
        yield
    except (DataError, UndefinedError, LookupError, TypeError, ValueError, AttributeError) as error:
        why = log.printable(" ".join(str(error).split()), 160)
        raise PublishError(f"{manifest.repo_id}: its manifest holds what no card can show ({why})") from None


def _names(manifest: Manifest) -> Mapping[str, Any]:
    """What the templates see: the manifest's keys, and a few that follow from them."""
    record = manifest.evaluation
    evaluation = None if record is None else parse_evaluation(record, f"evaluation of {manifest.repo_id}")
    primary = (
        []
        if evaluation is None
        else [comparison for comparison in evaluation.comparisons if comparison.family == "primary"]
    )
    return {
        "layout": None,
        "intervals": {},
        "earlier": [],
        **manifest.content(),
        "tag": manifest.tag,
        "evaluation": evaluation,
        "words": words,
        "primary_comparisons": primary,
        "natural_alone": isinstance(manifest, ModelManifest) and manifest.synthetic_rows == 0,
        "budget_of": manifest.variant if isinstance(manifest, ModelManifest) else evaluation and evaluation.primary,
        "key": _bibtex_key(manifest),
        "figures": {Path(path).stem: path for path in manifest.figures or []},
    }


def _bibtex_key(manifest: Manifest) -> str:
    return re.sub(r"[^a-z0-9]+", "_", f"{manifest.repo_id}_{manifest.version}".lower()).strip("_")
