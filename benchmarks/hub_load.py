"""The embedded Hub while many ask for much at once: does it still answer, and in how much memory?

`under_load` lets 64 clients begin to download a large file and read nothing of it, 64 others ask for the rows of a
data file each that nobody has asked for before, and 64 more send bodies of 8 MB of four kinds, over and over.
Meanwhile a process of its own asks `whoami` again and again and writes down how long each answer took; the memory is
that of the server and of all processes it started, added up twenty times a second.
"""

import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sentisynth_hub.localhub.control import HubState


BODY_BYTES = 8 * 1024**2
LARGE_BYTES = 64 * 1024**2
MODEL, DATASET = "load/model", "load/rows"
PROBE = """
import http.client, json, sys, time
netloc, token = sys.argv[1:]
connection, taken = http.client.HTTPConnection(netloc, timeout=60), []
print("ready", flush=True)
end = None
import threading
threading.Thread(target=lambda: sys.stdin.readline() and globals().__setitem__("end", True), daemon=True).start()
while not end:
    begun = time.perf_counter()
    connection.request("GET", "/api/whoami-v2", headers={"Authorization": f"Bearer {token}"})
    answer = connection.getresponse()
    assert answer.status == 200 and answer.read()
    taken.append(time.perf_counter() - begun)
    time.sleep(0.01)
print(json.dumps(taken))
"""


def under_load(state: HubState, seconds: float, clients: int) -> dict[str, Any]:
    """Answers to `whoami` and the server's memory while everybody else asks for much, for `seconds` at least."""
    fill(clients)
    statuses: Counter[str] = Counter()
    stop = threading.Event()
    memory: list[int] = []
    stalled = [begin_download(state) for _ in range(clients)]
    probe = subprocess.Popen(
        [sys.executable, "-c", PROBE, urlsplit(state.endpoint).netloc, state.token],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert probe.stdout is not None
    assert probe.stdout.readline() == "ready\n"
    watch = threading.Thread(target=watch_memory, args=(state.pid, memory, stop))
    senders = [threading.Thread(target=send_bodies, args=(state, n, statuses, stop)) for n in range(clients)]
    readers = [threading.Thread(target=ask_for_rows, args=(state, n, statuses)) for n in range(clients)]
    begun = time.monotonic()
    for thread in (watch, *senders, *readers):
        thread.start()
    for reader in readers:
        reader.join()
    rows_seconds = time.monotonic() - begun
    time.sleep(max(0.0, seconds - rows_seconds))
    taken = json.loads(probe.communicate("stop\n")[0])
    stop.set()
    for thread in (watch, *senders):
        thread.join()
    for connection in stalled:
        connection.close()
    taken.sort()
    return {
        "load_clients": 3 * clients,
        "load_whoami_answers": len(taken),
        "load_whoami_median_ms": round(1000 * taken[len(taken) // 2], 1),
        "load_whoami_p99_ms": round(1000 * taken[int(len(taken) * 0.99)], 1),
        "load_whoami_max_ms": round(1000 * taken[-1], 1),
        "load_peak_rss_mb": round(max(memory) / 1e6),
        "load_rows_seconds": round(rows_seconds, 1),
        "load_statuses": dict(sorted(statuses.items())),
    }


def fill(clients: int) -> None:
    """A model with a large file, and a dataset with a file for each client that asks for rows."""
    from huggingface_hub import CommitOperationAdd, HfApi

    api = HfApi()
    api.create_repo(MODEL)
    api.upload_file(repo_id=MODEL, path_in_repo="model.bin", path_or_fileobj=os.urandom(LARGE_BYTES))
    api.create_repo(DATASET, repo_type="dataset", private=False)
    configs = [{"config_name": f"c{number}", "data_files": f"c{number}.jsonl"} for number in range(clients)]
    card = f"---\n{json.dumps({'configs': configs})}\n---\n"
    files = {"README.md": card.encode()}
    for number in range(clients):
        row = json.dumps({"text": f"row of file {number}", "label": "good"})
        files[f"c{number}.jsonl"] = (row + "\n").encode() * 5_000
    additions = [CommitOperationAdd(path, content) for path, content in files.items()]
    api.create_commit(DATASET, additions, commit_message="rows", repo_type="dataset")


def begin_download(state: HubState) -> socket.socket:
    """A connection over which a large file has begun to come, and nobody reads it."""
    address = urlsplit(state.endpoint)
    connection = socket.create_connection((address.hostname or "", address.port or 80))
    head = f"GET /{MODEL}/resolve/main/model.bin HTTP/1.1\r\nHost: {address.netloc}\r\n"
    connection.sendall(f"{head}Authorization: Bearer {state.token}\r\n\r\n".encode())
    connection.recv(100)
    return connection


def send_bodies(state: HubState, number: int, statuses: Counter[str], stop: threading.Event) -> None:
    """Bodies of one of four kinds, one after another."""
    room = BODY_BYTES - 100
    kinds: list[tuple[str, bytes]] = [
        ("/api/validate-yaml", b'{"content": "---\\nlicense: mit\\n---\\n' + b"x" * room + b'"}'),
        ("/api/validate-yaml", b'{"content": "---\\na: [' + b"[]," * (room // 3) + b']\\n---\\n"}'),
        ("/api/validate-yaml", b'{"content": [' + b"[]," * (room // 3) + b"[]]}"),
        (f"/api/datasets/{DATASET}/paths-info/main", b"paths=a&" * (room // 8)),
    ]
    path, body = kinds[number % len(kinds)]
    while not stop.is_set():
        statuses[f"body {send(state, 'POST', path, body)}"] += 1


def ask_for_rows(state: HubState, number: int, statuses: Counter[str]) -> None:
    """The rows of one file; again after a moment where the Hub says that it is busy."""
    while True:
        status = send(state, "GET", f"/datasets/{DATASET}/viewer?config=c{number}")
        statuses[f"rows {status}"] += 1
        if status != 503:
            return
        time.sleep(0.5)


def send(state: HubState, method: str, path: str, body: bytes | None = None) -> int:
    """The status of the answer to a request on a connection of its own; 0 where the connection was cut."""
    connection = http.client.HTTPConnection(urlsplit(state.endpoint).netloc, timeout=120)
    try:
        connection.request(method, path, body, {"Authorization": f"Bearer {state.token}"})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    except ConnectionError:
        return 0
    finally:
        connection.close()


def watch_memory(pid: int, memory: list[int], stop: threading.Event) -> None:
    """Add the resident memory of the server and its processes, in bytes, to `memory` until told to stop."""
    while not stop.is_set():
        memory.append(sum(resident_bytes(process) for process in (pid, *children_of(pid))))
        stop.wait(0.05)


def resident_bytes(pid: int) -> int:
    """The resident memory of a process; 0 where it has ended."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
    except (OSError, IndexError):
        return 0


def children_of(pid: int) -> list[int]:
    """The processes that the threads of a process started."""
    children: list[int] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children += [int(child) for child in path.read_text().split()]
        except OSError:
            continue
    return children
