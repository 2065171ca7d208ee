"""Large files: pointers, checked uploads, signed addresses."""

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentisynth_hub.localhub.lfs import LfsStore, Pointer, Signer, check_oid
from sentisynth_hub.localhub.problems import HubProblem


CONTENT = b"\0large" * 1000
OID = hashlib.sha256(CONTENT).hexdigest()


@given(st.binary(min_size=32, max_size=32), st.integers(0, 2**50))
def test_a_pointer_is_read_as_it_was_written(digest: bytes, size: int) -> None:
    pointer = Pointer(digest.hex(), size)
    assert Pointer.parse(pointer.encode()) == pointer


@given(st.binary())
def test_other_content_is_no_pointer(content: bytes) -> None:
    assert Pointer.parse(content) is None


def test_an_object_has_its_name_only_when_it_is_whole(tmp_path: Path) -> None:
    store = LfsStore(tmp_path)
    upload = store.receive(OID, len(CONTENT))
    upload.write(CONTENT[:100])
    assert store.size(OID) is None
    upload.write(CONTENT[100:])
    assert upload.finish() == OID
    upload.discard()
    assert store.path(OID).read_bytes() == CONTENT
    assert list(store.objects()) == [(OID, len(CONTENT))]


@pytest.mark.parametrize("sent", [CONTENT[:-1], CONTENT + b"x", b"\0other" * 1000])
def test_what_is_not_as_announced_is_refused(tmp_path: Path, sent: bytes) -> None:
    store = LfsStore(tmp_path)
    upload = store.receive(OID, len(CONTENT))

    def send() -> None:
        upload.write(sent)
        upload.finish()

    with pytest.raises(HubProblem):
        send()
    upload.discard()
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_parts_are_joined_and_checked(tmp_path: Path) -> None:
    store = LfsStore(tmp_path)
    for number, content in ((1, CONTENT[:4000]), (2, CONTENT[4000:])):
        part = store.receive_part(OID, number, len(content))
        part.write(content)
        part.finish()
    with pytest.raises(HubProblem, match="Part 3 of 3"):
        store.join_parts(OID, len(CONTENT), 3)
    store.join_parts(OID, len(CONTENT), 2)
    assert store.path(OID).read_bytes() == CONTENT
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [store.path(OID)]


@pytest.mark.parametrize("oid", [None, 5, "", "../../etc/passwd", "0" * 63, "G" * 64, "0" * 64 + "\n", OID.upper()])
def test_an_oid_is_64_lower_case_digits(oid: object) -> None:
    with pytest.raises(HubProblem):
        check_oid(oid)


def test_a_signature_holds_for_what_was_signed_and_for_its_time() -> None:
    query = dict(pair.split("=") for pair in Signer(b"key", 60).sign("put", "repo", "oid").split("&"))
    Signer(b"key", 60).check(query["expires"], query["signature"], "put", "repo", "oid")
    old = dict(pair.split("=") for pair in Signer(b"key", -1).sign("put", "repo", "oid").split("&"))
    for key, expires, signature, parts in (
        (b"other", query["expires"], query["signature"], ("put", "repo", "oid")),
        (b"key", query["expires"], query["signature"], ("put", "repo", "other")),
        (b"key", query["expires"], query["signature"], ("put", "repo\0oid")),
        (b"key", query["expires"] + "0", query["signature"], ("put", "repo", "oid")),
        (b"key", old["expires"], old["signature"], ("put", "repo", "oid")),
        (b"key", "", "", ("put", "repo", "oid")),
    ):
        with pytest.raises(HubProblem):
            Signer(key, 60).check(expires, signature, *parts)
