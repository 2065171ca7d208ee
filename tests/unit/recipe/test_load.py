"""Every mistake in a recipe is one line: where, what was found, what to do."""

import time
from pathlib import Path

import pytest
import yaml

from sentisynth_hub.core.errors import RecipeError
from sentisynth_hub.recipe import find_recipe, list_recipes, load_recipe, recipe_schema
from sentisynth_hub.recipe.load import dump_yaml


SMALLEST = {
    "name": "smallest",
    "description": "As little as a recipe can say.",
    "language": ["es", "en"],
    "labels": ["negative", "positive"],
    "natural": {"files": {"train": "train.csv"}},
    "generate": {"generator": {"kind": "transformers", "model": "org/lm"}, "candidates": 10},
    "study": {"student": {"model": "org/encoder"}},
}


@pytest.fixture
def recipe_file(tmp_path: Path) -> Path:
    (tmp_path / "prompt.jinja2").write_text("{{ label }}")
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(SMALLEST))
    return path


def test_every_shipped_recipe_loads_at_every_scale() -> None:
    assert list_recipes()
    for path in list_recipes():
        recipe = load_recipe(str(path))
        assert recipe.name == path.parent.name
        for scale in recipe.scales:
            load_recipe(str(path), scale=scale)


def test_a_recipe_is_found_by_name_folder_and_path(recipe_file: Path) -> None:
    assert find_recipe("quickstart").parent.name == "quickstart"
    assert find_recipe(str(recipe_file.parent)) == recipe_file == find_recipe(str(recipe_file))


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(RecipeError, match=r"quikstart: no such recipe or file; did you mean 'quickstart'\?"):
        find_recipe("quikstart")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("study.replicats=5", r"study\.replicats: unknown key 'replicats'; did you mean 'replicates'\?"),
        ("generate.generator.modle=x", r"generate\.generator\.modle: unknown key 'modle'; did you mean 'model'\?"),
        ("study.replicates=many", r"study\.replicates: found 'many': input should be a valid integer"),
        ("study.replicates=0", r"study\.replicates: found 0: input should be greater than or equal to 1"),
        ("generate.prompt.verbalizers={neutral: meh}", "unknown label 'neutral'; the labels are"),
        ("generate.prompt.template=gone.jinja2", "gone.jinja2 is not beside the recipe"),
        ("natural.dataset=org/data", "give either `dataset`"),
        ("name=Not A Name", "name: found 'Not A Name'"),
        ("labels=[a, a]", "names a label twice"),
        ("name.first=x", "'name' holds a value, not a section"),
        ("replicates", "an override is written key.path=value"),
        ("name=[", "the value is not YAML"),
        ("language=[english]", r"language: 'english' is no language tag .* did you mean 'en'\?"),
        ("language=[jp]", r"'jp' is no language tag .* did you mean 'ja'\?"),
        ("language=[' en']", r"' en' is no language tag .* did you mean 'en'\?"),
        ("language=[zh_CN]", r"'zh_CN' is no language tag .* did you mean 'zh-CN'\?"),
        ("language=[xx]", "'xx' is no language tag"),
        ("language=[EN-us]", r"'EN-us' is no language tag .* did you mean 'en-US'\?"),
        ("labels=[0, 1]", r"labels\.0: YAML reads 0 as a number; put it in quotes: '0' \(and 1 more\)"),
        ("labels=[true, false]", r"labels\.0: YAML reads true as true or false; put it in quotes: 'true'"),
        ("labels=[a, 1.5]", r"labels\.1: YAML reads 1.5 as a number; put it in quotes: '1.5'"),
        ("labels=[' a', b]", "labels: ' a' is blank, begins or ends with white space"),
        ("natural.label_names={0: negative}", r"natural\.label_names\.0: YAML reads 0 as a number; put it in quotes"),
        (
            "natural.label_names={POS: postive}",
            r"natural.label_names: 'postive' is no label; did you mean 'positive'\?",
        ),
        ("publish.dataset=a/b--c", "publish.dataset: found 'a/b--c'"),
        ("publish.model=a/b.git", "publish.model: found 'a/b.git'"),
        ("publish.model=my name/x", "publish.model: found 'my name/x'"),
        ("publish.model=" + "a" * 91 + "/model", "publish.model: found "),
    ],
)
def test_a_mistake_is_one_line(recipe_file: Path, override: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message) as raised:
        load_recipe(str(recipe_file), [override])
    assert "\n" not in str(raised.value)
    assert raised.value.exit_code == 2


