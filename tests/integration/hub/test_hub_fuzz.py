"""Anything as front matter and anything as an LFS request: an answer below 500, and every list still there."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sentisynth_hub.localhub.accounts import create_token
from sentisynth_hub.localhub.control import HubState, running_hub
from tests.support.raw_client import RawClient, file_line


CONTENT = b"\0fuzz" * 10
OID = hashlib.sha256(CONTENT).hexdigest()

pieces = st.sampled_from(
    [
        *"[]{}:,-?!&*#|>%@`'\"\n\t\r ~",
        "a: ",
        "- ",
        "  ",
        "!!bool ",
        "!!timestamp ",
        "!!int ",
        "!<x> ",
        "&a ",
        "*a",
        "<<: ",
    ]
    + ["---\n", "...\n", ".nan", "1e999", "0x", "2026-13-45", '"\\ud800"', "é", "\u2028", "\x85", "\u202e", "தமிழ்"]
)
names = st.sampled_from(
    ["tags", "language", "license", "configs", "model-index", "library_name", "base_model", "datasets"]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8) | names, inner, max_size=4),
    max_leaves=15,
)
shaped = st.dictionaries(names, values, max_size=4).map(json.dumps)
front_matters = st.lists(pieces | st.text(max_size=5), max_size=30).map("".join) | shaped

objects = st.fixed_dictionaries(
    {}, optional={"oid": values | st.just(OID) | st.just("0" * 64), "size": values | st.integers(-1, 10**20)}
)
batches = values | st.fixed_dictionaries(
    {},
    optional={
        "operation": st.sampled_from(["upload", "download"]) | values,
        "transfers": values | st.just(["basic", "multipart"]),
        "objects": values | st.lists(objects, max_size=3),
        "oid": values | st.just(OID),
        "size": values | st.just(len(CONTENT)),
        "hash_algo": values,
        "ref": values,
    },
)
queries = st.dictionaries(
    st.sampled_from(["size", "part", "length", "by", "expires", "signature", "x"]),
    st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="&#"), max_size=70),
)


@contextmanager
def hub_to_fuzz(folder: Path) -> Iterator[HubState]:
    """A Hub with a repo of each kind, whose log must hold no traceback in the end."""
    with running_hub(folder, options={"max_file_bytes": 10**6}) as state:
        owner = RawClient(state.endpoint, state.token)
        owner.create("acme/good")
        owner.create("acme/data", dataset=True)
        owner.create("acme/model")
        yield state
        assert "Traceback" not in (state.data / "server.log").read_text()


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubState]:
    with hub_to_fuzz(tmp_path_factory.mktemp("fuzz")) as state:
        yield state


def check_front_matter(hub: HubState, front_matter: str) -> None:
    owner = RawClient(hub.endpoint, hub.token)
    card = f"---\n{front_matter}\n---\n# {front_matter}\n".encode("utf-8", "replace")
    for repo, web in (("models/acme/model", "acme/model"), ("datasets/acme/data", "datasets/acme/data")):
        files = [file_line("README.md", card), file_line("a.jsonl", card), file_line(".eval_results/a.yaml", card)]
        assert owner.commit(repo, *files).status == 200
        listed = owner.send("GET", f"/api/{repo.split('/')[0]}?full=true")
        assert listed.status == 200
        assert not any(item["disabled"] for item in listed.json())
        assert owner.send("GET", f"/api/{repo}?expand=evalResults").status == 200
        for path in (f"/api/{repo}?blobs=true", f"/{web}", "/", f"/{web}/blob/main/README.md", f"/{web}/commits/main"):
            assert owner.send("GET", path).status == 200, path
    content = {"content": card.decode(), "repoType": "dataset"}
    answer = owner.send("POST", "/api/validate-yaml", content)
    assert answer.status in (200, 400)
    assert set(answer.json()) >= {"errors", "warnings"}


def check_requests(hub: HubState, body: Any, query: dict[str, str]) -> None:
    text = json.dumps(body).encode()
    address = "&".join(f"{name}={value}" for name, value in query.items())
    clients = [RawClient(hub.endpoint, token) for token in (hub.token, _visitor(hub), None)]
    for client in clients:
        for path in ("/acme/good.git/info/lfs/objects/batch", "/acme/good.git/info/lfs/verify"):
            answer = client.send("POST", path, text)
            assert answer.status < 500, answer.body
            if answer.status == 200 and path.endswith("batch"):
                assert [item["oid"] for item in answer.json()["objects"]] == [item["oid"] for item in body["objects"]]
        for method, kind in (("PUT", "object"), ("PUT", "part"), ("POST", "complete")):
            refused = client.send(method, f"/api/lfs/{kind}/models/acme/good/{OID}?{address}", text)
            assert refused.status in (400, 403), refused.body
    folder = hub.data / "repos/models/acme/good.git/lfs"
    assert not [path for path in folder.rglob("*") if path.is_file()]
    assert clients[0].send("GET", "/api/models/acme/good").status == 200


_visitors: dict[str, str] = {}


def _visitor(hub: HubState) -> str:
    if hub.endpoint not in _visitors:
        _visitors[hub.endpoint] = create_token(hub.data, "visitor")
    return _visitors[hub.endpoint]


_settings = settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))


@_settings
@given(front_matters)
def test_any_front_matter_is_listed(hub: HubState, front_matter: str) -> None:
    check_front_matter(hub, front_matter)


@_settings
@given(batches, queries)
def test_any_lfs_request_is_answered(hub: HubState, body: Any, query: dict[str, str]) -> None:
    check_requests(hub, body, query)
