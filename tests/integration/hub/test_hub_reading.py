"""Information, trees, history, downloads, ranges, the file system, cards."""

from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import (
    CommitOperationAdd,
    DatasetCard,
    DatasetCardData,
    EvalResult,
    HfFileSystem,
    ModelCard,
    ModelCardData,
    get_hf_file_metadata,
    hf_hub_url,
    metadata_load,
    metadata_update,
)
from huggingface_hub.errors import (
    EntryNotFoundError,
    LocalEntryNotFoundError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)


def file_system() -> HfFileSystem:
    return HfFileSystem(skip_instance_cache=True)


def test_dataset_info(api: Any, new_repo: Any) -> None:
    card = b"---\nlicense: cc-by-4.0\nlanguage: [ta, en]\ntags: [synthetic]\n---\n# x\n"
    repo_id = new_repo(files={"README.md": card, "data.bin": b"\0\1"})
    info = api.dataset_info(repo_id, files_metadata=True)
    assert info.card_data.license == "cc-by-4.0"
    assert {"synthetic", "license:cc-by-4.0", "language:ta"} <= set(info.tags)
    sizes = {sibling.rfilename: sibling.size for sibling in info.siblings}
    assert sizes["data.bin"] == 2
    assert sizes["README.md"] == len(card)
    assert info.created_at <= info.last_modified or info.last_modified is not None


def test_model_info_knows_task_and_library(api: Any, new_repo: Any) -> None:
    config = b'{"architectures": ["BertForSequenceClassification"], "model_type": "bert"}'
    card = b"---\npipeline_tag: text-classification\n---\n"
    repo_id = new_repo("model", files={"config.json": config, "README.md": card})
    info = api.model_info(repo_id)
    assert info.pipeline_tag == "text-classification"
    assert info.library_name == "transformers"
    assert info.config["model_type"] == "bert"


def test_info_at_a_revision(api: Any, new_repo: Any) -> None:
    repo_id = new_repo(files={"one.txt": b"1"})
    old = api.dataset_info(repo_id).sha
    api.upload_file(repo_id=repo_id, repo_type="dataset", path_in_repo="two.txt", path_or_fileobj=b"2")
    files = [sibling.rfilename for sibling in api.dataset_info(repo_id, revision=old).siblings]
    assert files == [".gitattributes", "one.txt"]
    assert api.dataset_info(repo_id, revision=old[:8]).sha == old


def test_list_tree_by_folder_and_recursively(api: Any, new_repo: Any) -> None:
    repo_id = new_repo("model", files={"a.txt": b"a", "d/b.txt": b"bb", "d/e/c.txt": b"ccc"})
    top = {item.path for item in api.list_repo_tree(repo_id)}
    assert top == {".gitattributes", "a.txt", "d"}
    assert {item.path for item in api.list_repo_tree(repo_id, "d")} == {"d/b.txt", "d/e"}
    everything = {item.path for item in api.list_repo_tree(repo_id, recursive=True)}
    assert everything == top | {"d/b.txt", "d/e", "d/e/c.txt"}


def test_tree_with_last_commits(api: Any, new_repo: Any) -> None:
    repo_id = new_repo("model", files={"a.txt": b"a"})
    api.create_commit(repo_id, [CommitOperationAdd("b.txt", b"b")], commit_message="only b")
    items = {item.path: item.last_commit.title for item in api.list_repo_tree(repo_id, expand=True)}
    assert items["b.txt"] == "only b"
    assert items["a.txt"] == "files"


def test_a_tree_longer_than_a_page(api: Any, new_repo: Any) -> None:
    repo_id = new_repo("model", files={f"f{number:03}.txt": b"x" for number in range(120)})
    assert len(list(api.list_repo_tree(repo_id, expand=True))) == 121


