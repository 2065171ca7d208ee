"""What one member of a team, or anybody who reaches the Hub, could do to all the others: it stays theirs alone."""

import contextlib
import hashlib
import json
import os
import resource
import shutil
import socket
import stat
import subprocess
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from sentisynth_hub.core.errors import InputError
from sentisynth_hub.localhub.accounts import create_token
from sentisynth_hub.localhub.control import HubState, running_hub
from tests.support.raw_client import RawClient, file_line, hidden_field, lfs_line


MIB = 1024**2


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubState]:
    with running_hub(tmp_path_factory.mktemp("team"), options={"max_proposed_bytes": 8 * MIB}) as state:
        owner = RawClient(state.endpoint, state.token)
        owner.create("acme/public")
        owner.create("acme/private", private=True)
        owner.create("acme/data", dataset=True)
        yield state


@pytest.fixture
def owner(hub: HubState) -> RawClient:
    return RawClient(hub.endpoint, hub.token)


@pytest.fixture(scope="module")
def mallory(hub: HubState) -> RawClient:
    return RawClient(hub.endpoint, create_token(hub.data, "mallory"))


@pytest.fixture
def nobody(hub: HubState) -> RawClient:
    return RawClient(hub.endpoint, None)


def folder_of(hub: HubState, repo: str) -> Path:
    return hub.data / "repos" / f"{repo}.git"


# Cards and repos that cannot be read.


@pytest.mark.parametrize(
    "front_matter",
    [
        "a: !!bool x",
        "a: !!timestamp x",
        "a: !!int ''",
        "a: !!float ''",
        'a: "\\ud800"',
        "? [a]\n: b",
        "a: !!set {b}",
        "!!python/name:os.system",
        "[" * 2000,
        "a: &a [*a]",
        "a: 1e999",
        "a: " + "9" * 5000,
        "model-index: [{name: m, results: 5}]",
        "model-index: [{name: m, results: [{metrics: 5}]}]",
        "model-index: 5",
        "tags: {a: b}",
        "configs: [{config_name: x, data_files: 5}]",
        "library_name: [a]\npipeline_tag: {b: c}",
    ],
)
def test_no_card_harms_another_repo(mallory: RawClient, nobody: RawClient, front_matter: str) -> None:
    mallory.create("mallory/card")
    card = f"---\n{front_matter}\n---\n# card\n".encode()
    assert mallory.commit("models/mallory/card", file_line("README.md", card)).status == 200
    try:
        listed = nobody.send("GET", "/api/models")
        assert listed.status == 200
        assert {"acme/public", "mallory/card"} <= {item["id"] for item in listed.json()}
        for path in ("/", "/mallory/card", "/api/models/mallory/card", "/api/models?full=true&expand=evalResults"):
            assert nobody.send("GET", path).status == 200, path
        answer = mallory.send("POST", "/api/validate-yaml", {"content": card.decode(), "repoType": "model"})
        assert answer.status in (200, 400)
        assert "\n" not in "".join(item["message"] for item in answer.json()["errors"])
    finally:
        mallory.send("DELETE", "/api/repos/delete", {"name": "card", "organization": "mallory"})


@pytest.mark.parametrize(
    "files",
    [
        {"config.json": b'{"architectures": ["\\ud800"], "model_type": "\\udfff"}'},
        {".eval_results/a.yaml": b"5"},
        {".eval_results/a.yaml": b"- !!bool x"},
        {".eval_results/a.yaml": b"- a: .nan"},
        {"README.md": b"\xff\xfe\x00"},
        {"config.json": b"[" * 100_000},
    ],
)
def test_no_file_harms_a_list(mallory: RawClient, nobody: RawClient, files: dict[str, bytes]) -> None:
    mallory.create("mallory/files")
    try:
        lines = [file_line(path, content) for path, content in files.items()]
        assert mallory.commit("models/mallory/files", *lines).status == 200
        for path in ("/api/models", "/api/models?full=true", "/api/models?expand=evalResults", "/mallory/files", "/"):
            assert nobody.send("GET", path).status == 200, path
    finally:
        mallory.send("DELETE", "/api/repos/delete", {"name": "files", "organization": "mallory"})


def damage_settings(folder: Path) -> None:
    (folder / "hub.json").write_bytes(b'{"private": fal')


def damage_settings_type(folder: Path) -> None:
    (folder / "hub.json").write_text('{"private": "no", "gated": 5, "created": [], "granted": null}')


def lose_settings(folder: Path) -> None:
    (folder / "hub.json").unlink()


def lose_objects(folder: Path) -> None:
    shutil.rmtree(folder / "objects")


def cut_objects(folder: Path) -> None:
    for path in folder.glob("objects/??/*"):
        path.chmod(0o644)
        path.write_bytes(b"")


def exchange_objects(folder: Path) -> None:
    for path in folder.glob("objects/??/*"):
        path.chmod(0o644)
        path.write_bytes(zlib.compress(b"tree 3\0abc"))


def lose_branch(folder: Path) -> None:
    shutil.rmtree(folder / "refs")


