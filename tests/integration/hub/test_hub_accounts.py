"""Who am I, making and deleting repos, permissions."""

from typing import Any

import pytest
from huggingface_hub import CommitOperationAdd, HfApi
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError

from sentisynth_hub.localhub.control import HubState


def test_whoami(api: Any, namespace: str) -> None:
    me = api.whoami()
    assert me["name"] == namespace
    assert me["type"] == "user"
    assert me["auth"]["accessToken"]["role"] == "write"


def test_a_wrong_token_is_refused(local_hub: HubState) -> None:
    with pytest.raises(HfHubHTTPError) as refused:
        HfApi(token="hf_wrong").whoami(cache=False)
    assert refused.value.response.status_code == 401


def test_create_repo_returns_its_address(api: Any, new_name: Any) -> None:
    repo_id = new_name()
    url = api.create_repo(repo_id, repo_type="dataset")
    assert (url.repo_id, url.repo_type) == (repo_id, "dataset")
    assert api.list_repo_files(repo_id, repo_type="dataset") == [".gitattributes"]


def test_create_repo_again(api: Any, new_repo: Any) -> None:
    repo_id = new_repo("model")
    assert api.create_repo(repo_id, exist_ok=True).repo_id == repo_id
    with pytest.raises(HfHubHTTPError) as refused:
        api.create_repo(repo_id)
    assert refused.value.response.status_code == 409


def test_eight_create_one_repo_at_once(api: Any, new_name: Any) -> None:
    from concurrent.futures import ThreadPoolExecutor

    for _ in range(5):
        repo_id = new_name()
        with ThreadPoolExecutor(8) as pool:
            urls = list(pool.map(lambda name: api.create_repo(name, exist_ok=True), [repo_id] * 8))
        assert {url.repo_id for url in urls} == {repo_id}


def test_delete_repo(api: Any, new_repo: Any) -> None:
    repo_id = new_repo("model")
    api.delete_repo(repo_id)
    assert not api.repo_exists(repo_id)
    with pytest.raises(RepositoryNotFoundError):
        api.delete_repo(repo_id)
    api.delete_repo(repo_id, missing_ok=True)


def test_repo_exists_tells_types_apart(api: Any, new_repo: Any) -> None:
    repo_id = new_repo("dataset")
    assert api.repo_exists(repo_id, repo_type="dataset")
    assert not api.repo_exists(repo_id, repo_type="model")


def test_visibility_can_be_changed(api: Any, new_repo: Any, anonymous: Any) -> None:
    repo_id = new_repo("model", private=True)
    assert api.model_info(repo_id).private
    assert not anonymous.repo_exists(repo_id)
    api.update_repo_settings(repo_id, private=False)
    assert anonymous.repo_exists(repo_id)


def test_private_repos_do_not_exist_for_others(api: Any, new_repo: Any, other: Any, anonymous: Any) -> None:
    repo_id = new_repo("dataset", private=True, files={"secret.txt": b"s", "big.bin": b"\0" * 100})
    for stranger in (other, anonymous):
        for look in (stranger.dataset_info, stranger.list_repo_commits, stranger.list_repo_refs, stranger.auth_check):
            with pytest.raises(RepositoryNotFoundError):
                look(repo_id, **({} if look == stranger.dataset_info else {"repo_type": "dataset"}))
        with pytest.raises(RepositoryNotFoundError):
            stranger.hf_hub_download(repo_id, "big.bin", repo_type="dataset")
        assert repo_id not in [item.id for item in stranger.list_datasets(author=repo_id.split("/")[0])]


def test_others_may_read_but_not_write_a_public_repo(new_repo: Any, other: Any) -> None:
    repo_id = new_repo("model", files={"a.txt": b"a"})
    assert other.file_exists(repo_id, "a.txt")
    with pytest.raises(HfHubHTTPError) as refused:
        other.create_commit(repo_id, [CommitOperationAdd("b.txt", b"b")], commit_message="no")
    assert refused.value.response.status_code == 403
    assert not other.file_exists(repo_id, "b.txt")


def test_others_may_not_create_in_our_namespace(other: Any, namespace: str) -> None:
    with pytest.raises(HfHubHTTPError) as refused:
        other.create_repo(f"{namespace}/not-yours")
    assert refused.value.response.status_code == 403


def test_a_read_token_reads_private_repos_and_writes_nothing(new_repo: Any, reader: Any) -> None:
    repo_id = new_repo("model", private=True, files={"a.txt": b"a"})
    assert reader.file_exists(repo_id, "a.txt")
    with pytest.raises(HfHubHTTPError) as refused:
        reader.create_commit(repo_id, [CommitOperationAdd("b.txt", b"b")], commit_message="no")
    assert refused.value.response.status_code == 403


def test_auth_check(api: Any, new_repo: Any, other: Any) -> None:
    repo_id = new_repo("model")
    api.auth_check(repo_id)
    api.auth_check(repo_id, write=True)
    other.auth_check(repo_id)
    with pytest.raises(HfHubHTTPError) as refused:
        other.auth_check(repo_id, write=True)
    assert refused.value.response.status_code == 403


def test_a_gated_repo_shows_itself_but_not_its_files(api: Any, new_repo: Any, other: Any) -> None:
    repo_id = new_repo("dataset", files={"data.txt": b"d"})
    api.update_repo_settings(repo_id, repo_type="dataset", gated="manual")
    assert other.dataset_info(repo_id).gated == "manual"
    with pytest.raises(GatedRepoError):
        other.auth_check(repo_id, repo_type="dataset")
    with pytest.raises(GatedRepoError):
        other.hf_hub_download(repo_id, "data.txt", repo_type="dataset")
    assert api.file_exists(repo_id, "data.txt", repo_type="dataset")


def test_granted_access_opens_a_gated_repo(api: Any, new_repo: Any, other: Any) -> None:
    repo_id = new_repo("dataset", files={"data.txt": b"d"})
    api.update_repo_settings(repo_id, repo_type="dataset", gated="manual")
    api.grant_access(repo_id, other.whoami()["name"], repo_type="dataset")
    other.auth_check(repo_id, repo_type="dataset")


def test_list_repos_by_author_search_and_tag(api: Any, new_repo: Any, namespace: str) -> None:
    card = b"---\ntags: [contract-tag]\ntask_categories: [text-classification]\n---\n# x\n"
    repo_id = new_repo("dataset", files={"README.md": card})
    new_repo("dataset")
    found = list(api.list_datasets(author=namespace, search=repo_id.split("/")[1]))
    assert [item.id for item in found] == [repo_id]
    tagged = [item.id for item in api.list_datasets(author=namespace, filter="contract-tag")]
    assert tagged == [repo_id]
    assert repo_id in [item.id for item in api.list_datasets(author=namespace, task_categories="text-classification")]


def test_list_repos_sorted_and_expanded(api: Any, new_repo: Any, namespace: str) -> None:
    made = [new_repo("model"), new_repo("model")]
    newest_first = [item.id for item in api.list_models(author=namespace, sort="created_at")]
    assert newest_first[:2] == made[::-1]
    expanded = next(iter(api.list_models(author=namespace, search=made[0], expand=["tags"])))
    assert (expanded.id, expanded.last_modified) == (made[0], None)


def test_list_repos_page_by_page(api: Any, new_repo: Any, namespace: str) -> None:
    made = {new_repo("model") for _ in range(3)}
    listed = [item.id for item in api.list_models(author=namespace, limit=None)]
    assert made <= set(listed)
    assert len(list(api.list_models(author=namespace, limit=2))) == 2
