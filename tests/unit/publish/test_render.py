"""Cards: metadata, markers, changelog, and where their numbers come from."""

import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sentisynth_hub.core.errors import PublishError
from sentisynth_hub.core.files import shipped
from sentisynth_hub.publish.cards.front_matter import size_category, split_card
from sentisynth_hub.publish.cards.published_manifest import DatasetManifest, read_manifest
from sentisynth_hub.publish.cards.render import (
    BEGIN,
    END,
    citation,
    render_card,
    render_changelog,
    with_generated,
)
from sentisynth_hub.publish.dataset_repo import DatasetPublication
from tests.support.releases import evaluation, release


@pytest.fixture
def manifest(tmp_path: Path) -> DatasetManifest:
    """A first version with an evaluation, as it would be published."""
    made = evaluation()
    budget = next(variant["budget"] for variant in made["variants"] if variant["name"] == "mixed")
    given = release(tmp_path, evaluation=made)
    object.__setattr__(given, "label_budget", budget)
    plan = DatasetPublication(given, "acme/tiny", tmp_path / "out").plan(None)
    content = plan.additions["sentisynth.json"]
    assert isinstance(content, bytes)
    return dataset_manifest(content)


def dataset_manifest(content: bytes | Path) -> DatasetManifest:
    """A planned sentisynth.json, read back."""
    assert isinstance(content, bytes)
    manifest = read_manifest(content.decode("utf-8"), "planned")
    assert isinstance(manifest, DatasetManifest)
    return manifest


def leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner)
    else:
        yield value


def numbers_in(text: str) -> set[str]:
    return set(re.findall(r"\d+(?:,\d{3})*(?:\.\d+)?(?:e-\d+)?", text))


def spellings(value: Any) -> set[str]:
    """Every way a card may write one value of the manifest."""
    if isinstance(value, bool) or value is None:
        return set()
    if isinstance(value, int):
        return {f"{value:,}", f"{100 * value:.1f}", f"{float(value):.3f}"}
    if isinstance(value, float):
        size = abs(value)
        return {
            f"{size:.3f}",
            f"{size:.4f}",
            f"{size:.2g}",
            f"{size:,.2f}",
            f"{100 * size:.1f}",
            f"{round(100 * size)}",
            str(value),
        }
    return numbers_in(str(value)) | {str(value)[:12]}


def test_every_number_on_the_card_is_one_of_the_manifests(manifest: DatasetManifest) -> None:
    card = re.sub(r"&#\d+;", " ", render_card(manifest, ""))
    allowed = {spelling for leaf in leaves(manifest.content()) for spelling in spellings(leaf)}
    for template in shipped("dataset_cards").glob("*.jinja2"):
        allowed |= numbers_in(re.sub(r"\{[{%].*?[%}]\}", " ", template.read_text("utf-8"), flags=re.DOTALL))
    allowed |= {f"{100 * manifest.configs['default']['rows'] / manifest.candidates:.1f}"}  # share kept
    assert manifest.evaluation is not None
    allowed |= {f"{100 * (1 - comparison['alpha']):.1f}" for comparison in manifest.evaluation["comparisons"]}
    sizes = {str(sum(record["files"].values())) for record in manifest.configs.values()}
    plain = (
        {str(leaf) for leaf in leaves(manifest.content())} | sizes | {"0", "1"}
    )  # front matter: unformatted; ClassLabel numbers
    front, text = card.split(BEGIN)
    hashes = re.compile(r"[0-9a-f]{12,64}|SH\d{3}")  # and the numbers of checks
    assert numbers_in(hashes.sub("", text)) - allowed == set()
    assert numbers_in(hashes.sub("", front)) - allowed - plain - {"32", "64"} == set()  # int32, float64


def test_the_cost_of_every_replicate_is_told(tmp_path: Path) -> None:
    """Seven calls of 10 + 5 tokens at $0.001 are published; the second replicate took 5 calls for two cents."""
    given = release(tmp_path)
    costs = {"requests": 7, "prompt_tokens": 70, "completion_tokens": 35, "cost_usd": 0.007}
    other = {"requests": 5, "prompt_tokens": 60, "completion_tokens": 40, "cost_usd": 0.02}
    for replicates, usd in (({"0": costs, "1": other}, 0.027), ({"0": costs, "1": other | {"cost_usd": None}}, None)):
        several = replace(given, generation={**given.generation, "replicates": replicates})
        content = DatasetPublication(several, "acme/tiny", tmp_path / "out").plan(None).additions["sentisynth.json"]
        assert isinstance(content, bytes)
        made = dataset_manifest(content)
        assert made.cost["requests"] == 7
        assert made.cost["usd"] == 0.007
        assert made.cost["study"] == {
            "replicates": 2,
            "requests": 12,
            "prompt_tokens": 130,
            "completion_tokens": 75,
            "usd": usd,
        }
        card = render_card(made, "")
        assert "In all $0.007, that is $0.0018 a kept row" in card
        told = "rests on 2 such corpora, one a replicate, of which this is the first. Together they took 12 requests, "
        assert told + "130 prompt and 75 completion tokens" + (", $0.027." if usd else ".") in card
    one = replace(given, generation={**given.generation, "replicates": {"0": costs}})
    facts = DatasetPublication(one, "acme/tiny", tmp_path / "out").facts
    assert "study" not in facts["cost"]


