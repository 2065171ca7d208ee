"""Leaving out groups: rows that lie are found, and test rows are never looked at."""

from dataclasses import replace
from pathlib import Path

import pytest

from sentisynth_hub.errors import InputError
from sentisynth_hub.splits import draw_samples
from sentisynth_hub.training.blame import blame_groups, blame_lines
from sentisynth_hub.training.variants import Corpus
from tests.unit.training.tiny import make_natural, make_recipe, make_rows


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
    assert [one["group"] for one in found][0] == "prompt-2"
    assert found[0]["gain"] > 0
    assert found[0]["gain"] > 3 * abs(found[1]["gain"])
    assert [one["rows"] for one in found] == [60] * 4
    assert "prompt-2" in blame_lines(found)[1]


def test_one_group_cannot_be_left_out(tiny_model: Path, tmp_path: Path) -> None:
    recipe = make_recipe(tiny_model, mode="head", replicates=1)
    natural = make_natural()
    rows = make_rows(20, 3)
    with pytest.raises(InputError, match="no two groups"):
        blame_groups(recipe, draw_samples(recipe, natural), natural, {0: Corpus(rows, rows)}, "generator", tmp_path)
