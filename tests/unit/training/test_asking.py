"""Labels asked of a model: what the prompt shows, what counts as an answer, and where it ends up."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from sentisynth_hub.errors import DataError
from sentisynth_hub.evaluation.predictions import read_predictions
from sentisynth_hub.processes import Processes
from sentisynth_hub.runs import stage_folder
from sentisynth_hub.splits import draw_samples
from sentisynth_hub.training.asking import ask_labels, demonstrations, label_prompt, parse_label, pseudo_labelled
from sentisynth_hub.training.study import run_study
from sentisynth_hub.training.variants import Corpus, variant_rows
from tests.unit.training.tiny import WORDS, make_corpora, make_natural, make_recipe


def knows_words(prompts: Sequence[str]) -> list[str]:
    """A model that reads the text in question and answers by its words; of film music it has no opinion."""
    answers = []
    for prompt in prompts:
        text = prompt.rsplit("Text: ", 1)[1].split("\n")[0].split()
        label = "negative" if set(text) & set(WORDS["negative"]) else "positive"
        answers.append(" It depends\n" if "music" in text else f" {label.capitalize()}.\nText: more")
    return answers


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


def test_answers_become_predictions(tiny_model: Path, tmp_path: Path) -> None:
    recipe = make_recipe(tiny_model, mode="head", variants=["natural", "llm_classifier"])
    natural = make_natural()
    samples = draw_samples(recipe, natural)
    texts = [row.text for row in natural.test]
    answers = {sample.replicate: ask_labels(knows_words, recipe, sample, texts) for sample in samples}
    stage = stage_folder(tmp_path, "study", version=1, recipe=None)
    manifest = run_study(recipe, samples, natural, make_corpora(samples), stage, Processes(), answers)
    study = read_predictions([stage.path / "predictions.parquet"])
    silent = [i for i, text in enumerate(texts) if "music" in text.split()]
    assert 0 < len(silent) < len(texts)
    for predicted in study.variants["llm_classifier"]:
        assert [i for i, place in enumerate(predicted) if place == -1] == silent
        assert all(place in (-1, true) for place, true in zip(predicted, study.y, strict=True))
    assert manifest["chosen_variant"] == "natural"


def test_missing_answers_are_refused_before_training(tiny_model: Path, tmp_path: Path) -> None:
    recipe = make_recipe(tiny_model, mode="head", variants=["natural", "llm_classifier"])
    natural = make_natural()
    samples = draw_samples(recipe, natural)
    stage = stage_folder(tmp_path, "study", version=1, recipe=None)
    with pytest.raises(DataError, match="llm_classifier has 1 answers for 30 test rows in replicate 0"):
        run_study(recipe, samples, natural, make_corpora(samples), stage, Processes(), {0: ["positive"]})
    assert not list(stage.path.iterdir())


def test_pseudo_labels_are_the_models_not_the_humans() -> None:
    recipe = make_recipe(Path("none"))
    natural = make_natural()
    sample = draw_samples(recipe, natural)[0]
    rows = pseudo_labelled(lambda prompts: ["positive"] * len(prompts), recipe, sample, natural, 20)
    assert [row.label for row in rows] == ["positive"] * 20
    assert not {row.id for row in rows} & {row.id for row in [*sample.train, *sample.validation]}
    found = variant_rows("pseudo_label", recipe, sample, Corpus([], [], rows), natural)
    assert set(found.human_ids) == {row.id for row in sample.train}
    assert len(found.rows) == len(sample.train) + 20
    with pytest.raises(DataError, match="pseudo_label wants 500 natural texts"):
        pseudo_labelled(knows_words, recipe, sample, natural, 500)
