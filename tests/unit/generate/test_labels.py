"""The labels stage: the model's own answers, asked once, counted, and never mistaken for human labels."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sentisynth_hub.core.errors import RecipeError, StageError
from sentisynth_hub.core.rows import Completion, Request
from sentisynth_hub.core.run_folder import StageFolder, stage_folder
from sentisynth_hub.filter.filter_result import FilterResult
from sentisynth_hub.generate import labels as labelling
from sentisynth_hub.generate import stage as generation
from sentisynth_hub.natural.splits import NaturalData, draw_samples
from sentisynth_hub.recipe import Recipe
from sentisynth_hub.study.predictions import read_predictions
from sentisynth_hub.study.stage import run_study
from sentisynth_hub.verdict import stage as judging
from tests.support.queued_generator import QueuedGenerator
from tests.support.tiny_study import WORDS, make_corpora, make_natural
from tests.support.worlds import CHAT, TEMPLATE, alone, write_recipe


class Reader:
    """A model that reads the text in question and answers by its words; of music it has no opinion."""

    def __init__(self) -> None:
        self.asked: list[Request] = []

    def generate(self, requests: Iterable[Request]) -> Iterator[Completion]:
        for request in requests:
            self.asked.append(request)
            prompt = request.prompt if isinstance(request.prompt, str) else request.prompt[-1]["content"]
            text = prompt.rsplit("Text: ", 1)[1].splitlines()[0].split()
            label = "negative" if set(text) & set(WORDS["negative"]) else "positive"
            said = " It depends" if "music" in text else f" {label.capitalize()}."
            yield Completion(request.request_id, said, "stop", "reader", 100, 2)


def world(folder: Path, *, model: Path | str = "none", chat: bool = False, **study: Any) -> Recipe:
    template = CHAT if chat else TEMPLATE
    student = {"model": str(model), "max_length": 16, "threads": 1, "batch_size": 8}
    return write_recipe(
        folder / "recipe",
        {
            "generator": {"kind": "transformers", "model": "none", "dtype": "float32", "batch_size": 4},
            "candidates": 12,
            "prompt": {"num_shots": 4, "chat": chat},
            **study.pop("generate", {}),
        },
        template=template,
        natural={"files": {"train": "train.jsonl"}, "rows_per_label": 8, "validation_per_label": 10},
        study={"student": student, "replicates": 2, "mode": "head", **study},
    )


def asked(
    folder: Path, recipe: Recipe, generator: Any
) -> tuple[StageFolder, StageFolder, NaturalData, dict[str, Any]]:
    natural = make_natural()
    samples = draw_samples(recipe, natural)
    generated = stage_folder(folder, "generate", version=1, recipe=generation.decides(recipe))
    generation.generate(recipe, samples, generated, alone(), generator=QueuedGenerator(["a fine film"] * 1000))
    stage = stage_folder(folder, "labels", version=1, recipe=labelling.decides(recipe))
    manifest = labelling.label(
        recipe, samples, natural, generation.load(generated), stage, alone(), generator=generator
    )
    return generated, stage, natural, manifest


BOTH = ["natural", "llm_classifier", "pseudo_label"]


@pytest.mark.parametrize("chat", [False, True])
def test_answers_are_the_models_in_the_order_of_the_rows(tmp_path: Path, chat: bool) -> None:
    recipe, reader = world(tmp_path, variants=BOTH, chat=chat), Reader()
    _, stage, natural, manifest = asked(tmp_path / "runs", recipe, reader)
    for replicate in (0, 1):
        answers = labelling.load(stage)[replicate].answers()
        for row, answer in zip(natural.test, answers, strict=True):
            assert answer == (None if "music" in row.text.split() else row.label)
        assert None in answers
        rows = labelling.load(stage)[replicate].pseudo_labelled()
        record = manifest["replicates"][str(replicate)]
        assert record["pseudo_label"]["asked"] == 12  # as many as the corpus took requests
        assert len(rows) == record["pseudo_label"]["answered"] <= 12
        assert all(
            row.label == ("negative" if set(row.text.split()) & set(WORDS["negative"]) else "positive") for row in rows
        )
        assert record["llm_classifier"]["asked"] == len(natural.test)
        assert record["llm_classifier"]["answered"] == sum(answer is not None for answer in answers)
    assert {request.prompt_id for request in reader.asked[:3]} != {""}


def test_nothing_is_asked_twice(tmp_path: Path) -> None:
    recipe = world(tmp_path, variants=BOTH)
    first = Reader()
    _, stage, _, manifest = asked(tmp_path / "runs", recipe, first)
    assert len(first.asked) == len({request.request_id for request in first.asked})
    again = Reader()
    assert asked(tmp_path / "runs", recipe, again)[3] == manifest
    (stage.path / "manifest.json").unlink()  # as a crash before the last write leaves it
    assert asked(tmp_path / "runs", recipe, again)[3] == manifest
    assert again.asked == []


def test_the_budget_of_the_whole_run_holds(tmp_path: Path) -> None:
    recipe = world(tmp_path, variants=BOTH, generate={"budget": {"max_tokens": 4_000}})
    with pytest.raises(
        StageError, match=r"asking for labels: \d+ of 42 requests of replicate 0 answered: the budget of 4,000"
    ):
        asked(tmp_path / "runs", recipe, Reader())


def test_study_and_ledger_count_what_was_shown_and_nothing_else(tmp_path: Path, tiny_model: Path) -> None:
    recipe = world(tmp_path, model=tiny_model, variants=BOTH)
    generated, stage, natural, _ = asked(tmp_path / "runs", recipe, Reader())
    samples = draw_samples(recipe, natural)
    answers = {sample.replicate: labelling.load(stage)[sample.replicate].answers() for sample in samples}
    corpora = make_corpora(samples)
    for replicate, corpus in corpora.items():
        corpora[replicate] = type(corpus)(
            corpus.kept, corpus.candidates, pseudo_labelled=labelling.load(stage)[replicate].pseudo_labelled()
        )
    studied = stage_folder(tmp_path / "runs", "study", version=1, recipe=None)
    result = run_study(recipe, samples, natural, corpora, studied, alone(), answers)
    assert result.chosen_variant in ("natural", "pseudo_label")
    found = read_predictions([studied.path / "predictions.parquet"])
    silent = [i for i, row in enumerate(natural.test) if "music" in row.text.split()]
    assert 0 < len(silent) < len(natural.test)
    for predicted in found.variants["llm_classifier"]:
        assert [i for i, place in enumerate(predicted) if place == -1] == silent
    filtered = FilterResult(tmp_path, {})  # neither variant reads what the filters left
    ledger = judging.label_ledger(
        recipe, samples, natural, generation.load(generated), filtered, result, labelling.load(stage)
    )
    shown = ledger.budget("llm_classifier")
    assert {use: count for use, count in shown.uses.items() if count} == {"demonstrations": 4}
    pseudo = ledger.budget("pseudo_label")  # 8 and 10 rows a label, which all train; the 4 shown are among them
    assert {use: count for use, count in pseudo.uses.items() if count} == {"train": 36, "demonstrations": 4}
    assert pseudo.distinct == 36
    assert labelling.load(stage).unanswered("llm_classifier") == (2 * len(silent), 2 * len(natural.test))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"cross_fitting": {"folds": 3}}, "want a test split of their own"),
        (
            {"generate": {"generator": {"kind": "fine_tuned", "model": "none"}, "prompt": {"num_shots": 0}}},
            "a fine-tuned one only writes texts",
        ),
    ],
)
def test_what_cannot_be_asked_is_refused_with_the_recipe(tmp_path: Path, change: dict[str, Any], why: str) -> None:
    with pytest.raises(RecipeError, match=why):
        world(tmp_path, variants=BOTH, **change)
