"""A publisher is killed at random moments, while a consumer reads `main`: it never sees anything but whole
versions."""

import itertools
import os
import random
import shutil
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from sentisynth_hub.localhub.control import HubState
from tests.support.publisher import ROWS, Nursery, corpus


class Consumer(threading.Thread):
    """Loads `main` again and again, each time into a fresh cache, and notes every version it sees and every mix."""

    def __init__(self, repo_id: str, folder: Path):
        super().__init__(daemon=True)
        self.repo_id, self.folder = repo_id, folder
        self.done = threading.Event()
        self.seen: list[int] = []
        self.problems: list[str] = []

    def run(self) -> None:
        from datasets import load_dataset

        for number in itertools.count():
            if self.done.is_set():
                return
            cache = self.folder / str(number)
            try:
                rows = load_dataset(self.repo_id, revision="main", split="train", cache_dir=str(cache))
                versions = {int(text.split()[2]) for text in rows["text"]}
                if len(versions) != 1 or rows.num_rows != ROWS:
                    self.problems.append(f"saw {rows.num_rows} rows of versions {versions}")
                self.seen += versions
            except Exception as error:  # whatever goes wrong for a reader is what this test looks for
                self.problems.append(repr(error))
            shutil.rmtree(cache, ignore_errors=True)
            self.done.wait(0.1)


def kill_at_random_moments(repo_id: str, tmp_path: Path, kills: int) -> None:
    from huggingface_hub import HfApi

    random.seed(7)
    struck = finished = 0
    with Nursery() as nursery:
        started = time.monotonic()
        assert nursery.wait(nursery.start(repo_id, "killed", 0, 1)) == "published 0 v1.0.0"
        whole = time.monotonic() - started
        consumer = Consumer(repo_id, tmp_path)
        consumer.start()
        for number in itertools.count(1):
            if struck == kills:
                break
            pid = nursery.start(repo_id, "killed", number, number + 1)
            time.sleep(random.uniform(0, 1.1) * whole)
            alive = nursery.wait(pid, 0.001) is None
            with suppress(ProcessLookupError):  # it was faster
                os.kill(pid, signal.SIGKILL)
            struck += alive
            if struck % 5 == 0 or struck == kills:  # the next run completes or does nothing; tag and head agree again
                again = nursery.wait(nursery.start(repo_id, "killed", number, number + 1))
                assert again is not None
                assert again.startswith(f"published {number} v"), again
                check_head(repo_id, number)
                finished += 1
        consumer.done.set()
        consumer.join(timeout=120)
    assert consumer.problems == []
    assert len(consumer.seen) >= 2
    assert consumer.seen == sorted(consumer.seen)
    commits = [c for c in HfApi().list_repo_commits(repo_id, repo_type="dataset") if c.title.startswith("Publish")]
    tags = HfApi().list_repo_refs(repo_id, repo_type="dataset").tags
    assert {c.commit_id for c in commits} == {tag.target_commit for tag in tags}
    sys.stdout.write(
        f"{kills} kills, {len(commits)} versions, {finished} runs after a kill, {len(consumer.seen)} reads meanwhile\n"
    )


def check_head(repo_id: str, number: int) -> None:
    """`main` is a whole version that loads, the newest, and its tag names that commit."""
    import json

    from datasets import load_dataset
    from huggingface_hub import HfApi, hf_hub_download

    manifest = json.loads(Path(hf_hub_download(repo_id, "sentisynth.json", repo_type="dataset")).read_text("utf-8"))
    tags = {tag.name: tag.target_commit for tag in HfApi().list_repo_refs(repo_id, repo_type="dataset").tags}
    head = HfApi().dataset_info(repo_id).sha
    assert tags[f"v{manifest['version']}"] == head
    rows = load_dataset(repo_id, revision=head, split="train")
    assert rows["text"] == corpus("killed", number)


def test_a_killed_publisher_leaves_a_whole_version(local_hub: HubState, tmp_path: Path) -> None:
    kill_at_random_moments("publish-tests/kills", tmp_path, 3)


@pytest.mark.slow
def test_a_hundred_killed_publishers_leave_whole_versions(local_hub: HubState, tmp_path: Path) -> None:
    kill_at_random_moments("publish-tests/hundred-kills", tmp_path, 100)