def test_a_number_that_is_not_in_the_manifest_would_be_seen(manifest: DatasetManifest) -> None:
    changed = manifest.model_copy(update={"candidates": 98_765})
    allowed = {spelling for leaf in leaves(manifest.content()) for spelling in spellings(leaf)}
    card = render_card(changed, "")
    assert "98,765" in numbers_in(card) - allowed


def test_the_card_opens_with_load_and_filter_then_the_verdict(manifest: DatasetManifest) -> None:
    _, text = split_card(render_card(manifest, ""))
    opening = text.split("```")[1].strip().splitlines()
    assert opening == [
        "python",
        "from datasets import load_dataset",
        'rows = load_dataset("acme/tiny", revision="v1.0.0", split="train")',
        'sure = rows.filter(lambda row: (row["teacher_confidence"] or 0) >= 0.52)',
    ]
    assert text.index("## Does it help?") < text.index("## What is inside")
    assert "macro_f1 difference" in text


def test_metadata_is_what_the_hub_wants(manifest: DatasetManifest) -> None:
    metadata, _ = split_card(render_card(manifest, ""))
    assert metadata["license"] == "cc-by-4.0"
    assert metadata["language"] == ["en"]
    assert metadata["source_datasets"] == ["natural/reviews"]
    assert metadata["size_categories"] == ["n<1K"]
    assert metadata["annotations_creators"] == ["machine-generated"]
    assert [config["config_name"] for config in metadata["configs"]] == [
        "default",
        "unfiltered",
        "rejected",
        "lineage",
    ]
    assert metadata["configs"][0]["default"] is True
    features = {feature["name"]: feature for feature in metadata["dataset_info"][0]["features"]}
    assert features["label"]["dtype"]["class_label"]["names"] == {"0": "negative", "1": "positive"}


@pytest.mark.parametrize(
    ("rows", "category"),
    [(0, "n<1K"), (999, "n<1K"), (1_000, "1K<n<10K"), (99_999, "10K<n<100K"), (10**6, "1M<n<10M")],
)
def test_size_category(rows: int, category: str) -> None:
    assert size_category(rows) == category


def test_what_people_write_around_the_markers_and_their_keys_stay(manifest: DatasetManifest) -> None:
    first = render_card(manifest, "")
    edited = first.replace(BEGIN, f"Written by hand, above.\n\n{BEGIN}").replace(
        END, f"{END}\n\nBelow: `{{{{ x }}}}` \\1 ---"
    )
    edited = edited.replace("---\n", "---\ndoi: 10.1/x\n", 1).replace("- synthetic\n", "- synthetic\n- mine\n")
    again = render_card(manifest, edited)
    metadata, text = split_card(again)
    assert metadata["doi"] == "10.1/x"
    assert metadata["tags"] == ["synthetic", "sentisynth-hub", "text", "mine"]
    assert text.startswith("Written by hand, above.")
    assert text.rstrip().endswith("Below: `{{ x }}` \\1 ---")
    assert render_card(manifest, again) == again


def test_a_card_without_markers_is_kept_below(manifest: DatasetManifest) -> None:
    card = render_card(manifest, "---\nlicense: mit\n---\n# My own page\n")
    metadata, text = split_card(card)
    assert metadata["license"] == "cc-by-4.0"
    assert text.endswith("# My own page\n")
    assert render_card(manifest, card) == card


@pytest.mark.parametrize(
    "card", [f"{BEGIN}\nold", f"old\n{END}", f"{END}\n{BEGIN}", f"{BEGIN}{END}{BEGIN}{END}", BEGIN[:20] + END]
)
def test_half_a_pair_of_markers_is_refused(card: str) -> None:
    with pytest.raises(PublishError, match="one pair is needed"):
        with_generated(card, "new")


@pytest.mark.parametrize("card", ["---\na: [\n---\n", "---\n- a\n---\n"])
def test_metadata_that_cannot_be_read_is_refused(manifest: DatasetManifest, card: str) -> None:
    with pytest.raises(PublishError, match="README.md: its metadata is not"):
        render_card(manifest, card)


def test_the_changelog_grows_at_the_top_and_keeps_notes(manifest: DatasetManifest) -> None:
    first = render_changelog(manifest, "")
    noted = first.replace("# Changelog", "# Changelog\n\nOur own note.") + "\nA note on v1.0.0.\n"
    second = render_changelog(manifest.model_copy(update={"version": "1.1.0"}), noted)
    assert second.index("Our own note.") < second.index("## v1.1.0") < second.index("## v1.0.0")
    assert second.endswith("A note on v1.0.0.\n")


def test_the_citation_names_version_digest_source_and_generator(manifest: DatasetManifest) -> None:
    text = citation(manifest)
    for part in ("version 1.0.0", manifest.content_digest, "natural/reviews", "1" * 40, "models/writer", "2" * 40):
        assert part in text
    assert text.count("@misc{") == 3
    keys = re.findall(r"@misc\{([^,]+),", text)
    assert len(set(keys)) == 3


@pytest.mark.parametrize("words", ["-->", "<!-- sentisynth:begi", "<!-- sentisynth:end --", "<!--", "-->\n<!-- "])
def test_a_card_is_read_in_linear_time(words: str) -> None:
    def seconds(length: int) -> float:
        card = BEGIN + words * (length // len(words)) + END
        started = time.process_time()
        for _ in range(5):
            with_generated(card, "new")
        return time.process_time() - started

    assert with_generated(BEGIN + words * 3 + END + "\nours", "new") == f"{BEGIN}\nnew\n{END}\nours"
    assert seconds(1_000_000) < 1
