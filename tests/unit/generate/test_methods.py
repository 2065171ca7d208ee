"""Each method shows what it is about, and says in the lineage what a text was made from."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from sentisynth_hub.cli import sentisynth
from sentisynth_hub.core.errors import RecipeError
from sentisynth_hub.core.rows import Request, Row, by_label
from sentisynth_hub.core.text import normalised
from sentisynth_hub.filter.overlap import Overlap
from sentisynth_hub.generate import stage as generation
from sentisynth_hub.generate.methods.grounding_texts import texts_in_prompts
from sentisynth_hub.generate.methods.method_table import METHODS
from sentisynth_hub.generate.plan_requests import plan_requests
from sentisynth_hub.generate.prompts import PromptTemplate
from sentisynth_hub.natural.splits import Sample
from sentisynth_hub.pretrained.embeddings import embed, unit
from sentisynth_hub.recipe import Recipe, load_recipe
from tests.support.quirky_server import quirky_server
from tests.support.scripted_server import Call
from tests.support.tiny import reviews, tiny_encoder
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
        names = [f"{method.name}_chat.jinja2"] + [f"{method.name}.jinja2"] * (not method.options.needs_chat)
        for name in names:
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
    if method.name in ("verbalised", "mix"):  # the recipe writes raw text, in one language
        assert "wants" in str(invoked.exception)
        assert not second.exists()
        return
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


def test_ground_goes_through_the_texts_and_shows_none_that_is_held(tmp_path: Path) -> None:
    texts = [f"unlabelled text number {number}" for number in range(12)]
    (tmp_path / "texts.txt").write_text("\n".join([*texts, texts[0], "", natural_rows()[0].text]), "utf-8")
    made = recipe(tmp_path, {"kind": "ground", "file": "texts.txt"}, num_shots=2)
    held = frozenset({normalised(texts[3])})
    requests = list(plan_requests(made, samples()[0], PromptTemplate(made), model="m", sampling={}, held=held))
    counted = Counter(text for request in requests for text in texts if f"{text}\n" in str(request.prompt))
    assert set(counted) == set(texts) - {texts[3]}
    assert set(counted.values()) <= {2, 3, 4}  # 12 prompts of each label go through 11 texts
    named = texts_in_prompts(made, [{"attributes": json.dumps(dict(request.attributes))} for request in requests])
    assert {row.text for row in named} == set(counted)


def test_ground_takes_texts_near_a_row_of_the_label(tmp_path: Path) -> None:
    tiny = tiny_encoder(tmp_path / "encoder")
    texts = [row["text"] for row in reviews()]
    (tmp_path / "recipe").mkdir()
    (tmp_path / "recipe" / "texts.jsonl").write_text("".join(json.dumps({"body": text}) + "\n" for text in texts))
    method = {
        "kind": "ground", "file": "texts.jsonl", "text_column": "body", "choose": "nearest", "nearest": 2,
        "encoder": {"model": str(tiny), "threads": 1},
    }  # fmt: skip
    made = recipe(tmp_path / "recipe", method, num_shots=0)
    vectors = unit(embed(texts, str(tiny), threads=1))
    near = {}
    for label, group in by_label(natural_rows(), LABELS).items():
        own = unit(embed([row.text for row in group], str(tiny), threads=1))
        near[label] = {texts[place] for row in own @ vectors.T for place in np.argsort(-row)[:3]}
    for request in plan(made):
        assert any(f"{text}\n" in str(request.prompt) for text in near[request.asked_label])
    assert near["negative"] != set(texts)


def test_what_copies_a_grounding_text_overlaps() -> None:
    text = Row("a long unlabelled text of the domain that a prompt had shown to the writer", None)
    overlap = Overlap.against({"grounding": [text]})
    rows = [Row(text.text, "a"), Row(text.text.replace("long", "lng"), "a"), Row("nothing like it", "a")]
    assert [decision.reason for decision in overlap.judge(rows)] == ["exact_grounding", "ngram_grounding", None]


def test_boundary_names_another_label_and_a_share(tmp_path: Path) -> None:
    made = recipe(tmp_path, {"kind": "boundary", "shares": [60, 90]}, num_shots=2, verbalizers={"negative": "damning"})
    for request in plan(made):
        other = request.attributes["other_label"]
        assert {request.asked_label, other} == set(LABELS)
        asked = {"negative": "damning"}.get(request.asked_label, request.asked_label)
        assert f"{request.attributes['share']} % {asked}" in str(request.prompt)
    assert Counter(request.attributes["share"] for request in plan(made)) == {"60": 12, "90": 12}


def test_verbalised_texts_come_back_without_their_probabilities(tmp_path: Path) -> None:
    def answer(call: Call) -> str:
        schema = call.body["response_format"]["json_schema"]["schema"]["properties"]["texts"]
        assert schema["items"]["required"] == ["text", "probability"]
        assert "below 0.1" in str(call.body["messages"])
        items = [{"text": f"a film, number {call.number}-{n}", "probability": 0.04} for n in range(schema["minItems"])]
        return json.dumps({"texts": items})

    with quirky_server("plain", text=answer) as server:
        section = {
            "generator": {"kind": "openai", "model": "m", "base_url": server.url},
            "method": "verbalised", "candidates": 12, "prompt": {"num_shots": 0, "chat": True, "texts_per_call": 3},
        }  # fmt: skip
        made = write_recipe(tmp_path / "recipe", section)
        folder = stage(tmp_path / "runs", made)
        generation.generate(made, samples(), folder, alone())
    rows = generation.load(folder)[0].candidates()
    assert len(rows) == 12
    assert all(row.text.startswith("a film, number ") for row in rows)


def test_verbalised_wants_a_chat_for_several_texts(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="verbalised wants prompt.chat: true and prompt.texts_per_call over 1"):
        recipe(tmp_path, "verbalised", chat=True, num_shots=0)


def test_mix_asks_for_the_mix_of_the_natural_rows(tmp_path: Path) -> None:
    hindi = "\u092f\u0939 \u092b\u093f\u0932\u094d\u092e"
    texts = [f"{hindi} was good", "this film was good", f"good film {hindi} film good very nice"]
    rows = [Row(text, label, request_id=f"{label}{n}") for label in LABELS for n, text in enumerate(texts)]
    section = {
        "generator": MODEL,
        "method": "mix",
        "candidates": 6,
        "samples_per_prompt": 1,
        "prompt": {"num_shots": 0},
    }
    made = write_recipe(tmp_path, section, language=["hi", "en"])
    requests = list(plan_requests(made, Sample(0, rows, []), PromptTemplate(made), model="m", sampling={}))
    positive = [request for request in requests if request.asked_label == "positive"]
    assert sorted((request.attributes["mix"], request.attributes["switches"]) for request in positive) == [
        ("en 100", "0"), ("en 50 hi 50", "1"), ("en 80 hi 20", "2"),
    ]  # fmt: skip
    for request in positive:
        if request.attributes["switches"] == "2":
            wanted = "about 80 % of the words in English and 20 % of the words in Hindi, switching 2 times"
            assert wanted in str(request.prompt)
        if request.attributes["switches"] == "0":
            assert "all words in English" in str(request.prompt)


def test_a_mix_of_one_language_is_told(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="mix wants several languages"):
        recipe(tmp_path, "mix", num_shots=0)
