"""Commits: small and large files, folders, copies, deletions, conflicts."""

import hashlib
import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import CommitOperationAdd, CommitOperationCopy, CommitOperationDelete
from huggingface_hub.errors import HfHubHTTPError


LARGE = bytes(range(256)) * 4096  # a megabyte that is not text


def read(api: Any, repo_id: str, path: str, **options: Any) -> bytes:
    return Path(api.hf_hub_download(repo_id, path, force_download=True, **options)).read_bytes()


def test_upload_a_small_file(api: Any, new_repo: Any) -> None:
    repo_id = new_repo("model")
    commit = api.upload_file(repo_id=repo_id, path_in_repo="notes/ü.txt", path_or_fileobj="பட்டு".encode())
    assert commit.oid == api.model_info(repo_id).sha
    assert read(api, repo_id, "notes/ü.txt").decode() == "பட்டு"


def test_upload_a_large_file(api: Any, new_repo: Any) -> None:
    repo_id = new_repo("model")
    api.upload_file(repo_id=repo_id, path_in_repo="weights.safetensors", path_or_fileobj=LARGE)
    info = api.get_paths_info(repo_id, ["weights.safetensors"])[0]
    assert info.lfs.sha256 == hashlib.sha256(LARGE).hexdigest()
    assert info.size == len(LARGE)
    assert read(api, repo_id, "weights.safetensors") == LARGE


def test_upload_from_a_stream(api: Any, new_repo: Any) -> None:
    repo_id = new_repo("model")
    api.upload_file(repo_id=repo_id, path_in_repo="stream.bin", path_or_fileobj=io.BytesIO(LARGE))
    assert read(api, repo_id, "stream.bin") == LARGE


def test_upload_an_empty_file(api: Any, new_repo: Any) -> None:
    repo_id = new_repo("model", files={"empty.txt": b""})
    assert read(api, repo_id, "empty.txt") == b""


def test_unchanged_content_makes_no_commit(api: Any, new_repo: Any) -> None:
    repo_id = new_repo("model", files={"a.txt": b"same", "b.bin": LARGE})
    before = api.model_info(repo_id).sha
    api.upload_file(repo_id=repo_id, path_in_repo="a.txt", path_or_fileobj=b"same")
    api.upload_file(repo_id=repo_id, path_in_repo="b.bin", path_or_fileobj=LARGE)
    assert api.model_info(repo_id).sha == before


def test_an_object_that_is_stored_is_not_sent_again(api: Any, new_repo: Any) -> None:
    repo_id = new_repo("model", files={"a.bin": LARGE})
    api.upload_file(repo_id=repo_id, path_in_repo="again.bin", path_or_fileobj=LARGE)
    assert read(api, repo_id, "again.bin") == LARGE


def test_upload_folder_is_one_commit(api: Any, new_repo: Any, tmp_path: Path) -> None:
    repo_id = new_repo("model")
    (tmp_path / "sub").mkdir()
    for name in ("a.txt", "b.bin", "sub/c.txt", "skip.log"):
        (tmp_path / name).write_bytes(name.encode())
    api.upload_folder(repo_id=repo_id, folder_path=tmp_path, ignore_patterns="*.log")
    assert sorted(api.list_repo_files(repo_id)) == [".gitattributes", "a.txt", "b.bin", "sub/c.txt"]
    assert len(api.list_repo_commits(repo_id)) == 2


def test_upload_folder_deletes_what_it_was_told_to(api: Any, new_repo: Any, tmp_path: Path) -> None:
    repo_id = new_repo("model", files={"old-1.txt": b"1", "old-2.txt": b"2", "keep.txt": b"k"})
    (tmp_path / "new.txt").write_text("n")
    api.upload_folder(repo_id=repo_id, folder_path=tmp_path, delete_patterns="old-*.txt")
    assert sorted(api.list_repo_files(repo_id)) == [".gitattributes", "keep.txt", "new.txt"]


