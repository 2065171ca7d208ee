"""How much is asked for follows from what is wanted and what was kept, and never goes over the cap."""

from pathlib import Path

import pytest

from sentisynth_hub.core.errors import RecipeError
from sentisynth_hub.generate.plan_requests import plan_requests
from sentisynth_hub.generate.prompts import PromptTemplate
from sentisynth_hub.generate.top_up import calls_so_far, first_calls, most_calls, next_batch, shortfall
from sentisynth_hub.recipe import Recipe
from tests.support.worlds import samples, write_recipe


def recipe(folder: Path, **changes: object) -> Recipe:
    prompt = {"texts_per_call": changes.pop("texts_per_call", 1)}
    section = {"generator": {"kind": "transformers", "model": "none"}, "samples_per_prompt": 4, "prompt": prompt}
    return write_recipe(folder, section | changes)


@pytest.mark.parametrize("accepted", [0.9, 0.5, 0.11])
def test_a_steady_acceptance_reaches_the_number_in_a_few_rounds(tmp_path: Path, accepted: float) -> None:
    made = recipe(tmp_path, rows=100)
    further: list[dict[int, dict[str, int]]] = []
    for _ in range(12):
        calls = sum(each.get("negative", 0) for each in calls_so_far(made, further, 0))
        kept = {0: {"negative": min(100, int(accepted * calls)), "positive": 100}}
        batch = next_batch(made, further, kept)
        if batch is None:
            break
        assert set(batch[0]) == {"negative"}, "a label that has enough is not asked for"
        further.append(batch)
    assert kept[0]["negative"] == 100
    assert len(further) <= 5
    assert calls <= 1.5 * 100 / accepted


def test_a_label_of_which_nothing_is_kept_ends_at_the_cap(tmp_path: Path) -> None:
    made = recipe(tmp_path, rows={"negative": 10, "positive": 5}, max_requests=100)
    further: list[dict[int, dict[str, int]]] = []
    while batch := next_batch(made, further, {0: {"positive": 5}}):
        further.append(batch)
    assert sum(sum(each.values()) for each in calls_so_far(made, further, 0)) == 100
    assert shortfall(made, {0: {"positive": 5}}) == [
        "generate.rows: replicate 0 has 0 of 10 rows of 'negative': the cap of 100 requests a replicate stopped it; "
        "raise generate.max_requests, loosen the filters or change the prompt"
    ]
    assert shortfall(made, {0: {"positive": 5, "negative": 10}}) == []


def test_several_texts_a_call_take_fewer_calls(tmp_path: Path) -> None:
    made = recipe(tmp_path, rows=10, texts_per_call=4)
    assert first_calls(made) == {"negative": 3, "positive": 3}
    assert most_calls(made) == {"negative": 200, "positive": 200}


def test_the_first_round_keeps_to_the_cap(tmp_path: Path) -> None:
    assert first_calls(recipe(tmp_path, rows=10, max_requests=7)) == {"negative": 4, "positive": 3}


def test_a_further_round_adds_to_the_plan_and_changes_nothing_before_it(tmp_path: Path) -> None:
    made = recipe(tmp_path, rows=6)
    template, sample = PromptTemplate(made), samples()[0]

    def plan(*rounds: dict[str, int]) -> list[str]:
        planned = plan_requests(made, sample, template, model="m", sampling={}, rounds=rounds)
        return [request.request_id for request in planned]

    first, second = {"negative": 6, "positive": 6}, {"positive": 5}
    assert plan(first, second)[:12] == plan(first)
    assert len(set(plan(first, second))) == 17


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({}, "give either `candidates`"),
        ({"candidates": 4, "rows": 4}, "give either `candidates`"),
        ({"rows": {"neutral": 4}}, "'neutral' is no label"),
        ({"rows": 0}, "rows: found 0"),
        ({"candidates": 4, "max_requests": 4}, "it limits what `rows` asks for"),
    ],
)
def test_a_size_that_is_none_is_refused_in_one_line(tmp_path: Path, changes: dict[str, object], problem: str) -> None:
    with pytest.raises(RecipeError, match=problem) as refusal:
        recipe(tmp_path, **changes)
    assert "\n" not in str(refusal.value)
