"""What several benchmarks measure, and write, alike."""

import re
from pathlib import Path

from sentisynth_hub.verdict.evaluation_parts import Comparison


MB = 10**6


def peak_memory_mb(pid: int | str = "self") -> float:
    """The most memory a process ever held resident, in megabytes of 10**6 bytes, on Linux.

    `getrusage` would count what the process was forked from as well.
    """
    line = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text("utf-8"))
    assert line is not None
    return round(int(line[1]) * 1024 / MB, 1)


def points(effect: Comparison) -> str:
    """The difference in points with its interval."""
    text = f"{100 * effect.difference:+.1f}"
    if effect.interval is None:
        return text
    low, high = effect.interval
    return f"{text} [{100 * low:+.1f}, {100 * high:+.1f}]"
