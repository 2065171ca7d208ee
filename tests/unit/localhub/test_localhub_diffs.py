"""Diffs are shown where they can be made in a moment."""

import time
from pathlib import Path

import pytest

from sentisynth_hub.localhub.diffs import file_diffs
from sentisynth_hub.localhub.git import Change, GitRepo
from sentisynth_hub.localhub.names import RepoType
from sentisynth_hub.localhub.repos import HubRepo, RepoSettings


MODELS: RepoType = "models"


def diffs_of(folder: Path, before: str, after: str) -> list[list[str] | None]:
    """The lines of the diffs between two contents of one file."""
    GitRepo.create(folder, "alice", {"x.txt": before.encode()}, "first")
    repo = HubRepo(MODELS, "acme", "m", folder, RepoSettings(private=False))
    with repo.git() as git:
        head = git.resolve("main")
        new = git.write_commit((head,), [Change("x.txt", git.add_blob(after.encode()))], "alice", "second")
        return [diff.lines for diff in file_diffs(repo, git, head, new)]


def test_a_usual_change_is_shown(tmp_path: Path) -> None:
    lines = [f"row {number},text" for number in range(8_000)]
    changed = [*lines[:4_000], "new", *lines[4_000:]]
    (shown,) = diffs_of(tmp_path, "\n".join(lines), "\n".join(changed))
    assert shown is not None
    assert "+new" in shown


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([x for n in range(9_000) for x in (str(n), "x")], [x for n in range(9_000) for x in (str(n), "y")]),
        ([str(n % 150) for n in range(30_000)], [str(n % 149) for n in range(30_000)]),
        ([str(n * 7919 % 30_011) for n in range(25_000)], [str(n) for n in range(25_000)]),
        ([""] * 100_000, ["", "x"] * 50_000),
    ],
    ids=["interleaved", "repeated", "shuffled", "empty"],
)
def test_no_change_takes_long(tmp_path: Path, before: list[str], after: list[str]) -> None:
    begun = time.thread_time()
    diffs_of(tmp_path, "\n".join(before), "\n".join(after))
    assert time.thread_time() - begun < 10  # half a minute and more without a limit
