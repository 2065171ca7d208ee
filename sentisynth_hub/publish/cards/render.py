"""Rendering: a card is a pure function of the manifest and of what people wrote around it.

The generated part lies between two markers. Everything outside them, and every metadata key we do not generate,
belongs to people and is kept as it is.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sentisynth_hub.core.errors import PublishError
from sentisynth_hub.publish.cards.escape import environment
from sentisynth_hub.publish.cards.front_matter import (
    dataset_metadata,
    front_matter,
    merged,
    model_metadata,
    split_card,
)
from sentisynth_hub.publish.cards.published_manifest import DatasetManifest, ModelManifest
from sentisynth_hub.verdict import evaluation_text as words
from sentisynth_hub.verdict.evaluation import parse_evaluation


_BEGINNING = "<!-- sentisynth:begin"
BEGIN = f"{_BEGINNING} (generated; write above or below, what is between the markers is replaced) -->"
END = "<!-- sentisynth:end -->"
_ENTRY = re.compile(r"^## v\d", re.MULTILINE)
_CHANGELOG_TITLE = "# Changelog\n\nWritten with every version; what people add here is kept.\n\n"


def render_dataset_card(manifest: DatasetManifest, existing: str) -> str:
    """README.md of a dataset repo.

    Args:
        manifest: What is published.
        existing: README.md at the head, "" where there is none.

    Raises:
        PublishError: The existing card cannot be kept: broken metadata, or half a pair of markers.
    """
    return _card("dataset_card.md.jinja2", manifest, dataset_metadata(manifest), existing)


def render_model_card(manifest: ModelManifest, existing: str) -> str:
    """README.md of a model repo; arguments and errors as for `render_dataset_card`."""
    return _card("model_card.md.jinja2", manifest, model_metadata(manifest), existing)


def render_changelog(manifest: DatasetManifest | ModelManifest, existing: str) -> str:
    """CHANGELOG.md with the manifest's version put before the entries that are there."""
    entry = environment().get_template("changelog_entry.md.jinja2").render(_names(manifest)).strip() + "\n"
    if not existing.strip():
        return _CHANGELOG_TITLE + entry
    first = _ENTRY.search(existing)
    place = first.start() if first else len(existing)
    return existing[:place] + entry + "\n" + existing[place:]


def citation(manifest: DatasetManifest | ModelManifest) -> str:
    """BibTeX: the published version, then the natural data and the models that went into it."""
    return environment().get_template("citation.bib.jinja2").render(_names(manifest)).strip()


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


def _card(template: str, manifest: DatasetManifest | ModelManifest, metadata: dict[str, Any], existing: str) -> str:
    found, text = split_card(existing)
    generated = environment().get_template(template).render(_names(manifest))
    return front_matter(merged(found, metadata)) + with_generated(text, generated)


def _names(manifest: DatasetManifest | ModelManifest) -> Mapping[str, Any]:
    """What the templates see: the manifest's keys, and a few that follow from them."""
    record = manifest["evaluation"]
    evaluation = None if record is None else parse_evaluation(record, f"evaluation of {manifest['repo_id']}")
    primary = [] if evaluation is None else [one for one in evaluation.comparisons if one.family == "primary"]
    figures = {Path(path).stem: path for path in manifest.get("figures", [])}
    return {
        **manifest,
        "tag": f"v{manifest['version']}",
        "evaluation": evaluation,
        "words": words,
        "primary_comparisons": primary,
        "budget_of": manifest.get("variant") or (evaluation.primary if evaluation is not None else None),
        "key": _bibtex_key(manifest),
        "figures": figures,
    }


def _bibtex_key(manifest: DatasetManifest | ModelManifest) -> str:
    return re.sub(r"[^a-z0-9]+", "_", f"{manifest['repo_id']}_{manifest['version']}".lower()).strip("_")
