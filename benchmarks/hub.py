"""The embedded Hub side by side with `http.server` and nginx, and under the work a publishing toolkit gives it.

    python benchmarks/hub.py [load] [--quick] [--json]

Every figure comes from this run. Downloads of the three servers take turns, so that a busy moment hits all of them,
and every server has a session of its own, so that the kernel shares the processor alike among them. Ratios are of
downloads that followed each other, median and quartiles; above 1 the embedded Hub is faster. nginx is left out where
it is not installed. `load` runs one part only: what the Hub still does while many ask for much at once.
"""

import argparse
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from hub_load import under_load
from measuring import MB, peak_memory_mb

from sentisynth_hub.localhub.control import HubState, client_environment, start, stop


REPO = "bench/model"
DATASET = "bench/dataset"
LOAD = f"""
import sys, time
from datasets import load_dataset
print("ready", flush=True)
sys.stdin.readline()
begun = time.perf_counter()
rows = len(load_dataset("{DATASET}", split="train"))
print(time.perf_counter() - begun, rows)
"""


def main() -> None:
    """Run everything and print the figures; with --json one JSON object as the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="?", choices=["all", "load"], default="all", help="what to run (default: all)")
    parser.add_argument("--quick", action="store_true", help="smaller files, fewer commits: about a minute")
    parser.add_argument("--clients", type=int, default=64, help="of each of the three kinds in `load` (default: 64)")
    parser.add_argument("--json", action="store_true", help="end with one JSON object")
    options = parser.parse_args()
    model_mb, large_mb, commits, clients, rounds = (100, 500, 100, 2, 7) if options.quick else (300, 2000, 1000, 8, 21)
    with tempfile.TemporaryDirectory(prefix="bench-hub-") as name:
        folder = Path(name)
        state = start(folder / "hub", 0)
        os.environ.update(client_environment(state))  # before huggingface_hub is imported
        try:
            figures: dict[str, Any] = {}
            if options.part == "all":
                figures |= transfers(state, folder, model_mb, rounds)
                figures |= memory(state, folder, large_mb)
                figures |= small_commits(commits)
                figures |= parallel_loads(folder, clients)
            figures |= under_load(state, 5 if options.quick else 60, options.clients)
        finally:
            stop(folder / "hub")
    for key, value in figures.items():
        print(f"{key:32} {value}")
    if options.json:
        print(json.dumps(figures))


def transfers(state: HubState, folder: Path, size_mb: int, rounds: int) -> dict[str, float]:
    """Upload and download a model with the client; then plain GETs of the same bytes from three servers in turn."""
    from huggingface_hub import HfApi, hf_hub_download

    served = folder / "served"
    served.mkdir()
    write_file(served / "model.bin", size_mb)
    api = HfApi()
    api.create_repo(REPO)
    upload = seconds(
        lambda: api.upload_file(repo_id=REPO, path_in_repo="model.bin", path_or_fileobj=served / "model.bin")
    )
    download = seconds(lambda: hf_hub_download(REPO, "model.bin"))
    addresses = {"hub": f"{state.endpoint}/{REPO}/resolve/main/model.bin"}
    with ExitStack() as servers:
        addresses["http_server"] = servers.enter_context(http_server(served)) + "/model.bin"
        if shutil.which("nginx"):
            addresses["nginx"] = servers.enter_context(nginx(served, folder)) + "/model.bin"
        rates: dict[str, list[float]] = {name: [] for name in addresses}
        for _ in range(rounds):
            for name, address in addresses.items():
                rates[name].append(get(address) / MB)
    figures = {f"{name}_mb_per_s": round(statistics.median(found)) for name, found in rates.items()}
    for name in addresses:
        if name != "hub":
            ratios = [ours / theirs for ours, theirs in zip(rates["hub"], rates[name], strict=True)]
            low, middle, high = statistics.quantiles(ratios, n=4)
            figures[f"download_vs_{name}"] = round(middle, 2)
            figures |= {f"download_vs_{name}_low": round(low, 2), f"download_vs_{name}_high": round(high, 2)}
    return figures | {
        "model_mb": size_mb,
        "upload_seconds": round(upload, 2),
        "client_download_seconds": round(download, 2),
    }


def memory(state: HubState, folder: Path, size_mb: int) -> dict[str, float]:
    """The server's peak resident memory before and after it took in and served a large file."""
    from huggingface_hub import HfApi

    before = peak_memory_mb(state.pid)
    large = folder / "large.bin"
    write_file(large, size_mb)
    HfApi().upload_file(repo_id=REPO, path_in_repo="large.bin", path_or_fileobj=large)
    large.unlink()
    get(f"{state.endpoint}/{REPO}/resolve/main/large.bin")
    return {"served_mb": size_mb, "peak_rss_mb_before": before, "peak_rss_mb": peak_memory_mb(state.pid)}


