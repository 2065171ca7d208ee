"""A fine-tuned generator learns its rows, goes on after an interruption, and does not depend on the processes."""

from pathlib import Path
from typing import Any

import pytest

from sentisynth_hub.core.errors import RecipeError
from sentisynth_hub.generate import stage as generation
from sentisynth_hub.generate.prompts import PromptTemplate
from sentisynth_hub.generate.providers import fine_tuned
from sentisynth_hub.recipe import Recipe
from tests.support.worlds import alone, candidates_of, samples, stage, write_recipe
from tests.unit.generate.test_same_corpus import Launch


def recipe(folder: Path, model: Path, **changes: Any) -> Recipe:
    training = {"epochs": 30, "learning_rate": 0.01, "train_batch_size": 8, "checkpoint_steps": 7, **changes}
    generator = {
        "kind": "fine_tuned",
        "model": str(model),
        "dtype": "float32",
        "threads": 1,
        "batch_size": 8,
        **training,
    }
    section = {
        "generator": generator,
        "candidates": 24,
        "prompt": {"num_shots": 0},
        "sampling": {"max_new_tokens": 40, "temperature": 0.5},
    }
    return write_recipe(folder, section)


def weights(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return dict(load_file(folder / "model.safetensors"))


def test_what_it_writes_after_a_label_is_of_that_label(tmp_path: Path, model: Path) -> None:
    """The rows of one label begin in the same words: a model that learned them says them after that label's prompt."""
    made = recipe(tmp_path / "recipe", model)
    folder = stage(tmp_path / "runs", made)
    manifest = generation.generate(made, samples(), folder, alone())
    rows, unparsed = candidates_of(folder, 0)
    texts = [(row.asked_label, row.text) for row in [*rows, *(item.row for item in unparsed)]]
    begins = {"negative": "a dull", "positive": "a warm"}
    right = sum(text.startswith(begins[label or ""]) for label, text in texts)
    assert right >= 20
    assert manifest["replicates"]["0"]["demonstration_ids"] == []


def test_an_interrupted_training_ends_in_the_same_weights(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = recipe(tmp_path / "recipe", model, epochs=6)
    template, (sample,) = PromptTemplate(made), samples()
    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()
    whole = weights(fine_tuned.train(made, sample, template, tmp_path / "whole"))
    honest, calls = fine_tuned._collate, 0

    def interrupted(*given: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 11:
            raise KeyboardInterrupt
        return honest(*given)

    monkeypatch.setattr(fine_tuned, "_collate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fine_tuned.train(made, sample, template, tmp_path / "cut")
    assert not fine_tuned.weights_folder(tmp_path / "cut").exists()
    cut = weights(fine_tuned.train(made, sample, template, tmp_path / "cut"))
    assert calls == 11 + 18 - 7, "it did not go on from the checkpoint after step 7"
    assert all((whole[name] == cut[name]).all() for name in whole)


def test_only_the_text_and_its_newline_are_learned(tmp_path: Path, model: Path) -> None:
    import torch

    from sentisynth_hub.generate.providers.transformers_lm import load

    made = recipe(tmp_path / "recipe", model)
    _, tokenizer = load(str(model), None, "float32", torch.device("cpu"))
    row = samples()[0].train[0]
    ids, prompt = fine_tuned._example(PromptTemplate(made), tokenizer, row)
    inputs = fine_tuned._collate([(ids, prompt), (ids[:-3], prompt)], torch.device("cpu"))
    learned = inputs["labels"][0][inputs["labels"][0] != -100]
    assert tokenizer.decode(learned) == f" {row.text}\n"
    assert inputs["attention_mask"][1].tolist() == [1] * (len(ids) - 3) + [0] * 3
    assert (inputs["labels"][1][-3:] == -100).all()


def test_shots_and_chat_are_refused(tmp_path: Path, model: Path) -> None:
    with pytest.raises(RecipeError, match="num_shots: a fine-tuned generator learned from the rows themselves"):
        write_recipe(tmp_path, {"generator": {"kind": "fine_tuned", "model": str(model)}, "candidates": 2})


def test_another_sample_or_setting_is_another_model(tmp_path: Path, model: Path) -> None:
    made, other = recipe(tmp_path / "a", model), recipe(tmp_path / "b", model, epochs=3)
    digests = {
        fine_tuned.training_digest(each.generate.generator, each, sample)  # type: ignore[arg-type]
        for each in (made, other)
        for sample in samples(2)
    }
    assert len(digests) == 4


def test_two_processes_give_the_corpus_of_one(tmp_path: Path, model: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from sentisynth_hub.core.distributed import Processes

    made = recipe(tmp_path / "recipe", model, epochs=2)
    one = generation.generate(made, samples(), stage(tmp_path / "one", made), alone())
    state = Launch(2)
    with ThreadPoolExecutor(2) as pool:
        folder = stage(tmp_path / "two", made)
        two = list(pool.map(lambda r: generation.generate(made, samples(), folder, Processes(r, 2, state)), range(2)))
    assert two[0]["replicates"] == one["replicates"]
