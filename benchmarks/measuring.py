"""What several benchmarks measure alike."""

import re
from pathlib import Path


MB = 10**6


def peak_memory_mb(pid: int | str = "self") -> float:
    """The most memory a process ever held resident, in megabytes of 10**6 bytes, on Linux.

    `getrusage` would count what the process was forked from as well.
    """
    line = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text("utf-8"))
    assert line is not None
    return round(int(line[1]) * 1024 / MB, 1)
