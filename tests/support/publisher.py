"""Publishers in processes of their own, for races and kills.

A nursery imports everything once and forks a publisher a line it reads, so that a publisher starts in milliseconds
and a kill hits its publishing, not Python's start. It is started as `python -m
tests.support.publisher`.
"""

import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from sentisynth_hub.publish.commit import publish_dataset
from sentisynth_hub.publish.release import DatasetRelease
from tests.support.releases import release, synthetic


ROOT = Path(__file__).resolve().parents[2]
ROWS = 200


def corpus(name: str, number: int) -> list[str]:
    """Texts that say to whom and to which version they belong, so that a mix of two would be seen."""
    return [f"{name} version {number} row {row}" for row in range(ROWS)]


def made(folder: Path, name: str, number: int) -> DatasetRelease:
    """The release of one version of one publisher."""
    return release(folder, kept=synthetic(corpus(name, number)), rejected=[])


class Nursery:
    """A process that forks publishers; use as a context."""

    def __enter__(self) -> "Nursery":
        # What killed publishers leave lying about goes with this folder.
        self.folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "tests.support.publisher"],
            cwd=ROOT,
            env=os.environ | {"TMPDIR": self.folder.name},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.lines: queue.Queue[str] = queue.Queue()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(timeout=60)
        self.reader.join(timeout=60)
        self.process.stdout.close()
        self.folder.cleanup()

    def start(self, repo_id: str, name: str, first: int, last: int) -> int:
        """Let a new process publish versions `first` .. `last` - 1 of `name`; return its id once it is about to
        publish."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{repo_id} {name} {first} {last}\n")
        self.process.stdin.flush()
        others = []
        while (line := self.lines.get(timeout=120)).split()[1] != "ready":
            others.append(line)
        for other in others:
            self.lines.put(other)
        return int(line.split()[0])

    def wait(self, pid: int, seconds: float = 300) -> str | None:
        """The last line of a publisher: `end`, or what went wrong; None where it is still silent after `seconds`."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            try:
                line = self.lines.get(timeout=left)
            except queue.Empty:
                return None
            if line.startswith(f"{pid} "):
                return line.partition(" ")[2].strip()
        return None

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line)


def _say(*words: object) -> None:
    os.write(1, (" ".join(map(str, (os.getpid(), *words))) + "\n").encode())


def _publish(repo_id: str, name: str, first: int, last: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        releases = [made(Path(folder), name, number) for number in range(first, last)]
        _say("ready")
        for number, given in enumerate(releases, first):
            done = publish_dataset(given, repo_id)
            _say("published", number, done.version)
    _say("end")


def main() -> None:
    """Fork a publisher for every line of stdin."""
    import huggingface_hub.hf_api
    import pyarrow.parquet  # noqa: F401

    assert huggingface_hub.hf_api.HfApi
    made(Path(tempfile.mkdtemp()), "warm", 0)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # publishers are not waited for
    for line in sys.stdin:
        repo_id, name, first, last = line.split()
        if os.fork() == 0:
            try:
                _publish(repo_id, name, int(first), int(last))
            except Exception as error:
                _say("failed", repr(error).replace("\n", " "))
            os._exit(0)


if __name__ == "__main__":
    main()
