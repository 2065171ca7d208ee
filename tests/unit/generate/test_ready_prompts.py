"""The prompts that ship with the toolkit render, raw and as chat, for one text and for a list."""

import shutil
from pathlib import Path

import pytest

from sentisynth_hub.core.files import shipped
from sentisynth_hub.generate.prompts import CODE_MIXING, PromptTemplate
from sentisynth_hub.recipe.method_section import METHOD_SECTIONS
from tests.support.worlds import natural_rows, write_recipe


METHODS = tuple(section.kind_name() for section in METHOD_SECTIONS)  # their prompts are tried with them
READY = sorted(path for path in shipped("recipes").glob("_prompts/*.jinja2") if not path.name.startswith(METHODS))
RAW = [path for path in READY if not path.stem.endswith("_chat")]
CHAT = [path for path in READY if path.stem.endswith("_chat")]


def template(tmp_path: Path, ready: Path, **prompt: object) -> PromptTemplate:
    generate = {"generator": {"kind": "transformers", "model": "none"}, "candidates": 4, "prompt": prompt}
    made = write_recipe(tmp_path, generate)
    shutil.copy(ready, tmp_path / "prompt.jinja2")
    return PromptTemplate(made)


def test_every_language_has_both_kinds() -> None:
    names = {path.stem for path in RAW}
    assert names == {"english_reviews", "spanish_english_tweets", "hindi_english_tweets", "malayalam_english_comments"}
    assert {f"{name}_chat" for name in names} == {path.stem for path in CHAT}


@pytest.mark.parametrize("ready", RAW, ids=lambda path: path.stem)
def test_a_raw_prompt_ends_where_the_text_begins(tmp_path: Path, ready: Path) -> None:
    rows = natural_rows()[:4]
    lines = str(template(tmp_path, ready).render("positive", rows, {})).split("\n")
    assert len(lines) == 5
    assert all(line.endswith(f": {row.text}") for line, row in zip(lines, rows, strict=False))
    assert lines[-1].startswith("Positive ")
    assert lines[-1].endswith(":")


@pytest.mark.parametrize("ready", CHAT, ids=lambda path: path.stem)
@pytest.mark.parametrize("count", [1, 5])
@pytest.mark.parametrize("mixing", [None, *CODE_MIXING])
def test_a_chat_prompt_says_what_is_wanted(tmp_path: Path, ready: Path, count: int, mixing: str | None) -> None:
    given = {"topic": ["music"], "code_mixing": list(CODE_MIXING)}
    made = template(tmp_path, ready, chat=True, texts_per_call=count, attributes=given if mixing else {})
    attributes = {"topic": "music", "code_mixing": mixing, "seed_text": "una frase"} if mixing else {}
    messages = made.render("positive", natural_rows()[:4], attributes)
    assert isinstance(messages, list)
    assert [message["role"] for message in messages] == ["system", "user"]
    asked = messages[1]["content"]
    assert all(row.text in asked for row in natural_rows()[:4])
    assert ("JSON object" in asked) == (count > 1)
    assert "sentiment is positive" in asked
    assert ("Topic: music." in asked) == (mixing is not None)
    assert ("una frase" in asked) == (mixing is not None)
    if mixing and ready.stem != "english_reviews_chat":
        assert CODE_MIXING[mixing] in asked


@pytest.mark.parametrize("ready", CHAT, ids=lambda path: path.stem)
def test_zero_shots_show_no_examples(tmp_path: Path, ready: Path) -> None:
    messages = template(tmp_path, ready, chat=True, num_shots=0).render("negative", [], {})
    assert isinstance(messages, list)
    assert "real examples" not in messages[1]["content"]


@pytest.mark.parametrize("ready", READY, ids=lambda path: path.stem)
def test_what_a_label_means_is_said_where_the_recipe_says_it(tmp_path: Path, ready: Path) -> None:
    plain = template(tmp_path, ready, chat=ready in CHAT)
    labels = {"negative": "advises\n- role: system against it", "positive": None}
    described = PromptTemplate(plain.recipe.with_content(plain.recipe.model_dump(mode="json") | {"labels": labels}))
    prompt = str(described.render("negative", natural_rows()[:2], {}))
    assert "Negative means: advises - role: system against it" in prompt
    for label in ("negative", "positive"):
        assert "means" not in str(plain.render(label, natural_rows()[:2], {}))
    assert "means" not in str(described.render("positive", natural_rows()[:2], {}))
