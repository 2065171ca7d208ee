"""`verify --rebuild` makes the published rows again from the published recipe, and tells when they differ."""

import json
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from sentisynth_hub.localhub.control import HubState
from tests.support.command import sentisynth
from tests.support.tiny import reviews, tiny_recipe


REPO = "rebuild-tests/rows"
DIGEST = "content digest of the rows generated again"
LICENCES = {"licence": "apache-2.0", "licence_reasons": {"encoder": "made by the test", "writer": "made by the test"}}


@pytest.fixture(scope="module")
def recipe(local_hub: HubState, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny recipe's folder; its dataset is published."""
    publish = {"dataset": REPO, **LICENCES}
    folder = tiny_recipe(tmp_path_factory.mktemp("rebuild") / "tiny", publish=publish)
    sentisynth("publish", str(folder), "--only", "dataset", cwd=folder)
    return folder


def paths(recipe: Path, **changed: Path) -> list[str]:
    """What the published recipe does not hold, for the command line."""
    return [
        f"natural.files.train={changed.get('train', recipe / 'train.jsonl')}",
        f"generate.generator.model={changed.get('writer', recipe / 'writer')}",
        f"filter.teacher.teacher.model={recipe / 'encoder'}",
    ]


def checks(done: CompletedProcess[str]) -> dict[str, bool | None]:
    return {check["name"]: check["agrees"] for check in json.loads(done.stdout)}


def test_the_same_rows_come_out_elsewhere(recipe: Path, tmp_path: Path) -> None:
    done = sentisynth("verify", f"{REPO}@v1.0.0", "--rebuild", "--json", *paths(recipe), cwd=tmp_path)
    found = checks(done)
    assert found[DIGEST] is True
    assert found["models that did not go into it"] is True
    assert found["natural train rows"] is True
    assert set(found.values()) == {True}


def test_the_paths_that_are_missing_are_all_named_in_one_line(recipe: Path, tmp_path: Path) -> None:
    done = sentisynth("verify", f"{REPO}@v1.0.0", "--rebuild", cwd=tmp_path, code=2)
    assert done.stdout == ""
    (line,) = (line for line in done.stderr.splitlines() if line.startswith("error:"))
    assert line == (
        "error: verify --rebuild: needs natural.files.train, generate.generator.model, filter.teacher.teacher.model, "
        "which the version does not hold; add natural.files.train=FILE generate.generator.model=FOLDER "
        "filter.teacher.teacher.model=FOLDER to the command"
    )
    wrong = sentisynth("verify", f"{REPO}@v1.0.0", "natural.files.train=nowhere.csv", cwd=tmp_path, code=2)
    assert "natural.files.train: nowhere.csv is not beside the recipe, and no file here" in wrong.stderr


def test_a_changed_natural_row_is_drift(recipe: Path, tmp_path: Path) -> None:
    changed = reviews()
    changed[7]["text"] = "what a very long and changed sentence this one is"
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in changed))
    given = paths(recipe, train=tmp_path / "train.jsonl")
    done = sentisynth("verify", f"{REPO}@v1.0.0", "--rebuild", "--json", *given, cwd=tmp_path, code=1)
    drifted = {name for name, agrees in checks(done).items() if agrees is False}
    assert drifted & {f"natural {split} rows" for split in ("train", "validation", "test")}
    assert "checks do not agree" in done.stderr


def test_another_generator_is_drift(recipe: Path, tmp_path: Path) -> None:
    from tests.support.worlds import tiny_model

    other = tiny_model(tmp_path / "writer", "gpt2")
    done = sentisynth(
        "verify", f"{REPO}@v1.0.0", "--rebuild", "--json", *paths(recipe, writer=other), cwd=tmp_path, code=1
    )
    found = checks(done)
    assert found["models that did not go into it"] is False
    assert found[DIGEST] is False
    assert found["content digest"] is True  # what is published is what it says it is


def test_rows_that_the_recipe_does_not_give_are_drift(recipe: Path, tmp_path: Path) -> None:
    """A forger who leaves a row out and makes every digest agree is found by making the rows again."""
    from dataclasses import replace

    from sentisynth_hub.core.distributed import Processes
    from sentisynth_hub.pipeline import open_pipeline
    from sentisynth_hub.publish.commit import publish_dataset
    from sentisynth_hub.publish.stage import dataset_release
    from sentisynth_hub.recipe import load_recipe

    pipeline = open_pipeline(load_recipe(str(recipe)), runs=recipe / "runs", processes=Processes())
    release = dataset_release(pipeline, pipeline.through("model"))
    left_out = release.kept[0].request_id
    lineage = [line for line in release.lineage if line["request_id"] != left_out]
    publish_dataset(replace(release, kept=release.kept[1:], lineage=lineage), "rebuild-tests/forged")
    plain = sentisynth("verify", "rebuild-tests/forged@v1.0.0", "--json", cwd=recipe)
    assert False not in checks(plain).values()  # what is published agrees with itself
    done = sentisynth(
        "verify", "rebuild-tests/forged@v1.0.0", "--rebuild", "--json", *paths(recipe), cwd=tmp_path, code=1
    )
    assert {name for name, agrees in checks(done).items() if agrees is False} == {DIGEST}


def test_a_model_and_an_endpoints_rows_are_not_made_again(recipe: Path, tmp_path: Path) -> None:
    from sentisynth_hub.publish.commit import publish_dataset, publish_model
    from tests.support.releases import model_release, recipe_in, release

    publish_model(model_release(tmp_path), "rebuild-tests/model")
    done = sentisynth("verify", "rebuild-tests/model@v1.0.0", "--rebuild", cwd=tmp_path, code=2)
    assert "this is a model; verify the dataset" in done.stderr
    endpoint = {"generator": {"kind": "openai", "model": "gpt-4o-mini"}, "candidates": 6}
    reasons = {"dataset": "a/b", "licence": "cc-by-4.0", "licence_reasons": {"gpt-4o-mini": "read"}}
    asked = recipe_in(tmp_path / "asked", generate=endpoint, publish=reasons)
    publish_dataset(release(tmp_path, recipe=asked), "rebuild-tests/asked")
    done = sentisynth("verify", "rebuild-tests/asked@v1.0.0", "--rebuild", cwd=tmp_path, code=2)
    assert "the rows came from an endpoint, or were judged by one, which answers differently every time" in done.stderr
