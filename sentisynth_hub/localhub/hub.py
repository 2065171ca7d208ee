"""What one running Hub holds: its settings, its users, its repos, and the key it signs addresses with."""

import secrets
from pathlib import Path

from sentisynth_hub.localhub.accounts import Accounts
from sentisynth_hub.localhub.config import HubConfig
from sentisynth_hub.localhub.durable import write_file
from sentisynth_hub.localhub.lanes import Lanes
from sentisynth_hub.localhub.lfs import Reservations, Signer
from sentisynth_hub.localhub.private import make_private
from sentisynth_hub.localhub.repos import RepoStore


class Hub:
    """The parts of one server; made once, shared by all handlers."""

    def __init__(self, config: HubConfig):
        make_private(config.data)
        self.config = config
        self.lanes = Lanes()
        self.accounts = Accounts(config.data, config.tokens_file)
        self.repos = RepoStore(config.data)
        self.proposed = Reservations(config.max_proposed_bytes)
        self.secret = _secret(config.data / "secret")
        self.signer = Signer(self.secret, config.upload_seconds)


def _secret(path: Path) -> bytes:
    if not path.exists():
        write_file(path, secrets.token_bytes(32), mode=0o600)
    return path.read_bytes()
