"""`kill -9` at random moments during commits, uploads, tags and pull requests; then a restart, then a look.

What a client was told is there must be there, every repo must pass `git fsck`, and what a client was not told may be
there only if it is whole: the server may have died between finishing and answering.
"""

import hashlib
import http.client
import os
import random
import shutil
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sentisynth_hub.localhub.control import start, stop
from tests.support.raw_client import RawClient, file_line, lfs_line


WRITERS = 3


@dataclass
class Writer:
    """One client that keeps changing its repo until the server is gone, and remembers what it was told."""

    repo: str
    commits: dict[str, int] = field(default_factory=dict)  # commit id: its number
    tags: dict[str, str] = field(default_factory=dict)  # name: commit id
    pull_requests: set[int] = field(default_factory=set)
    number: int = 0  # the last one that was begun

    def run(self, client: RawClient) -> None:
        """Change the repo again and again; ends with the first request that fails."""
        try:
            while True:
                self.number += 1
                self._publish(client, self.number)
        except (OSError, http.client.HTTPException):
            return

    def _publish(self, client: RawClient, number: int) -> None:
        content = large(number)
        assert client.upload(self.repo, content).status == 200
        lines = [file_line("n.txt", str(number).encode()), lfs_line("n.bin", content)]
        oid = client.commit(self.repo, *lines, summary=f"number {number}").json()["commitOid"]
        self.commits[oid] = number
        if number % 3 == 0:
            assert client.send("POST", f"/api/{self.repo}/tag/{oid}", {"tag": f"v{number}"}).status == 200
            self.tags[f"v{number}"] = oid
        if number % 5 == 0:
            wanted = {"title": f"pull request {number}", "description": "", "pullRequest": True}
            answer = client.send("POST", f"/api/{self.repo}/discussions", wanted)
            self.pull_requests.add(answer.json()["num"])


def large(number: int) -> bytes:
    """A large file that tells its number."""
    return hashlib.sha256(str(number).encode()).digest() * 2000


