"""What the page shows of a data file: its first rows, and what its labels and lengths look like.

The file is whatever somebody uploaded, so `preview_reader` opens it as a process of its own under limits of time and
memory: if reading it crashes or takes too long, the page says so and the server goes on. It also keeps pyarrow out of
the server.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


SUFFIXES = (".parquet", ".jsonl", ".csv")
MEMORY_BYTES = 1024**3  # of address space
SECONDS = 20  # of processor time


@dataclass(frozen=True)
class Preview:
    """What the page shows of a split; `counted` rows went into the two histograms, which are (name, count) pairs.

    `all_columns` is how many columns the file has; `columns` are the first of them, and those of text and label.
    """

    columns: list[str]
    rows: list[list[str | None]]
    counted: int
    labels: list[tuple[str, int]]
    lengths: list[tuple[str, int]]
    all_columns: int = 0
    problem: str = ""


def preview_of(path: Path, suffix: str) -> Preview:
    """Read a data file in a process of its own."""
    command = [sys.executable, "-P", "-m", "sentisynth_hub.localhub.preview_reader", str(path), suffix]
    package = str(Path(__file__).resolve().parents[2])
    environment = {"PYTHONPATH": package, "PATH": os.environ.get("PATH", ""), "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=2 * SECONDS, check=False, env=environment
        )
    except subprocess.TimeoutExpired:
        return problem_of("reading the file took too long")
    if done.returncode != 0:
        lines = done.stderr.decode("utf-8", "replace").strip().split("\n")
        return problem_of(f"the file cannot be read: {lines[-1][:300] or 'it was too much'}")
    return Preview(**json.loads(done.stdout))


def problem_of(reason: str) -> Preview:
    """The preview of a file that cannot be shown."""
    return Preview([], [], 0, [], [], problem=reason)
