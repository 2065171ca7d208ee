"""Where the embedded Hub keeps its data, on which port it listens, and what it accepts."""

import os
from dataclasses import dataclass
from pathlib import Path


DEFAULT_PORT = 8585
HOME_VARIABLE = "SENTISYNTH_HUB_HOME"
PORT_VARIABLE = "SENTISYNTH_HUB_PORT"
STATE_FILE = "server.json"
LOG_FILE = "server.log"
LOCK_FILE = "server.lock"  # held by the server for as long as it lives
READY = "ready"  # what a started server says to whoever started it

GIB = 1024**3


@dataclass(frozen=True)
class HubConfig:
    """One server's settings.

    Args:
        data: the folder that holds everything; one server at a time.
        host: the address to listen on; loopback unless asked.
        port: the port, 0 for a free one.
        read_only: refuse everything that would change a repo.
        tokens_file: further users, `{"<token>": {"name": "alice", "orgs": ["acme"], "role": "write" or "read"}}`.
        max_json_bytes: longest body of an ordinary API call.
        max_commit_bytes: longest commit body (its small files are inside, as base64).
        max_file_bytes: largest LFS file.
        multipart_bytes: LFS files over this size are sent in parts of this size.
        max_proposed_bytes: how much somebody who is no member of a repo may bring to it by pull requests, in all.
        upload_seconds: how long a signed upload address is good for.
    """

    data: Path
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    read_only: bool = False
    tokens_file: Path | None = None
    max_json_bytes: int = 8 * 1024**2
    max_commit_bytes: int = 2 * GIB
    max_file_bytes: int = 200 * GIB
    multipart_bytes: int = 1 * GIB
    max_proposed_bytes: int = 10 * GIB
    upload_seconds: int = 6 * 3600


def default_data_dir() -> Path:
    """`$SENTISYNTH_HUB_HOME`, or `~/.sentisynth/hub`."""
    folder = os.environ.get(HOME_VARIABLE)
    return Path(folder).expanduser().absolute() if folder else Path.home() / ".sentisynth" / "hub"


def default_port() -> int:
    """`$SENTISYNTH_HUB_PORT`, or 8585."""
    return int(os.environ.get(PORT_VARIABLE) or DEFAULT_PORT)
