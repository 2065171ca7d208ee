"""Endpoints of large files: what to send, the bytes themselves, and the check afterwards.

The bytes arrive at a signed address without a token, so the address names repo, object, size and an expiry, and counts
as nothing else.
"""

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from sentisynth_hub.localhub.accounts import Account
from sentisynth_hub.localhub.http import WRITE_BYTES, Call, ok
from sentisynth_hub.localhub.lfs import LfsStore, Upload, check_oid, invalid_address
from sentisynth_hub.localhub.names import RepoType
from sentisynth_hub.localhub.problems import HubProblem, bad_request, not_allowed, too_large
from sentisynth_hub.localhub.repos import HubRepo


_MOST_OBJECTS = 1000
_LARGEST = 1 << 50


def batch(call: Call) -> Response:
    """Endpoint 18: for each object, where to send it, or nothing when this repo has it."""
    repo, account = call.repo_to_write(as_pull_request=True)
    body = call.json()
    objects = body.get("objects")
    if body.get("operation") != "upload":
        raise bad_request("Only the operation 'upload' is needed: files are downloaded from /resolve/")
    if not isinstance(objects, list) or len(objects) > _MOST_OBJECTS or not all(isinstance(o, dict) for o in objects):
        raise bad_request(f"objects must be a list of at most {_MOST_OBJECTS} objects")
    transfers = body.get("transfers")
    multipart = isinstance(transfers, list) and "multipart" in transfers
    announced = [_announced(call, item) for item in objects]
    target = _Target(repo, proposer_of(repo, account))
    missing = {oid: size for oid, size in announced if target.size(oid) != size}
    if target.proposer:
        target.store.sweep(call.hub.config.upload_seconds)
        call.hub.proposed.check(target.store, missing.values())
    answers = [_object(call, target, oid, size, multipart, oid in missing) for oid, size in announced]
    return ok({"transfer": "basic", "objects": answers})


async def put_object(call: Call) -> Response:
    """Endpoint 19: the bytes of one object."""
    target, oid, size = await run_in_threadpool(_signed, call, "object")
    async with _room(call, target, size):
        await _receive(call, await run_in_threadpool(target.store.receive, oid, size), size)
    return ok({})


async def put_part(call: Call) -> Response:
    """Endpoint 20, each part: its number and length belong to the signed address."""
    target, oid, _ = await run_in_threadpool(_signed, call, "part")
    number, length = call.number("part", 1, least=1), call.number("length", 0, most=_LARGEST)
    async with _room(call, target, length):
        digest = await _receive(call, await run_in_threadpool(target.store.receive_part, oid, number, length), length)
    return Response(headers={"ETag": f'"{digest}"'})


def complete(call: Call) -> Response:
    """Endpoint 20, the end: join the parts and check the whole."""
    target, oid, size = _signed(call, "complete")
    parts = call.json().get("parts")
    count = math.ceil(size / call.hub.config.multipart_bytes)
    if not isinstance(parts, list) or len(parts) != count:
        raise bad_request(f"{count} parts expected")
    target.store.join_parts(oid, size, count)
    return ok({})


def verify(call: Call) -> Response:
    """Endpoint 21: is the object stored, and as large as the client thinks."""
    repo, account = call.repo_to_write(as_pull_request=True)
    body = call.json()
    oid = check_oid(body.get("oid"))
    if _Target(repo, proposer_of(repo, account)).size(oid) != body.get("size"):
        raise HubProblem(404, f"LFS object {oid} is not stored in this repo")
    return ok({})


def proposer_of(repo: HubRepo, account: Account) -> str:
    """The caller's name if they are no member of the repo and can only propose; empty for members."""
    return "" if account.belongs_to(repo.namespace) else account.name


@dataclass(frozen=True)
class _Target:
    """Where an object goes: into the repo, or to what `proposer` brought for pull requests."""

    repo: HubRepo
    proposer: str

    @property
    def store(self) -> LfsStore:
        return self.repo.lfs.proposals_of(self.proposer) if self.proposer else self.repo.lfs

    def size(self, oid: str) -> int | None:
        size = self.repo.lfs.size(oid)
        return self.store.size(oid) if size is None else size


