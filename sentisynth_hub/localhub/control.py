"""Starting, stopping and finding the embedded Hub, and the variables its clients need.

    state = start()                                  # returns when it answers; harmless when it already runs
    os.environ.update(client_environment(state))     # before huggingface_hub or datasets is imported
    stop()

The server is a process of its own, in its own session, and outlives whoever started it. Its folder is
`$SENTISYNTH_HUB_HOME` or `~/.sentisynth/hub`, its port `$SENTISYNTH_HUB_PORT` or 8585, its state in `server.json`
in the folder.
"""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sentisynth_hub.core.errors import InputError, StageError
from sentisynth_hub.localhub.config import LOCK_FILE, LOG_FILE, READY, STATE_FILE, default_data_dir, default_port
from sentisynth_hub.localhub.private import make_private


_START_SECONDS = 60
_STOP_SECONDS = 15
_POLL_SECONDS = 0.05
_START_LOCK_FILE = "start.lock"


@dataclass(frozen=True)
class HubState:
    """A running server: where it answers, whose process it is, and the owner's token."""

    endpoint: str
    token: str
    pid: int
    data: Path
    read_only: bool


def start(
    data_dir: Path | None = None,
    port: int | None = None,
    *,
    host: str = "127.0.0.1",
    read_only: bool = False,
    tokens_file: Path | None = None,
    options: dict[str, int] | None = None,
) -> HubState:
    """Start a server, or find the one that already serves this folder; returns when it answers.

    Args:
        data_dir: the folder that holds everything.
        port: the port, 0 for a free one.
        host: the address to listen on.
        read_only: refuse everything that would change a repo.
        tokens_file: further users, see `accounts.read_tokens_file`.
        options: further numbers of `HubConfig`, such as `{"max_file_bytes": 1000}`.

    Raises:
        InputError: the port is taken, the tokens file cannot be read, or the folder cannot be closed to others.
        StageError: the server did not come up.
    """
    data = (data_dir or default_data_dir()).expanduser().absolute()
    make_private(data)
    with open(data / _START_LOCK_FILE, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        running = status(data)
        if running is not None:
            return running
        command = [sys.executable, "-P", "-m", "sentisynth_hub.localhub.server", "--detach"]
        command += ["--data", str(data), "--host", host]
        command += ["--port", str(default_port() if port is None else port)]
        command += ["--read-only"] * read_only + (["--tokens", str(tokens_file.absolute())] if tokens_file else [])
        for name, value in (options or {}).items():
            command += [f"--{name.replace('_', '-')}", str(value)]
        return _launch(command, data)


def stop(data_dir: Path | None = None) -> bool:
    """Stop the server of this folder and wait until it is gone; False when none was running.

    Raises:
        StageError: it did not end.
    """
    data = (data_dir or default_data_dir()).expanduser().absolute()
    state = _state(data) if _is_locked(data) else None
    if state is None:
        return False
    for signal_number in (signal.SIGTERM, signal.SIGKILL):
        os.kill(state.pid, signal_number)
        deadline = time.monotonic() + _STOP_SECONDS
        while time.monotonic() < deadline:
            if not _is_locked(data):
                return True
            time.sleep(_POLL_SECONDS)
    raise StageError(f"the embedded Hub (process {state.pid}) does not end")


def status(data_dir: Path | None = None) -> HubState | None:
    """The server that serves this folder and answers, or None."""
    data = (data_dir or default_data_dir()).expanduser().absolute()
    state = _state(data) if _is_locked(data) else None
    return state if state is not None and _answers(state) else None


@contextmanager
def running_hub(data_dir: Path, port: int = 0, **options: Any) -> Iterator[HubState]:
    """A server for the length of a `with`, for tests that kill one or need other settings; options as for `start`."""
    state = start(data_dir, port, **options)
    try:
        yield state
    finally:
        stop(data_dir)


def client_environment(state: HubState) -> dict[str, str]:
    """Every variable a client of this server needs; all are read when the client is imported.

    `HF_HOME` is a folder of its own, so that no cached file of the real Hub is taken for one of this Hub. Xet is off
    because the client would not ask whether this server knows it.
    """
    hosts = [host for host in os.environ.get("NO_PROXY", os.environ.get("no_proxy", "")).split(",") if host]
    without_proxy = ",".join(dict.fromkeys([*hosts, "127.0.0.1", "localhost", "::1"]))
    return {
        "HF_ENDPOINT": state.endpoint,
        "HF_TOKEN": state.token,
        "HF_HOME": str(state.data / "client-cache"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_UPDATE_DOWNLOAD_COUNTS": "0",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_UPDATE_CHECK": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "NO_PROXY": without_proxy,
        "no_proxy": without_proxy,
    }


def _launch(command: list[str], data: Path) -> HubState:
    log = data / LOG_FILE
    python_path = [str(Path(__file__).resolve().parents[2]), os.environ.get("PYTHONPATH", "")]
    with open(log, "ab") as output:
        # This process ends at once, after it has left the server behind, which says on the pipe how it went.
        try:
            launcher = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=output,
                timeout=_START_SECONDS,
                check=False,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in python_path if path)},
            )
        except subprocess.TimeoutExpired as error:
            raise StageError(f"the embedded Hub was not ready after {_START_SECONDS} s; see {log}") from error
    message = launcher.stdout.decode("utf-8", "replace").strip()
    if message != READY:
        raise InputError(f"the embedded Hub did not start: {message or f'see {log}'}")
    state = _state(data)
    if state is None or not _answers(state):
        raise StageError(f"the embedded Hub does not answer; see {log}")
    return state


def _state(data: Path) -> HubState | None:
    try:
        stored = json.loads((data / STATE_FILE).read_text())
    except FileNotFoundError:
        return None
    return HubState(stored["endpoint"], stored["token"], stored["pid"], Path(stored["data"]), stored["read_only"])


def _is_locked(data: Path) -> bool:
    """Whether a server lives: it holds the lock until its last moment, whatever way it ends."""
    try:
        with open(data / LOCK_FILE) as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _answers(state: HubState) -> bool:
    request = urllib.request.Request(
        f"{state.endpoint}/api/whoami-v2", headers={"Authorization": f"Bearer {state.token}"}
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=5) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False
