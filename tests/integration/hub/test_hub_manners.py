"""Names, headers and forms that mislead are refused; the folder is closed to others and a full disk is said so."""

import contextlib
import os
import resource
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sentisynth_hub.core.errors import InputError
from sentisynth_hub.localhub.accounts import create_token
from sentisynth_hub.localhub.control import HubState, running_hub
from tests.support.raw_client import RawClient, file_line, hidden_field, lfs_line


MIB = 1024**2


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
