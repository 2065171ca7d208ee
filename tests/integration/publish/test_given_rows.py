"""Rows that somebody else's tool wrote: filtered, studied, published and made again without anybody being asked."""

import json
from pathlib import Path

import pytest
import yaml

from sentisynth_hub.localhub.control import HubState
from tests.integration.publish.test_rebuild import DIGEST, checks
from tests.support.command import sentisynth
from tests.support.tiny import reviews, tiny_recipe


REPO = "given-tests/rows"
SOURCE = "given-tests/somebody-elses"
NEW = 40


def given() -> list[dict[str, str]]:
    """Invented rows in another tool's words, the last three a leak, an empty text and one in another script."""
    rows = []
    for i in range(NEW // 2):
        topic = ("plot", "cast")[i % 2]
        rows.append({"sentence": f"number {i} was a lively, funny hour", "mood": "pos", "topic": topic})
        rows.append({"sentence": f"number {i} was a grim, lazy hour", "mood": "neg", "topic": topic})
    leak = reviews()[-1]
    return [
        *rows,
        {"sentence": leak["text"], "mood": "pos", "topic": "cast"},
        {"sentence": "", "mood": "neg", "topic": "plot"},
        {"sentence": "സിനിമ കൊള്ളാം 😍", "mood": "pos", "topic": "plot"},
    ]


def of_given_rows(folder: Path, section: dict[str, object], publish: dict[str, object]) -> Path:
    """The tiny recipe with given rows in place of its writer, and no prompt."""
    tiny_recipe(folder, name="given", publish=publish)
    content = yaml.safe_load((folder / "recipe.yaml").read_text("utf-8"))
    columns = {
        "text_column": "sentence",
        "label_column": "mood",
        "label_names": {"pos": "positive", "neg": "negative"},
    }
    content["generate"] = {
        "generator": {"kind": "rows", "written_by": "a model | of *somebody*", **columns, **section},
        "candidates": 1000,
    }
    content["natural"]["overlap"] = "drop_from_train"
    content["study"]["design"] = "conditional"
    del content["filter"]["teacher"]
    (folder / "recipe.yaml").write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True))
    (folder / "prompt.jinja2").unlink()
    return folder


