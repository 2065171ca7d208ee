"""What people said, on the dataset's card: every number from the manifest, no single rater, and only of these rows."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sentisynth_hub.annotate.score import score_exports
from sentisynth_hub.core.files import shipped
from sentisynth_hub.core.rows import content_digest
from sentisynth_hub.publish.cards.published_manifest import DatasetManifest
from sentisynth_hub.publish.cards.render import render_card
from sentisynth_hub.publish.dataset_repo import DatasetPublication
from tests.support.ratings import export, key
from tests.support.releases import TEXTS, release, synthetic
from tests.unit.publish.test_render import dataset_manifest, leaves, numbers_in, spellings


HOSTILE = "topic=<img src=x>|a"


def record(**changed: Any) -> dict[str, Any]:
    """A human evaluation of the rows `release` publishes, over strata with hostile names."""
    made = key(160, strata=(HOSTILE, "topic=plot"), content_digest=content_digest(synthetic(TEXTS)), **changed)
    return dict(score_exports(made, [export(made, rater) for rater in (1, 2, 3)]))


def planned(folder: Path, human: dict[str, Any] | None) -> DatasetManifest:
    given = replace(release(folder), human_evaluation=human)
    content = DatasetPublication(given, "acme/tiny", folder / "out").plan(None).additions["sentisynth.json"]
    assert isinstance(content, bytes)
    return dataset_manifest(content)


def said(card: str) -> str:
    """The section of the card."""
    return re.sub(r"&#\d+;", " ", card.split("## What people said")[1].split("\n## ")[0])


def test_every_number_of_the_section_is_one_of_the_manifests(tmp_path: Path) -> None:
    manifest = planned(tmp_path, record())
    section = said(render_card(manifest, ""))
    human = dict(manifest.human_evaluation or {})
    allowed = {spelling for leaf in leaves(human) for spelling in spellings(leaf)} | {"95.0"}  # 1 − alpha
    for name in ("parts.md.jinja2", "dataset_card.md.jinja2"):
        text = (shipped("dataset_cards") / name).read_text("utf-8")
        allowed |= numbers_in(re.sub(r"\{[{%].*?[%}]\}", " ", text, flags=re.DOTALL))
    assert len(numbers_in(section)) > 30
    assert numbers_in(section) - allowed == set()


def test_the_section_says_what_was_found(tmp_path: Path) -> None:
    given = record()
    card = render_card(planned(tmp_path, given), "")
    section = said(card)
    assert "3 raters saw 80 natural rows and 80 of these synthetic ones" in section
    for name, counts in zip(given["labels"], given["confusion"]["synthetic"]["counts"], strict=True):
        assert f"| {name} | {' | '.join(map(str, counts))} |" in section
    assert "topic plot | 40 |" in section
    assert "<img" not in card
    tables = [block for block in section.split("\n\n") if block.startswith("|")]
    assert [len({line.count("|") for line in table.splitlines()}) for table in tables] == [1, 1, 1]


def test_no_single_rater_is_published(tmp_path: Path) -> None:
    manifest = planned(tmp_path, record())
    assert "per_rater" not in manifest.human_evaluation
    assert "format" not in manifest.human_evaluation


@pytest.mark.parametrize("human", [None, {"content_digest": "0" * 64}])
def test_without_it_or_with_that_of_other_rows_the_card_is_silent(
    tmp_path: Path, human: dict[str, Any] | None
) -> None:
    manifest = planned(tmp_path, human)
    assert "human_evaluation" not in manifest
    assert "What people said" not in render_card(manifest, "")
