"""`generate` is killed at random moments while `runs save` saves its folder again and again, and is killed too: no
paid answer is lost and none is asked for twice."""

import os
import random
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest

from sentisynth_hub.generate.journal import read_journal
from sentisynth_hub.publish.run_backup import restore_run, save_run
from tests.integration.generate.test_kill import seeds_of
from tests.support.fault_server import FaultServer
from tests.support.publisher import Nursery
from tests.support.worlds import stage, write_recipe


CONCURRENCY = 8
A_KILL = 100  # candidates, so that there is still something to ask at the last one


def answered_in(journal: Path) -> dict[str, str]:
    """The text of every request that a journal holds an answer to."""
    if not journal.exists():
        return {}
    whole = journal.read_bytes()
    whole = whole[: whole.rfind(b"\n") + 1]  # a killed writer may leave half a line, which the next run cuts off
    copy = journal.with_name(".read")
    copy.write_bytes(whole)
    return {record["request_id"]: record["text"] for _, record in read_journal(copy) if record["kind"] == "completion"}


@pytest.mark.parametrize(
    ("seed", "kills"),
    [(0, 3), pytest.param(1, 50, marks=pytest.mark.slow), pytest.param(2, 50, marks=pytest.mark.slow)],
)
@pytest.mark.usefixtures("local_hub")
def test_kills_beside_saves_lose_nothing(
    tmp_path: Path, seed: int, kills: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "test")
    moments = random.Random(seed)
    runs, repo_id = tmp_path / "runs", f"run-tests/kills-{seed}"
    with FaultServer(0.05, latency=0.02, seed=seed) as server, Nursery() as nursery:
        endpoint = {"base_url": server.url, "concurrency": CONCURRENCY, "timeout_seconds": 2, "max_attempts": 9}
        made = write_recipe(
            tmp_path / "recipe",
            {
                "generator": {"kind": "openai", "model": "fault-model", **endpoint},
                "candidates": A_KILL * kills,
                "prompt": {"num_shots": 2},
                "sampling": {"max_new_tokens": 20},
            },
        )
        folder = stage(runs, made)
        journal = folder.path / "replicate-0" / "completions-0.jsonl"
        known: dict[str, str] = {}
        asked: dict[int, int] = {}
        saver: int | None = None
        struck = saves_killed = 0
        while struck < kills:
            saver = saver or nursery.work("save", runs, repo_id)
            generator = nursery.work("generate", made.folder, runs)
            wait_for_growth(journal, generator, nursery)
            time.sleep(moments.uniform(0, 0.15))
            ended = nursery.wait(generator, 0.001)
            kill(generator)
            assert ended is None, f"there were too few candidates, or it failed: {ended}"
            struck += 1
            if moments.random() < 0.5:  # while it looks at the folder, sends it or waits for it
                time.sleep(moments.uniform(0, 0.1))
                kill(saver)
                saver, saves_killed = None, saves_killed + 1
            found = answered_in(journal)
            assert known.items() <= found.items(), "an answer that was paid is gone, or another one"
            assert {number: server.answered[number] for number in asked} == asked, (
                "a journalled request was asked again"
            )
            known = found
            asked = {number: server.answered[number] for number in seeds_of(folder, set(known))}
        if saver is not None:
            kill(saver)
        last = nursery.work("generate", made.folder, runs)
        assert nursery.wait(last, 300) == "end"
        again = {number for number, times in asked.items() if server.answered[number] != times}
        assert not again, "a journalled request was asked again"
        assert len(server.answered) == A_KILL * kills
        assert sum(server.answered.values()) <= A_KILL * kills + CONCURRENCY * kills
    assert folder.complete
    save_run(runs, repo_id)
    restore_run(tmp_path / "restored", repo_id)
    there = tmp_path / "restored" / journal.relative_to(runs)
    assert there.read_bytes() == journal.read_bytes()
    assert known.items() <= answered_in(there).items()
    print(f"{kills} kills of generate, {saves_killed} of runs save, {sum(server.answered.values())} answers paid")


def wait_for_growth(journal: Path, generator: int, nursery: Nursery) -> None:
    """Until the generator has written something new, or has ended."""
    size = journal.stat().st_size if journal.exists() else 0
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if journal.exists() and journal.stat().st_size > size:
            return
        time.sleep(0.005)
    raise AssertionError(f"nothing was written for a minute: {nursery.wait(generator, 0.001)}")


def kill(pid: int) -> None:
    """Kill a process and wait until it is gone."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and Path(f"/proc/{pid}").exists():
        time.sleep(0.002)
