"""What no well-behaved client sends: a clear refusal, nothing stored, nothing shown to strangers."""

import hashlib
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from sentisynth_hub.localhub.app import ROUTES, WEB_ROUTES
from sentisynth_hub.localhub.control import HubState, running_hub
from tests.support.raw_client import RawClient, file_line, lfs_line


LIMITS = {"max_json_bytes": 200_000, "max_commit_bytes": 1_000_000, "max_file_bytes": 500_000, "upload_seconds": 600}
SECRET = b"\0secret" * 1000


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubState]:
    with running_hub(tmp_path_factory.mktemp("hostile"), options=LIMITS) as state:
        owner = RawClient(state.endpoint, state.token)
        owner.create("acme/public")
        owner.commit("models/acme/public", file_line("README.md", b"# hello"))
        owner.create("acme/private", private=True)
        owner.upload("models/acme/private", SECRET)
        owner.commit("models/acme/private", lfs_line("secret.bin", SECRET), file_line("README.md", b"# private"))
        yield state


def stored(hub: HubState, repo: str = "models/acme/public") -> set[str]:
    """Every file of a repo's folder, and everything on its way in."""
    folders = [hub.data / "repos" / f"{repo}.git", hub.data / "incoming"]
    return {str(path) for folder in folders for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "path",
    [
        "/acme/public/resolve/main/../../../../owner-token",
        "/acme/public/resolve/main/%2e%2e/%2e%2e/%2e%2e/%2e%2e/owner-token",
        "/acme/public/resolve/main/..%2f..%2f..%2f..%2fowner-token",
        "/acme/public/resolve/..%2f..%2fmain/README.md",
        "/acme/public/resolve/main//etc/passwd",
        "/acme/..%2f..%2f..%2fowner-token/resolve/main/x",
        "/..%2facme/public/resolve/main/README.md",
        "/api/models/acme/..%2fprivate",
        "/api/models/acme/public/tree/main/..%2f..%2f",
        "/api/models/acme/public/revision/..%2f..%2fHEAD",
        "/api/models/acme/public/revision/refs%2f..%2f..%2fhub.json",
        "/acme/public/blob/main/..%2fhub.json",
        "/static/..%2f..%2fserver.py",
    ],
)
def test_no_path_leaves_a_repo(hub: HubState, owner: RawClient, path: str) -> None:
    answer = owner.send("GET", path)
    assert 400 <= answer.status < 500
    assert hub.token.encode() not in answer.body


@pytest.mark.parametrize("path", ["/%ff/x", "/acme/public/resolve/main/%00", "/acme/public/resolve/main/a%00b"])
def test_a_path_that_is_no_text_is_refused(owner: RawClient, path: str) -> None:
    assert owner.send("GET", path).status == 400


@pytest.mark.parametrize(
    "path",
    ["../x", "/x", "a/../../x", "a//b", "", ".", ".git/config", "a/.GIT/hooks", "a\nb", "a\0b", "\ud800", "x" * 2000],
)
def test_no_commit_writes_outside_its_repo(hub: HubState, owner: RawClient, path: str) -> None:
    before = stored(hub)
    answer = owner.commit("models/acme/public", file_line("fine.txt", b"fine"), file_line(path, b"x"))
    assert answer.status == 400
    assert stored(hub) == before


@pytest.mark.parametrize(
    "line",
    [
        b"not json",
        b"[]",
        b'"text"',
        b'{"key": "file"}',
        b'{"key": 1, "value": {}}',
        b'{"key": "file", "value": []}',
        b'{"key": "file", "value": {"path": "a", "content": "!!!", "encoding": "base64"}}',
        b'{"key": "file", "value": {"path": "a", "content": "YQ==", "encoding": "utf-8"}}',
        b'{"key": "file", "value": {"path": 5, "content": "YQ==", "encoding": "base64"}}',
        b'{"key": "lfsFile", "value": {"path": "a", "oid": "../../etc/passwd"}}',
        b'{"key": "lfsFile", "value": {"path": "a", "oid": "' + b"0" * 64 + b'"}}',
        b'{"key": "runThis", "value": {"path": "a"}}',
        b"[" * 50_000,
        b"\xff\xfe",
    ],
)
def test_a_broken_commit_line_is_refused_and_nothing_is_stored(hub: HubState, owner: RawClient, line: bytes) -> None:
    before = stored(hub)
    header = b'{"key": "header", "value": {"summary": "s"}}\n'
    good = json.dumps(file_line("good.txt", b"good")).encode() + b"\n"
    answer = owner.send("POST", "/api/models/acme/public/commit/main", header + good + line)
    assert answer.status == 400
    assert stored(hub) == before


