"""Users and tokens."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sentisynth_hub.core.errors import InputError
from sentisynth_hub.localhub.accounts import Accounts, create_token, owner_token, read_tokens_file


def test_the_owner_may_write_everywhere_and_keeps_the_token(tmp_path: Path) -> None:
    token = owner_token(tmp_path)
    assert owner_token(tmp_path) == token
    owner = Accounts(tmp_path).find(token)
    assert owner is not None
    assert owner.belongs_to("any-namespace")
    assert owner.role == "write"


def test_issued_tokens_are_digests_on_disk_and_known_at_once(tmp_path: Path) -> None:
    accounts = Accounts(tmp_path)
    token = create_token(tmp_path, "alice", ("acme",), "read")
    assert token not in "".join(path.read_text() for path in tmp_path.iterdir())
    alice = accounts.find(token)
    assert alice is not None
    assert (alice.name, alice.role) == ("alice", "read")
    assert [alice.belongs_to(namespace) for namespace in ("alice", "acme", "bob")] == [True, True, False]
    again = create_token(tmp_path, "bob")
    assert accounts.find(again) is not None
    assert accounts.find(token) is not None


@pytest.mark.parametrize("token", ["", "hub_", "x" * 44, "ü", "\ud7ff"])
def test_unknown_tokens_are_nobody_s(tmp_path: Path, token: str) -> None:
    assert Accounts(tmp_path).find(token) is None


@pytest.mark.parametrize("name", ["", "a/b", "..", "api", "a b"])
def test_names_are_checked(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="token create"):
        create_token(tmp_path, name)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{",
        '{"t": {}}',
        '{"t": {"name": 5}}',
        '{"t": {"name": "a", "role": "root"}}',
        '{"t": {"name": "a <b>"}}',
    ],
)
def test_a_wrong_tokens_file_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "tokens.json"
    path.write_text(content)
    with pytest.raises(InputError, match="tokens.json"):
        read_tokens_file(path)


def test_a_tokens_file_gives_users(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    path.write_text(json.dumps({"secret": {"name": "alice", "orgs": ["acme"], "role": "write"}}))
    alice = Accounts(tmp_path, path).find("secret")
    assert alice is not None
    assert alice.orgs == ("acme",)


CREATE = (
    "import sys; from pathlib import Path; from sentisynth_hub.localhub.accounts import create_token, owner_token\n"
)


def test_tokens_made_at_the_same_time_are_all_kept(tmp_path: Path) -> None:
    code = (
        CREATE
        + "for n in range(5): print(create_token(Path(sys.argv[1]), f'u{n}'))\nprint(owner_token(Path(sys.argv[1])))"
    )
    pipes = {"stdout": subprocess.PIPE, "text": True}
    makers = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], **pipes) for _ in range(6)]  # type: ignore[call-overload]
    printed = [maker.communicate()[0].split() for maker in makers]
    accounts = Accounts(tmp_path)
    assert all(accounts.find(token) is not None for tokens in printed for token in tokens)
    assert len({token for tokens in printed for token in tokens[:5]}) == 30
    assert len({tokens[5] for tokens in printed}) == 1


def test_threads_share_the_lock_too(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        tokens = list(threads.map(lambda number: create_token(tmp_path, f"u{number}"), range(24)))
    accounts = Accounts(tmp_path)
    assert [account and account.name for account in map(accounts.find, tokens)] == [f"u{n}" for n in range(24)]


def test_a_running_hub_sees_every_token_at_once(tmp_path: Path) -> None:
    accounts = Accounts(tmp_path)
    for number in range(50):  # often within one tick of the file system's clock
        assert accounts.find(create_token(tmp_path, f"u{number}")) is not None
