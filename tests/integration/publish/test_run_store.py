"""A run folder in a private repo: a fresh machine gets everything back, and two machines' journals become one."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from sentisynth_hub.cli import sentisynth
from sentisynth_hub.core import log
from sentisynth_hub.core.errors import InputError, PublishError
from sentisynth_hub.core.run_folder import current_stage, locked, mark_current, stage_folder
from sentisynth_hub.generate.journal import read_journal
from sentisynth_hub.localhub.control import HubState
from sentisynth_hub.publish.run_backup import _inside, restore_run, save_run
from tests.support.releases import recipe_in


if TYPE_CHECKING:
    from huggingface_hub import HfApi

ROOT = Path(__file__).resolve().parents[3]
JOURNAL = "generate/abc/replicate-0/completions-0.jsonl"
ONE, TWO, THREE = (f'{{"kind": "batch", "call": "{number}", "batch_id": "b"}}\n' for number in (1, 2, 3))
TORN = '{"kind": "batch", "call": "4", "to'


@pytest.fixture
def api(local_hub: HubState) -> "HfApi":
    from huggingface_hub import HfApi

    return HfApi()


def fill(run: Path, **files: str) -> Path:
    for name, content in {"generate/abc/manifest.json": "{}", JOURNAL: ONE + TWO, **files}.items():
        path = run / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf-8")
    return run


def contents(run: Path) -> dict[str, bytes]:
    """Every file's bytes by its path; the lock is this machine's own."""
    files = [path for path in run.rglob("*") if path.is_file() and path.name != ".lock"]
    return {path.relative_to(run).as_posix(): path.read_bytes() for path in files}


def test_a_fresh_machine_gets_every_byte_back(api: "HfApi", tmp_path: Path) -> None:
    run = fill(tmp_path / "first", notes="പടം 😀")
    (run / "model.safetensors").write_bytes(bytes(range(256)) * 100)
    (run / ".lock").write_text("1")
    assert save_run(run, "runs-tests/whole") == 4
    assert api.dataset_info("runs-tests/whole").private
    assert restore_run(tmp_path / "second", "runs-tests/whole") == 4
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
    first = fill(tmp_path / "first", **{JOURNAL: ONE + TWO})
    second = fill(tmp_path / "second", **{JOURNAL: ONE + THREE + TORN})
    save_run(first, "runs-tests/two")
    save_run(second, "runs-tests/two")
    assert restore_run(first, "runs-tests/two") == 1
    union = ONE + TWO + THREE
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


@contextmanager
def held_by_another(run: Path) -> Iterator[None]:
    """The run folder, held by a process of its own."""
    code = (
        "import sys; from pathlib import Path; from sentisynth_hub.core.run_folder import locked\n"
        "with locked(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(run)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        yield
        other.communicate("")


def test_a_folder_that_a_run_holds_is_neither_saved_nor_restored(api: "HfApi", tmp_path: Path) -> None:
    run = fill(tmp_path / "run")
    save_run(run, "runs-tests/locked")
    (run / JOURNAL).write_text(ONE + THREE)  # differs, so either way would rewrite it
    for move in (save_run, restore_run):
        with held_by_another(run), pytest.raises(InputError, match="is running this recipe here"):
            move(run, "runs-tests/locked")
        assert (run / JOURNAL).read_text() == ONE + THREE


@pytest.mark.parametrize("more", ["", THREE, THREE + TORN])
def test_a_journal_that_only_grew_keeps_its_file_and_every_byte(api: "HfApi", tmp_path: Path, more: str) -> None:
    run, repo_id = fill(tmp_path / "run"), f"runs-tests/grown-{len(more)}"
    save_run(run, repo_id)
    with open(run / JOURNAL, "a", encoding="utf-8") as handle:
        handle.write(more)
    inode, content = (run / JOURNAL).stat().st_ino, (run / JOURNAL).read_bytes()
    save_run(run, repo_id)
    restore_run(run, repo_id)
    assert ((run / JOURNAL).stat().st_ino, (run / JOURNAL).read_bytes()) == (inode, content)
    restore_run(tmp_path / "fresh", repo_id)
    assert (tmp_path / "fresh" / JOURNAL).read_bytes() == content


@pytest.mark.parametrize("character", ["\u2028", "\u2029", "\u0085", "\x0b", "\x1c", "\r"])
def test_only_a_line_feed_ends_a_line_of_a_union(api: "HfApi", tmp_path: Path, character: str) -> None:
    def line(number: int) -> str:  # as journals were written that did not escape
        record = {"kind": "batch", "call": f"{number}", "batch_id": f"one{character}two"}
        return json.dumps(record, ensure_ascii=False) + "\n"

    repo_id = f"runs-tests/ends-{ord(character)}"
    first = fill(tmp_path / "first", **{JOURNAL: line(1) + line(2)})
    second = fill(tmp_path / "second", **{JOURNAL: line(1) + line(3)})
    save_run(first, repo_id)
    save_run(second, repo_id)
    restore_run(first, repo_id)
    for run in (first, second):
        records = [record for _, record in read_journal(run / JOURNAL)]
        assert [record["call"] for record in records] == ["1", "2", "3"]
        assert {record["batch_id"] for record in records} == {f"one{character}two"}


@pytest.mark.parametrize("damaged", ["not json\n", "[1]\n", "[" * 3000 + "\n", "\ud800\n"])
def test_a_union_that_no_run_could_read_is_not_written(api: "HfApi", tmp_path: Path, damaged: str) -> None:
    run, repo_id = fill(tmp_path / "run"), f"runs-tests/damaged-{len(damaged)}-{ord(damaged[0])}"
    save_run(run, repo_id)
    first = ONE.encode("utf-8")
    content = first + damaged.encode("utf-8", "surrogatepass")
    (run / JOURNAL).write_bytes(content)
    with pytest.raises(PublishError, match=rf"completions-0.jsonl: byte {len(first)}: not a journal line"):
        save_run(run, repo_id)
    assert (run / JOURNAL).read_bytes() == content


def test_links_are_neither_followed_nor_sent(api: "HfApi", tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "id_ed25519").write_text("private")
    run = fill(tmp_path / "run")
    (run / "notes.txt").symlink_to(outside / "id_ed25519")
    (run / "folder").symlink_to(outside)
    (run / "generate" / "deeper").symlink_to(outside, target_is_directory=True)
    (run / "dangling").symlink_to(outside / "nothing")
    save_run(run, "runs-tests/links")
    sent = set(api.list_repo_files("runs-tests/links", repo_type="dataset")) - {".gitattributes"}
    assert sent == {JOURNAL, "generate/abc/manifest.json"}
    assert "4 links are not saved" in capsys.readouterr().err


def test_nothing_is_written_through_a_link(api: "HfApi", tmp_path: Path) -> None:
    save_run(fill(tmp_path / "first"), "runs-tests/through")
    (tmp_path / "elsewhere").mkdir()
    second = tmp_path / "second"
    second.mkdir()
    (second / "generate").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PublishError, match="would be written outside"):
        restore_run(second, "runs-tests/through")
    assert not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.parametrize("name", ["../x", "/tmp/x", "a/../../x", "a/..", "..", "a\\..\\x", "a\0b"])
def test_a_file_name_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(PublishError, match="would be written outside"):
        _inside(tmp_path / "run", name, "a/b")


@pytest.mark.parametrize("repo_id", ["no-namespace", "a/b/c", "a/--repo", "a/b; rm", "a/b.git", "a/" + "x" * 96])
def test_an_id_that_no_repo_can_have_is_refused_before_the_hub_is_asked(tmp_path: Path, repo_id: str) -> None:
    for move in (save_run, restore_run):
        with pytest.raises(InputError, match="a repo id"):
            move(tmp_path / "run", repo_id)


def test_the_current_stage_survives_a_restore_and_follows_the_last_run_not_the_clock(
    api: "HfApi", tmp_path: Path
) -> None:
    run = tmp_path / "run"
    folders = [stage_folder(run, "filter", version=1, recipe={"length": length}) for length in (1, 2, 3)]
    for folder in folders:
        folder.finish({})
        mark_current(run, folder)
    mark_current(run, folders[0])  # the first threshold set again: nothing is recomputed, its folder is the oldest
    assert current_stage(run, "filter") == folders[0].path
    save_run(run, "runs-tests/current")
    restore_run(tmp_path / "fresh", "runs-tests/current")
    assert current_stage(tmp_path / "fresh", "filter").name == folders[0].path.name
    (run / "current.json").unlink()
    with pytest.raises(InputError, match="3 complete filter stages .* run `sentisynth filter` once more"):
        current_stage(run, "filter")


def test_a_run_folder_is_its_owners_alone(api: "HfApi", tmp_path: Path) -> None:
    save_run(fill(tmp_path / "first"), "runs-tests/modes")
    restore_run(tmp_path / "restored", "runs-tests/modes")
    with locked(tmp_path / "held"):
        pass
    for name in ("restored", "held"):
        assert (tmp_path / name).stat().st_mode & 0o077 == 0


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