@pytest.mark.parametrize(
    "header",
    [{}, {"summary": ""}, {"summary": 5}, {"summary": "x" * 100_000}, {"summary": "s", "parentCommit": "ab"}],
)
def test_a_broken_commit_header_is_refused(owner: RawClient, header: dict[str, Any]) -> None:
    body = json.dumps({"key": "header", "value": header}) + "\n" + json.dumps(file_line("a", b"a"))
    assert owner.send("POST", "/api/models/acme/public/commit/main", body.encode()).status == 400


def test_a_commit_without_header_is_refused(owner: RawClient) -> None:
    body = json.dumps(file_line("a", b"a")).encode()
    assert owner.send("POST", "/api/models/acme/public/commit/main", body).status == 400


def test_a_folder_is_not_replaced_by_a_file(owner: RawClient) -> None:
    assert owner.commit("models/acme/public", file_line("folder/file.txt", b"1")).status == 200
    assert owner.commit("models/acme/public", file_line("folder", b"2")).status == 400
    assert owner.commit("models/acme/public", file_line("README.md/below", b"3")).status == 400
    assert owner.commit("models/acme/public", file_line("new", b"4"), file_line("new/below", b"5")).status == 400
    assert owner.send("GET", "/acme/public/resolve/main/folder/file.txt").body == b"1"


def test_bodies_over_the_limits_are_refused(hub: HubState, owner: RawClient) -> None:
    before = stored(hub)
    assert owner.commit("models/acme/public", file_line("big.txt", b"x" * 1_000_000)).status == 413
    assert owner.send("POST", "/api/validate-yaml", {"content": "x" * 300_000}).status == 413
    assert owner.batch("models/acme/public", "0" * 64, 600_000).status == 413
    assert stored(hub) == before


def test_a_chunked_body_over_the_limit_is_refused(hub: HubState, owner: RawClient) -> None:
    with socket.create_connection(("127.0.0.1", urlsplit(hub.endpoint).port or 0)) as connection:
        host = urlsplit(hub.endpoint).netloc
        head = f"POST /api/validate-yaml HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n"
        connection.sendall(head.encode())
        try:
            for _ in range(10):
                connection.sendall(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
        except ConnectionError:
            pass  # refused while we were still sending
        else:
            assert b" 413 " in connection.recv(1000).split(b"\r\n")[0]


def test_bytes_that_are_not_what_was_announced_are_not_stored(hub: HubState, owner: RawClient) -> None:
    content = b"\0announced" * 100
    oid = hashlib.sha256(content).hexdigest()
    before = stored(hub)
    for sent, status in ((content[:-1] + b"!", 400), (content[:-1], 400), (content + b"!", 413)):
        href = owner.batch("models/acme/public", oid, len(content)).json()["objects"][0]["actions"]["upload"]["href"]
        assert owner.put(href, sent).status == status
    assert stored(hub) == before


def test_a_connection_that_breaks_during_an_upload_leaves_nothing(hub: HubState, owner: RawClient) -> None:
    content = b"\0broken" * 10_000
    oid = hashlib.sha256(content).hexdigest()
    before = stored(hub)
    answer = owner.batch("models/acme/public", oid, len(content)).json()
    href = urlsplit(answer["objects"][0]["actions"]["upload"]["href"])
    head = f"PUT {href.path}?{href.query} HTTP/1.1\r\nHost: {href.netloc}\r\nContent-Length: {len(content)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", href.port or 0)) as connection:
        connection.sendall(head.encode() + content[:30_000])
        time.sleep(0.2)
        assert stored(hub) != before  # on its way in
    deadline = time.monotonic() + 5
    while stored(hub) != before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert stored(hub) == before