@asynccontextmanager
async def _room(call: Call, target: _Target, size: int) -> AsyncIterator[None]:
    """Room for an object that somebody proposes; raises 413 when they have none left. Members need none."""
    if not target.proposer:
        yield
        return
    await run_in_threadpool(call.hub.proposed.take, target.store, size)
    try:
        yield
    finally:
        call.hub.proposed.give_back(target.store, size)


def _announced(call: Call, item: dict[str, Any]) -> tuple[str, int]:
    oid, size = check_oid(item.get("oid")), item.get("size")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise bad_request(f"LFS object {oid}: a size in bytes expected")
    if size > call.hub.config.max_file_bytes:
        raise too_large(f"LFS object {oid}", call.hub.config.max_file_bytes)
    return oid, size


def _object(call: Call, target: _Target, oid: str, size: int, multipart: bool, missing: bool) -> dict[str, Any]:
    answer: dict[str, Any] = {"oid": oid, "size": size}
    if not missing:
        return answer
    part_bytes = call.hub.config.multipart_bytes
    if multipart and size > part_bytes:
        count = math.ceil(size / part_bytes)
        lengths = [part_bytes] * (count - 1) + [size - part_bytes * (count - 1)]
        header = {"chunk_size": str(part_bytes)}
        for number, length in enumerate(lengths, start=1):
            header[str(number)] = _address(call, target, "part", oid, size, number, length)
        upload = {"href": _address(call, target, "complete", oid, size), "header": header}
    else:
        upload = {"href": _address(call, target, "object", oid, size)}
    answer["actions"] = {"upload": upload, "verify": {"href": f"{call.repo_url(target.repo)}.git/info/lfs/verify"}}
    return answer


def _address(call: Call, target: _Target, kind: str, oid: str, size: int, part: int = 1, length: int = 0) -> str:
    repo = target.repo
    signature = call.hub.signer.sign(*_proof(target, kind, oid, str(size), str(part), str(length)))
    path = f"api/lfs/{kind}/{repo.type}/{quote(repo.id)}/{oid}"
    by = f"&by={target.proposer}" if target.proposer else ""
    return f"{call.endpoint}/{path}?size={size}&part={part}&length={length}{by}&{signature}"


def _signed(call: Call, kind: str) -> tuple[_Target, str, int]:
    """Where an object of what size goes by a signed address; raises 403 unless we signed it."""
    repo_type: RepoType = "datasets" if call.params["type"] == "datasets" else "models"
    repo = call.hub.repos.find(repo_type, call.params["ns"], call.params["name"])
    query, oid = call.query, call.params["oid"]
    if call.hub.config.read_only:
        raise not_allowed("This Hub is read-only")
    if repo is None:  # the same answer as for an address that is not ours, which tells nobody what there is
        raise invalid_address()
    target = _Target(repo, query.get("by", ""))
    proof = _proof(target, kind, oid, query.get("size", ""), query.get("part", ""), query.get("length", ""))
    call.hub.signer.check(query.get("expires", ""), query.get("signature", ""), *proof)
    return target, oid, int(query["size"])


def _proof(target: _Target, kind: str, oid: str, size: str, part: str, length: str) -> tuple[str, ...]:
    # The time the repo was made: an address for a deleted repo must not open one that got its name.
    repo = target.repo
    return (kind, repo.type, repo.id, str(repo.settings.created), target.proposer, oid, size, part, length)


async def _receive(call: Call, upload: Upload, size: int) -> str:
    """Take in the body: while one piece is hashed and written in a thread, the next one is received."""
    writing = asyncio.create_task(asyncio.sleep(0))
    try:
        waiting = bytearray()
        async for chunk in call.stream(size, "The upload"):
            waiting += chunk
            if len(waiting) >= WRITE_BYTES:
                await writing
                writing = asyncio.create_task(run_in_threadpool(upload.write, bytes(waiting)))
                waiting.clear()
        await writing
        await run_in_threadpool(upload.write, bytes(waiting))
        return await run_in_threadpool(upload.finish)
    finally:
        await asyncio.wait([writing])
        upload.discard()