def test_one_commit_adds_deletes_and_copies(api: Any, new_repo: Any) -> None:
    repo_id = new_repo("model", files={"gone.txt": b"g", "a.txt": b"a", "large.bin": LARGE})
    operations = [
        CommitOperationAdd("new.txt", b"n"),
        CommitOperationDelete("gone.txt"),
        CommitOperationCopy("a.txt", "copies/a.txt"),
        CommitOperationCopy("large.bin", "copies/large.bin"),
    ]
    api.create_commit(repo_id, operations, commit_message="all at once", commit_description="and why")
    files = api.list_repo_files(repo_id)
    assert sorted(files) == [".gitattributes", "a.txt", "copies/a.txt", "copies/large.bin", "large.bin", "new.txt"]
    assert read(api, repo_id, "copies/a.txt") == b"a"
    assert read(api, repo_id, "copies/large.bin") == LARGE
    newest = api.list_repo_commits(repo_id)[0]
    assert (newest.title, newest.message) == ("all at once", "and why")


def test_delete_a_file_and_a_folder(api: Any, new_repo: Any) -> None:
    repo_id = new_repo("model", files={"a.txt": b"a", "d/1.txt": b"1", "d/e/2.txt": b"2"})
    api.delete_file("a.txt", repo_id)
    api.delete_folder("d", repo_id)
    assert api.list_repo_files(repo_id) == [".gitattributes"]


def test_delete_by_patterns(api: Any, new_repo: Any) -> None:
    repo_id = new_repo("model", files={"x/1.txt": b"1", "x/2.md": b"2"})
    api.delete_files(repo_id, ["x/*.txt"])
    assert sorted(api.list_repo_files(repo_id)) == [".gitattributes", "x/2.md"]


def test_deleting_what_is_not_there_is_refused(api: Any, new_repo: Any) -> None:
    repo_id = new_repo("model")
    with pytest.raises(HfHubHTTPError) as refused:
        api.create_commit(repo_id, [CommitOperationDelete("none.txt")], commit_message="no")
    assert refused.value.response.status_code == 404


def test_a_stale_parent_is_refused(api: Any, new_repo: Any) -> None:
    repo_id = new_repo("model")
    parent = api.model_info(repo_id).sha
    api.create_commit(repo_id, [CommitOperationAdd("1", b"1")], commit_message="first", parent_commit=parent)
    with pytest.raises(HfHubHTTPError) as refused:
        api.create_commit(repo_id, [CommitOperationAdd("2", b"2")], commit_message="late", parent_commit=parent)
    assert refused.value.response.status_code == 412
    assert "2" not in api.list_repo_files(repo_id)


def test_eight_concurrent_writers_lose_no_commit(api: Any, new_repo: Any) -> None:
    repo_id = new_repo("model")

    def publish(number: int) -> str:
        while True:
            parent = api.model_info(repo_id).sha
            addition = CommitOperationAdd(f"{number}.txt", str(number).encode())
            try:
                commit = api.create_commit(repo_id, [addition], commit_message=str(number), parent_commit=parent)
                return str(commit.oid)
            except HfHubHTTPError as error:
                assert error.response.status_code in (409, 412)  # noqa: PT017

    with ThreadPoolExecutor(8) as pool:
        oids = list(pool.map(publish, range(8)))
    history = [commit.commit_id for commit in api.list_repo_commits(repo_id)]
    assert set(oids) <= set(history)
    assert len(history) == 9
    assert sorted(api.list_repo_files(repo_id)) == [".gitattributes", *(f"{number}.txt" for number in range(8))]


def test_preupload_then_commit(api: Any, new_repo: Any) -> None:
    repo_id = new_repo("model")
    addition = CommitOperationAdd("pre.bin", LARGE)
    api.preupload_lfs_files(repo_id, [addition])
    assert api.list_repo_files(repo_id) == [".gitattributes"]
    api.create_commit(repo_id, [addition], commit_message="now")
    assert read(api, repo_id, "pre.bin") == LARGE


def test_many_files_in_one_commit(api: Any, new_repo: Any) -> None:
    repo_id = new_repo("model", files={f"part/{number:04}.txt": str(number).encode() for number in range(300)})
    assert len(api.list_repo_files(repo_id)) == 301


def test_commit_to_a_branch_leaves_main_alone(api: Any, new_repo: Any) -> None:
    repo_id = new_repo("model")
    api.create_branch(repo_id, branch="experiments/one")
    api.upload_file(repo_id=repo_id, path_in_repo="b.txt", path_or_fileobj=b"b", revision="experiments/one")
    assert "b.txt" in api.list_repo_files(repo_id, revision="experiments/one")
    assert "b.txt" not in api.list_repo_files(repo_id)
