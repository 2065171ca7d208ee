"""Every test session has one embedded Hub, and a client cache of its own, wherever the tests are run.

The clients read `HF_ENDPOINT` when they are imported, so the environment is set here, before any test module is. With
`SENTISYNTH_CONTRACT_REMOTE=1` the Hub that `HF_ENDPOINT` and `HF_TOKEN` name is used instead (contract suite only).
"""

import os
import tempfile
from pathlib import Path

import pytest


os.environ["SENTISYNTH_CONFIG"] = tempfile.mkdtemp(prefix="sentisynth-config-")  # not the tester's own


@pytest.fixture(autouse=True)
def endpoint_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test's server refuses is remembered for that test alone: ports come again. Nor does a test find what
    the user, or another test, allowed.
    """
    monkeypatch.setenv("SENTISYNTH_CACHE", str(tmp_path / "sentisynth-cache"))
    monkeypatch.setenv("SENTISYNTH_CONFIG", str(tmp_path / "sentisynth-config"))


def pytest_configure(config: pytest.Config) -> None:
    """Let the one warning pass that the client itself raises: it hands LFS bytes to httpx2 as `data=`."""
    config.addinivalue_line("filterwarnings", "ignore:Use 'content=<...>' to upload raw bytes:DeprecationWarning")


if os.environ.get("SENTISYNTH_CONTRACT_REMOTE") == "1":
    from sentisynth_hub.localhub.control import HubState

    @pytest.fixture(scope="session")
    def local_hub(tmp_path_factory: pytest.TempPathFactory) -> HubState:
        """The remote Hub in place of the embedded one."""
        data: Path = tmp_path_factory.mktemp("no-server")
        return HubState(os.environ["HF_ENDPOINT"], os.environ["HF_TOKEN"], pid=0, data=data, read_only=False)
else:
    from sentisynth_hub.localhub.testing import local_hub  # noqa: F401
