"""One bare repository: revisions, compare-and-set, history, and what git itself thinks of it."""

import shutil
import subprocess
import time
from pathlib import Path

import pytest

from sentisynth_hub.localhub.git import Change, GitRepo
from sentisynth_hub.localhub.problems import HubProblem


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "m.git"
    path.mkdir()
    GitRepo.create(path, "alice", {"README.md": b"# one\n"}, "initial commit")
    return path


def commit(git: GitRepo, files: dict[str, bytes | None], branch: str = "main") -> str:
    """Commit upon a branch; a content of None deletes."""
    head = git.resolve(branch)
    changes = [Change(path, None if content is None else git.add_blob(content)) for path, content in files.items()]
    new = git.write_commit((head,), changes, "alice", "change")
    git.move_ref(f"refs/heads/{branch}", head, new)
    return new


def test_a_branch_comes_before_a_tag_of_the_same_name(folder: Path) -> None:
    with GitRepo(folder) as git:
        first = git.resolve("main")
        second = commit(git, {"a": b"a"})
        git.add_ref("refs/tags/both", first)
        assert git.resolve("both") == first
        git.add_ref("refs/heads/both", second)
        assert git.resolve("both") == second
        assert git.resolve("refs/tags/both") == first


def test_shas_and_their_unique_prefixes(folder: Path) -> None:
    with GitRepo(folder) as git:
        oid = git.resolve("main")
        assert git.resolve(oid) == git.resolve(oid[:7]) == oid
        tree_or_blob = git.entry(oid, "README.md")
        assert tree_or_blob is not None
        for unknown in (oid[:4], "0" * 40, tree_or_blob.oid, "HEAD", "hub.json", ""):
            with pytest.raises(HubProblem) as refused:
                git.resolve(unknown)
            assert refused.value.code == "RevisionNotFound"


def test_an_annotated_tag_stands_for_its_commit(folder: Path) -> None:
    with GitRepo(folder) as git:
        oid = git.resolve("main")
        git.add_ref("refs/tags/v1", git.add_annotated_tag("v1", oid, "alice", "the first"))
        assert git.resolve("v1") == oid
        assert git.refs("refs/tags/") == {"v1": oid}


def test_a_ref_moves_only_from_where_it_was_thought_to_be(folder: Path) -> None:
    with GitRepo(folder) as git:
        old = git.resolve("main")
        new = commit(git, {"a": b"a"})
        late = git.write_commit((old,), [Change("b", git.add_blob(b"b"))], "bob", "late")
        with pytest.raises(HubProblem) as refused:
            git.move_ref("refs/heads/main", old, late)
        assert refused.value.status == 412
        assert git.resolve("main") == new


def test_deleting_the_last_file_of_a_folder_removes_the_folder(folder: Path) -> None:
    with GitRepo(folder) as git:
        commit(git, {"d/e/f.txt": b"f"})
        head = commit(git, {"d/e/f.txt": None})
        assert [entry.path for entry in git.entries(head)] == ["README.md"]


def test_last_commits_of_files_and_folders(folder: Path) -> None:
    with GitRepo(folder) as git:
        first = git.resolve("main")
        second = commit(git, {"d/a": b"1"})
        third = commit(git, {"d/b": b"2"})
        found = git.last_commits(third, ["README.md", "d", "d/a"])
        assert {path: info.oid for path, info in found.items()} == {"README.md": first, "d": third, "d/a": second}


def test_last_commits_of_a_long_history_take_no_time(folder: Path) -> None:
    with GitRepo(folder) as git:
        for number in range(100):
            commit(git, {f"d/{number}": b"x"})
        head = git.resolve("main")
        begun = time.monotonic()
        found = git.last_commits(head, [f"d/{number}" for number in range(100)])
        assert time.monotonic() - begun < 3
        assert len({info.oid for info in found.values()}) == 100


def test_nothing_has_its_name_before_it_is_flushed(folder: Path) -> None:
    before = sorted((folder / "objects").rglob("*"))
    with GitRepo(folder) as git:
        git.add_blob(b"never committed")
        assert sorted((folder / "objects").rglob("*")) != before
    assert sorted((folder / "objects").rglob("*")) == before


def test_sizes_without_reading(folder: Path) -> None:
    contents = [b"", b"x", bytes(range(256)) * 1000, "ü".encode() * 77]
    with GitRepo(folder) as git:
        head = commit(git, {f"f{number}": content for number, content in enumerate(contents)})
        for number, content in enumerate(contents):
            entry = git.entry(head, f"f{number}")
            assert entry is not None
            assert git.blob_size(entry.oid) == len(content)


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_git_reads_checks_packs_and_clones_it(folder: Path, tmp_path: Path) -> None:
    def run(*arguments: str) -> str:
        command = ["git", "--git-dir", str(folder), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    with GitRepo(folder) as git:
        head = commit(git, {"d/ü.txt": b"text"})
    assert run("rev-parse", "main").strip() == head
    assert run("log", "--format=%an %s").splitlines() == ["alice change", "alice initial commit"]
    run("fsck", "--full", "--strict")
    run("gc", "--quiet")
    with GitRepo(folder) as git:  # everything is in a pack now
        entry = git.entry(head, "d/ü.txt")
        assert entry is not None
        assert git.read(entry.oid) == b"text"
        assert git.blob_size(entry.oid) == 4
        commit(git, {"more": b"more"})
        git.add_ref("refs/heads/other", head)
    run("fsck", "--full", "--strict")
    subprocess.run(["git", "clone", "--quiet", str(folder), str(tmp_path / "clone")], check=True, capture_output=True)
    assert (tmp_path / "clone" / "more").read_bytes() == b"more"
