"""Rows made without a language model keep their label and their words' languages."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from sentisynth_hub.core.errors import DataError
from sentisynth_hub.natural.splits import draw_samples
from sentisynth_hub.recipe.study_section import Study
from sentisynth_hub.study.augment import eda_rows, read_lexicon, translated_rows
from tests.support.tiny_study import make_natural, make_recipe, make_rows


def test_eda_changes_words_within_a_text_only() -> None:
    rows = make_rows(20, 1)
    pairs = eda_rows(rows, 60, np.random.default_rng(0))
    made = [row for row, _ in pairs]
    assert all(row.request_id.startswith(f"{source.request_id}:") for row, source in pairs)
    assert len(made) == 60
    words = {row.request_id: set(row.text.split()) for row in rows}
    labels = {row.request_id: row.label for row in rows}
    for row in made:
        origin = row.request_id.split(":")[0]
        assert set(row.text.split()) <= words[origin]
        assert row.label == labels[origin]
    assert Counter(row.request_id.split(":")[0] for row in made) == dict.fromkeys(words, 3)
    assert sum(row.text not in {one.text for one in rows} for row in made) > 30


def test_word_translation_replaces_a_share_of_known_words(tmp_path: Path) -> None:
    lexicon = tmp_path / "lexicon.tsv"
    lexicon.write_text("Film\tpelícula\nfilm\tസിനിമ\nplot\ttrama\n\n", "utf-8")
    assert read_lexicon(lexicon) == {"film": ["película", "സിനിമ"], "plot": ["trama"]}
    recipe = make_recipe(Path("none"), word_translation={"lexicon": "lexicon.tsv", "share": 1}).placed(tmp_path)
    sample = draw_samples(recipe, make_natural())[0]
    made = [row for row, _ in translated_rows(sample.train, 40, recipe, np.random.default_rng(0))]
    assert len(made) == 40
    joined = " ".join(row.text for row in made).split()
    assert "film" not in joined
    assert {"película", "സിനിമ", "trama"} <= set(joined)


def test_lexicon_mistakes_are_named(tmp_path: Path) -> None:
    lexicon = tmp_path / "lexicon.tsv"
    with pytest.raises(DataError, match="no such file"):
        read_lexicon(lexicon)
    lexicon.write_text("film\tx\nplot trama\n", "utf-8")
    with pytest.raises(DataError, match="line 2 is not `word TAB translation`"):
        read_lexicon(lexicon)
    lexicon.write_text("zebra\tx\n", "utf-8")
    recipe = make_recipe(Path("none"), word_translation={"lexicon": "lexicon.tsv"}).placed(tmp_path)
    with pytest.raises(DataError, match="has no word of the natural rows"):
        translated_rows(make_rows(5, 1), 5, recipe, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("study", "message"),
    [
        ({"variants": ["natural", "mixd"]}, "unknown variant 'mixd'; did you mean 'mixed'"),
        ({"variants": ["mixed"]}, "the variant `natural` is missing"),
        ({"variants": ["natural", "natural"]}, "named twice"),
        ({"variants": ["natural", "word_translation"]}, "needs `word_translation.lexicon`"),
        ({"cross_fitting": {"folds": 5}, "design": "conditional"}, "needs `design: nested`"),
        ({"natural_methods": ["plain", "kept"]}, "'kept' is none of the variants that need no language model"),
        ({"natural_methods": ["plain", "extra_natural"]}, "'extra_natural' is none of the variants"),
        ({"natural_methods": ["word_translation"]}, "needs `word_translation.lexicon`"),
        ({"mixed_methods": ["plain"]}, "'plain' is none of the variants of natural and synthetic rows"),
        ({"mixed_methods": ["kept", "kept"]}, "named twice"),
        ({"synthetic_weights": [0]}, "are not distinct weights"),
        ({"synthetic_weights": [-1, 1]}, "are not distinct weights"),
    ],
)
def test_study_mistakes_are_found_before_anything_runs(study: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Study.model_validate({"student": {"model": "m"}, **study})
    assert Study.model_validate({"student": {"model": "m"}, "variants": ["natural", "natural_50", "mixed_0.5x"]})
