"""`kill -9` at random moments: nothing journalled is asked again, and at most the calls in flight are paid twice."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sentisynth_hub.core.run_folder import StageFolder
from sentisynth_hub.generate import stage as generation
from sentisynth_hub.generate.answers import spent
from sentisynth_hub.generate.journal import read_journal, repair
from tests.support.fault_server import FaultServer
from tests.support.worlds import alone, local, samples, stage, tiny_model, write_recipe


ROOT = Path(__file__).resolve().parents[3]
CONCURRENCY = 8


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_an_endpoint_run_killed_at_random_moments(tmp_path: Path, kills: int) -> None:
    moments = random.Random(kills)
    with FaultServer(0.1, latency=0.02, seed=kills) as server:
        endpoint = {"base_url": server.url, "concurrency": CONCURRENCY, "timeout_seconds": 2, "max_attempts": 9}
        made = write_recipe(
            tmp_path / "recipe",
            {
                "generator": {"kind": "openai", "model": "fault-model", **endpoint},
                "candidates": 200 * kills,
                "prompt": {"num_shots": 2},
                "sampling": {"max_new_tokens": 20},
            },
        )
        folder = stage(tmp_path / "runs", made)
        known: dict[int, int] = {}
        for _ in range(kills):
            client = start(tmp_path)
            wait_for_growth(folder, client)
            time.sleep(moments.uniform(0, 0.6))
            kill(client)
            journal = folder.path / "replicate-0" / "completions-0.jsonl"
            repair(journal)
            assert {seed: server.answered[seed] for seed in known} == known, "a journalled request was asked again"
            done = {record["request_id"] for _, record in read_journal(journal) if record["kind"] == "completion"}
            known = {seed: server.answered[seed] for seed in seeds_of(folder, done)}
        assert start(tmp_path).wait(timeout=300) == 0
        assert {seed: server.answered[seed] for seed in known} == known, "a journalled request was asked again"
        assert len(server.answered) == 200 * kills
        assert sum(server.answered.values()) <= 200 * kills + CONCURRENCY * kills
        assert server.tokens <= spent([folder.path / "replicate-0" / "completions-0.jsonl"]).tokens
    assert folder.complete


@pytest.mark.parametrize("kills", [1, pytest.param(20, marks=pytest.mark.slow)])
def test_a_local_run_killed_at_random_moments_gives_the_same_corpus(tmp_path: Path, kills: int) -> None:
    model = tiny_model(tmp_path / "model")
    moments = random.Random(kills)
    made = write_recipe(tmp_path / "recipe", local(model, candidates=160 * kills))
    whole = generation.generate(made, samples(), stage(tmp_path / "whole", made), alone())
    folder = stage(tmp_path / "runs", made)
    for _ in range(kills):
        client = start(tmp_path)
        wait_for_growth(folder, client)
        time.sleep(moments.uniform(0, 0.05))
        kill(client)
    assert start(tmp_path).wait(timeout=300) == 0
    assert folder.manifest()["replicates"] == whole["replicates"]


def start(tmp_path: Path) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "tests.support.killed_client", tmp_path / "recipe" / "recipe.yaml"]
    environment = {**os.environ, "OPENAI_API_KEY": "test", "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    return subprocess.Popen(
        [*command, tmp_path / "runs"], cwd=ROOT, env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )


def wait_for_growth(folder: StageFolder, client: "subprocess.Popen[bytes]") -> None:
    """Until the client has written something new to its journal, or has ended."""
    journal = folder.path / "replicate-0" / "completions-0.jsonl"
    size = journal.stat().st_size if journal.exists() else 0
    deadline = time.monotonic() + 120
    while client.poll() is None and time.monotonic() < deadline:
        if journal.exists() and journal.stat().st_size > size:
            return
        time.sleep(0.01)
    assert client.poll() is not None, "the client wrote nothing for two minutes"


def kill(client: "subprocess.Popen[bytes]") -> None:
    client.send_signal(signal.SIGKILL)
    client.wait(timeout=30)


def seeds_of(folder: StageFolder, request_ids: set[str]) -> list[int]:
    lines = (folder.path / "replicate-0" / "requests.jsonl").read_text("utf-8").split("\n")
    records = [json.loads(line) for line in lines if line]
    return [record["seed"] for record in records if record["request_id"] in request_ids]
