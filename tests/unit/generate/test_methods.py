"""Each method shows what it is about, and says in the lineage what a text was made from."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from sentisynth_hub.cli import sentisynth
from sentisynth_hub.core.errors import RecipeError
from sentisynth_hub.core.rows import Request
from sentisynth_hub.generate import stage as generation
from sentisynth_hub.generate.methods.method_table import METHODS
from sentisynth_hub.generate.plan_requests import plan_requests
from sentisynth_hub.generate.prompts import PromptTemplate
from sentisynth_hub.recipe import Recipe, load_recipe
from tests.support.worlds import LABELS, alone, local, natural_rows, samples, stage, tiny_model, write_recipe


MODEL = {"kind": "transformers", "model": "none"}


def recipe(folder: Path, method: Any, *, candidates: int = 24, per_prompt: int = 1, **prompt: Any) -> Recipe:
    section = {"generator": MODEL, "candidates": candidates, "samples_per_prompt": per_prompt, "prompt": prompt}
    return write_recipe(folder, section | {"method": method})


def plan(made: Recipe) -> list[Request]:
    return list(plan_requests(made, samples()[0], PromptTemplate(made), model="m", sampling={}))


def test_few_shot_is_the_default_and_decides_nothing_new(tmp_path: Path) -> None:
    plain = write_recipe(tmp_path, {"generator": MODEL, "candidates": 4})
    spelled = write_recipe(tmp_path, {"generator": MODEL, "candidates": 4, "method": "few_shot"})
    decided = generation.decides(plain)
    assert decided == generation.decides(spelled)
    assert "method" not in decided["generate"]
    assert "text_name" not in decided["generate"]["prompt"]


def test_another_method_or_setting_is_another_stage(tmp_path: Path) -> None:
    methods: list[Any] = ["few_shot", "rewrite", {"kind": "rewrite", "manners": ["style"]}]
    decided = [generation.decides(recipe(tmp_path, method, num_shots=0)) for method in methods]
    assert decided[0] != decided[1] != decided[2] != decided[0]


@pytest.mark.parametrize("method", METHODS, ids=lambda method: str(method.name))
def test_every_method_names_its_paper_and_has_ready_prompts(method: Any) -> None:
    assert "arXiv" in method.options.paper
    assert method.help()
    if method.options.own_template:
        shipped = Path(__file__).parents[3] / "recipes" / "_prompts"
        for name in (f"{method.name}.jinja2", f"{method.name}_chat.jinja2"):
            text = (shipped / name).read_text("utf-8")
            assert all(need in text for need in method.needs)


@pytest.mark.parametrize("chat", [False, True])
def test_rewrite_shows_every_row_of_the_label_once_before_one_comes_again(tmp_path: Path, chat: bool) -> None:
    requests = plan(recipe(tmp_path, "rewrite", num_shots=2, chat=chat))
    rows = {row.request_id: row for row in natural_rows()}
    for request in requests:
        parent = rows[request.attributes["parent"]]
        assert parent.label == request.asked_label
        assert parent.text in str(request.prompt)
        assert request.demonstration_ids[0] == parent.request_id
        assert parent.request_id not in request.demonstration_ids[1:]
        assert len(request.demonstration_ids) == 3
    assert Counter(request.attributes["parent"] for request in requests) == dict.fromkeys(rows, 1)


def test_manners_take_turns_and_an_instruction_of_ones_own_stands_as_it_is(tmp_path: Path) -> None:
    own = "as a {format} teenager"
    requests = plan(recipe(tmp_path, {"kind": "rewrite", "manners": ["paraphrase", own]}, num_shots=0))
    assert Counter(request.attributes["manner"] for request in requests) == {"paraphrase": 12, own: 12}
    for request in requests:
        assert (own in str(request.prompt)) == (request.attributes["manner"] == own)


def test_a_template_that_leaves_the_row_out_is_told(tmp_path: Path) -> None:
    made = recipe(tmp_path, "rewrite", template="prompt.jinja2")
    with pytest.raises(RecipeError, match=r"prompt.jinja2: the method rewrite is about `source_text`.*rewrite.jinja2"):
        plan(made)


def test_a_generator_that_cannot_do_it_is_told(tmp_path: Path) -> None:
    section = {"generator": MODEL | {"kind": "fine_tuned"}, "prompt": {"num_shots": 0}, "candidates": 4}
    with pytest.raises(RecipeError, match="method: rewrite does not go: a fine-tuned generator"):
        write_recipe(tmp_path, section | {"method": "rewrite"})


def test_a_model_rewrites_and_the_lineage_names_the_parent(tmp_path: Path) -> None:
    section = local(tiny_model(tmp_path / "model"), method="rewrite", candidates=12, prompt={"num_shots": 0})
    made = write_recipe(tmp_path / "recipe", section)
    folder = stage(tmp_path / "runs", made)
    generation.generate(made, samples(), folder, alone())
    corpus = generation.load(folder)[0]
    parents, rows = corpus.parents(), {row.request_id: row for row in natural_rows()}
    assert len(parents) == 12
    assert {row.request_id for row in corpus.candidates()} <= parents.keys()
    assert corpus.candidates()
    assert all(rows[parents[row.request_id]].label == row.label for row in corpus.candidates())
    assert set(corpus.demonstration_ids) == set(parents.values())
    assert {row.label for row in natural_rows()} == set(LABELS)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: str(method.name))
def test_a_recipe_is_copied_with_a_method(tmp_path: Path, method: Any) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    invoked = CliRunner().invoke(sentisynth, ["recipes", "copy", "quickstart", str(first), "--method", "rewrite"])
    assert invoked.exit_code == 0, invoked.output
    assert load_recipe(str(first)).generate.method.kind == "rewrite"
    invoked = CliRunner().invoke(sentisynth, ["recipes", "copy", str(first), str(second), "--method", method.name])
    assert invoked.exit_code == 0, invoked.output
    copied, original = ((folder / "recipe.yaml").read_text("utf-8") for folder in (second, first))
    assert load_recipe(str(second)).generate.method.kind == method.name
    assert original.replace("  method: rewrite\n", "") == copied.replace(
        "".join(f"  {line}\n" for line in method.recipe_lines()), ""
    )


def test_a_method_that_is_none_copies_nothing(tmp_path: Path) -> None:
    invoked = CliRunner().invoke(sentisynth, ["recipes", "copy", "quickstart", str(tmp_path / "a"), "--method", "re"])
    assert "no method 're'" in str(invoked.exception)
    assert not (tmp_path / "a").exists()