def test_paths_info_leaves_out_what_is_not_there(api: Any, new_repo: Any) -> None:
    repo_id = new_repo("model", files={"a.txt": b"a", "d/b.txt": b"b"})
    found = {item.path for item in api.get_paths_info(repo_id, ["a.txt", "d", "none"])}
    assert found == {"a.txt", "d"}


def test_history_longer_than_a_page(api: Any, new_repo: Any) -> None:
    repo_id = new_repo("model")
    for number in range(55):
        api.create_commit(repo_id, [CommitOperationAdd("n.txt", str(number).encode())], commit_message=f"n {number}")
    titles = [commit.title for commit in api.list_repo_commits(repo_id)]
    assert titles[:2] == ["n 54", "n 53"]
    assert len(titles) == 56
    formatted = api.list_repo_commits(repo_id, formatted=True)
    assert formatted[0].formatted_title is not None


def test_file_and_revision_exist(api: Any, new_repo: Any) -> None:
    repo_id = new_repo("model", files={"a.txt": b"a"})
    assert api.file_exists(repo_id, "a.txt")
    assert not api.file_exists(repo_id, "b.txt")
    assert api.revision_exists(repo_id, "main")
    assert not api.revision_exists(repo_id, "none")


def test_file_metadata(api: Any, new_repo: Any) -> None:
    repo_id = new_repo("model", files={"w.bin": b"\0" * 1000})
    metadata = get_hf_file_metadata(hf_hub_url(repo_id, "w.bin"))
    assert metadata.size == 1000
    assert metadata.commit_hash == api.model_info(repo_id).sha
    assert metadata.etag == api.get_paths_info(repo_id, ["w.bin"])[0].lfs.sha256


def test_download_is_cached_and_absence_remembered(api: Any, new_repo: Any) -> None:
    repo_id = new_repo("model", files={"a.txt": b"a"})
    path = api.hf_hub_download(repo_id, "a.txt")
    assert api.hf_hub_download(repo_id, "a.txt", local_files_only=True) == path
    with pytest.raises(RemoteEntryNotFoundError):
        api.hf_hub_download(repo_id, "none.txt")
    with pytest.raises(LocalEntryNotFoundError):
        api.hf_hub_download(repo_id, "none.txt", local_files_only=True)


def test_snapshot_download_with_patterns(api: Any, new_repo: Any, tmp_path: Path) -> None:
    repo_id = new_repo("model", files={"a.txt": b"a", "b.bin": b"\0" * 5000, "d/c.txt": b"c"})
    folder = Path(api.snapshot_download(repo_id, allow_patterns=["*.txt"], local_dir=tmp_path))
    assert (folder / "d" / "c.txt").read_bytes() == b"c"
    assert not (folder / "b.bin").exists()


def test_snapshot_at_a_tag(api: Any, new_repo: Any) -> None:
    repo_id = new_repo("model", files={"a.txt": b"old"})
    api.create_tag(repo_id, tag="v1.0.0")
    api.upload_file(repo_id=repo_id, path_in_repo="a.txt", path_or_fileobj=b"new")
    assert (Path(api.snapshot_download(repo_id, revision="v1.0.0")) / "a.txt").read_bytes() == b"old"
    assert (Path(api.snapshot_download(repo_id)) / "a.txt").read_bytes() == b"new"


def test_errors_have_their_class(api: Any, new_repo: Any, namespace: str) -> None:
    repo_id = new_repo("model", files={"a.txt": b"a"})
    with pytest.raises(RepositoryNotFoundError):
        api.hf_hub_download(f"{namespace}/there-is-none", "a.txt")
    with pytest.raises(RevisionNotFoundError):
        api.hf_hub_download(repo_id, "a.txt", revision="none")
    with pytest.raises(EntryNotFoundError):
        api.hf_hub_download(repo_id, "none.txt")
    with pytest.raises(EntryNotFoundError):
        list(api.list_repo_tree(repo_id, "none"))


