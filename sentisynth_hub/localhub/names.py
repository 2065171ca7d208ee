"""What a namespace, a repo, a branch and a file may be called. Everything else is refused before it reaches a disk.

The rules are those of `huggingface_hub.utils.validate_repo_id`, and for paths those git needs.
"""

import re
import unicodedata
from typing import Literal

from dulwich.refs import check_ref_format

from sentisynth_hub.localhub.problems import bad_request


RepoType = Literal["models", "datasets"]
REPO_TYPES: tuple[RepoType, ...] = ("models", "datasets")
WEB_PREFIX: dict[RepoType, str] = {"models": "", "datasets": "datasets/"}

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,95}")
_RESERVED = frozenset({"api", "datasets", "models", "spaces", "static", "login", "logout"})
_LONGEST_PATH = 1024  # characters
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # they turn what follows around
_JOINERS = ("\u200c", "\u200d")
_INVISIBLE = ("Cc", "Cf", "Cs", "Co", "Cn", "Zs", "Zl", "Zp")


def check_repo_name(namespace: str, name: str) -> None:
    """Raise 400 unless `namespace/name` is a name the Hub would take."""
    for part in (namespace, name):
        if not _is_name(part) or "--" in part or part[-1] in "-.":
            raise bad_request(f"Invalid repo name {part!r}: use letters, digits, '-', '_', '.', at most 96 characters")
    if namespace.lower() in _RESERVED:
        raise bad_request(f"Invalid namespace {namespace!r}: the name is reserved")


def is_repo_name(namespace: str, name: str) -> bool:
    """Whether `namespace/name` can be a repo at all; what cannot is simply not found."""
    return _is_name(namespace) and _is_name(name)


def check_path(path: str) -> str:
    """Return `path`, a file's path inside its repo; raise 400 when it could leave the repo or confuse git."""
    segments = path.split("/")
    if not path or len(path) > _LONGEST_PATH or any(segment in ("", ".", "..") for segment in segments):
        raise bad_request(f"Invalid path in repo: {path[:200]!r}")
    if any(segment.lower() == ".git" for segment in segments):
        raise bad_request(f"Invalid path in repo: {path[:200]!r} names a .git folder")
    if any(unicodedata.category(character) in ("Cc", "Cs") or character in _TURNING for character in path):
        raise bad_request(f"Invalid path in repo: {path[:200]!r} holds a control character")
    return path


def check_branch(name: str) -> str:
    """Return `name` if a branch or tag can be called so; raise 400 otherwise."""
    if name.startswith("refs/") or re.fullmatch(r"[0-9a-f]{40}", name):
        raise bad_request(f"Invalid reference name {name!r}")
    if not name or len(name) > 200 or name.startswith("-") or name in ("@", "HEAD") or _hides_something(name):
        raise bad_request(f"Invalid reference name {name[:200]!r}")
    if not check_ref_format(b"refs/heads/" + name.encode()):
        raise bad_request(f"Invalid reference name {name!r}")
    return name


def _hides_something(name: str) -> bool:
    """Whether a name holds what nobody sees: controls, other spaces, joiners anywhere but between Indic letters."""
    for before, letter in zip("a" + name, name, strict=False):
        if unicodedata.category(letter) in _INVISIBLE and (letter not in _JOINERS or before.isascii()):
            return True
    return False


def _is_name(part: str) -> bool:
    return bool(_NAME.fullmatch(part)) and ".." not in part and not part.lower().endswith(".git")
