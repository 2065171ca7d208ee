"""Labels asked of a model: what the prompt shows, and what counts as an answer."""

from dataclasses import replace
from pathlib import Path

import pytest

from sentisynth_hub.core.distributed import Processes
from sentisynth_hub.core.errors import DataError
from sentisynth_hub.core.run_folder import stage_folder
from sentisynth_hub.generate.label_prompt import demonstrations, label_prompt, parse_label, pseudo_pool
from sentisynth_hub.natural.splits import draw_samples
from sentisynth_hub.study.stage import run_study
from sentisynth_hub.study.training_rows import Corpus
from sentisynth_hub.study.variants import variant_rows
from tests.support.tiny_study import make_corpora, make_natural, make_recipe


def test_prompt_shows_own_rows_evenly_and_ends_with_the_question() -> None:
    recipe = make_recipe(Path("none"))
    sample = draw_samples(recipe, make_natural())[0]
    shown = demonstrations(recipe, sample)
    assert len(shown) == 8
    assert sum(row.label == "positive" for row in shown) == 4
    assert {row.id for row in shown} <= {row.id for row in sample.train}
    prompt = label_prompt(recipe, shown, "two\nlines")
    assert prompt.endswith("Text: two lines\nLabel:")
    assert prompt.count("Label: positive") == 4


def test_a_described_label_is_described_in_the_question() -> None:
    plain = make_recipe(Path("none"))
    recipe = plain.with_content(
        plain.model_dump(mode="json") | {"labels": {"negative": None, "positive": "praises\nthe film"}}
    )
    assert recipe.labels == plain.labels
    assert "\npositive means: praises the film\n\n" in label_prompt(recipe, [], "a film")
    assert "means" not in label_prompt(plain, [], "a film")


@pytest.mark.parametrize(
    ("completion", "label"),
    [
        (" positive", "positive"),
        ("Negative.\nText:", "negative"),
        ("", None),
        ("positive or negative", None),
        ("neutral", None),
    ],
)
def test_only_a_label_is_an_answer(completion: str, label: str | None) -> None:
    assert parse_label(make_recipe(Path("none")), completion) == label


def test_missing_answers_are_refused_before_training(tiny_model: Path, tmp_path: Path) -> None:
    recipe = make_recipe(tiny_model, mode="head", variants=["natural", "llm_classifier"])
    natural = make_natural()
    samples = draw_samples(recipe, natural)
    stage = stage_folder(tmp_path, "study", version=1, recipe=None)
    with pytest.raises(DataError, match="llm_classifier has 1 answers for 30 test rows in replicate 0"):
        run_study(recipe, samples, natural, make_corpora(samples), stage, Processes(), {0: ["positive"]})
    assert not stage.path.exists()


def test_pool_for_pseudo_labels_is_outside_the_sample() -> None:
    recipe = make_recipe(Path("none"))
    natural = make_natural()
    first, second = draw_samples(recipe, natural)
    rows = pseudo_pool(recipe, first, natural, 20)
    assert len({row.id for row in rows}) == 20
    assert not {row.id for row in rows} & {row.id for row in [*first.train, *first.validation]}
    assert [row.id for row in rows] != [row.id for row in pseudo_pool(recipe, second, natural, 20)]
    said = tuple(replace(row, label="positive") for row in rows)
    (option,) = variant_rows("pseudo_label", recipe, first, Corpus([], [], pseudo_labelled=said), natural)
    assert {row.id for row in option.human} == {row.id for row in first.train}
    assert len(option.rows) == len(first.train) + 20
    with pytest.raises(DataError, match="pseudo_label wants 500 natural texts"):
        pseudo_pool(recipe, first, natural, 500)
