"""A stage is complete when its manifest is there; two runs do not share a folder at the same time."""

import subprocess
import sys
from pathlib import Path

import pytest

from sentisynth_hub.core.errors import StageError
from sentisynth_hub.core.files import read_json, replaced, write_json
from sentisynth_hub.core.run_folder import locked, stage_folder


def test_a_stage_is_complete_once_its_manifest_is_there(tmp_path: Path) -> None:
    folder = stage_folder(tmp_path, "filter", version=1, recipe={"a": 1}, inputs={"generate": "x"})
    assert not folder.complete
    folder.finish({"kept": 3})
    again = stage_folder(tmp_path, "filter", version=1, recipe={"a": 1}, inputs={"generate": "x"})
    assert again.complete
    assert again.manifest()["kept"] == 3


@pytest.mark.parametrize("change", [{"version": 2}, {"recipe": {"a": 2}}, {"inputs": {"generate": "y"}}])
def test_anything_that_decides_the_result_names_another_folder(tmp_path: Path, change: dict[str, object]) -> None:
    key = {"version": 1, "recipe": {"a": 1}, "inputs": {"generate": "x"}}
    assert stage_folder(tmp_path, "f", **key).path != stage_folder(tmp_path, "f", **(key | change)).path  # type: ignore[arg-type]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"old": 1})

    def fail_half_way() -> None:
        with replaced(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert read_json(path) == {"old": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["a.json"]


def test_a_broken_manifest_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(StageError, match="delete the folder"):
        read_json(tmp_path / "manifest.json")


def test_a_second_run_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path\nfrom sentisynth_hub.core.run_folder import locked\n"
        f"with locked(Path({str(tmp_path)!r})): pass"
    )
    with locked(tmp_path):
        second = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert "is running this recipe here" in second.stderr
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
    with locked(tmp_path), locked(tmp_path):  # whoever holds it may ask again
        held = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "is running this recipe here" in held.stderr


def test_a_folder_that_is_open_to_everybody_is_closed_to_them(tmp_path: Path) -> None:
    """Its group may be a team; what the group and the owner may do stays."""
    for before, after in ((0o755, 0o750), (0o777, 0o770), (0o750, 0o750), (0o700, 0o700)):
        run = tmp_path / f"{before:o}"
        run.mkdir()
        run.chmod(before)
        with locked(run):
            assert run.stat().st_mode & 0o777 == after