def test_file_system_lists_and_finds(new_repo: Any) -> None:
    repo_id = new_repo(files={"data/a.txt": b"a", "data/b.txt": b"bb"})
    fs = file_system()
    assert fs.ls(f"datasets/{repo_id}/data", detail=False) == [
        f"datasets/{repo_id}/data/a.txt",
        f"datasets/{repo_id}/data/b.txt",
    ]
    assert fs.info(f"datasets/{repo_id}/data/b.txt")["size"] == 2
    assert fs.glob(f"datasets/{repo_id}/**/*.txt") == fs.ls(f"datasets/{repo_id}/data", detail=False)


def test_file_system_reads_ranges(new_repo: Any) -> None:
    content = bytes(range(256)) * 100
    repo_id = new_repo(files={"w.bin": content, "small.txt": b"0123456789"})
    with file_system().open(f"datasets/{repo_id}/w.bin", "rb") as file:
        file.seek(12_345)
        assert file.read(10) == content[12_345:12_355]
    assert file_system().cat_file(f"datasets/{repo_id}/small.txt", start=2, end=5) == b"234"


def test_file_system_writes_copies_and_removes(api: Any, new_repo: Any) -> None:
    repo_id = new_repo()
    fs = file_system()
    with fs.open(f"datasets/{repo_id}/w.txt", "wb") as file:
        file.write(b"written")
    fs.cp_file(f"datasets/{repo_id}/w.txt", f"datasets/{repo_id}/copy.txt")
    fs.rm(f"datasets/{repo_id}/w.txt")
    assert sorted(api.list_repo_files(repo_id, repo_type="dataset")) == [".gitattributes", "copy.txt"]
    assert file_system().read_text(f"datasets/{repo_id}/copy.txt") == "written"


def test_dataset_card_there_and_back(new_repo: Any) -> None:
    repo_id = new_repo()
    card = DatasetCard.from_template(DatasetCardData(license="mit", language=["ta"], pretty_name="பெயர்"))
    card.push_to_hub(repo_id)
    loaded = DatasetCard.load(repo_id)
    assert loaded.data.pretty_name == "பெயர்"
    assert loaded.data.language == ["ta"]


def test_model_index_is_read_back(api: Any, new_repo: Any) -> None:
    repo_id = new_repo("model")
    result = EvalResult(
        task_type="text-classification",
        dataset_type="acme/reviews",
        dataset_name="Reviews",
        dataset_revision="a" * 40,
        metric_type="f1",
        metric_value=0.71,
    )
    ModelCard.from_template(ModelCardData(model_name="m", eval_results=[result])).push_to_hub(repo_id)
    read = ModelCard.load(repo_id).data.eval_results[0]
    assert (read.metric_value, read.dataset_revision) == (0.71, "a" * 40)
    assert api.model_info(repo_id).model_index[0]["results"][0]["metrics"][0]["value"] == 0.71


def test_eval_results_files_are_read_back(api: Any, new_repo: Any) -> None:
    entry = b"- dataset:\n    id: acme/benchmark\n    task_id: default\n  value: 71.5\n"
    repo_id = new_repo("model", files={".eval_results/benchmark.yaml": entry})
    results = api.model_info(repo_id, expand=["evalResults"]).eval_results
    assert [(result.dataset_id, result.value) for result in results] == [("acme/benchmark", 71.5)]


def test_a_bad_card_is_refused(new_repo: Any) -> None:
    repo_id = new_repo()
    with pytest.raises(ValueError, match="tags"):
        DatasetCard("---\ntags: {a: 1}\n---\n# x\n").push_to_hub(repo_id)


def test_metadata_update(api: Any, new_repo: Any) -> None:
    repo_id = new_repo("model", files={"README.md": b"---\nlicense: mit\n---\n# text stays\n"})
    metadata_update(repo_id, {"tags": ["updated"]})
    path = api.hf_hub_download(repo_id, "README.md", force_download=True)
    assert metadata_load(path) == {"license": "mit", "tags": ["updated"]}
    assert "# text stays" in Path(path).read_text()