def git(folder: Path, *arguments: str) -> str:
    """What git itself says about a repo; raises where it complains."""
    command = ["git", "--git-dir", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def check(writer: Writer, client: RawClient, folder: Path) -> None:
    """Everything acknowledged is there, everything there is whole."""
    git(folder, "fsck", "--full", "--strict")
    history = dict(line.split(" ", 1) for line in git(folder, "log", "--format=%H %s", "main").splitlines())
    assert set(writer.commits) <= set(history)
    unacknowledged = {oid: title for oid, title in history.items() if oid not in writer.commits}
    unacknowledged = {oid: title for oid, title in unacknowledged.items() if title != "initial commit"}
    assert set(unacknowledged.values()) <= {f"number {writer.number}"}
    for oid, title in history.items():
        if title != "initial commit" and (oid in unacknowledged or oid == next(iter(history))):
            number = int(title.removeprefix("number "))
            assert client.send("GET", f"/{writer.repo[7:]}/resolve/{oid}/n.txt").body == str(number).encode()
            assert client.send("GET", f"/{writer.repo[7:]}/resolve/{oid}/n.bin").body == large(number)
    refs = client.send("GET", f"/api/{writer.repo}/refs?include_prs=1").json()
    assert writer.tags.items() <= {tag["name"]: tag["targetCommit"] for tag in refs["tags"]}.items()
    assert writer.pull_requests <= {int(item["name"]) for item in refs["pullRequests"]}
    assert not [path for path in folder.rglob("*") if path.name.startswith(".half-") or path.name.endswith(".lock")]
    # What was in flight may have been finished: from here on it counts as told.
    writer.commits |= {oid: int(title.removeprefix("number ")) for oid, title in unacknowledged.items()}


def kill_again_and_again(data: Path, times: int, seed: int) -> None:
    chance = random.Random(seed)
    writers = [Writer(f"models/acme/m{number}") for number in range(WRITERS)]
    state = start(data, 0)
    try:
        for writer in writers:
            RawClient(state.endpoint, state.token).create(writer.repo.removeprefix("models/"))
        for kill in range(times):
            client = RawClient(state.endpoint, state.token)
            before = sum(len(writer.commits) for writer in writers)
            threads = [threading.Thread(target=writer.run, args=(client,)) for writer in writers]
            for thread in threads:
                thread.start()
            deadline = time.monotonic() + 30
            while kill % 2 and sum(len(writer.commits) for writer in writers) < before + 3:  # busy machines take long
                assert time.monotonic() < deadline, "no three commits in half a minute"
                time.sleep(0.005)
            time.sleep(chance.uniform(0.01, 0.3))
            os.kill(state.pid, signal.SIGKILL)
            for thread in threads:
                thread.join(30)
                assert not thread.is_alive()
            state = start(data, 0)
            client = RawClient(state.endpoint, state.token)
            for writer in writers:
                check(writer, client, data / "repos" / f"{writer.repo}.git")
            assert not list((data / "incoming").iterdir())
    finally:
        stop(data)
    told = sum(len(writer.commits) for writer in writers)
    tags, pulls = sum(len(writer.tags) for writer in writers), sum(len(writer.pull_requests) for writer in writers)
    print(f"{times} kills: {told} commits, {tags} tags, {pulls} pull requests told or found, all there and whole")
    assert told > times  # the server was at work when it was killed


pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git to check the repos")


def test_kills_lose_nothing(tmp_path: Path) -> None:
    kill_again_and_again(tmp_path, times=5, seed=1)


@pytest.mark.slow
def test_a_hundred_kills_lose_nothing(tmp_path: Path) -> None:
    kill_again_and_again(tmp_path, times=100, seed=2)


def test_a_repo_half_made_or_half_deleted_is_swept(tmp_path: Path) -> None:
    state = start(tmp_path, 0)
    owner = RawClient(state.endpoint, state.token)
    owner.create("acme/kept")
    os.kill(state.pid, signal.SIGKILL)
    for leftover in ("incoming/half/objects", "trash/gone/objects"):
        (tmp_path / leftover).mkdir(parents=True)
    folder = tmp_path / "repos" / "models" / "acme" / "kept.git"
    (folder / "refs" / "heads" / "main.lock").write_text("half")
    (folder / "objects" / ".half-abc").write_text("half")
    (folder / "lfs" / "objects" / "parts" / "x").mkdir(parents=True)
    (folder / "refs" / "pr").mkdir()
    shutil.copy(folder / "refs" / "heads" / "main", folder / "refs" / "pr" / "1")
    state = start(tmp_path, 0)
    try:
        owner = RawClient(state.endpoint, state.token)
        assert owner.commit("models/acme/kept", file_line("a.txt", b"a")).status == 200
        assert owner.send("GET", "/api/models/acme/kept/refs?include_prs=1").json()["pullRequests"] == []
        assert not list((tmp_path / "incoming").iterdir())
        assert not list((tmp_path / "trash").iterdir())
        assert not (folder / "lfs" / "objects" / "parts").exists()
    finally:
        stop(tmp_path)


def test_a_merge_that_was_not_written_down_counts_as_merged(tmp_path: Path) -> None:
    state = start(tmp_path, 0)
    owner = RawClient(state.endpoint, state.token)
    owner.create("acme/m")
    body = b'{"key": "header", "value": {"summary": "pr"}}\n'
    body += b'{"key": "file", "value": {"path": "a", "content": "YQ==", "encoding": "base64"}}'
    assert owner.send("POST", "/api/models/acme/m/commit/main?create_pr=1", body).status == 200
    discussions = tmp_path / "repos" / "models" / "acme" / "m.git" / "discussions.json"
    before = discussions.read_text()
    assert owner.send("POST", "/api/models/acme/m/discussions/1/merge", {}).status == 200
    os.kill(state.pid, signal.SIGKILL)
    discussions.write_text(before)
    state = start(tmp_path, 0)
    try:
        item = RawClient(state.endpoint, state.token).send("GET", "/api/models/acme/m/discussions/1").json()
        assert item["status"] == "merged"
        assert item["changes"]["mergeCommitId"]
    finally:
        stop(tmp_path)
