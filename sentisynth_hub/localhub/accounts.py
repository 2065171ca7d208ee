"""Who may do what: the owner, the users of a tokens file, and the tokens the server issued itself.

The owner's token is made on the first start and kept readable for its owner alone, because `hub env` must print it.
Issued tokens are kept as SHA-256 digests. Every comparison takes constant time and goes over all tokens.
"""

import hashlib
import hmac
import json
import os
import secrets
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from sentisynth_hub.core.errors import InputError
from sentisynth_hub.localhub.durable import exclusive, write_file, write_json
from sentisynth_hub.localhub.names import check_repo_name
from sentisynth_hub.localhub.private import make_private
from sentisynth_hub.localhub.problems import HubProblem


Role = Literal["read", "write"]
OWNER = "local"
EVERY_ORGANISATION = "*"
_OWNER_FILE = "owner-token"
_ISSUED_FILE = "tokens.json"
_LOCK_FILE = "tokens.lock"


@dataclass(frozen=True)
class Account:
    """A user as one of their tokens presents them; `orgs` may hold `*`, every organisation (the owner's)."""

    name: str
    orgs: tuple[str, ...] = ()
    role: Role = "write"

    def belongs_to(self, namespace: str) -> bool:
        """Whether this user's own namespace, or an organisation of theirs, is `namespace`."""
        return namespace == self.name or namespace in self.orgs or EVERY_ORGANISATION in self.orgs


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def owner_token(data: Path) -> str:
    """The owner's token, made on the first call."""
    path = data / _OWNER_FILE
    if not path.exists():
        with exclusive(data / _LOCK_FILE):
            if not path.exists():
                write_file(path, f"hub_{secrets.token_hex(20)}".encode(), mode=0o600)
    return path.read_text().strip()


def create_token(data: Path, name: str, orgs: tuple[str, ...] = (), role: Role = "write") -> str:
    """Issue a token for user `name`; it is shown once and stored as a digest. A running server sees it at once.

    Raises:
        InputError: a name the Hub would not take.
    """
    try:
        for namespace in (name, *orgs):
            check_repo_name(namespace, "x")
    except HubProblem as problem:
        raise InputError(f"hub token create: {problem.message}") from problem
    make_private(data)
    token = f"hub_{secrets.token_hex(20)}"
    path = data / _ISSUED_FILE
    with exclusive(data / _LOCK_FILE):  # tokens made at the same time must not replace each other
        issued = json.loads(path.read_text()) if path.exists() else {}
        issued[_digest(token)] = asdict(Account(name, orgs, role))
        write_json(path, issued, mode=0o600)
    return token


def read_tokens_file(path: Path) -> dict[str, Account]:
    """Read `{"<token>": {"name": ..., "orgs": [...], "role": "write" | "read"}}`, keyed by the tokens' digests.

    Raises:
        InputError: the file is missing or not of this form.
    """
    try:
        entries = json.loads(path.read_text())
        return {_digest(token): _account(entry) for token, entry in entries.items()}
    except (OSError, ValueError, AttributeError, KeyError, TypeError, HubProblem) as error:
        raise InputError(
            f"{path}: not a tokens file ({error}); write "
            '{"<token>": {"name": "alice", "orgs": [], "role": "write"}}'
        ) from error


def _account(entry: dict[str, object]) -> Account:
    name, orgs, role = entry["name"], entry.get("orgs", []), entry.get("role", "write")
    if not isinstance(name, str) or not isinstance(orgs, list) or role not in ("read", "write"):
        raise ValueError(f"wrong entry {entry!r}")
    for namespace in (name, *orgs):
        check_repo_name(str(namespace), "x")
    return Account(name, tuple(str(org) for org in orgs), "read" if role == "read" else "write")


class Accounts:
    """All tokens of one server."""

    def __init__(self, data: Path, tokens_file: Path | None = None):
        self._issued_path = data / _ISSUED_FILE
        self._lock = threading.Lock()
        self._fixed = {_digest(owner_token(data)): Account(OWNER, (EVERY_ORGANISATION,))}
        if tokens_file is not None:
            self._fixed |= read_tokens_file(tokens_file)
        self._issued: dict[str, Account] = {}
        self._issued_seen: tuple[int, ...] = ()

    def find(self, token: str) -> Account | None:
        """The account `token` belongs to, if any."""
        return self.find_digest(_digest(token))

    def find_digest(self, digest: str) -> Account | None:
        """The account of the token with this SHA-256 digest (hex), if any."""
        owner = None
        for stored, account in (self._fixed | self._current_issued()).items():
            if hmac.compare_digest(stored, digest):
                owner = account
        return owner

    def _current_issued(self) -> dict[str, Account]:
        try:
            stored = os.stat(self._issued_path)
        except FileNotFoundError:
            return {}
        version = (stored.st_ino, stored.st_size, stored.st_mtime_ns)
        with self._lock:
            if version != self._issued_seen:
                entries = json.loads(self._issued_path.read_text())
                self._issued = {digest: _account(entry) for digest, entry in entries.items()}
                self._issued_seen = version
            return self._issued
