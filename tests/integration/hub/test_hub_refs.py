"""Tags, branches, pull requests, discussions."""

from typing import Any

import pytest
from huggingface_hub import CommitOperationAdd
from huggingface_hub.errors import BadRequestError, HfHubHTTPError, RevisionNotFoundError


def test_tags_are_made_listed_and_removed(api: Any, new_repo: Any) -> None:
    repo_id = new_repo("model")
    first = api.model_info(repo_id).sha
    api.create_tag(repo_id, tag="v1.0.0", tag_message="the first")
    api.upload_file(repo_id=repo_id, path_in_repo="a.txt", path_or_fileobj=b"a")
    api.create_tag(repo_id, tag="v1.1.0")
    tags = {tag.name: tag.target_commit for tag in api.list_repo_refs(repo_id).tags}
    assert tags == {"v1.0.0": first, "v1.1.0": api.model_info(repo_id).sha}
    api.delete_tag(repo_id, tag="v1.0.0")
    assert [tag.name for tag in api.list_repo_refs(repo_id).tags] == ["v1.1.0"]


def test_a_tag_cannot_be_made_twice(api: Any, new_repo: Any) -> None:
    repo_id = new_repo("model")
    api.create_tag(repo_id, tag="v1")
    api.create_tag(repo_id, tag="v1", exist_ok=True)
    with pytest.raises(HfHubHTTPError) as refused:
        api.create_tag(repo_id, tag="v1")
    assert refused.value.response.status_code == 409


def test_a_tag_on_an_old_commit(api: Any, new_repo: Any) -> None:
    repo_id = new_repo("model")
    first = api.model_info(repo_id).sha
    api.upload_file(repo_id=repo_id, path_in_repo="a.txt", path_or_fileobj=b"a")
    api.create_tag(repo_id, tag="first", revision=first)
    assert api.list_repo_files(repo_id, revision="first") == [".gitattributes"]
    with pytest.raises(RevisionNotFoundError):
        api.create_tag(repo_id, tag="none", revision="none")


def test_branches_are_made_and_removed(api: Any, new_repo: Any) -> None:
    repo_id = new_repo("model")
    api.create_branch(repo_id, branch="dev/one")
    api.create_branch(repo_id, branch="dev/one", exist_ok=True)
    with pytest.raises(HfHubHTTPError) as refused:
        api.create_branch(repo_id, branch="dev/one")
    assert refused.value.response.status_code == 409
    assert {branch.name for branch in api.list_repo_refs(repo_id).branches} == {"dev/one", "main"}
    api.delete_branch(repo_id, branch="dev/one")
    assert {branch.name for branch in api.list_repo_refs(repo_id).branches} == {"main"}


def test_a_branch_from_a_tag(api: Any, new_repo: Any) -> None:
    repo_id = new_repo("model")
    api.create_tag(repo_id, tag="v1")
    api.upload_file(repo_id=repo_id, path_in_repo="a.txt", path_or_fileobj=b"a")
    api.create_branch(repo_id, branch="fix", revision="v1")
    assert api.list_repo_files(repo_id, revision="fix") == [".gitattributes"]


def test_a_branch_cannot_be_called_refs(api: Any, new_repo: Any) -> None:
    with pytest.raises(BadRequestError):
        api.create_branch(new_repo("model"), branch="refs/pr/5")


def test_a_pull_request_by_a_stranger_is_merged(api: Any, new_repo: Any, other: Any) -> None:
    repo_id = new_repo("model")
    additions = [CommitOperationAdd("gift.txt", b"gift"), CommitOperationAdd("gift.bin", b"\0" * 2000)]
    commit = other.create_commit(repo_id, additions, commit_message="a gift", create_pr=True)
    assert commit.pr_num == 1
    assert "gift.txt" not in api.list_repo_files(repo_id)
    assert "gift.txt" in api.list_repo_files(repo_id, revision="refs/pr/1")
    api.merge_pull_request(repo_id, 1)
    assert {"gift.txt", "gift.bin"} <= set(api.list_repo_files(repo_id))
    details = api.get_discussion_details(repo_id, 1)
    assert details.status == "merged"
    assert details.merge_commit_oid == api.model_info(repo_id).sha


