"""Leaving out groups: rows that lie are found, and test rows are never looked at."""

from dataclasses import replace
from pathlib import Path

import pytest

from sentisynth_hub.core.errors import InputError
from sentisynth_hub.experiments.leave_out import blame_all, blame_groups, blame_lines
from sentisynth_hub.natural.splits import draw_samples
from sentisynth_hub.study.training_rows import Corpus
from tests.support.tiny_study import make_natural, make_recipe, make_rows


def test_the_lying_prompt_is_named_first(tiny_model: Path, tmp_path: Path) -> None:
    recipe = make_recipe(tiny_model, mode="head")
    natural = make_natural()
    samples = draw_samples(recipe, natural)
    other = {"negative": "positive", "positive": "negative"}
    corpora = {}
    for sample in samples:
        rows = [
            replace(row, prompt_id=f"prompt-{i % 4}") for i, row in enumerate(make_rows(120, 50 + sample.replicate))
        ]
        rows = [replace(row, label=other[str(row.label)]) if row.prompt_id == "prompt-2" else row for row in rows]
        corpora[sample.replicate] = Corpus(rows, rows)
    found = blame_groups(recipe, samples, natural, corpora, "prompt_id", tmp_path)
    assert [one.group for one in found][0] == "prompt-2"
    assert found[0].gain > 0
    assert found[0].gain > 3 * abs(found[1].gain)
    assert [one.rows for one in found] == [60] * 4
    assert "prompt-2" in blame_lines(found)[1]
    everything = blame_all(recipe, samples, natural, corpora, tmp_path, {})
    assert [one for one in everything if one.group_by == "prompt_id"] == found
    assert {one.group_by for one in everything} == {"prompt_id"}  # one generator, and no label was asked for


def test_a_conditional_study_is_sure_only_as_far_as_its_validation_rows_go(tiny_model: Path, tmp_path: Path) -> None:
    """Its replicates have the same rows, so that their spread would say that everything is certain."""
    recipe = make_recipe(tiny_model, mode="head", design="conditional")
    natural = make_natural()
    rows = [replace(row, prompt_id=f"prompt-{i % 4}") for i, row in enumerate(make_rows(120, 50))]
    found = blame_groups(
        recipe, draw_samples(recipe, natural), natural, {0: Corpus(rows, rows)}, "prompt_id", tmp_path
    )
    assert {(one.replicates, one.rows) for one in found} == {(1, 30)}
    assert all(one.standard_error > 1e-6 for one in found)


def test_rows_are_grouped_by_an_attribute_of_their_prompts(tiny_model: Path, tmp_path: Path) -> None:
    attributes = {"topic": ["acting", "plot"]}
    recipe = make_recipe(tiny_model, mode="head", replicates=1)
    content = recipe.model_dump(mode="json")
    content["generate"]["prompt"]["attributes"] = attributes
    recipe = recipe.with_content(content)
    natural = make_natural()
    other = {"negative": "positive", "positive": "negative"}
    rows = make_rows(80, 5, origin="s")
    topics = {row.request_id: {"topic": attributes["topic"][i // 2 % 2]} for i, row in enumerate(rows)}
    rows = [
        replace(row, label=other[str(row.label)]) if topics[row.request_id]["topic"] == "plot" else row for row in rows
    ]
    corpora = {0: Corpus(rows, rows)}
    found = blame_groups(recipe, draw_samples(recipe, natural), natural, corpora, "topic", tmp_path, topics)
    assert [(one.group, one.rows) for one in found] == [("plot", 40), ("acting", 40)]
    assert found[0].gain > 0 > found[1].gain
    with pytest.raises(InputError, match="can be grouped by asked_label, prompt_id, generator, topic"):
        blame_groups(recipe, draw_samples(recipe, natural), natural, corpora, "tone", tmp_path, topics)


def test_one_group_cannot_be_left_out(tiny_model: Path, tmp_path: Path) -> None:
    recipe = make_recipe(tiny_model, mode="head", replicates=1)
    natural = make_natural()
    rows = make_rows(20, 3)
    with pytest.raises(InputError, match="no two groups"):
        blame_groups(recipe, draw_samples(recipe, natural), natural, {0: Corpus(rows, rows)}, "generator", tmp_path)
