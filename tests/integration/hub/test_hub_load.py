"""Many who ask for much at once keep nobody waiting and take no more memory than a small machine has."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


BENCHMARKS = Path(__file__).resolve().parents[3] / "benchmarks"


def figures(clients: int) -> Any:
    """What the benchmark measures with so many clients of each kind."""
    command = [sys.executable, str(BENCHMARKS / "hub.py"), "load", "--quick", "--json", "--clients", str(clients)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.strip().split("\n")[-1])


def check(measured: Any, clients: int) -> None:
    statuses = measured["load_statuses"]
    assert statuses["rows 200"] == clients
    assert set(statuses) <= {"rows 200", "rows 503", "body 200", "body 400", "body 503"}
    assert statuses["body 400"] > 0
    assert measured["load_peak_rss_mb"] < 1_500


def test_some_who_ask_for_much_keep_nobody_waiting() -> None:
    measured = figures(12)
    check(measured, 12)
    assert measured["load_whoami_p99_ms"] < 3_000  # on however busy a machine the tests run


@pytest.mark.slow
def test_many_who_ask_for_much_keep_nobody_waiting() -> None:
    measured = figures(64)
    check(measured, 64)
    assert measured["load_whoami_p99_ms"] < 1_000
