"""Cheap requests that would freeze the Hub for everybody, and large files of strangers: refused, or their own cost."""

import hashlib
import json
import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from sentisynth_hub.localhub.accounts import create_token
from sentisynth_hub.localhub.control import HubState, running_hub
from tests.support.raw_client import RawClient, file_line, lfs_line


MIB = 1024**2


def folder_of(hub: HubState, repo: str) -> Path:
    return hub.data / "repos" / f"{repo}.git"


@pytest.mark.parametrize("pattern", ["*a" * 9 + "b", "*a" * 60 + "b", "(a+)+$", "[a-z]*" * 30 + "1", "**/" * 10 + "b"])
def test_no_pattern_of_a_caller_stops_the_others(owner: RawClient, pattern: str) -> None:
    begun = time.monotonic()
    body = {"gitIgnore": "\n".join([pattern] * 100), "files": [{"path": "a" * 60, "size": 1}] * 100}
    assert owner.send("POST", "/api/models/acme/public/preupload/main", body).status == 200
    attributes = "\n".join(f"{pattern} filter=lfs" for _ in range(100)).encode()
    assert owner.commit("models/acme/public", file_line(".gitattributes", attributes)).status == 200
    assert owner.send("POST", "/api/models/acme/public/preupload/main", body | {"gitIgnore": ""}).status == 200
    assert time.monotonic() - begun < 10


def test_too_many_patterns_for_too_many_files_are_refused(owner: RawClient) -> None:
    body = {"gitIgnore": "*a*\n" * 100_000, "files": [{"path": "a/" * 100 + str(n), "size": 1} for n in range(256)]}
    answer = owner.send("POST", "/api/models/acme/public/preupload/main", body)
    assert answer.status == 400
    assert "patterns" in answer.json()["error"]


@pytest.mark.parametrize(
    "content",
    [
        "---\n[" + "[]," * 60_000 + "]\n---\n",
        "---\n" + "a: &a [x]\n" * 5000 + "---\n",
        "---\n" + "- " * 100_000 + "\n---\n",
    ]
    + ["---\n" + "".join(f"k{n}: {{a: [b]}}\n" for n in range(12_000)) + "---\n", "---\n" * 500_000],
)
def test_no_yaml_takes_long(owner: RawClient, content: str) -> None:
    begun = time.monotonic()
    assert owner.send("POST", "/api/validate-yaml", {"content": content}).status in (200, 400)
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/json"])
def test_a_web_page_of_another_site_can_ask_nothing_of_us(nobody: RawClient, kind: str) -> None:
    sent = {"Origin": "https://evil.example", "Content_Type": kind}
    for path in ("/api/validate-yaml", "/api/models/acme/public/paths-info/main", "/login", "/logout"):
        assert nobody.send("POST", path, {"content": "a"}, **sent).status == 403, path
        assert nobody.send("POST", path, {"content": "a"}, **sent | {"Origin": "http://127.0.0.1:1"}).status == 403
    assert nobody.send("POST", "/api/validate-yaml", {"content": "a"}, Origin="null").status == 403


def test_a_stranger_has_short_cards_checked_as_json_only(nobody: RawClient, owner: RawClient) -> None:
    """The client checks a card without a token, so a short one is everybody's."""
    card = {"content": "---\nlicense: mit\n---\n"}
    assert nobody.send("POST", "/api/validate-yaml", card, Content_Type="application/json").status == 200
    assert nobody.send("POST", "/api/validate-yaml", card, Content_Type="text/plain").status == 401
    long = {"content": "---\na: b\n---\n" + "x" * 100_000}
    assert nobody.send("POST", "/api/validate-yaml", long, Content_Type="application/json").status == 401
    assert owner.send("POST", "/api/validate-yaml", long, Content_Type="application/json").status == 200


@pytest.mark.parametrize(
    "body", [b'{"a": [' + b"[]," * 2_600_000 + b"[]]}", b"[" * 8_000_000, b'{"a":' + b"1," * 4_000_000]
)
def test_a_body_of_many_values_is_refused_unread(owner: RawClient, body: bytes) -> None:
    begun = time.monotonic()
    assert owner.send("POST", "/api/repos/create", body).status == 400
    assert time.monotonic() - begun < 5


def test_a_form_of_many_fields_is_refused(owner: RawClient) -> None:
    answer = owner.send("POST", "/api/models/acme/public/paths-info/main", b"a=b&" * 1_000_000)
    assert answer.status == 400


def test_previews_wait_in_a_short_line_and_the_rest_of_the_hub_does_not(owner: RawClient, nobody: RawClient) -> None:
    lines = [file_line(f"f{n}.jsonl", f'{{"text": "{n}"}}\n'.encode() * 3000) for n in range(40)]
    configs = [{"config_name": f"c{n}", "data_files": f"f{n}.jsonl"} for n in range(40)]
    card = f"---\n{json.dumps({'configs': configs})}\n---\n".encode()
    assert owner.commit("datasets/acme/data", file_line("README.md", card), *lines).status == 200
    with ThreadPoolExecutor(40) as threads:
        pages = [threads.submit(nobody.send, "GET", f"/datasets/acme/data/viewer?config=c{n}") for n in range(40)]
        waits = []
        while not all(page.done() for page in pages):
            begun = time.monotonic()
            assert owner.send("GET", "/api/whoami-v2").status == 200
            waits.append(time.monotonic() - begun)
        answers = [page.result() for page in pages]
    assert {answer.status for answer in answers} == {200, 503}
    assert all(answer.headers["retry-after"] for answer in answers if answer.status == 503)
    assert max(waits) < 3  # it waited for all previews once, half a minute of them
    place = next(n for n, answer in enumerate(answers) if answer.status == 200)
    assert b"3,000 rows counted" in nobody.send("GET", f"/datasets/acme/data/viewer?config=c{place}").body


