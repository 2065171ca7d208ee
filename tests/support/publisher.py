"""Publishers, generators and savers of runs in processes of their own, for races and kills.

A nursery imports everything once and forks a worker a line it reads, so that a worker starts in milliseconds and a
kill hits its work, not Python's start. It is started as `python -m tests.support.publisher`.
"""

import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from sentisynth_hub.core.errors import InputError
from sentisynth_hub.core.run_folder import locked
from sentisynth_hub.generate import stage as generation
from sentisynth_hub.publish.commit import publish_dataset
from sentisynth_hub.publish.release import DatasetRelease
from sentisynth_hub.publish.run_backup import save_run
from sentisynth_hub.recipe import load_recipe
from tests.support.releases import release, synthetic
from tests.support.worlds import alone, samples, stage


ROOT = Path(__file__).resolve().parents[2]
ROWS = 200


def corpus(name: str, number: int) -> list[str]:
    """Texts that say to whom and to which version they belong, so that a mix of two would be seen."""
    return [f"{name} version {number} row {row}" for row in range(ROWS)]


def made(folder: Path, name: str, number: int) -> DatasetRelease:
    """The release of one version of one publisher."""
    return release(folder, kept=synthetic(corpus(name, number)), rejected=[])


class Nursery:
    """A process that forks workers; use as a context."""

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
        return self.work("publish", repo_id, name, first, last)

    def work(self, *words: object) -> int:
        """Let a new process do what a line says (see `_WORK`); return its id once it is about to."""
        assert self.process.stdin is not None
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
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


def _publish(repo_id: str, name: str, first: str, last: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        releases = [made(Path(folder), name, number) for number in range(int(first), int(last))]
        _say("ready")
        for number, given in enumerate(releases, int(first)):
            done = publish_dataset(given, repo_id)
            _say("published", number, done.version)
    _say("end")


def _generate(recipe_folder: str, runs: str) -> None:
    """Generate as the command does, with the folder's lock; wait while somebody holds it."""
    recipe = load_recipe(recipe_folder)
    _say("ready")
    while True:
        try:
            with locked(Path(runs)):
                generation.generate(recipe, samples(), stage(Path(runs), recipe), alone())
            return _say("end")
        except InputError:
            time.sleep(0.01)


def _save(runs: str, repo_id: str) -> None:
    """Save the run folder again and again, whenever nobody holds it."""
    _say("ready")
    while True:
        try:
            save_run(Path(runs), repo_id)
        except InputError:
            time.sleep(0.005)


_WORK: dict[str, Callable[..., None]] = {"publish": _publish, "generate": _generate, "save": _save}


def main() -> None:
    """Fork a worker for every line of stdin."""
    import huggingface_hub.hf_api
    import pyarrow.parquet  # noqa: F401

    assert huggingface_hub.hf_api.HfApi
    made(Path(tempfile.mkdtemp()), "warm", 0)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # workers are not waited for
    for line in sys.stdin:
        kind, *words = line.split()
        if os.fork() == 0:
            try:
                _WORK[kind](*words)
            except Exception as error:
                _say("failed", repr(error).replace("\n", " "))
            os._exit(0)


if __name__ == "__main__":
    main()
