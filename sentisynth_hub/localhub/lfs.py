"""Large files: content by SHA-256 under `lfs/objects/` of their repo (where git-lfs keeps them), pointers in git.

The store belongs to one repo on purpose: a digest that someone knows or guesses opens nothing in another repo, because
a pointer only stands for content stored for that same repo.
"""

import hashlib
import hmac
import json
import os
import re
import secrets
import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sentisynth_hub.localhub.durable import TEMPORARY, fsync_all
from sentisynth_hub.localhub.problems import HubProblem, bad_request, too_large


_OID = re.compile(r"[0-9a-f]{64}")
_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\noid sha256:([0-9a-f]{64})\nsize ([0-9]{1,18})\n"
)
LONGEST_POINTER = 200  # bytes
_LEAST_COUNTED = 1024**2  # bytes a proposed object counts for at least: files cost more than their bytes


@dataclass(frozen=True)
class Pointer:
    """What git holds in place of a large file."""

    oid: str
    size: int

    def encode(self) -> bytes:
        """The pointer file."""
        return f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.oid}\nsize {self.size}\n".encode()

    @staticmethod
    def parse(content: bytes) -> "Pointer | None":
        """Read a pointer file; None where `content` is anything else."""
        match = _POINTER.fullmatch(content)
        return Pointer(match[1].decode(), int(match[2])) if match else None


def check_oid(oid: object) -> str:
    """Return `oid` if it is a SHA-256 in lower-case hex; raise 400 otherwise."""
    if not isinstance(oid, str) or not _OID.fullmatch(oid):
        raise bad_request(f"Invalid LFS oid {str(oid)[:80]!r}: 64 hexadecimal digits expected")
    return oid


def invalid_address() -> HubProblem:
    """403: an upload address that is not ours, too old, or for a repo that is not there: one answer for all."""
    return HubProblem(403, "This upload address is not valid or has expired; ask for a new one")


class LfsStore:
    """The large files of one repo."""

    def __init__(self, folder: Path):
        self.folder = folder

    def path(self, oid: str) -> Path:
        """Where the object is, or would be."""
        return self.folder / oid[:2] / oid[2:4] / oid

    def size(self, oid: str) -> int | None:
        """The object's size in bytes; None when it is not stored here."""
        try:
            return self.path(oid).stat().st_size
        except FileNotFoundError:
            return None

    def receive(self, oid: str, size: int) -> "Upload":
        """Begin to take in an object of `size` bytes."""
        return Upload(self.path(oid), size, oid)

    def receive_part(self, oid: str, number: int, length: int) -> "Upload":
        """Begin to take in part `number` (from 1) of an object; it waits beside the objects until all are there."""
        return Upload(self._part(oid, number), length)

    def join_parts(self, oid: str, size: int, count: int) -> None:
        """Make one object of `count` uploaded parts; raises 400 when they are not the announced content."""
        upload = self.receive(oid, size)
        try:
            for number in range(1, count + 1):
                with self._part(oid, number).open("rb") as part:
                    while chunk := part.read(1 << 20):
                        upload.write(chunk)
            upload.finish()
        except FileNotFoundError as error:
            raise bad_request(f"Part {Path(str(error.filename)).name} of {count} was not uploaded") from error
        finally:
            upload.discard()
        shutil.rmtree(self._part(oid, 1).parent)

    def drop_parts(self) -> None:
        """Forget uploads in parts that were not completed."""
        shutil.rmtree(self.folder / "parts", ignore_errors=True)

    def proposals_of(self, user: str) -> "LfsStore":
        """What a user who is no member brought for pull requests; it becomes the repo's when one of them holds it."""
        return LfsStore(self.folder.parent / "proposals" / user)

    def proposals(self) -> "list[LfsStore]":
        """What all of them brought."""
        folder = self.folder.parent / "proposals"
        return [LfsStore(user) for user in folder.iterdir()] if folder.is_dir() else []

    def adopt(self, oid: str, proposals: "LfsStore") -> None:
        """Make a proposed object one of ours; it stays among the proposals as a second name and counts there."""
        target = self.path(oid)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(proposals.path(oid), target)
        except FileExistsError:
            return
        except OSError:  # a file system without second names
            os.replace(proposals.path(oid), target)
        fsync_all(target.parents[:3])

    def used_bytes(self) -> int:
        """What lies here in all, parts included and half-written files not; a small one counts as a mebibyte."""
        whole = (path for path in _files(self.folder) if not path.name.startswith(TEMPORARY))
        return sum(max(path.stat().st_size, _LEAST_COUNTED) for path in whole)

    def sweep(self, seconds: float) -> None:
        """Remove what was proposed longer ago than that and came into no pull request."""
        for path in _files(self.folder):
            stored = path.stat()
            if stored.st_nlink == 1 and stored.st_mtime < time.time() - seconds:
                path.unlink(missing_ok=True)

    def objects(self) -> Iterator[tuple[str, int]]:
        """Every stored object with its size."""
        for path in self.folder.glob("??/??/*"):
            if _OID.fullmatch(path.name):
                yield path.name, path.stat().st_size

    def _part(self, oid: str, number: int) -> Path:
        return self.folder / "parts" / oid / str(number)


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


