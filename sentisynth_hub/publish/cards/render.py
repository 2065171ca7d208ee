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


BEGIN = "<!-- sentisynth:begin (generated; write above or below, what is between the markers is replaced) -->"
END = "<!-- sentisynth:end -->"
_MARKED = re.compile(r"<!-- sentisynth:begin.*?-->.*<!-- sentisynth:end -->", re.DOTALL)
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
    begins, ends = existing.count("<!-- sentisynth:begin"), existing.count(END)
    if begins == ends == 0:
        return block + "\n" + (f"\n{existing.lstrip()}" if existing.strip() else "")
    if begins != 1 or ends != 1 or _MARKED.search(existing) is None:
        raise PublishError(
            f"README.md: {begins} sentisynth:begin and {ends} sentisynth:end markers where one pair is needed; "
            "mend it on the Hub so that what people wrote can be told from what is generated"
        )
    return _MARKED.sub(lambda _: block, existing)


def _card(template: str, manifest: DatasetManifest | ModelManifest, metadata: dict[str, Any], existing: str) -> str:
    found, text = split_card(existing)
    generated = environment().get_template(template).render(_names(manifest))
    return front_matter(merged(found, metadata)) + with_generated(text, generated)


def _names(manifest: DatasetManifest | ModelManifest) -> Mapping[str, Any]:
    """What the templates see: the manifest's keys, and a few that follow from them."""
    evaluation = manifest["evaluation"]
    primary = [] if evaluation is None else [c for c in evaluation["comparisons"] if c["family"] == "primary"]
    figures = {Path(path).stem: path for path in manifest.get("figures", [])}
    return {
        **manifest,
        "tag": f"v{manifest['version']}",
        "primary_comparisons": primary,
        "key": _bibtex_key(manifest),
        "figures": figures,
    }


def _bibtex_key(manifest: DatasetManifest | ModelManifest) -> str:
    return re.sub(r"[^a-z0-9]+", "_", f"{manifest['repo_id']}_{manifest['version']}".lower()).strip("_")