def test_a_pull_request_against_a_branch(api: Any, new_repo: Any) -> None:
    repo_id = new_repo("model")
    api.create_branch(repo_id, branch="dev")
    addition = [CommitOperationAdd("a.txt", b"a")]
    api.create_commit(repo_id, addition, commit_message="for dev", create_pr=True, revision="dev")
    assert api.get_discussion_details(repo_id, 1).target_branch == "refs/heads/dev"
    api.merge_pull_request(repo_id, 1)
    assert "a.txt" in api.list_repo_files(repo_id, revision="dev")
    assert "a.txt" not in api.list_repo_files(repo_id)


def test_further_commits_to_a_pull_request(api: Any, new_repo: Any) -> None:
    repo_id = new_repo("model")
    additions = [CommitOperationAdd("a.txt", b"a")]
    commit = api.create_commit(repo_id, additions, commit_message="one", create_pr=True)
    revision = commit.pr_revision
    api.create_commit(repo_id, [CommitOperationAdd("b.txt", b"b")], commit_message="two", revision=revision)
    assert {"a.txt", "b.txt"} <= set(api.list_repo_files(repo_id, revision=revision))
    refs = api.list_repo_refs(repo_id, include_pull_requests=True)
    assert [ref.ref for ref in refs.pull_requests] == ["refs/pr/1"]
    events = [event.type for event in api.get_discussion_details(repo_id, 1).events]
    assert events.count("commit") == 2


def test_a_pull_request_shows_its_diff(api: Any, new_repo: Any) -> None:
    repo_id = new_repo("model", files={"a.txt": b"one\ntwo\n"})
    api.create_commit(repo_id, [CommitOperationAdd("a.txt", b"one\n2\n")], commit_message="two as 2", create_pr=True)
    diff = api.get_discussion_details(repo_id, 1).diff
    assert "-two\n+2\n" in diff


def test_a_conflicting_pull_request_is_not_merged(api: Any, new_repo: Any) -> None:
    repo_id = new_repo("model", files={"a.txt": b"base"})
    api.create_commit(repo_id, [CommitOperationAdd("a.txt", b"theirs")], commit_message="pr", create_pr=True)
    api.upload_file(repo_id=repo_id, path_in_repo="a.txt", path_or_fileobj=b"ours")
    assert api.get_discussion_details(repo_id, 1).conflicting_files == ["a.txt"]
    with pytest.raises(HfHubHTTPError):
        api.merge_pull_request(repo_id, 1)
    assert api.hf_hub_download(repo_id, "a.txt") is not None
    assert api.get_discussion_details(repo_id, 1).status == "open"


def test_a_pull_request_and_main_change_different_files(api: Any, new_repo: Any) -> None:
    repo_id = new_repo("model", files={"a.txt": b"a"})
    api.create_commit(repo_id, [CommitOperationAdd("pr.txt", b"pr")], commit_message="pr", create_pr=True)
    api.upload_file(repo_id=repo_id, path_in_repo="main.txt", path_or_fileobj=b"m")
    api.merge_pull_request(repo_id, 1)
    assert {"a.txt", "pr.txt", "main.txt"} <= set(api.list_repo_files(repo_id))


def test_discussion_from_opening_to_closing(api: Any, new_repo: Any) -> None:
    repo_id = new_repo()
    discussion = api.create_discussion(repo_id, "Which licence?", description="It is not said.", repo_type="dataset")
    api.comment_discussion(repo_id, discussion.num, "CC BY 4.0", repo_type="dataset")
    api.rename_discussion(repo_id, discussion.num, "Which license?", repo_type="dataset")
    api.change_discussion_status(repo_id, discussion.num, "closed", repo_type="dataset")
    details = api.get_discussion_details(repo_id, discussion.num, repo_type="dataset")
    assert (details.title, details.status) == ("Which license?", "closed")
    assert [event.type for event in details.events] == ["comment", "comment", "title-change", "status-change"]
    listed = list(api.get_repo_discussions(repo_id, repo_type="dataset", discussion_status="closed"))
    assert [item.num for item in listed] == [discussion.num]


def test_discussions_are_listed_page_by_page(api: Any, new_repo: Any) -> None:
    repo_id = new_repo()
    for number in range(13):
        api.create_discussion(repo_id, f"Question {number}", repo_type="dataset")
    numbers = [item.num for item in api.get_repo_discussions(repo_id, repo_type="dataset")]
    assert sorted(numbers) == list(range(1, 14))


def test_an_empty_pull_request_is_a_draft(api: Any, new_repo: Any) -> None:
    repo_id = new_repo("model")
    pull_request = api.create_pull_request(repo_id, "To come")
    assert pull_request.is_pull_request
    assert api.get_discussion_details(repo_id, pull_request.num).status == "draft"