@pytest.fixture(scope="module")
def recipe(local_hub: HubState, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recipe's folder; its dataset is published."""
    reasons = {"encoder": "made by the test"}
    publish = {"dataset": REPO, "licence": "apache-2.0", "licence_reasons": reasons}
    section = {"file": "theirs.jsonl", "licence": "mit", "attribute_columns": ["topic"]}
    folder = of_given_rows(tmp_path_factory.mktemp("given") / "tiny", section, publish)
    lines = (json.dumps(row, ensure_ascii=False) for row in given())
    (folder / "theirs.jsonl").write_text("".join(f"{line}\n" for line in lines), "utf-8")
    sentisynth("publish", str(folder), "--only", "dataset", cwd=folder)
    return folder


def test_they_are_judged_and_published_like_any_others(recipe: Path) -> None:
    import datasets

    rows = datasets.load_dataset(REPO, revision="v1.0.0", split="train")
    theirs = {row["sentence"] for row in given()[:NEW]} | {"സിനിമ കൊള്ളാം 😍"}
    assert set(rows["text"]) == theirs
    assert set(rows["generator"]) == {"a model | of *somebody*"}
    rejected = datasets.load_dataset(REPO, "rejected", revision="v1.0.0", split="train")
    assert sorted(rejected["filter"]) == ["overlap", "parse"]
    lineage = datasets.load_dataset(REPO, "lineage", revision="v1.0.0", split="train")
    assert len(lineage) == NEW + 3
    assert set(lineage["model"]) == {"a model | of *somebody*"}


def test_the_card_says_whose_rows_they_are(recipe: Path) -> None:
    from huggingface_hub import HfApi, hf_hub_download

    card = Path(hf_hub_download(REPO, "README.md", repo_type="dataset", revision="v1.0.0")).read_text("utf-8")
    assert "The rows were there already; what they cost is not known here." in card
    assert "which human labels their author used is not known" in card
    assert "prompt.jinja2" not in card
    assert "theirs.jsonl" in card  # among the sources, with its licence
    files = HfApi().list_repo_files(REPO, repo_type="dataset")
    assert "prompt.jinja2" not in files
    published = yaml.safe_load(Path(hf_hub_download(REPO, "recipe.yaml", repo_type="dataset")).read_text("utf-8"))
    assert published["generate"]["generator"]["file"] == "theirs.jsonl"


def test_nothing_changed_makes_no_version_and_another_row_makes_one(recipe: Path) -> None:
    from huggingface_hub import HfApi

    def tags() -> list[str]:
        return sorted(tag.name for tag in HfApi().list_repo_refs(REPO, repo_type="dataset").tags)

    sentisynth("publish", str(recipe), "--only", "dataset", cwd=recipe)
    assert tags() == ["v1.0.0"]
    path = recipe / "theirs.jsonl"
    before = path.read_text("utf-8")
    path.write_text(
        before + json.dumps({"sentence": "one more brave hour", "mood": "pos", "topic": "cast"}) + "\n", "utf-8"
    )
    try:
        sentisynth("publish", str(recipe), "--only", "dataset", cwd=recipe)
    finally:
        path.write_text(before, "utf-8")
    assert tags() == ["v1.0.0", "v1.1.0"]


def test_they_are_verified_and_taken_over_again_elsewhere(recipe: Path, tmp_path: Path) -> None:
    natural = f"natural.files.train={recipe / 'train.jsonl'}"
    missing = sentisynth("verify", f"{REPO}@v1.0.0", "--rebuild", natural, cwd=tmp_path, code=2)
    assert "generate.generator.file=FILE" in missing.stderr
    theirs = f"generate.generator.file={recipe / 'theirs.jsonl'}"
    done = sentisynth("verify", f"{REPO}@v1.0.0", "--rebuild", "--json", natural, theirs, cwd=tmp_path)
    assert checks(done)[DIGEST] is True


def test_they_may_lie_on_the_hub_and_are_pinned_there(local_hub: HubState, tmp_path: Path) -> None:
    import datasets

    datasets.Dataset.from_list(given()).push_to_hub(SOURCE)
    folder = of_given_rows(tmp_path / "tiny", {"dataset": SOURCE}, {})
    sentisynth("filter", str(folder), "--json", cwd=folder)
    datasets.Dataset.from_list(given()[:4]).push_to_hub(SOURCE)  # the branch moves on
    told = sentisynth("generate", str(folder), "--json", cwd=folder)
    assert json.loads(told.stdout)["replicates"]["0"]["candidates"] == 4


def test_a_study_of_them_ends_in_a_verdict(recipe: Path) -> None:
    told = json.loads(sentisynth("study", str(recipe), "--json", cwd=recipe).stdout)
    assert told["design"] == "conditional"
    assert {variant["name"] for variant in told["variants"]} == {"natural", "natural_repeated", "synthetic", "mixed"}
    blamed = sentisynth("study", str(recipe), "--leave-out", "topic", cwd=recipe)
    assert blamed.stdout.startswith("without a topic")


@pytest.mark.parametrize(
    "arguments", [["prompt", "show"], ["estimate"], ["generate", "--dry-run"], ["generate", "--refresh"]]
)
def test_who_is_not_there_is_not_asked(recipe: Path, arguments: list[str]) -> None:
    done = sentisynth(*arguments, str(recipe), cwd=recipe, code=2)
    (line,) = (line for line in done.stderr.splitlines() if line.startswith("error:"))
    assert "nobody is asked" in line


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("study.design=nested", "given rows may hold what their writer saw of any natural row"),
        ("study.variants=[natural, mixed, llm_classifier]", "ask the generator for labels"),
        ("generate.generator.file=nowhere.jsonl", "nowhere.jsonl"),
        ("generate.generator.label_column=feeling", "no column 'feeling'"),
        ("generate.generator.attribute_columns=[subject]", "no column 'subject'"),
        ("generate.generator.label_names={pos: positive}", "label 'neg' is not one of"),
        ("generate.generator.dataset=a/b", "give either `dataset`"),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(recipe: Path, override: str, says: str) -> None:
    done = sentisynth("filter", str(recipe), override, cwd=recipe, code=2)
    (line,) = (line for line in done.stderr.splitlines() if line.startswith("error:"))
    assert says in line


def test_fewer_are_drawn_with_their_own_shares(recipe: Path) -> None:
    told = json.loads(sentisynth("generate", str(recipe), "generate.candidates=20", "--json", cwd=recipe).stdout)
    assert told["replicates"]["0"]["requests"] in (19, 20, 21)
    again = json.loads(sentisynth("generate", str(recipe), "generate.candidates=20", "--json", cwd=recipe).stdout)
    assert told == again


def test_where_the_writer_saw_no_labels_every_replicate_has_the_one_corpus(recipe: Path) -> None:
    nested = ["study.design=nested", "generate.generator.saw_labels=false"]
    replicates = json.loads(sentisynth("generate", str(recipe), *nested, "--json", cwd=recipe).stdout)["replicates"]
    assert set(replicates) == {"0", "1"}
    assert replicates["0"] == replicates["1"]
    assert replicates["0"]["candidates"] == NEW + 2
