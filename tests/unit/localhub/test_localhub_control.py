"""Starting, stopping and finding a server, from Python and from the command line."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner

from sentisynth_hub.cli.hub_commands import hub
from sentisynth_hub.core.errors import InputError
from sentisynth_hub.localhub.app import is_loopback
from sentisynth_hub.localhub.control import HubState, client_environment, running_hub, start, status, stop


def test_start_is_harmless_when_it_runs_and_stop_when_it_does_not(tmp_path: Path) -> None:
    assert status(tmp_path) is None
    assert not stop(tmp_path)
    first = start(tmp_path, 0)
    try:
        assert start(tmp_path, 0) == first == status(tmp_path)
    finally:
        assert stop(tmp_path)
    assert status(tmp_path) is None
    assert not stop(tmp_path)


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs Linux")
def test_it_listens_on_loopback_only(tmp_path: Path) -> None:
    with running_hub(tmp_path) as state:
        port = f"{int(state.endpoint.rpartition(':')[2]):04X}"
        tables = [Path(table).read_text().splitlines()[1:] for table in ("/proc/net/tcp", "/proc/net/tcp6")]
        sockets = [line.split() for table in tables for line in table]
        listening = [fields[1] for fields in sockets if fields[3] == "0A" and fields[1].endswith(f":{port}")]
        assert listening == [f"0100007F:{port}"]


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True), ("10.0.0.1", False), ("", False)],
)
def test_what_counts_as_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) == loopback


def test_eight_starts_at_once_make_one_server(tmp_path: Path) -> None:
    try:
        with ThreadPoolExecutor(8) as pool:
            states = list(pool.map(lambda _: start(tmp_path, 0), range(8)))
        assert len({state.pid for state in states}) == 1
    finally:
        stop(tmp_path)


def test_a_killed_server_is_not_taken_for_a_running_one(tmp_path: Path) -> None:
    killed = start(tmp_path, 0)
    os.kill(killed.pid, signal.SIGKILL)
    while status(tmp_path) is not None:
        time.sleep(0.02)
    again = start(tmp_path, 0)
    try:
        assert again.pid != killed.pid
        assert again.token == killed.token
    finally:
        stop(tmp_path)


def test_a_port_that_is_taken_is_said_so(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(InputError, match="choose another with --port"):
            start(tmp_path, taken.getsockname()[1])
    assert status(tmp_path) is None


def test_a_wrong_tokens_file_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "tokens.json").write_text("[]")
    with pytest.raises(InputError, match="not a tokens file"):
        start(tmp_path / "data", 0, tokens_file=tmp_path / "tokens.json")


def test_the_environment_keeps_proxies_away_and_caches_apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NO_PROXY", "intranet.example")
    state = HubState("http://127.0.0.1:1", "token", 1, tmp_path, read_only=False)
    environment = client_environment(state)
    assert environment["NO_PROXY"].split(",")[:2] == ["intranet.example", "127.0.0.1"]
    assert environment["HF_HUB_DISABLE_XET"] == "1"
    assert Path(environment["HF_HOME"]).is_relative_to(tmp_path)


def test_the_command_from_start_to_stop(tmp_path: Path) -> None:
    def run(*arguments: str) -> str:
        result = CliRunner().invoke(hub, [*arguments, "--data", str(tmp_path)], catch_exceptions=False)
        assert result.exit_code == 0
        return result.stdout

    assert run("status") == "not running\n"
    assert json.loads(run("status", "--json")) == {"running": False}
    run("start", "--port", "0")
    try:
        state = json.loads(run("status", "--json"))
        assert state["running"]
        assert "token" not in state
        shell = f'{run("env")}\nprintf %s "$HF_ENDPOINT"'
        printed = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, check=True, env={}).stdout
        assert printed == state["endpoint"]
        assert run("token", "create", "--name", "alice").startswith("hub_")
        assert json.loads(run("env", "--json"))["HF_ENDPOINT"] == state["endpoint"]
    finally:
        run("stop")


def test_env_without_a_server_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="sentisynth hub start"):
        CliRunner().invoke(hub, ["env", "--data", str(tmp_path)], catch_exceptions=False, standalone_mode=False)


def test_import_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "snapshot"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "train.jsonl").write_text('{"text": "a"}\n')
    (folder / "w.bin").write_bytes(b"\0" * 100)
    state = start(tmp_path / "hub", 0)
    try:
        command = [sys.executable, "-m", "sentisynth_hub", "hub", "import", str(folder), "acme/imported"]
        command += ["--tag", "v1.0.0", "--data", str(tmp_path / "hub")]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert done.stdout.startswith(f"{state.endpoint}/datasets/acme/imported/commit/")
        again = subprocess.run(command, capture_output=True, text=True, check=False)
        assert again.returncode == 1
        assert "v1.0.0" in again.stderr
    finally:
        stop(tmp_path / "hub")