def test_a_missing_section_is_named(recipe_file: Path) -> None:
    recipe_file.write_text(yaml.safe_dump({key: value for key, value in SMALLEST.items() if key != "study"}))
    with pytest.raises(RecipeError, match="recipe.yaml: study: missing; add it"):
        load_recipe(str(recipe_file))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("name: [", "line 2"),
        ("- a\n- b\n", "a YAML mapping is expected"),
        ("name: a\nname: b\n", "line 2: key 'name' is written twice"),
        ("name: !!python/object/apply:os.system ['true']\n", "line 1: tag .*os.system' is not read; remove it"),
        ("a: &x [1]\nb: *x\n", "line 2: aliases .* are not read"),
        ("a: &x {k: 1}\nb: {<<: *x}\n", "line 2: (merge keys|aliases)"),
        ("a: !!timestamp 2026-01-01\n", "line 1: tag .*timestamp' is not read"),
        ("[" * 100, "line 1: nested more than 64 deep"),
    ],
)
def test_bad_yaml_is_one_line_and_runs_nothing(recipe_file: Path, content: str, message: str) -> None:
    recipe_file.write_text(content)
    with pytest.raises(RecipeError, match=message):
        load_recipe(str(recipe_file))


def test_overrides_win_over_a_scale_which_wins_over_the_file(recipe_file: Path) -> None:
    recipe_file.write_text(yaml.safe_dump(SMALLEST | {"scales": {"small": {"study.replicates": 3, "seed": 4}}}))
    recipe = load_recipe(str(recipe_file), ["seed=5"], scale="small")
    assert (recipe.study.replicates, recipe.seed) == (3, 5)
    with pytest.raises(RecipeError, match="scale 'tiny' is not in `scales`"):
        load_recipe(str(recipe_file), scale="tiny")


def test_what_only_old_yaml_reads_as_something_else_is_a_word(recipe_file: Path) -> None:
    words = ["language=[no]", "labels=[no, yes]", "natural.label_names={off: no, 012: yes}"]
    recipe = load_recipe(str(recipe_file), words)
    assert (recipe.language, recipe.labels) == (["no"], ["no", "yes"])
    assert recipe.natural.label_names == {"off": "no", "012": "yes"}
    price = "{input_usd_per_million: 0.15, output_usd_per_million: 0.6, as_of: 2026-11-01}"
    generator = f"generate.generator={{kind: openai, model: m, price: {price}}}"
    priced = load_recipe(str(recipe_file), [generator]).generate.generator
    assert priced.price.as_of == "2026-11-01"  # type: ignore[union-attr, attr-defined]


@pytest.mark.parametrize(
    "labels", [["5e1", "6a2"], ["no", "0x1f"], ["1_000", "~"], ["2026-01-01", "12:30"], ["é😀", "\x1b"]]
)
def test_what_is_written_is_read_as_the_same(recipe_file: Path, labels: list[str]) -> None:
    recipe_file.write_text(dump_yaml(SMALLEST | {"labels": labels}), "utf-8")
    assert load_recipe(str(recipe_file)).labels == labels


def test_a_bomb_of_yaml_is_refused_at_once_and_its_message_is_short(recipe_file: Path) -> None:
    aliases = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 9))
    for bomb in (aliases, f"description: [{'x, ' * 90_000}]\n", "".join(f"k{i}: 1\n" for i in range(12_000))):
        recipe_file.write_text(bomb)
        begun = time.monotonic()
        with pytest.raises(RecipeError) as raised:
            load_recipe(str(recipe_file))
        assert len(str(raised.value)) < 1000
        assert time.monotonic() - begun < 20


def test_exponents_are_numbers(recipe_file: Path) -> None:
    assert load_recipe(str(recipe_file), ["study.student.learning_rate=2e-5"]).study.student.learning_rate == 2e-5


def test_the_schema_describes_every_key() -> None:
    schema = recipe_schema()
    for name, model in [("Recipe", schema), *schema["$defs"].items()]:
        for key, value in model.get("properties", {}).items():
            assert value.get("description"), f"{name}.{key} has no description"


def test_file_digests_follow_the_files_not_the_path(recipe_file: Path) -> None:
    before = load_recipe(str(recipe_file)).file_digests()
    assert list(before) == ["prompt.jinja2"]
    (recipe_file.parent / "prompt.jinja2").write_text("other {{ label }}")
    assert load_recipe(str(recipe_file)).file_digests() != before