class Upload:
    """An object, or a part of one, on its way in: written to a temporary name, checked, made durable, then named.

    Args:
        target: the name it gets.
        size: how many bytes were announced.
        oid: the SHA-256 that was announced; None for a part, which is checked with the whole.
    """

    def __init__(self, target: Path, size: int, oid: str | None = None):
        target.parent.mkdir(parents=True, exist_ok=True)
        self._target, self._size, self._oid = target, size, oid
        self._temporary = target.with_name(f"{TEMPORARY}{secrets.token_hex(8)}")
        self._file = self._temporary.open("xb")
        self._digest = hashlib.sha256()
        self.received = 0

    def write(self, chunk: bytes) -> None:
        """Take the next bytes; raises 400 once there are more than announced."""
        self.received += len(chunk)
        if self.received > self._size:
            raise bad_request(f"{self._target.name}: more than the {self._size} bytes announced")
        self._digest.update(chunk)
        self._file.write(chunk)

    def finish(self) -> str:
        """Store it and return its SHA-256; raises 400 when size or SHA-256 is not what was announced."""
        digest = self._digest.hexdigest()
        if self.received != self._size:
            raise bad_request(f"{self._target.name}: got {self.received} bytes, {self._size} were announced")
        if self._oid is not None and not hmac.compare_digest(digest, self._oid):
            raise bad_request(f"{self._target.name}: the bytes sent have sha256 {digest}")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        os.replace(self._temporary, self._target)
        fsync_all(self._target.parents[:3])
        return digest

    def discard(self) -> None:
        """Remove what was half-written; nothing happens after `finish`."""
        try:
            self._file.close()  # which writes, and so may fail
        finally:
            self._temporary.unlink(missing_ok=True)


class Reservations:
    """What is being brought by people who are no members, and the limit for each of them in each repo."""

    def __init__(self, limit: int):
        self._limit = limit
        self._held: Counter[Path] = Counter()
        self._lock = threading.Lock()

    def check(self, store: LfsStore, sizes: Iterable[int]) -> None:
        """Raise 413 unless there is room for objects of these sizes."""
        self._refuse_beyond(store.used_bytes() + sum(max(size, _LEAST_COUNTED) for size in sizes))

    def take(self, store: LfsStore, size: int) -> None:
        """Keep room for one object until it has come in; raises 413 when there is none."""
        with self._lock:
            self._refuse_beyond(store.used_bytes() + self._held[store.folder] + max(size, _LEAST_COUNTED))
            self._held[store.folder] += max(size, _LEAST_COUNTED)

    def give_back(self, store: LfsStore, size: int) -> None:
        """The object is here, or will not come."""
        with self._lock:
            self._held[store.folder] -= max(size, _LEAST_COUNTED)
            self._held += Counter()  # drops what has come to nothing

    def _refuse_beyond(self, count: int) -> None:
        if count > self._limit:
            raise too_large("All that you propose to this repo, of which you are no member,", self._limit)


class Signer:
    """Makes and checks upload addresses: the client sends no token with the bytes, so the address is the proof."""

    def __init__(self, secret: bytes, seconds: int):
        self._secret, self._seconds = secret, seconds

    def sign(self, *parts: str) -> str:
        """A query string `expires=...&signature=...` over `parts`."""
        expires = str(int(time.time()) + self._seconds)
        return f"expires={expires}&signature={self._mac(expires, *parts)}"

    def check(self, expires: str, signature: str, *parts: str) -> None:
        """Raise 403 unless `signature` is ours for `parts` and not over time."""
        genuine = hmac.compare_digest(self._mac(expires, *parts).encode(), signature.encode())
        if not genuine or not expires.isdecimal() or int(expires) < time.time():
            raise invalid_address()

    def _mac(self, *parts: str) -> str:
        return hmac.new(self._secret, json.dumps(parts).encode(), hashlib.sha256).hexdigest()