def damage_head(folder: Path) -> None:
    (folder / "HEAD").write_bytes(b"\xff\xfe")
    (folder / "refs" / "heads" / "main").write_bytes(b"zzz\n")


def damage_discussions(folder: Path) -> None:
    (folder / "discussions.json").write_text('[{"num": 1}]')


DAMAGES = [
    damage_settings,
    damage_settings_type,
    lose_settings,
    lose_objects,
    cut_objects,
    exchange_objects,
    lose_branch,
    damage_head,
    damage_discussions,
]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_repo_is_listed_as_such_and_breaks_nothing_else(tmp_path: Path, damage: Any) -> None:
    from huggingface_hub import HfApi

    with running_hub(tmp_path) as state:
        owner = RawClient(state.endpoint, state.token)
        owner.create("acme/good")
        owner.create("acme/damaged")
        owner.commit("models/acme/damaged", file_line("README.md", b"---\ntags: [a]\n---\n"))
    damage(tmp_path / "repos/models/acme/damaged.git")
    with running_hub(tmp_path) as state:  # which looks through all repos when it starts
        owner, nobody = RawClient(state.endpoint, state.token), RawClient(state.endpoint, None)
        listed = {item["id"]: item["disabled"] for item in owner.send("GET", "/api/models").json()}
        assert listed == {"acme/good": False, "acme/damaged": damage is not damage_discussions}
        assert b"acme/<wbr><b>damaged" in owner.send("GET", "/").body
        assert nobody.send("GET", "/api/models").status == 200
        for path in ("", "/tree/main", "/refs", "/commits/main", "/discussions", "/revision/main"):
            answer = owner.send("GET", f"/api/models/acme/damaged{path}")
            assert answer.status < 500, path
        for path in ("", "/tree/main", "/blob/main/README.md", "/commits/main", "/tags", "/discussions"):
            assert owner.send("GET", f"/acme/damaged{path}").status < 500, path
        assert owner.send("GET", "/acme/damaged/resolve/main/README.md").status < 500
        assert owner.commit("models/acme/damaged", file_line("a", b"a")).status < 500
        assert owner.send("GET", "/api/models/acme/good").status == 200
        assert {model.id for model in HfApi(endpoint=state.endpoint, token=state.token).list_models()} == set(listed)
        assert owner.send("DELETE", "/api/repos/delete", {"name": "damaged", "organization": "acme"}).status == 200
        assert [item["id"] for item in owner.send("GET", "/api/models").json()] == ["acme/good"]


def test_a_repo_whose_settings_are_lost_is_private(tmp_path: Path) -> None:
    with running_hub(tmp_path) as state:
        owner, nobody = RawClient(state.endpoint, state.token), RawClient(state.endpoint, None)
        owner.create("acme/m")
        damage_settings(tmp_path / "repos/models/acme/m.git")
        assert nobody.send("GET", "/api/models").json() == []
        assert nobody.send("GET", "/api/models/acme/m").status == 401
        assert owner.send("GET", "/api/models/acme/m").headers["x-error-message"] == (
            "Access to this resource is disabled."
        )


# Cheap requests that would freeze it.


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


# Who may store what.


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


# Names, headers, forms.


@pytest.mark.parametrize(
    "name",
    ["-x", "--force", "@", "HEAD", "a\u202eb", "a\u200bb", "\ufeffa", "a\u2028b", "a\u00a0b", "a\u00adb", "a\u200db"]
    + ["\u2066a", "a\U000e0041", "\ue000"],
)
def test_names_that_mislead_are_refused(owner: RawClient, name: str) -> None:
    assert owner.send("POST", "/api/models/acme/public/tag/main", {"tag": name}).status == 400
    path = "".join(f"%{byte:02x}" for byte in name.encode())
    assert owner.send("POST", f"/api/models/acme/public/branch/{path}", {}).status == 400


@pytest.mark.parametrize("name", ["v1.0.0", "பதிப்பு-1", "क्\u200dष", "ver/1", "é", "2026-01-02"])
def test_names_in_any_script_are_taken(owner: RawClient, name: str) -> None:
    assert owner.send("POST", "/api/models/acme/public/tag/main", {"tag": name}).status == 200


@pytest.mark.parametrize("name", ["a\u202etxt.exe", "a\u2066b"])
def test_paths_that_turn_around_are_refused(owner: RawClient, name: str) -> None:
    assert owner.commit("models/acme/public", file_line(name, b"x")).status == 400


@pytest.mark.parametrize("byte", ["%01", "%1f", "%7f", "%0d%0a", "%0b", "%c2%85", "%e2%80%a8", "%f0%9f%98%80"])
@pytest.mark.parametrize(
    "path",
    ["/acme/public/resolve/a{}b/x", "/acme/public/resolve/main/a{}b", "/api/models/acme/public/revision/{}"]
    + ["/api/models/acme/{}", "/{}/x", "/api/models/acme/public/tree/main/{}", "/acme/public/blob/main/{}"],
)
def test_any_character_in_an_address_gets_an_answer(owner: RawClient, path: str, byte: str) -> None:
    answer = owner.send("GET", path.format(byte))
    assert answer.status in (400, 404)
    assert all(" " <= letter <= "~" for letter in answer.headers.get("x-error-message", ""))


