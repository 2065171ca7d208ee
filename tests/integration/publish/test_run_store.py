"""A run folder in a private repo: a fresh machine gets everything back, and two machines' journals become one."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from sentisynth_hub.cli import sentisynth
from sentisynth_hub.core import log
from sentisynth_hub.core.errors import PublishError
from sentisynth_hub.localhub.control import HubState
from sentisynth_hub.publish.run_backup import restore_run, save_run
from tests.support.releases import recipe_in


if TYPE_CHECKING:
    from huggingface_hub import HfApi

JOURNAL = "generate/abc/replicate-0/completions-0.jsonl"


@pytest.fixture
def api(local_hub: HubState) -> "HfApi":
    from huggingface_hub import HfApi

    return HfApi()


def fill(run: Path, **files: str) -> Path:
    for name, content in {"generate/abc/manifest.json": "{}", JOURNAL: '{"id": 1}\n{"id": 2}\n', **files}.items():
        path = run / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf-8")
    return run


def contents(run: Path) -> dict[str, bytes]:
    return {path.relative_to(run).as_posix(): path.read_bytes() for path in run.rglob("*") if path.is_file()}


def test_a_fresh_machine_gets_every_byte_back(api: "HfApi", tmp_path: Path) -> None:
    run = fill(tmp_path / "first", notes="പടം 😀")
    (run / "model.safetensors").write_bytes(bytes(range(256)) * 100)
    (run / ".lock").write_text("1")
    assert save_run(run, "runs-tests/whole") == 4
    assert api.dataset_info("runs-tests/whole").private
    assert restore_run(tmp_path / "second", "runs-tests/whole") == 4
    (run / ".lock").unlink()
    assert contents(tmp_path / "second") == contents(run)


def test_saving_again_sends_only_what_is_new_and_nothing_is_no_commit(api: "HfApi", tmp_path: Path) -> None:
    run = fill(tmp_path / "run")
    save_run(run, "runs-tests/again")
    before = len(api.list_repo_commits("runs-tests/again", repo_type="dataset"))
    assert save_run(run, "runs-tests/again") == 0
    (run / "new.json").write_text("{}")
    assert save_run(run, "runs-tests/again") == 1
    assert len(api.list_repo_commits("runs-tests/again", repo_type="dataset")) == before + 1


def test_no_repo_is_nothing_to_restore(api: "HfApi", tmp_path: Path) -> None:
    assert restore_run(tmp_path / "run", "runs-tests/none") == 0
    assert not (tmp_path / "run").exists()


def test_journals_of_two_machines_become_one_and_no_answer_is_lost(api: "HfApi", tmp_path: Path) -> None:
    first = fill(tmp_path / "first", **{JOURNAL: '{"id": 1}\n{"id": 2}\n'})
    second = fill(tmp_path / "second", **{JOURNAL: '{"id": 1}\n{"id": 3}\n{"id": 4, "torn'})
    save_run(first, "runs-tests/two")
    save_run(second, "runs-tests/two")
    assert restore_run(first, "runs-tests/two") == 1
    union = '{"id": 1}\n{"id": 2}\n{"id": 3}\n'
    assert (first / JOURNAL).read_text() == (second / JOURNAL).read_text() == union


def test_a_finished_stage_here_is_not_replaced(api: "HfApi", tmp_path: Path) -> None:
    save_run(fill(tmp_path / "first", **{"filter__x.parquet": "theirs"}), "runs-tests/kept")
    second = fill(tmp_path / "second", **{"filter__x.parquet": "ours"})
    restore_run(second, "runs-tests/kept")
    assert (second / "filter" / "x.parquet").read_text() == "ours"


def test_a_public_repo_is_refused_because_runs_hold_natural_rows(api: "HfApi", tmp_path: Path) -> None:
    api.create_repo("runs-tests/public", repo_type="dataset", private=False)
    with pytest.raises(PublishError, match="is public, but a run folder holds natural rows"):
        save_run(fill(tmp_path / "run"), "runs-tests/public")
    with pytest.raises(PublishError, match="is public"):
        restore_run(tmp_path / "run", "runs-tests/public")


def test_the_commands_print_one_document_and_say_what_is_next(api: "HfApi", tmp_path: Path) -> None:
    recipe = recipe_in(tmp_path / "tiny")
    fill(tmp_path / "here" / "tiny")

    def say(action: str, runs: str, *before: str, after: tuple[str, ...] = ()) -> Result:
        where = ["--repo", "run-tests/cli", "--runs", str(tmp_path / runs)]
        arguments = [*before, "runs", action, str(recipe.folder), *where, *after]
        return CliRunner().invoke(sentisynth, arguments, catch_exceptions=False)

    saved, restored = say("save", "here"), say("restore", "there")
    assert saved.stdout == "2 files saved to run-tests/cli\n"
    assert "Next: sentisynth runs restore" in saved.stderr
    assert restored.stdout == "2 files restored from run-tests/cli\n"
    assert f"Next: sentisynth run {recipe.folder}" in restored.stderr
    try:
        again = say("save", "here", "-q", after=("--json",))
    finally:
        log.set_quiet(False)
    folder = str(tmp_path / "here" / "tiny")
    assert json.loads(again.stdout) == {"action": "save", "repo_id": "run-tests/cli", "folder": folder, "files": 0}
    assert again.stderr == ""
