"""`sentisynth inspect` on everything it takes: a recipe, a run folder, a published version, a file."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from sentisynth_hub.cli import sentisynth
from sentisynth_hub.core.errors import InputError, RecipeError
from sentisynth_hub.localhub.control import HubState
from sentisynth_hub.publish.commit import publish_dataset
from tests.support.releases import LABELS, TEXTS, recipe_in, release, synthetic
from tests.support.tiny import reviews, tiny_recipe


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with recipes/tiny in it, generated and filtered in runs/tiny."""
    home = tmp_path_factory.mktemp("inspect")
    recipe = tiny_recipe(home / "recipes" / "tiny")
    says("filter", str(recipe), "--runs", str(home / "runs"))
    return home


def says(*arguments: str) -> str:
    result = CliRunner().invoke(sentisynth, arguments)
    if result.exception is not None:
        raise result.exception
    return result.stdout


def report(*arguments: str) -> dict[str, Any]:
    return dict(json.loads(says("inspect", *arguments, "--json")))


def test_a_run_folder_is_read_as_it_is(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    of_recipe, of_run = report("tiny"), report("runs/tiny")
    assert of_run == of_recipe
    assert of_run["rows"]["synthetic"] > 0
    (manifest,) = (folder / "runs" / "tiny" / "generate").glob("*/manifest.json")
    candidates = json.loads(manifest.read_text())["replicates"]["0"]["candidates"]
    assert report("runs/tiny", "--unfiltered")["rows"]["synthetic"] == candidates


def test_a_run_folder_of_another_name_needs_its_recipe(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").symlink_to(folder / "runs" / "tiny")
    recipe = str(folder / "recipes" / "tiny")
    assert report("elsewhere", "--recipe", recipe)["rows"]["synthetic"] > 0
    with pytest.raises(RecipeError, match="no such recipe"):
        report("elsewhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no complete filter stage in this folder; run `sentisynth filter` first"):
        report("empty")


def test_a_published_version_brings_its_recipe(local_hub: HubState, folder: Path, tmp_path: Path) -> None:
    """Four kept rows and one that may be shown though it was dropped, beside 96 of 240 natural rows."""
    source = folder / "recipes" / "tiny"
    natural = {"files": {"train": "nowhere/train.jsonl"}, "licence": "cc0-1.0", "rows_per_label": 8}
    study = {"student": {"model": str(source / "encoder")}}
    recipe = recipe_in(tmp_path / "published", natural=natural, study=study)
    publish_dataset(release(tmp_path, recipe=recipe), "inspect-tests/rows")
    version = "inspect-tests/rows@v1.0.0"
    with pytest.raises(RecipeError, match=r"natural\.files\.train: train\.jsonl is not"):
        report(version)
    given = (f"natural.files.train={source / 'train.jsonl'}", f"study.student.model={source / 'encoder'}")
    found = report(version, *given)
    assert found["rows"] == {"synthetic": len(TEXTS), "natural": 96}
    assert found["labels"]["synthetic"] == {"negative": 0.5, "positive": 0.5}
    assert found["two_sample"] == {"accuracy": None, "p_value": None, "rows": 4}
    assert "too few rows (4) to see" in says("inspect", version, *given)
    assert report(version, *given, "--unfiltered")["rows"]["synthetic"] == len(TEXTS) + 1
    with pytest.raises(InputError, match=r"has no tag v9\.0\.0"):
        report("inspect-tests/rows@v9.0.0", *given)


def test_a_published_version_is_read_beside_any_recipe(local_hub: HubState, folder: Path, tmp_path: Path) -> None:
    kept = synthetic([row["text"].replace("what a", "so") for row in reviews()[:20]], [LABELS[0]] * 20)
    publish_dataset(release(tmp_path, kept=kept, rejected=[]), "inspect-tests/other")
    arguments = ("inspect-tests/other@v1.0.0", "--recipe", str(folder / "recipes" / "tiny"))
    assert report(*arguments, "--runs", str(tmp_path / "runs"))["rows"]["synthetic"] == 20


def test_a_file_needs_a_recipe(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("text,label\nso dull,negative\n")
    with pytest.raises(InputError, match="a file needs --recipe NAME"):
        report(str(tmp_path / "mine.csv"))
