"""What a model's repo says of where it comes from: nothing synthetic where it learned from nothing synthetic."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from sentisynth_hub.core.errors import PublishError
from sentisynth_hub.publish.cards.front_matter import split_card
from sentisynth_hub.publish.cards.published_manifest import ModelManifest, read_manifest
from sentisynth_hub.publish.cards.render import render_card
from sentisynth_hub.publish.dataset_repo import DatasetPublication
from sentisynth_hub.publish.model_repo import ModelPublication
from sentisynth_hub.recipe.revisions import Pin
from tests.support.releases import evaluation, model_release, recipe_in, release


def planned(tmp_path: Path, **changed: object) -> ModelManifest:
    plan = ModelPublication(model_release(tmp_path, **changed), "acme/tiny-model").plan(None)
    content = plan.additions["sentisynth.json"]
    assert isinstance(content, bytes)
    manifest = read_manifest(content.decode("utf-8"), "planned")
    assert isinstance(manifest, ModelManifest)
    return manifest


NATURAL_PINS = {"natural": Pin("natural/reviews", "dataset", "v1", "1" * 40, "mit")}


@pytest.mark.parametrize("variant", ["natural", "natural_repeated", "rebalanced", "eda", "natural_80"])
def test_a_model_of_natural_rows_alone_names_no_synthetic_dataset_anywhere(tmp_path: Path, variant: str) -> None:
    manifest = planned(tmp_path, variant=variant, dataset=None, synthetic_rows=0, pins=NATURAL_PINS)
    card = render_card(manifest, "")
    metadata, text = split_card(card)
    assert metadata["datasets"] == ["natural/reviews"]
    assert "synthetic" not in metadata["tags"]
    assert "| synthetic rows | none |" in text
    assert "no synthetic row was used" in text
    assert "trained on human-labelled rows alone by the recipe" in text  # in the BibTeX entry
    for name in ("acme/tiny v1.0.0", "models/writer", "trained with", "model that wrote the synthetic ones"):
        assert name not in text
    assert [source["id"] for source in manifest.licence["sources"]] == ["natural/reviews"]


@pytest.mark.parametrize("variant", ["mixed", "synthetic", "gradual", "unfiltered"])
def test_a_model_of_synthetic_rows_names_them_everywhere(tmp_path: Path, variant: str) -> None:
    card = render_card(planned(tmp_path, variant=variant, synthetic_rows=4), "")
    metadata, text = split_card(card)
    assert metadata["datasets"] == ["acme/tiny", "natural/reviews"]
    assert "synthetic" in metadata["tags"]
    assert "| synthetic rows | acme/tiny v1.0.0 at" in text
    assert "trained with acme/tiny v1.0.0" in text


def test_a_models_card_says_how_sure_its_score_is(tmp_path: Path) -> None:
    manifest = planned(tmp_path, scores={"accuracy": 0.75, "macro_f1": 0.7}, intervals={"accuracy": (0.61, 0.86)})
    card = re.sub(r"&#(\d+);", lambda found: chr(int(found[1])), render_card(manifest, ""))
    assert "| accuracy | 0.750 | [0.610, 0.860] |" in card
    assert "| macro_f1 | 0.700 | - |" in card  # a version from before there were any


def test_given_rows_have_unknown_demonstrations(tmp_path: Path) -> None:
    rows = {"kind": "rows", "file": "rows.jsonl", "written_by": "somebody", "saw_labels": False}
    recipe = recipe_in(tmp_path / "recipe", generate={"generator": rows, "candidates": 6})
    given = release(tmp_path, recipe=recipe)
    given = replace(given, prompt_text="", generation={**given.generation, "prompt_digest": None, "num_shots": None})
    content = DatasetPublication(given, "acme/tiny", tmp_path / "out").plan(None).additions["README.md"]
    assert isinstance(content, bytes)
    assert "| demonstrations a prompt | not known |" in content.decode("utf-8")
    assert "whatever it was shown, which is not known" in content.decode("utf-8")


def test_the_label_budget_sentence_is_the_ledgers(tmp_path: Path) -> None:
    """The ledger of `evaluation()`: eight training and eight validation labels of its own in each of six replicates,
    the same for all three variants, and 120 test rows."""
    replicates = [{f"{r}-{i}" for i in range(8)} | {f"v{r}-{i}" for i in range(8)} for r in range(6)]
    one, over_all = max(map(len, replicates)), len(set().union(*replicates))
    made = evaluation()
    budget = next(variant["budget"] for variant in made["variants"] if variant["name"] == "mixed")
    manifest = planned(tmp_path, variant="mixed", synthetic_rows=4, evaluation=made, label_budget=budget)
    card = re.sub(r"&#\d+;", " ", render_card(manifest, ""))
    said = re.search(r"each counted once: mixed used (\d+) in one replicate and (\d+) over all replicates", card)
    assert said is not None
    assert (int(said[1]), int(said[2])) == (one, over_all)
    assert f"all variants together used {over_all}" in card
    assert f"The 120 test rows have labels of their own: {over_all + 120} in all" in card
    assert "Every human label used anywhere" not in card


def test_a_figure_that_nobody_set_is_not_shown(tmp_path: Path) -> None:
    def cost_of(**generate: object) -> str:
        section = {"generator": {"kind": "transformers", "model": "models/writer"}, "candidates": 6, **generate}
        given = release(tmp_path, recipe=recipe_in(tmp_path / f"recipe-{len(generate)}", generate=section))
        content = DatasetPublication(given, "acme/tiny", tmp_path / "out").plan(None).additions["README.md"]
        assert isinstance(content, bytes)
        return content.decode("utf-8")

    assert "reckons" not in cost_of()
    assert "the recipe's author reckons $0.35 for one human label" in cost_of(human_usd_per_row=0.35)


def test_languages_are_a_list(tmp_path: Path) -> None:
    plan = DatasetPublication(release(tmp_path), "acme/tiny", tmp_path / "out").plan(None)
    content = plan.additions["README.md"]
    assert isinstance(content, bytes)
    assert split_card(content.decode("utf-8"))[0]["language_details"] == ["en"]


HOSTILE = {
    "no object": "[1]",
    "no JSON": "{",
    "deep": "[" * 100_000,
    "null": "null",
    "empty": "{}",
    "huge numbers": '{"schema": 1' + "0" * 5000 + "}",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_manifest_that_is_none_is_one_line(name: str) -> None:
    with pytest.raises(PublishError) as caught:
        read_manifest(HOSTILE[name], "acme/x")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_a_value_of_any_wrong_kind_anywhere_in_a_manifest_is_one_line_or_is_rendered(tmp_path: Path) -> None:
    """Each key of both kinds of manifest in turn holds something else: reading or rendering says so in one line."""
    dataset = DatasetPublication(release(tmp_path, evaluation=evaluation()), "acme/tiny", tmp_path / "out").plan(None)
    model = ModelPublication(model_release(tmp_path), "acme/tiny-model").plan(None)
    refused = 0
    for plan in (dataset, model):
        content = plan.additions["sentisynth.json"]
        assert isinstance(content, bytes)
        whole = json.loads(content)
        for key in whole:
            for wrong in (None, 5, "x", [], {}, [{}], {"x": "\ud800"}, True, -1e308, ["../../x"], [[[[[]]]]]):
                changed = json.dumps({**whole, key: wrong})
                said = ""
                try:
                    render_card(read_manifest(changed, "acme/x"), "")
                except PublishError as error:
                    said = str(error)
                refused += bool(said)
                assert "\n" not in said
                assert len(said) < 600
        missing = {key: value for key, value in whole.items() if key != "labels"}
        with pytest.raises(PublishError, match="labels"):
            read_manifest(json.dumps(missing), "acme/x")
        with pytest.raises(PublishError, match="surprise"):
            read_manifest(json.dumps({**whole, "surprise": 1}), "acme/x")
    assert refused > 300
