"""Every shipped recipe is whole: its files are there, and every scale of it makes its prompts."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from sentisynth_hub.cli import sentisynth
from sentisynth_hub.core.files import shipped
from sentisynth_hub.core.rows import Row
from sentisynth_hub.generate.plan_requests import plan_requests
from sentisynth_hub.generate.prompts import PromptTemplate
from sentisynth_hub.natural.splits import Sample
from sentisynth_hub.recipe import Recipe, list_recipes, load_recipe
from sentisynth_hub.study.augment import read_lexicon


RECIPES = [path.parent.name for path in list_recipes()]
PAIRS = [name for name in RECIPES if name.endswith("-english")]
SCALED = [
    (name, scale)
    for name in RECIPES
    for scale in (None, *load_recipe(name).scales)
    if load_recipe(name, scale=scale).generate.generator.kind != "rows"
]


def sample(recipe: Recipe) -> Sample:
    """As many invented rows as the longest prompt shows, half of them in another script."""
    wanted = max(12, recipe.generate.prompt.num_shots)
    rows = [
        Row(f"{'സിനിമ' if i % 2 else 'qué bueno'} {label} {i} 😂", label, request_id=f"{label}{i}")
        for label in recipe.labels
        for i in range(wanted)
    ]
    return Sample(0, rows, rows[:3])


def test_the_pairs_are_there() -> None:
    assert {"spanish-english", "malayalam-english", "hindi-english"} <= set(PAIRS)


@pytest.mark.parametrize(("name", "scale"), SCALED, ids=lambda value: str(value))
def test_every_scale_makes_its_prompts(name: str, scale: str | None) -> None:
    recipe = load_recipe(name, scale=scale)
    template = PromptTemplate(recipe)
    prompting = recipe.generate.prompt
    requests = plan_requests(recipe, sample(recipe), template, model="m", sampling={})
    first = {}
    for request in requests:
        first.setdefault(request.asked_label, request)
        if len(first) == len(recipe.labels):
            break
    for label, request in first.items():
        assert recipe.generate.generator.kind == "openai" or recipe.generate.budget.max_usd is None  # it has no price
        if prompting.chat:
            assert isinstance(request.prompt, list)
            asked = request.prompt[-1]["content"]
        else:
            asked = str(request.prompt)
        assert template.verbalizer(label) in asked.lower()
        assert asked.count("😂") == prompting.num_shots
        assert all(value in asked for value in request.attributes.values())


@pytest.mark.parametrize("name", PAIRS)
def test_a_copy_of_a_pair_is_whole(name: str, tmp_path: Path) -> None:
    copied = tmp_path / "mine"
    assert CliRunner().invoke(sentisynth, ["recipes", "copy", name, str(copied)]).exit_code == 0
    done = CliRunner().invoke(sentisynth, ["recipes", "check", str(copied)])
    if load_recipe(str(copied)).natural.files is not None:  # whose rows come from elsewhere, as its README says
        assert "natural.files.train: data/train.jsonl is not beside the recipe" in str(done.exception)
    else:
        assert done.exit_code == 0, done.output
    for scale in load_recipe(str(copied)).scales:
        recipe = load_recipe(str(copied), scale=scale)
        assert recipe.template_file.is_relative_to(copied)
        if recipe.generate.generator.kind == "rows":
            continue
        assert PromptTemplate(recipe).seed_texts or recipe.generate.prompt.seed_texts is None


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("lexicon.tsv", "house casa\n", "line 1 is not `word TAB translation`"),
        ("seeds.txt", "\n", "seeds.txt is empty"),
        ("prompt_raw.jinja2", "{% for %}", "line 1"),
    ],
)
def test_check_reads_the_files_of_every_scale(tmp_path: Path, file: str, content: str, message: str) -> None:
    copied = tmp_path / "mine"
    CliRunner().invoke(sentisynth, ["recipes", "copy", "spanish-english", str(copied)])
    (copied / file).write_text(content)
    done = CliRunner().invoke(sentisynth, ["recipes", "check", str(copied)])
    assert done.exit_code != 0
    assert message in str(done.exception)


@pytest.mark.parametrize("name", PAIRS)
def test_a_pair_has_what_its_readme_says(name: str) -> None:
    recipe = load_recipe(name)
    assert {"small", "finetune", "low-resource", "xlmt", "paper"} <= set(recipe.scales)
    assert {"natural", "natural_repeated", "synthetic", "unfiltered", "kept", "weighted", "mixed", "gradual",
            "word_translation", "zero_shot", "shuffled_labels"} == set(recipe.study.variants)  # fmt: skip
    assert {"llm_classifier", "pseudo_label"} <= set(load_recipe(name, scale="asked-for-labels").study.variants)
    shots = [load_recipe(name, scale=f"shots-{count}").generate.prompt.num_shots for count in (15, 50, 150, 500)]
    assert shots == [15, 50, 150, 500]
    small = load_recipe(name, scale="small")
    assert (small.study.mode, small.study.design, small.study.replicates) == ("head", "nested", 5)
    assert small.generate.generator.kind == "transformers"
    assert not recipe.natural.preprocess  # an option, never the default
    assert load_recipe(name, scale="paper").study.gradual.preset == "paper"
    assert recipe.study.word_translation is not None
    lexicon = read_lexicon(recipe.local_file(recipe.study.word_translation.lexicon, "lexicon"))
    assert len(lexicon) > 500
    assert not any(word in translations for word, translations in lexicon.items())


@pytest.mark.parametrize("pair", [("spanish-english", "spanish_english_tweets"),
                                  ("hindi-english", "hindi_english_tweets"),
                                  ("malayalam-english", "malayalam_english_comments")])  # fmt: skip
def test_the_folders_hold_the_ready_prompts(pair: tuple[str, str]) -> None:
    """Copied, so that a recipe can be copied; alike, so that a prompt is mended in one place."""
    folder, ready = shipped("recipes") / pair[0], shipped("recipes") / "_prompts"
    assert (folder / "prompt.jinja2").read_text() == (ready / f"{pair[1]}_chat.jinja2").read_text()
    assert (folder / "prompt_raw.jinja2").read_text() == (ready / f"{pair[1]}.jinja2").read_text()
