"""Two machines: two `accelerate launch` of one process each, on loopback, with one run folder between them."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from sentisynth_hub.localhub.control import HubState
from tests.support.tiny import tiny_recipe


ROOT = Path(__file__).resolve().parents[3]
CONFIG = ROOT / "recipes" / "accelerate_configs" / "two_machines.yaml"


def free_port() -> int:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        return int(holder.getsockname()[1])


def kept_digests(runs: Path) -> dict[str, str]:
    (manifest,) = (runs / "tiny" / "filter").glob("*/manifest.json")
    return {name: found["digest"] for name, found in json.loads(manifest.read_text())["replicates"].items()}


@pytest.mark.slow
def test_two_launchers_make_the_rows_of_one_process(local_hub: HubState, tmp_path: Path) -> None:
    recipe = tiny_recipe(tmp_path / "tiny")
    port = str(free_port())
    environment = os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    launch = [sys.executable, "-m", "accelerate.commands.accelerate_cli", "launch", "--config_file", str(CONFIG)]
    launch += ["--main_process_ip", "127.0.0.1", "--main_process_port", port]
    command = [str(ROOT / "recipes" / "run.py"), str(recipe), "--no-publish", "--runs", str(tmp_path / "two")]
    machines = [
        subprocess.Popen(
            [*launch, "--machine_rank", str(rank), *command],
            cwd=recipe,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in (0, 1)
    ]
    outputs = [machine.communicate(timeout=300) for machine in machines]
    for machine, (_, err) in zip(machines, outputs, strict=True):
        assert machine.returncode == 0, err[-3000:]
    journals = (tmp_path / "two" / "tiny" / "generate").glob("*/replicate-0/completions-*.jsonl")
    assert len([journal for journal in journals if journal.stat().st_size]) == 2, "one machine did all the work"
    assert sum("Use this model" in out for out, _ in outputs) == 1
    alone = [
        sys.executable,
        "-m",
        "sentisynth_hub",
        "run",
        str(recipe),
        "--no-publish",
        "--runs",
        str(tmp_path / "one"),
    ]
    subprocess.run(alone, cwd=recipe, env=environment, check=True, capture_output=True)
    assert kept_digests(tmp_path / "two") == kept_digests(tmp_path / "one")
