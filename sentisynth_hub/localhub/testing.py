"""A pytest fixture: one embedded Hub on a free port with a temporary folder, for the whole session.

    # tests/conftest.py, before anything imports huggingface_hub, datasets or transformers
    from sentisynth_hub.localhub.testing import local_hub  # noqa: F401

    # any test
    from huggingface_hub import HfApi
    def test_push(local_hub):                 # a `HubState`: endpoint, token, data
        HfApi().create_repo("acme/model")     # HF_ENDPOINT, HF_TOKEN and the rest are set

The clients read `HF_ENDPOINT` when they are imported, so importing this module reserves a port and sets the
environment of this process (and of those it starts) at once; the server starts with the first test that asks for it.
"""

import atexit
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sentisynth_hub.localhub.accounts import owner_token
from sentisynth_hub.localhub.control import HubState, client_environment, running_hub


def _reserve() -> tuple[socket.socket, HubState]:
    """Hold a free port and point this process's clients to it."""
    if "huggingface_hub" in sys.modules:
        raise RuntimeError("sentisynth_hub.localhub.testing must be imported before huggingface_hub")
    holder = socket.socket()
    holder.bind(("127.0.0.1", 0))
    data = Path(tempfile.mkdtemp(prefix="localhub-")).resolve()
    atexit.register(shutil.rmtree, data, ignore_errors=True)
    atexit.register(holder.close)
    endpoint = f"http://127.0.0.1:{holder.getsockname()[1]}"
    planned = HubState(endpoint, owner_token(data), pid=0, data=data, read_only=False)
    os.environ.update(client_environment(planned))
    return holder, planned


_holder, _planned = _reserve()


@pytest.fixture(scope="session")
def local_hub() -> Iterator[HubState]:
    """The session's Hub, started on first use and stopped at the end."""
    port = _holder.getsockname()[1]
    _holder.close()
    with running_hub(_planned.data, port) as state:
        yield state