def small_commits(count: int) -> dict[str, float]:
    """One small file a commit, one after another, each upon the last and durable before it is acknowledged."""
    from huggingface_hub import CommitOperationAdd, HfApi

    api = HfApi()
    api.create_repo("bench/commits")
    taken = []
    for number in range(count):
        addition = CommitOperationAdd(f"files/{number:05}.txt", f"file {number}".encode())
        taken.append(seconds(lambda: api.create_commit("bench/commits", [addition], commit_message="one")))  # noqa: B023
    tenth = max(1, count // 10)
    return {
        "commits": count,
        "commits_per_second": round(count / sum(taken), 1),
        "first_commits_ms": round(1000 * statistics.median(taken[:tenth]), 1),
        "last_commits_ms": round(1000 * statistics.median(taken[-tenth:]), 1),
    }


def parallel_loads(folder: Path, clients: int) -> dict[str, float]:
    """`load_dataset` by several processes at once, each with a cache of its own: the slowest, imports not counted."""
    from datasets import Dataset

    Dataset.from_dict({"text": [f"sentence number {n}" for n in range(20_000)]}).push_to_hub(DATASET)
    processes = []
    for number in range(clients):
        environment = os.environ | {"HF_HOME": str(folder / f"client-{number}")}
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        processes.append(subprocess.Popen([sys.executable, "-c", LOAD], env=environment, text=True, **pipes))
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = [process.communicate()[0].split() for process in processes]
    assert [int(rows) for _, rows in answers] == [20_000] * clients
    return {"clients": clients, "load_dataset_seconds": round(max(float(taken) for taken, _ in answers), 2)}


@contextmanager
def http_server(folder: Path) -> Iterator[str]:
    """Python's own file server."""
    command = [sys.executable, "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", str(folder)]
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    options: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "start_new_session": True}
    process = subprocess.Popen(command, text=True, env=environment, **options)
    try:
        assert process.stdout is not None
        port = re.search(r"port (\d+)", process.stdout.readline())
        assert port is not None
        yield f"http://127.0.0.1:{port[1]}"
    finally:
        process.terminate()
        process.wait()


@contextmanager
def nginx(folder: Path, scratch: Path) -> Iterator[str]:
    """nginx as a static file server, one worker, sendfile on, as Debian configures it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    configuration = scratch / "nginx.conf"
    configuration.write_text(
        f"daemon off; worker_processes 1; pid {scratch}/nginx.pid; error_log /dev/null; user root; events {{}}\n"
        f"http {{ sendfile on; tcp_nopush on; access_log off;\n"
        f"  server {{ listen 127.0.0.1:{port}; root {folder}; }} }}\n"
    )
    command = ["nginx", "-c", str(configuration)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        _wait_for(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def get(address: str) -> float:
    """Download an address on a connection of its own and throw the bytes away; returns bytes a second."""
    parts = urlsplit(address)
    buffer, received = bytearray(1 << 20), 0
    begun = time.perf_counter()
    with socket.create_connection((parts.hostname or "", parts.port or 80)) as connection:
        request = f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n"
        connection.sendall(request.encode())
        while count := connection.recv_into(buffer):
            received += count
    return received / (time.perf_counter() - begun)


def write_file(path: Path, size_mb: int) -> None:
    """Random bytes, the same ones again every ten megabytes but for a number, so that making them takes no time."""
    block = os.urandom(10 * MB - 8)
    with path.open("wb") as file:
        for number in range(size_mb // 10):
            file.write(number.to_bytes(8, "big") + block)


def seconds(action: Callable[[], Any]) -> float:
    """How long `action` takes."""
    begun = time.perf_counter()
    action()
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
