"""Follow the data from `run` to the commit: which folder `run.py` and `pipeline.py` call into, one after the other.

    python benchmarks/walk.py

Runs a tiny recipe with a local writer through every stage and publishes it to an embedded Hub of its own, on a port of
its own. The last lines count the moves between folders, and how many go back up the line of folders.
"""

import os
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any


ROOT = Path(__file__).resolve().parents[1]
PACKAGE = f"{ROOT / 'sentisynth_hub'}{os.sep}"
BELOW = {"core", "localhub", "metrics", "pretrained"}  # what every stage uses on its way
DRIVERS = ("pipeline.py", "run.py")


def inside(frame: FrameType | None) -> str | None:
    """Path of the module in the package that the nearest frame belongs to; None where none does."""
    while frame is not None and not frame.f_code.co_filename.startswith(PACKAGE):
        frame = frame.f_back
    return None if frame is None else frame.f_code.co_filename[len(PACKAGE) :]


def walk(folder: Path) -> Iterator[str]:
    """Module and function of each call from a driver into another folder, repeats left out."""
    from sentisynth_hub import load_recipe, run_recipe
    from tests.support.tiny import tiny_recipe

    licences = {"encoder": "made here", "writer": "made here"}
    publish = {"dataset": "local/rows", "model": "local/model", "licence": "apache-2.0", "licence_reasons": licences}
    recipe = tiny_recipe(folder / "tiny", publish=publish)
    calls: list[str] = []

    def follow(frame: FrameType, event: str, _: Any) -> None:
        name = frame.f_code.co_filename or ""
        if event != "call" or not name.startswith(PACKAGE) or inside(frame.f_back) not in DRIVERS:
            return
        module = name[len(PACKAGE) :]
        if os.sep not in module or module.split(os.sep)[0] in BELOW or frame.f_code.co_name == "<module>":
            return
        call = f"{module}: {frame.f_code.co_name}"
        if not calls or calls[-1] != call:
            calls.append(call)

    sys.setprofile(follow)
    try:
        run_recipe(load_recipe(str(recipe)), hub="local", runs=folder / "runs")
    finally:
        sys.setprofile(None)
    yield from calls


def main() -> None:
    sys.path.insert(0, str(ROOT))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {
            "SENTISYNTH_HUB_HOME": f"{folder}/hub", "SENTISYNTH_HUB_PORT": str(port), "HF_HOME": f"{folder}/hf",
            "HF_ENDPOINT": f"http://127.0.0.1:{port}", "HF_HUB_DISABLE_XET": "1",
        }  # fmt: skip
        from tests.support.layers import LINE

        folders: list[str] = []
        for call in walk(Path(folder)):
            print(call)
            if not folders or folders[-1] != call.split(os.sep)[0]:
                folders.append(call.split(os.sep)[0])
        from sentisynth_hub.localhub.control import stop

        stop()
    back = sum(LINE.index(after) < LINE.index(before) for before, after in zip(folders, folders[1:], strict=False))
    print(" -> ".join(folders))
    print(f"{len(folders)} moves between folders, {back} of them back up the line")


if __name__ == "__main__":
    main()
