"""Templates of strangers: the same prompts as in the same process, and no bomb goes off."""

import os
import time
from pathlib import Path

import pytest
import yaml

from sentisynth_hub.core.errors import RecipeError
from sentisynth_hub.core.rows import Row
from sentisynth_hub.generate import template_process
from sentisynth_hub.generate.prompts import PromptTemplate
from sentisynth_hub.generate.template_process import TemplateProcess, TemplateProcessError
from sentisynth_hub.recipe import load_recipe
from sentisynth_hub.recipe.schema import Origin
from tests.unit.recipe.test_load import SMALLEST


def template_of(tmp_path: Path, source: str, origin: Origin) -> PromptTemplate:
    (tmp_path / "prompt.jinja2").write_text(source, "utf-8")
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(SMALLEST))
    return PromptTemplate(load_recipe(str(tmp_path), origin=origin))


@pytest.mark.parametrize(
    "source",
    ["{{ label }}", "{% for d in demonstrations %}{{ d.verbalizer }}: {{ d.text }}\n{% endfor %}{{ label }} “é” 😀",
     "\u2028 {{ attributes | tojson }} {{ texts_per_call + 1 }}"],
)  # fmt: skip
def test_it_renders_what_the_same_process_renders(tmp_path: Path, source: str) -> None:
    rows = [Row("qué \ud83d 😀", "positive"), Row("two", "negative")]
    local, theirs = (template_of(tmp_path, source, origin).render("positive", rows, {}) for origin in ("local", "hub"))
    assert local == theirs


@pytest.mark.parametrize(
    "source",
    ["{{ 'a' * 3000000000 }}", "{{ 'a' * 9000000 }}",
     "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
     "{{ 10 ** 100000000 }}", "{{ 1 / 0 }}", "{{ gone }}", "{{ label.x.y }}", "{% include 'x' %}",
     "{{ cycler.__init__.__globals__ }}", "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"],
)  # fmt: skip
def test_a_bomb_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    monkeypatch.setattr(template_process, "SECONDS", 3.0)
    begun = time.monotonic()
    with pytest.raises(RecipeError, match=r"prompt\.jinja2: ") as raised:  # constants are computed when it compiles
        template_of(tmp_path, source, "hub").render("positive", [], {})
    assert len(str(raised.value)) < 600
    assert time.monotonic() - begun < 30


def test_a_template_that_does_not_compile_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="line 2: "):
        template_of(tmp_path, "a\n{% for %}", "hub")


def test_a_template_goes_on_after_a_mistake_and_ends_at_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    with TemplateProcess("{{ 'a' * count }}") as template:
        with pytest.raises(TemplateProcessError, match="'count' is undefined"):
            template.render({})
        assert template.render({"count": 3}) == "aaa"
        with pytest.raises(TemplateProcessError, match="MemoryError|characters"):
            template.render({"count": 1 << 33})
        assert template.render({"count": 2}) == "aa"


def test_it_sees_no_variable_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-mine")
    with TemplateProcess("{{ label }}") as template:
        environment = Path(f"/proc/{template._process.pid}/environ")
        if environment.exists():
            assert b"sk-mine" not in environment.read_bytes()
        template.render({"label": "a"})
    with pytest.raises(ProcessLookupError):
        os.kill(template._process.pid, 0)
