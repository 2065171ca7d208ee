"""The table of providers: one contract, kinds from outside the package, and no comparison of kinds anywhere."""

import ast
import json
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from sentisynth_hub.core import plugins
from sentisynth_hub.core.errors import RecipeError, StageError
from sentisynth_hub.generate import stage as generation
from sentisynth_hub.generate.providers.base import Provider, provider_of
from sentisynth_hub.recipe import Recipe, load_recipe
from sentisynth_hub.recipe.generator_kinds import BUILT_IN_KINDS, PROVIDERS
from sentisynth_hub.recipe.generator_section import GeneratorSection
from sentisynth_hub.recipe.trust import trust_recipe
from tests.support.outside_provider import EchoProvider
from tests.support.worlds import alone, local, samples, stage, write_recipe


PACKAGE = Path(__file__).resolve().parents[3] / "sentisynth_hub"
OUTSIDE = "tests.support.outside_provider:EchoProvider"
SECTIONS: dict[str, dict[str, Any]] = {
    "transformers": {"model": "m"},
    "fine_tuned": {"model": "m"},
    "openai": {"model": "m"},
    "rows": {"file": "train.jsonl", "written_by": "somebody"},
}


def recipe(folder: Path, kind: str, **section: Any) -> Recipe:
    trust_recipe(folder)
    generate = {"generator": {"kind": kind, **section}, "candidates": 10, "prompt": {"num_shots": 0}}
    return write_recipe(
        folder, generate, study={"student": {"model": "none"}, "replicates": 1, "design": "conditional"}
    )


@pytest.mark.parametrize("kind", BUILT_IN_KINDS)
def test_every_kind_has_a_provider_for_its_section(tmp_path: Path, kind: str) -> None:
    made = recipe(tmp_path, kind, **SECTIONS[kind])
    provider = provider_of(made)
    assert isinstance(provider, Provider)
    assert type(made.generate.generator) is provider.section
    assert provider.section.model_fields["kind"].annotation is not None
    assert made.generate.generator.name


def test_no_module_compares_kinds() -> None:
    """What a kind can do is a property of its section or provider: a new one is one file, found by nobody's `if`."""
    compared = []
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Compare):
                sides = [node.left, *node.comparators]
                kinds = [side for side in sides if isinstance(side, ast.Constant) and side.value in BUILT_IN_KINDS]
                if kinds and any(isinstance(side, ast.Attribute) and side.attr == "kind" for side in sides):
                    compared.append(f"{file.relative_to(PACKAGE)}:{node.lineno}")
    assert compared == []


def test_a_provider_from_outside_generates_and_resumes(tmp_path: Path) -> None:
    made = recipe(tmp_path / "recipe", OUTSIDE, word="clever")
    folder = stage(tmp_path / "runs", made)
    generation.generate(made, samples(), folder, alone())
    result = generation.load(folder)
    assert (result.model.id, result[0].candidate_count, result[0].tokens, result[0].cost_usd) == (
        "echo-1",
        10,
        80,
        None,
    )
    texts = [row.text for row in result[0].candidates()]
    assert texts == [f"a clever film, number {index}" for index in range(10)]  # in the requests' order
    before = (folder.path / "replicate-0" / "completions-0.jsonl").read_bytes()
    (folder.path / "manifest.json").unlink()
    generation.generate(made, samples(), folder, alone())
    assert (folder.path / "replicate-0" / "completions-0.jsonl").read_bytes() == before


def test_its_section_is_checked_like_any(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"generate.generator.*words"):
        recipe(tmp_path, OUTSIDE, words="clever")
    with pytest.raises(RecipeError, match="ask the generator for labels, and an echo knows no labels"):
        write_recipe(
            tmp_path,
            {"generator": {"kind": OUTSIDE}, "candidates": 4, "prompt": {"num_shots": 0}},
            study={"student": {"model": "none"}, "replicates": 1, "variants": ["natural", "llm_classifier"]},
        )


def test_an_installed_package_registers_a_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("echo", OUTSIDE, PROVIDERS)
    monkeypatch.setattr(plugins, "entry_points", lambda *, group: [point] if group == PROVIDERS else [])
    made = recipe(tmp_path, "echo")
    assert isinstance(provider_of(made), EchoProvider)
    load_recipe(str(made.folder), origin="hub")  # it was installed on purpose, whoever wrote the recipe


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("tests.support.outside_provider:BrokenProvider", "is no provider"),
        ("tests.support.outside_provider:Nothing", "cannot be imported"),
        ("no.such.module:Provider", "cannot be imported"),
        ("os:path", "is no provider"),
        ("tranformers", "tranformers"),
    ],
)
def test_what_is_no_provider_is_told_in_one_line(tmp_path: Path, kind: str, why: str) -> None:
    with pytest.raises(RecipeError, match=why) as raised:
        recipe(tmp_path, kind)
    assert "\n" not in str(raised.value)


def test_a_recipe_from_a_hub_may_not_name_code(tmp_path: Path) -> None:
    """Not even its import happens: the module would not be there."""
    made = recipe(tmp_path, OUTSIDE)
    for override in ([], ["generate.generator.kind=no.such.module:Provider"]):
        with pytest.raises(RecipeError, match="names Python code"):
            load_recipe(str(made.folder), override, origin="hub")
    content = made.model_dump(mode="json")
    assert made.with_content(content).generate.generator == made.generate.generator
    with pytest.raises(RecipeError, match="names Python code"):
        Recipe.model_validate(content)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"replicates": {"0": {}}}, "replicates.0.requests"),
        ({"replicates": []}, "replicates"),
        ({"replicates": {"zero": {}}}, "replicates.zero"),
        ({"model": "m"}, "model"),
        ({"parser_version": "new"}, "parser_version"),
    ],
)
def test_a_manifest_of_another_shape_is_one_line(tmp_path: Path, change: dict[str, Any], key: str) -> None:
    made = recipe(tmp_path / "recipe", OUTSIDE)
    folder = stage(tmp_path / "runs", made)
    manifest = generation.generate(made, samples(), folder, alone())
    (folder.path / "manifest.json").write_text(json.dumps(manifest | change), "utf-8")
    with pytest.raises(StageError, match=f"manifest.json: {key}") as raised:
        generation.load(folder)
    assert "\n" not in str(raised.value)


def test_a_kind_that_says_nothing_of_how_it_answers_is_one_line(tmp_path: Path) -> None:
    class Silent(Provider):
        section = GeneratorSection

    with pytest.raises(RecipeError, match="Silent has neither `open` nor `answer`"):
        Silent().open(write_recipe(tmp_path, local(tmp_path)), tmp_path)