def test_upload_addresses_cannot_be_forged(owner: RawClient) -> None:
    content = b"\0mine" * 100
    oid = hashlib.sha256(content).hexdigest()
    href = owner.batch("models/acme/public", oid, len(content)).json()["objects"][0]["actions"]["upload"]["href"]
    other = hashlib.sha256(b"other").hexdigest()
    forged = [
        href.replace(oid, other),
        href.replace("/acme/public/", "/acme/private/"),
        href.replace(f"size={len(content)}", "size=5"),
        href.replace("/object/", "/complete/"),
        href.replace("expires=", "expires=9"),
        href.rpartition("signature=")[0] + "signature=" + "0" * 64,
        href.partition("?")[0],
    ]
    for address in forged:
        assert owner.put(address, content).status in (403, 404)
    assert owner.put(href, content).status == 200


def test_upload_addresses_expire(tmp_path: Path) -> None:
    with running_hub(tmp_path, options={"upload_seconds": 0}) as state:
        owner = RawClient(state.endpoint, state.token)
        owner.create("acme/m")
        time.sleep(1.1)
        assert owner.upload("models/acme/m", b"\0late").status == 403


def test_a_guessed_digest_opens_nothing(mallory: RawClient, owner: RawClient) -> None:
    oid = hashlib.sha256(SECRET).hexdigest()
    mallory.create("mallory/mine")
    answer = mallory.batch("models/mallory/mine", oid, len(SECRET)).json()
    assert "actions" in answer["objects"][0]  # not "already stored"
    assert mallory.commit("models/mallory/mine", lfs_line("stolen.bin", SECRET)).status == 400
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {len(SECRET)}\n".encode()
    assert mallory.commit("models/mallory/mine", file_line("stolen.bin", pointer)).status == 200
    assert mallory.send("GET", "/mallory/mine/resolve/main/stolen.bin").body == pointer


def addresses(repo: str) -> list[tuple[str, str]]:
    """Method and address of every route about a repo, for the model `repo`."""
    head = {"{type}": "models", "{ns}": repo.split("/")[0], "{name}": repo.split("/")[1]}
    rest = {"{rev}": "main", "{path*}": "README.md", "{num}": "1"}
    found = []
    for route in [*ROUTES, *WEB_ROUTES]:
        if "{ns}" in route.path and not route.path.startswith("api/lfs/"):
            path = route.path
            for name, value in (head | rest).items():
                path = path.replace(name, value)
            found.append((route.method, f"/{path}"))
    return found


def test_private_repos_are_missing_for_strangers_on_every_route(mallory: RawClient, nobody: RawClient) -> None:
    listed = addresses("acme/private")
    assert len(listed) > 30
    for stranger, status in ((mallory, 404), (nobody, 401)):
        for (method, private), (_, missing) in zip(listed, addresses("acme/nothing"), strict=True):
            body = None if method == "GET" else {}
            there, not_there = stranger.send(method, private, body), stranger.send(method, missing, body)
            assert there.status in (status, 404), private
            shown = there.body.replace(
                b"acme%2Fprivate", b"acme%2Fnothing"
            )  # a page names the address it was asked for
            assert (there.status, shown) == (not_there.status, not_there.body), private


def test_strangers_change_nothing_on_any_route(mallory: RawClient, nobody: RawClient, hub: HubState) -> None:
    before = stored(hub)
    open_to_readers = ("/discussions", "/batch", "/verify", "/paths-info/main")
    for method, path in addresses("acme/public"):
        if method != "GET" and not path.endswith(open_to_readers):
            assert mallory.send(method, path, {}).status in (400, 403, 404), path
            assert nobody.send(method, path, {}).status == 401, path
    assert stored(hub) == before


