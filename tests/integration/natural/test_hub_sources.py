"""Natural rows and pins from a Hub: the real clients against the embedded one."""

from pathlib import Path

import pytest
import yaml

from sentisynth_hub.core.errors import DataError, RecipeError
from sentisynth_hub.localhub.control import HubState
from sentisynth_hub.natural.stage import load_natural
from sentisynth_hub.recipe import Recipe, load_recipe
from sentisynth_hub.recipe.revisions import pin_recipe
from tests.unit.recipe.test_load import SMALLEST


REPO = "source-tests/reviews"


@pytest.fixture(scope="module")
def reviews(local_hub: HubState) -> str:
    """A dataset with a ClassLabel, tagged, then changed on main."""
    import datasets
    from huggingface_hub import DatasetCard, HfApi

    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["bad", "good"])}
    )

    def push(word: str) -> None:
        parts = {}
        for split, count in (("train", 20), ("test", 10)):
            rows = [{"text": f"{split} {word} {i}", "label": i % 2} for i in range(count)]
            parts[split] = datasets.Dataset.from_list(rows, features=features)
        datasets.DatasetDict(parts).push_to_hub(REPO)

    push("first")
    card = DatasetCard.load(REPO)
    card.data.license = "cc-by-4.0"
    card.push_to_hub(REPO, repo_type="dataset")
    HfApi().create_tag(REPO, tag="v1.0.0", repo_type="dataset")
    push("second")
    return REPO


def recipe_for(tmp_path: Path, *overrides: str) -> Recipe:
    (tmp_path / "prompt.jinja2").write_text("{{ label }}")
    model = tmp_path / "encoder"
    if not model.exists():
        model.mkdir()
        (model / "config.json").write_text("{}")
    natural = {
        "dataset": REPO,
        "revision": "v1.0.0",
        "splits": {"validation": None},
        "label_names": {"bad": "negative", "good": "positive"},
    }
    content = SMALLEST | {
        "natural": natural,
        "generate": {"generator": {"kind": "transformers", "model": str(model)}, "candidates": 2},
        "study": {"student": {"model": str(model)}},
    }
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(content))
    return load_recipe(str(tmp_path), overrides)


def test_a_tag_is_pinned_to_its_commit_and_read_from_there(reviews: str, tmp_path: Path) -> None:
    recipe, pins = pin_recipe(recipe_for(tmp_path))
    assert recipe.natural.revision == pins["natural"].commit
    assert len(pins["natural"].commit) == 40
    assert pins["natural"].licence == "cc-by-4.0"
    natural = load_natural(recipe)
    assert {row.text.split()[1] for row in natural.train + natural.validation + natural.test} == {"first"}
    assert {row.label for row in natural.test} == {"negative", "positive"}
    assert natural.source["commit"] == pins["natural"].commit


def test_a_folder_is_pinned_by_its_content_and_its_path_stays_private(reviews: str, tmp_path: Path) -> None:
    _, before = pin_recipe(recipe_for(tmp_path))
    (tmp_path / "encoder" / "config.json").write_text('{"changed": 1}')
    _, after = pin_recipe(recipe_for(tmp_path))
    assert before["study.student"].commit != after["study.student"].commit
    assert after["study.student"].id == "encoder"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("natural.revision=v9", "has no revision 'v9'"),
        ("natural.dataset=source-tests/none", "neither a folder here nor a dataset on the Hub"),
        ("study.student.model=source-tests/none", r"study.student.model: 'source-tests/none' is neither"),
    ],
)
def test_what_is_not_there_is_said_before_anything_runs(
    reviews: str, tmp_path: Path, override: str, message: str
) -> None:
    with pytest.raises(RecipeError, match=message):
        pin_recipe(recipe_for(tmp_path, override))


def test_a_missing_split_or_column_is_named(reviews: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no split 'tests'; it has train, test; did you mean 'test'\?"):
        load_natural(recipe_for(tmp_path, "natural.splits.test=tests"))
    with pytest.raises(DataError, match="no column 'sentence'; the columns are text, label"):
        load_natural(recipe_for(tmp_path, "natural.text_column=sentence"))


@pytest.fixture(scope="module")
def foreign(local_hub: HubState) -> str:
    """Lists of words under three classes, as LinCE and TweetEval have them, in a subset of its own."""
    import datasets

    features = datasets.Features(
        {"words": datasets.List(datasets.Value("string")), "sa": datasets.ClassLabel(names=["bad", "mixed", "good"])}
    )
    rows = [{"words": ["so", "foreign", str(i)], "sa": i % 3} for i in range(12)]
    rows += [{"words": ["train", "first", "2"], "sa": 0}]  # stands among the natural rows
    datasets.Dataset.from_list(rows, features=features).push_to_hub("source-tests/foreign", "sa_spaeng")
    return "source-tests/foreign"


def test_rows_of_another_language_come_from_the_hub_pinned(reviews: str, foreign: str, tmp_path: Path) -> None:
    wanted = {"dataset": foreign, "config_name": "sa_spaeng", "text_column": "words", "label_column": "sa",
              "label_names": {"bad": "negative", "good": "positive", "mixed": None}}  # fmt: skip
    arguments = [f"study.zero_shot={yaml.safe_dump(wanted, default_flow_style=True)}"]
    variants = "study.variants=[natural, zero_shot]"
    assert "study.zero_shot" not in pin_recipe(recipe_for(tmp_path, *arguments))[1]
    recipe, pins = pin_recipe(recipe_for(tmp_path, *arguments, variants))
    assert recipe.study.zero_shot is not None
    assert recipe.study.zero_shot.revision == pins["study.zero_shot"].commit
    rows = load_natural(recipe).zero_shot
    assert [row.text for row in rows] == [f"so foreign {i}" for i in range(12) if i % 3 != 1]
    assert [row.label for row in rows[:2]] == ["negative", "positive"]
    with pytest.raises(DataError, match=r"study.zero_shot.split: .* has no split 'trian'; it has train"):
        load_natural(recipe_for(tmp_path, *arguments, variants, "study.zero_shot.split=trian"))
    with pytest.raises(RecipeError, match=r"study.zero_shot.dataset: 'source-tests/none' is neither"):
        pin_recipe(recipe_for(tmp_path, *arguments, variants, "study.zero_shot.dataset=source-tests/none"))


def test_rows_of_another_language_are_no_source_of_what_is_published(
    reviews: str, foreign: str, tmp_path: Path
) -> None:
    from sentisynth_hub.publish.checks.licences import gather_licences

    wanted = f"study.zero_shot={{dataset: {foreign}, config_name: sa_spaeng, text_column: words, label_column: sa}}"
    made = recipe_for(tmp_path, wanted, "study.variants=[natural, zero_shot]", "publish.licence=cc-by-4.0",
                      "publish.licence_reasons={encoder: ours}")  # fmt: skip
    _, pins = pin_recipe(made)
    found = gather_licences(made, pins)
    assert {source["id"] for source in found["sources"]} == {REPO, "encoder"}