def test_forms_of_others_log_nobody_in_or_out(hub: HubState, nobody: RawClient) -> None:
    form = nobody.send("GET", "/login")
    cookie, proof = form.headers["set-cookie"].split(";")[0], hidden_field(form)
    body = f"token={hub.token}&form={proof}".encode()
    for headers in ({}, {"Cookie": "localhub-form=" + "0" * 32}, {"Cookie": "localhub-form="}):
        assert nobody.send("POST", "/login", body, Origin="null", **headers).status == 403
    assert nobody.send("POST", "/login", f"token={hub.token}".encode(), Cookie=cookie).status == 403
    session = nobody.log_in(hub.token).headers["set-cookie"].split(";")[0]
    for body in (b"", f"form={proof}".encode(), b"form="):
        assert nobody.send("POST", "/logout", body, Cookie=session, Origin="null").status == 403
    page = nobody.send("GET", "/", Cookie=session)
    answer = nobody.send("POST", "/logout", f"form={hidden_field(page)}".encode(), Cookie=session, Origin="null")
    assert answer.status == 303
    assert "Max-Age=0" in answer.headers["set-cookie"]


# The folder and the disk.


@pytest.mark.parametrize("mode", [0o755, 0o777, 0o750, 0o701])
def test_a_folder_that_is_open_to_others_is_closed(tmp_path: Path, mode: int) -> None:
    data = tmp_path / "data"
    data.mkdir()
    data.chmod(mode)
    before = os.umask(0o022)
    try:
        with running_hub(data) as state:
            owner = RawClient(state.endpoint, state.token)
            owner.create("acme/private", private=True)
            owner.upload("models/acme/private", b"\0secret")
            owner.commit("models/acme/private", file_line("a/b.txt", b"secret"), lfs_line("w.bin", b"\0secret"))
            create_token(data, "alice")
            paths = [data, *(path for path in data.rglob("*") if "repos" in path.parts or "tokens" in path.name)]
            assert not [path for path in paths if stat.S_IMODE(path.stat().st_mode) & 0o077]
    finally:
        os.umask(before)


def test_a_folder_of_other_things_is_not_closed_but_refused(tmp_path: Path) -> None:
    data = tmp_path / "home"
    data.mkdir(mode=0o755)
    data.chmod(0o755)
    (data / "letter.txt").write_text("dear")
    with pytest.raises(InputError, match="holds more than a Hub"), running_hub(data):
        pass
    assert stat.S_IMODE(data.stat().st_mode) == 0o755


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own of eight megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m,mode=0700", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_said_so_and_nothing_is_left(small_disk: Path) -> None:
    with running_hub(small_disk) as state:
        owner = RawClient(state.endpoint, state.token)
        owner.create("acme/m")
        assert owner.commit("models/acme/m", file_line("kept.txt", b"kept")).status == 200
        (small_disk / "filler").write_bytes(os.urandom(int(os.statvfs(small_disk).f_bavail * 4096 - 200_000)))
        content = b"\0" + os.urandom(2 * MIB)
        assert owner.upload("models/acme/m", content).status == 507
        assert owner.commit("models/acme/m", file_line("a.txt", os.urandom(MIB))).status == 507
        assert owner.send("POST", "/api/validate-yaml", {"content": "x" * 2 * MIB}).status == 507
        with (small_disk / "more").open("wb", buffering=0) as more, contextlib.suppress(OSError):
            while True:
                more.write(b"x" * 4096)
        answers = [owner.commit("models/acme/m", file_line("b.txt", b"b")) for _ in range(3)]
        assert {answer.status for answer in answers} == {507}
        assert owner.send("POST", "/api/repos/create", {"name": "n", "organization": "acme"}).status == 507
        assert owner.send("GET", "/acme/m/resolve/main/kept.txt").body == b"kept"
        assert not list(small_disk.rglob(".half-*"))
        assert not list((small_disk / "incoming").iterdir())
        (small_disk / "more").unlink()
        (small_disk / "filler").unlink()
        assert owner.upload("models/acme/m", content).status == 200
        assert owner.commit("models/acme/m", lfs_line("w.bin", content)).status == 200


def test_a_file_the_system_does_not_let_grow_is_said_so(tmp_path: Path) -> None:
    """The kernel's own refusal, where no small disk can be had: files of a megabyte at most."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (MIB, before[1]))
    try:
        with running_hub(tmp_path) as state:
            owner = RawClient(state.endpoint, state.token)
            owner.create("acme/m")
            assert owner.upload("models/acme/m", b"\0" + os.urandom(2 * MIB)).status == 507
            assert owner.commit("models/acme/m", file_line("a.txt", os.urandom(2 * MIB))).status == 507
            assert owner.commit("models/acme/m", file_line("a.txt", b"a")).status == 200
            assert not list(tmp_path.rglob(".half-*"))
            assert not list((tmp_path / "incoming").iterdir())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
