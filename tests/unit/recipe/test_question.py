"""A question's cells: what is applied in which order, and that a cell may leave out what an override names."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from sentisynth_hub.core.errors import RecipeError
from sentisynth_hub.core.rows import Row
from sentisynth_hub.filter.teacher import TeacherOptions
from sentisynth_hub.generate.plan_requests import plan_requests
from sentisynth_hub.generate.prompts import PromptTemplate
from sentisynth_hub.natural.splits import Sample
from sentisynth_hub.recipe import list_recipes
from sentisynth_hub.recipe.question import Cell, list_questions, load_cells, load_question
from tests.unit.recipe.test_load import SMALLEST


@pytest.fixture
def ask(tmp_path: Path):  # type: ignore[no-untyped-def]
    (tmp_path / "questions").mkdir()
    (tmp_path / "prompt.jinja2").write_text("{{ label }}")
    scales = {"little": {"generate.candidates": 4, "study.replicates": 6}, "less": {"generate.candidates": 2}}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(SMALLEST | {"scales": scales}))

    def cells(question: dict[str, Any], *overrides: str, scale: str | None = None) -> list[Cell]:
        (tmp_path / "questions" / "q.yaml").write_text(yaml.safe_dump({"question": "?", **question}))
        return load_cells(str(tmp_path), "q", overrides, scale=scale)

    return cells


def test_scale_then_set_then_overrides_then_levels(ask) -> None:  # type: ignore[no-untyped-def]
    question = {
        "scale": "little",
        "set": {"study.replicates": 7, "seed": 1},
        "settings": {"a": {"generate.candidates": 40}, "b": {}},
    }
    first, second = (cell.recipe for cell in ask(question, "seed=2"))
    assert (first.generate.candidates, first.study.replicates, first.seed) == (40, 7, 2)
    assert (second.generate.candidates, second.study.replicates, second.seed) == (4, 7, 2)
    assert [cell.recipe.generate.candidates for cell in ask(question, scale="less")] == [40, 2]


def test_a_cell_may_leave_out_what_an_override_names(ask) -> None:  # type: ignore[no-untyped-def]
    teacher = {"teacher": {"model": "org/encoder"}}
    question = {
        "set": {"filter": {"length": {}, "teacher": teacher}},
        "settings": {"with": {}, "without": {"filter.teacher": None}},
    }
    cells = {cell.levels["setting"]: cell.recipe for cell in ask(question, "filter.teacher.teacher.model=here")}
    assert cells["with"].filter.order == ["length", "teacher"]
    teacher = cells["with"].filter.of(TeacherOptions)
    assert teacher is not None
    assert teacher.teacher.model == "here"
    assert cells["without"].filter.order == ["length"]


def test_what_is_varied_cannot_be_overridden(ask) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(RecipeError, match="seed is what this question varies"):
        ask({"settings": {"a": {"seed": 1}, "b": {"seed": 2}}}, "seed=5")


def test_two_factors_are_crossed_in_the_order_of_the_file(ask) -> None:  # type: ignore[no-untyped-def]
    factors = {"x": {1: {"seed": 1}, 2: {"seed": 2}}, "y": {"p": {}, "q": {"generate.candidates": 6}}}
    cells = ask({"factors": factors})
    assert [cell.name for cell in cells] == ["x=1, y=p", "x=1, y=q", "x=2, y=p", "x=2, y=q"]
    assert [cell.recipe.seed for cell in cells] == [1, 1, 2, 2]


def test_without_factors_there_is_one_cell(ask, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (only,) = ask({"compare": "synthetic"})
    assert only.levels == {}
    assert load_question(str(tmp_path), "q").compare == ["synthetic"]


SHIPPED = [(path.parent.name, name) for path in list_recipes() for name in list_questions(str(path))]


def test_the_ancestors_open_questions_are_all_there() -> None:
    pairs = {"spanish-english", "malayalam-english", "hindi-english"}
    assert {recipe for recipe, name in SHIPPED if name == "code-mixing"} == pairs
    assert {recipe for recipe, name in SHIPPED if name == "ratio"} == pairs
    assert {name for recipe, name in SHIPPED if recipe == "sst2-low-resource"} >= {
        "prompt-sensitivity", "quality-against-quantity", "filters", "quantities", "class-ratios", "effect-against-n"
    }  # fmt: skip


@pytest.mark.parametrize(("recipe", "name"), SHIPPED, ids=lambda part: str(part))
def test_every_cell_of_a_shipped_question_is_a_recipe_of_its_own(recipe: str, name: str) -> None:
    cells = load_cells(recipe, name)
    assert len({cell.recipe.model_dump_json() for cell in cells}) == len(cells)  # no level sets nothing


def test_the_wordings_differ_and_end_where_the_text_begins() -> None:
    cells = load_cells("sst2-low-resource", "prompt-sensitivity", ["generate.prompt.num_shots=4"])
    sample = Sample(0, [Row(f"text {i}", ("negative", "positive")[i % 2], str(i)) for i in range(20)], [])
    prompts = {}
    for cell in cells:
        template = PromptTemplate(cell.recipe)
        request = next(plan_requests(cell.recipe, sample, template, model="m", sampling={}))
        prompts[cell.name] = str(request.prompt)
        assert all(f" text {name}\n" in request.prompt for name in request.demonstration_ids)
        assert len(request.demonstration_ids) == 4
        assert request.prompt == str(request.prompt).strip()
    assert len(set(prompts.values())) == 15
