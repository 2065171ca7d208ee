"""`recipes/run.py` is a script that `uv run` and `hf jobs uv run` take as it is."""

import re
import tomllib
from pathlib import Path

from huggingface_hub.cli._uv_script_header import parse_uv_script_header


ROOT = Path(__file__).resolve().parents[3]
SCRIPT = (ROOT / "recipes" / "run.py").read_text("utf-8")


def test_the_client_reads_what_the_job_needs() -> None:
    header = parse_uv_script_header(SCRIPT)
    assert header is not None
    assert (header.flavor, header.timeout, header.secrets) == ("cpu-upgrade", "6h", ["HF_TOKEN"])


def test_what_it_installs_is_this_package_with_an_extra_there_is() -> None:
    block = re.search(r"^# /// script\n(.*?)^# ///$", SCRIPT, re.MULTILINE | re.DOTALL)
    assert block is not None
    header = tomllib.loads("\n".join(line.removeprefix("#").removeprefix(" ") for line in block[1].splitlines()))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    (needed,) = header["dependencies"]
    name, _, extra = needed.removesuffix("]").partition("[")
    assert name == project["name"]
    assert extra in project["optional-dependencies"]
    assert header["requires-python"] == project["requires-python"]
