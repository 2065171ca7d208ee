"""What every flow of the contract suite needs: a client, a namespace of one's own, repos that vanish afterwards.

The suite runs unchanged against a real Hub: `SENTISYNTH_CONTRACT_REMOTE=1 HF_ENDPOINT=... HF_TOKEN=...`. Flows with
several users then need `SENTISYNTH_CONTRACT_OTHER_TOKEN` (another account) and `SENTISYNTH_CONTRACT_READ_TOKEN` (the
same account, role "read"), and are skipped without them.
"""

import os
import secrets
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from sentisynth_hub.localhub.accounts import create_token
from sentisynth_hub.localhub.control import HubState, running_hub
from tests.support.raw_client import RawClient


REMOTE = os.environ.get("SENTISYNTH_CONTRACT_REMOTE") == "1"
NewRepo = Callable[..., str]


@pytest.fixture(scope="session")
def api(local_hub: HubState) -> Any:
    """The client, as the user whose namespace the flows work in."""
    from huggingface_hub import HfApi

    return HfApi()


@pytest.fixture(scope="session")
def namespace(api: Any) -> str:
    """The user's own namespace."""
    return str(api.whoami()["name"])


def _client_of(local_hub: HubState, variable: str, name: str, role: Any) -> Any:
    from huggingface_hub import HfApi

    if REMOTE and variable not in os.environ:
        pytest.skip(f"needs {variable}")
    token = os.environ[variable] if REMOTE else create_token(local_hub.data, name, role=role)
    return HfApi(token=token)


@pytest.fixture(scope="session")
def other(local_hub: HubState) -> Any:
    """The client of another user, who belongs to none of our namespaces."""
    return _client_of(local_hub, "SENTISYNTH_CONTRACT_OTHER_TOKEN", "mallory", "write")


@pytest.fixture(scope="session")
def reader(local_hub: HubState, namespace: str) -> Any:
    """Our own user's client with a token that may only read."""
    return _client_of(local_hub, "SENTISYNTH_CONTRACT_READ_TOKEN", namespace, "read")


@pytest.fixture(scope="session")
def anonymous(local_hub: HubState) -> Any:
    """A client without a token."""
    from huggingface_hub import HfApi

    return HfApi(token=False)


@pytest.fixture
def new_name(api: Any, namespace: str) -> Iterator[NewRepo]:
    """Makes names of repos that do not exist yet; whatever is created under them is deleted afterwards."""
    made: list[tuple[str, str]] = []

    def make(repo_type: str = "dataset") -> str:
        repo_id = f"{namespace}/contract-{secrets.token_hex(5)}"
        made.append((repo_id, repo_type))
        return repo_id

    yield make
    for repo_id, repo_type in made:
        api.delete_repo(repo_id, repo_type=repo_type, missing_ok=True)


@pytest.fixture
def new_repo(api: Any, new_name: NewRepo) -> NewRepo:
    """Makes empty repos: `new_repo()` a public dataset, `new_repo("model", private=True)` a private model."""

    def make(repo_type: str = "dataset", *, private: bool = False, files: dict[str, bytes] | None = None) -> str:
        from huggingface_hub import CommitOperationAdd

        repo_id = new_name(repo_type)
        api.create_repo(repo_id, repo_type=repo_type, private=private)
        if files:
            additions = [CommitOperationAdd(path, content) for path, content in files.items()]
            api.create_commit(repo_id, additions, commit_message="files", repo_type=repo_type)
        return repo_id

    return make


@pytest.fixture
def rows() -> Any:
    """Four labelled sentences in two scripts."""
    from datasets import ClassLabel, Dataset, Features, Value

    features = Features({"text": Value("string"), "label": ClassLabel(names=["negative", "positive"])})
    texts = ["romba nalla irukku 😀", "மோசமான படம்", "vera level", "mokka padam da"]
    return Dataset.from_dict({"text": texts, "label": [1, 0, 1, 0]}, features=features)


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubState]:
    """The Hub of a team, for what no well-behaved client sends; a file of tests may have one of its own."""
    with running_hub(tmp_path_factory.mktemp("team"), options={"max_proposed_bytes": 8 * 1024**2}) as state:
        owner = RawClient(state.endpoint, state.token)
        owner.create("acme/public")
        owner.create("acme/private", private=True)
        owner.create("acme/data", dataset=True)
        yield state


@pytest.fixture
def owner(hub: HubState) -> RawClient:
    """Who owns the Hub and everything in it."""
    return RawClient(hub.endpoint, hub.token)


@pytest.fixture
def mallory(hub: HubState) -> RawClient:
    """A member with an account and nothing else."""
    return RawClient(hub.endpoint, _token_of_mallory(hub.data))


@cache
def _token_of_mallory(data: Path) -> str:
    return create_token(data, "mallory")


@pytest.fixture
def nobody(hub: HubState) -> RawClient:
    """A client without a token."""
    return RawClient(hub.endpoint, None)
