"""What is checked before anything is spent: who may write where, and every licence at once; nothing is written."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from sentisynth_hub.cli import sentisynth
from sentisynth_hub.core.errors import PublishError, RecipeError
from sentisynth_hub.localhub.accounts import create_token
from sentisynth_hub.localhub.control import HubState
from sentisynth_hub.publish.checks.publishable import check_publishable
from sentisynth_hub.recipe import Recipe
from sentisynth_hub.recipe.revisions import Pin
from tests.support.releases import recipe_in
from tests.support.tiny_study import make_model, make_rows


if TYPE_CHECKING:
    from huggingface_hub import HfApi

PINS = {
    "natural": Pin("natural/reviews", "dataset", "v1", "1" * 40, "mit"),
    "generate.generator": Pin("models/writer", "model", None, "2" * 40, "apache-2.0"),
}


@pytest.fixture
def api(local_hub: HubState) -> "HfApi":
    from huggingface_hub import HfApi

    return HfApi()


def recipe(folder: Path, dataset: str, model: str, **more: Any) -> Recipe:
    return recipe_in(folder, publish={"dataset": dataset, "model": model, "licence": "cc-by-4.0", **more})


def test_what_the_owner_may_write_passes_and_nothing_is_made(api: "HfApi", tmp_path: Path) -> None:
    check_publishable(recipe(tmp_path, "publishable-tests/new", "publishable-tests/new-model"), PINS)
    assert not api.repo_exists("publishable-tests/new", repo_type="dataset")
    assert not api.repo_exists("publishable-tests/new-model")
    api.create_repo("publishable-tests/there", repo_type="dataset")
    check_publishable(recipe(tmp_path, "publishable-tests/there", "publishable-tests/new-model"), PINS)


@pytest.mark.parametrize("missing", ["dataset", "model"])
def test_somebody_elses_repo_stops_before_anything_is_spent(
    api: "HfApi", local_hub: HubState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    theirs = f"publishable-tests/theirs-{missing}"
    api.create_repo(theirs, repo_type=missing, private=False)
    monkeypatch.setenv("HF_TOKEN", create_token(local_hub.data, f"stranger-{missing}", role="write"))
    own = f"stranger-{missing}/own"
    repos = {"dataset": own, "model": own, missing: theirs}
    with pytest.raises(PublishError, match=f"{missing} {theirs}: this token may not write there"):
        check_publishable(recipe(tmp_path, repos["dataset"], repos["model"]), PINS)
    check_publishable(recipe(tmp_path / "own", own, own), PINS)


def test_a_token_that_only_reads_and_none_at_all_are_told(
    api: "HfApi", local_hub: HubState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = recipe(tmp_path, "publishable-tests/not-there", "publishable-tests/not-there")
    monkeypatch.setenv("HF_TOKEN", create_token(local_hub.data, "reader-of-all", role="read"))
    with pytest.raises(PublishError, match="this token only reads"):
        check_publishable(given, PINS)
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(PublishError, match="nobody is logged in"):
        check_publishable(given, PINS)


def test_a_name_that_was_left_open_is_refused(local_hub: HubState, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="publish.model: YOUR-NAME/x still says YOUR-NAME"):
        check_publishable(recipe(tmp_path, "acme/x", "YOUR-NAME/x"), PINS)


def test_all_missing_licences_are_asked_for_at_once(local_hub: HubState, tmp_path: Path) -> None:
    pins = {
        "natural": Pin("natural/reviews", "dataset", "v1", "1" * 40, None),
        "generate.generator": Pin("models/writer", "model", None, "2" * 40, "other"),
        "filter.teacher": Pin("models/teacher", "model", None, "3" * 40, "cc-by-nd-4.0"),
        "study.student": Pin("models/fine", "model", None, "4" * 40, "mit"),
    }
    with pytest.raises(RecipeError) as caught:
        check_publishable(recipe(tmp_path, "acme/x", "acme/x"), pins)
    for name in ("natural/reviews", "models/writer", "models/teacher"):
        assert f"{name}: your reason" in str(caught.value)
    assert "models/fine" not in str(caught.value)
    assert "\n" not in str(caught.value)
    reasons = dict.fromkeys(["natural/reviews", "models/writer", "models/teacher"], "asked")
    check_publishable(
        recipe(tmp_path / "b", "publishable-tests/x", "publishable-tests/x", licence_reasons=reasons), pins
    )


def test_recipes_check_asks_on_request_and_writes_nothing(
    api: "HfApi", local_hub: HubState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recipe on files and a model folder; the Hub is asked only with --write."""
    repo_id = "publishable-tests/asked-for"
    model = make_model(tmp_path / "model")
    (model / "README.md").write_text("---\nlicense: mit\n---\n", "utf-8")
    folder = tmp_path / "recipe"
    recipe_in(
        folder,
        natural={"files": {"train": "rows.jsonl"}, "licence": "mit"},
        generate={"generator": {"kind": "rows", "file": "given.jsonl", "written_by": "a friend"}, "candidates": 6},
        study={"student": {"model": str(model)}, "design": "conditional"},
        publish={"dataset": repo_id, "licence": "cc-by-4.0", "licence_reasons": {"given.jsonl": "a friend's gift"}},
    )
    for name, seed in (("rows.jsonl", 1), ("given.jsonl", 2)):
        rows = make_rows(60, seed, origin=name[0])
        (folder / name).write_text("".join(json.dumps({"text": row.text, "label": row.label}) + "\n" for row in rows))

    def check(*options: str) -> Any:
        return CliRunner().invoke(sentisynth, ["recipes", "check", str(folder), *options])

    assert f"may be written to, or made, with this token: {repo_id}" in check("--write").stdout
    assert not api.repo_exists(repo_id, repo_type="dataset")
    monkeypatch.setenv("HF_TOKEN", create_token(local_hub.data, "only-reads-it", role="read"))
    assert "this token only reads" in str(check("--write").exception)
    assert check().exit_code == 0