def test_a_read_only_hub_refuses_every_change(tmp_path: Path) -> None:
    with running_hub(tmp_path / "data") as state:
        RawClient(state.endpoint, state.token).create("acme/public")
    with running_hub(tmp_path / "data", read_only=True) as state:
        owner = RawClient(state.endpoint, state.token)
        changing = [(method, path) for method, path in addresses("acme/public") if method != "GET"]
        changing = [item for item in changing if not item[1].endswith("/paths-info/main")]
        changing += [("POST", "/api/repos/create"), ("DELETE", "/api/repos/delete")]
        for method, path in changing:
            assert owner.send(method, path, {"name": "x"}).status == 403, path
        assert owner.send("GET", "/api/models/acme/public").status == 200


def test_tokens_of_a_file_and_their_roles(tmp_path: Path) -> None:
    tokens = tmp_path / "tokens.json"
    users = {"t-alice": {"name": "alice", "orgs": ["acme"], "role": "write"}, "t-bob": {"name": "bob", "role": "read"}}
    tokens.write_text(json.dumps(users))
    with running_hub(tmp_path / "data", tokens_file=tokens) as state:
        alice, bob = RawClient(state.endpoint, "t-alice"), RawClient(state.endpoint, "t-bob")
        alice.create("acme/theirs", private=True)
        assert alice.send("GET", "/api/whoami-v2").json()["orgs"][0]["name"] == "acme"
        assert bob.send("GET", "/api/models/acme/theirs").status == 404
        assert bob.send("POST", "/api/repos/create", {"name": "own"}).status == 403
        assert bob.send("GET", "/api/whoami-v2").json()["auth"]["accessToken"]["role"] == "read"


@pytest.mark.parametrize(
    "name", ["../x", "a..b", "x.lock", "a b", "a~1", "", "/x", "x/", "refs/heads/x", "a" * 300, "@{", "\ud800"]
)
def test_tag_names_git_could_not_hold_are_refused(owner: RawClient, name: str) -> None:
    assert owner.send("POST", "/api/models/acme/public/tag/main", {"tag": name}).status == 400


@pytest.mark.parametrize("name", ["..", "a/b/c", "x.git", "a--b", "-x", "", "a b", "ä", "x" * 200, None, 5])
def test_repo_names_are_checked(owner: RawClient, name: Any) -> None:
    assert owner.send("POST", "/api/repos/create", {"name": name, "organization": "acme"}).status == 400


@pytest.mark.parametrize("namespace", ["api", "datasets", "static", "login"])
def test_a_namespace_cannot_hide_our_own_addresses(owner: RawClient, namespace: str) -> None:
    assert owner.send("POST", "/api/repos/create", {"name": "x", "organization": namespace}).status == 400


def test_numbers_json_does_not_know_hide_no_repo(owner: RawClient) -> None:
    owner.create("acme/nan")
    card = file_line("README.md", b"---\na: .nan\n---\n")
    owner.commit("models/acme/nan", card, file_line("config.json", b'{"model_type": NaN}'))
    info = owner.send("GET", "/api/models/acme/nan").json()
    assert info["cardData"] == {}
    assert "config" not in info


def test_a_yaml_bomb_is_refused_and_harms_no_repo(owner: RawClient) -> None:
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n"
    for number in range(9):
        previous = chr(ord("a") + number)
        letter = chr(ord("b") + number)
        bomb += f"{letter}: &{letter} [{', '.join([f'*{previous}'] * 9)}]\n"
    card = f"---\n{bomb}---\n# boom\n"
    assert owner.send("POST", "/api/validate-yaml", {"content": card, "repoType": "model"}).status == 400
    owner.create("acme/bomb")
    owner.commit("models/acme/bomb", file_line("README.md", card.encode()))
    begun = time.monotonic()
    assert owner.send("GET", "/api/models/acme/bomb").json()["cardData"] == {}
    assert time.monotonic() - begun < 2


