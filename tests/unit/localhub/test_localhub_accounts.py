"""Users and tokens."""

import json
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