def test_readers_that_stand_still_keep_nobody_from_downloading(hub: HubState, owner: RawClient) -> None:
    content = os.urandom(20 * MIB)
    owner.create("acme/large")
    owner.upload("models/acme/large", content)
    small = os.urandom(12 * MIB)
    owner.commit("models/acme/large", lfs_line("w.bin", content), file_line("w.txt", small))
    address = urlsplit(hub.endpoint)
    connections = []
    try:
        for number in range(80):
            connection = socket.create_connection((address.hostname or "", address.port or 0))
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            name = "w.txt" if number % 8 == 0 else "w.bin"
            connection.sendall(
                f"GET /acme/large/resolve/main/{name} HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n".encode()
            )
            connections.append(connection)
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += connection.recv(1)
        begun = time.monotonic()
        assert owner.send("GET", "/acme/large/resolve/main/w.bin").body == content
        assert owner.send("GET", "/acme/large/resolve/main/w.txt").body == small
        assert time.monotonic() - begun < 10  # the 65th waited for a minute
        received = bytearray()
        while len(received) < len(content):  # one that stood still goes on and gets it all
            piece = connections[1].recv(MIB)
            assert piece
            received += piece
        assert received == content
    finally:
        for connection in connections:
            connection.close()


def test_a_stranger_s_large_files_are_theirs_until_a_pull_request_holds_them(
    hub: HubState, mallory: RawClient, owner: RawClient
) -> None:
    content = b"\0proposed" * 1000
    assert mallory.upload("models/acme/public", content).status == 200
    objects = folder_of(hub, "models/acme/public") / "lfs" / "objects"
    oid = hashlib.sha256(content).hexdigest()
    assert not list(objects.rglob(oid))
    assert owner.commit("models/acme/public", lfs_line("w.bin", content)).status == 400  # it is not the repo's
    body = [{"key": "header", "value": {"summary": "mine"}}, lfs_line("w.bin", content)]
    answer = mallory.send(
        "POST",
        "/api/models/acme/public/commit/main?create_pr=1",
        "\n".join(json.dumps(line) for line in body).encode(),
    )
    assert answer.status == 200
    number = answer.json()["pullRequestUrl"].rpartition("/")[2]
    assert owner.send("GET", f"/acme/public/resolve/refs%2Fpr%2F{number}/w.bin").body == content
    assert owner.send("POST", f"/api/models/acme/public/discussions/{number}/merge", {}).status == 200
    assert owner.send("GET", "/acme/public/resolve/main/w.bin").body == content


def test_a_stranger_brings_so_much_and_no_more(hub: HubState) -> None:
    greedy = RawClient(hub.endpoint, create_token(hub.data, "greedy"))
    other = RawClient(hub.endpoint, create_token(hub.data, "modest"))
    for number in range(8):  # each counts as a mebibyte
        assert greedy.upload("models/acme/public", b"\0" + str(number).encode() * 10).status == 200
    assert greedy.upload("models/acme/public", b"\0more").status == 413
    assert greedy.batch("models/acme/public", "0" * 64, 9 * MIB).status == 413
    assert other.upload("models/acme/public", b"\0other").status == 200


def test_addresses_asked_for_at_once_share_the_limit(hub: HubState) -> None:
    quick = RawClient(hub.endpoint, create_token(hub.data, "quick"))
    contents = [b"\0" + bytes([number]) * 3 * MIB for number in range(4)]
    hrefs = []
    for content in contents:
        answer = quick.batch("models/acme/public", hashlib.sha256(content).hexdigest(), len(content))
        hrefs.append(answer.json()["objects"][0]["actions"]["upload"]["href"])
    with ThreadPoolExecutor(4) as threads:
        statuses = sorted(answer.status for answer in threads.map(quick.put, hrefs, contents))
    assert statuses.count(200) == 2
    assert set(statuses) == {200, 413}
    assert quick.put(hrefs[0].replace("by=quick", "by=other"), contents[0]).status == 403
    assert quick.put(hrefs[0].replace("&by=quick", ""), contents[0]).status == 403


def test_what_was_proposed_and_not_used_is_swept(tmp_path: Path) -> None:
    with running_hub(tmp_path) as state:
        RawClient(state.endpoint, state.token).create("acme/m")
        visitor = RawClient(state.endpoint, create_token(tmp_path, "visitor"))
        assert visitor.upload("models/acme/m", b"\0left").status == 200
        assert visitor.upload("models/acme/m", b"\0young").status == 200
        left, young = (hashlib.sha256(content).hexdigest() for content in (b"\0left", b"\0young"))
        os.utime(next(tmp_path.rglob(left)), (0, 0))
    with running_hub(tmp_path):
        assert not list(tmp_path.rglob(left))
        assert list(tmp_path.rglob(young))


def test_an_upload_address_does_not_tell_what_there_is(nobody: RawClient, mallory: RawClient) -> None:
    oid = "0" * 64
    query = f"?size=1&part=1&length=0&expires={int(time.time()) + 100}&signature={'0' * 64}"
    for method, kind in (("PUT", "object"), ("PUT", "part"), ("POST", "complete")):
        for suffix in ("", query, "?expires=x", query + "&by=mallory"):
            answers = [
                client.send(method, f"/api/lfs/{kind}/models/{repo}/{oid}{suffix}", b"{}")
                for repo in ("acme/private", "acme/nothing", "acme/public")
                for client in (nobody, mallory)
            ]
            assert {(answer.status, answer.body) for answer in answers} == {(403, answers[0].body)}