@pytest.mark.parametrize("front_matter", ["{[", "- a list", "[" * 5000, "!!python/object:os.system {}", "a: : 2"])
def test_a_card_that_is_not_yaml_is_refused(owner: RawClient, front_matter: str) -> None:
    wanted = {"content": f"---\n{front_matter}\n---\n# x\n", "repoType": "dataset"}
    answer = owner.send("POST", "/api/validate-yaml", wanted)
    assert answer.status == 400
    assert "metadata" in answer.json()["errors"][0]["message"]


@pytest.mark.parametrize("path", ["/api/agent-harnesses", "/api/telemetry/x", "/api/spaces/a/b", "/api", "/api/a/b"])
def test_unknown_addresses_of_the_api_are_a_clean_404(nobody: RawClient, path: str) -> None:
    answer = nobody.send("GET", path)
    assert answer.status == 404
    assert answer.json() == {"error": "Not found"}


@pytest.mark.parametrize(
    ("host", "status"), [("attacker.example:80", 421), ("127.0.0.1.evil.example", 421), ("[", 400)]
)
def test_foreign_host_names_are_refused(owner: RawClient, host: str, status: int) -> None:
    assert owner.send("GET", "/api/whoami-v2", Host=host).status == status


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/api/models?limit=" + "9" * 5000, None),
        ("GET", "/api/models?limit=0", None),
        ("GET", "/api/models/acme/public/commits/main?p=-1", None),
        ("POST", "/api/repos/create", {"name": "x", "type": ["model"]}),
        ("POST", "/api/repos/create", {"name": "x", "type": "space"}),
        ("POST", "/api/repos/create", {"name": "x", "visibility": "secret"}),
        ("POST", "/api/repos/create", ["x"]),
        ("POST", "/api/repos/create", b"{" * 100_000),
        ("PUT", "/api/models/acme/public/settings", {"gated": "perhaps"}),
        ("POST", "/api/models/acme/public/preupload/main", {"files": "a"}),
        ("POST", "/api/models/acme/public/preupload/main", {"files": [{"path": "a"}]}),
        ("POST", "/api/models/acme/public/preupload/main", {"files": [{"path": "../a", "size": 1}]}),
        ("POST", "/acme/public.git/info/lfs/objects/batch", {"operation": "upload", "objects": [{"oid": "a" * 64}]}),
        ("POST", "/acme/public.git/info/lfs/objects/batch", {"operation": "download", "objects": []}),
        ("POST", "/api/models/acme/public/discussions", {"title": " "}),
        ("POST", "/api/models/acme/public/discussions", {"title": "\ud800"}),
        ("POST", "/api/models/acme/public/branch/%20", {}),
    ],
)
def test_requests_that_make_no_sense_are_refused(owner: RawClient, method: str, path: str, body: Any) -> None:
    answer = owner.send(method, path, body)
    assert answer.status == 400
    assert answer.json()["error"]


@pytest.mark.parametrize(
    "revision", ["refs%2Fpr%2F..%2Fheads%2Fmain", "refs%2Fheads%2Fmain", "..", "refs%2Fpr%2F1", "v1"]
)
def test_a_commit_goes_to_a_branch_or_nowhere(hub: HubState, owner: RawClient, revision: str) -> None:
    before = stored(hub)
    body = b'{"key": "header", "value": {"summary": "s"}}\n' + json.dumps(file_line("a", b"a")).encode()
    assert owner.send("POST", f"/api/models/acme/public/commit/{revision}", body).status in (400, 404)
    assert stored(hub) == before


def test_a_connection_that_breaks_during_a_commit_leaves_nothing(hub: HubState, owner: RawClient) -> None:
    before = stored(hub)
    body = (
        b'{"key": "header", "value": {"summary": "s"}}\n' + json.dumps(file_line("cut.txt", b"x" * 100_000)).encode()
    )
    host = urlsplit(hub.endpoint).netloc
    head = (
        f"POST /api/models/acme/public/commit/main HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {hub.token}\r\n"
    )
    with socket.create_connection(("127.0.0.1", urlsplit(hub.endpoint).port or 0)) as connection:
        connection.sendall(head.encode() + f"Content-Length: {len(body) + 10}\r\n\r\n".encode() + body)
        time.sleep(0.2)
    deadline = time.monotonic() + 5
    while stored(hub) != before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert stored(hub) == before
    assert owner.send("GET", "/acme/public/resolve/main/cut.txt").status == 404


def test_the_cookie_looks_and_does_nothing_else(hub: HubState, nobody: RawClient) -> None:
    answer = nobody.log_in(hub.token)
    assert answer.status == 303
    assert {"HttpOnly", "SameSite=Strict"} <= set(answer.headers["set-cookie"].replace(" ", "").split(";"))
    cookie = answer.headers["set-cookie"].split(";")[0]
    assert hub.token not in cookie
    assert b"private" in nobody.send("GET", "/acme/private", Cookie=cookie).body
    assert nobody.send("GET", "/acme/private").status == 404
    assert nobody.send("GET", "/api/models/acme/private", Cookie=cookie).status == 401
    assert nobody.send("POST", "/api/repos/create", {"name": "x"}, Cookie=cookie).status == 401
    forged = cookie[:-1] + ("0" if cookie[-1] != "0" else "1")
    assert nobody.send("GET", "/acme/private", Cookie=forged).status == 404


@pytest.mark.parametrize(
    "wanted", ["https://attacker.example", "//attacker.example", "/\\attacker.example", "", "a\r\nb"]
)
def test_a_login_leads_nowhere_else(hub: HubState, nobody: RawClient, wanted: str) -> None:
    answer = nobody.log_in(hub.token, wanted)
    assert (answer.status, answer.headers["location"]) == (303, "/")


def test_a_login_form_of_another_site_is_refused(hub: HubState, nobody: RawClient) -> None:
    assert nobody.log_in(hub.token, Origin="https://attacker.example").status == 403
    assert nobody.log_in(hub.token, Origin="null").status == 303  # what our own pages send


def test_what_was_uploaded_is_never_served_as_a_page(owner: RawClient) -> None:
    script = b"<script>alert(1)</script>"
    owner.commit("models/acme/public", file_line("page.html", script), file_line("image.svg", script))
    for name in ("page.html", "image.svg"):
        answer = owner.send("GET", f"/acme/public/resolve/main/{name}")
        assert answer.headers["content-type"].startswith("text/plain")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in answer.headers["content-security-policy"]


def test_every_page_forbids_scripts(owner: RawClient) -> None:
    for path in ("/", "/login", "/acme/public", "/acme/public/tree/main", "/acme/public/commits/main", "/acme/none"):
        policy = owner.send("GET", path).headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src" not in policy
        assert "unsafe" not in policy


@pytest.mark.parametrize(
    ("asked", "status", "body"),
    [
        ("bytes=0-1", 206, b"# "),
        ("bytes=-3", 206, b"llo"),
        ("bytes=5-", 206, b"lo"),
        ("bytes=5-100", 206, b"lo"),
        ("bytes=7-", 416, None),
        ("bytes=3-1", 416, None),
        ("bytes=-0", 416, None),
        ("bytes=a-b", 200, b"# hello"),
        ("bytes=0-1,3-4", 200, b"# hello"),
    ],
)
def test_ranges(hub: HubState, owner: RawClient, asked: str, status: int, body: bytes | None) -> None:
    owner.commit("models/acme/public", file_line("range.txt", b"# hello"))
    answer = owner.send("GET", "/acme/public/resolve/main/range.txt", Range=asked)
    assert answer.status == status
    assert body is None or answer.body == body


def test_no_token_is_written_to_the_log(hub: HubState) -> None:
    assert hub.token not in (hub.data / "server.log").read_text()


def test_private_files_have_private_modes(hub: HubState) -> None:
    for name in ("owner-token", "server.json", "secret", "tokens.json"):
        path = hub.data / name
        assert not path.exists() or path.stat().st_mode & 0o077 == 0
