"""The `datasets` library: pushing and loading."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from datasets import Dataset, DatasetDict, get_dataset_config_names, get_dataset_split_names, load_dataset
from huggingface_hub.errors import HfHubHTTPError


def test_push_makes_a_private_repo(api: Any, new_name: Any, rows: Any) -> None:
    repo_id = new_name()
    rows.push_to_hub(repo_id, private=True)
    assert api.dataset_info(repo_id).private
    loaded = load_dataset(repo_id, split="train")
    assert loaded["text"] == rows["text"]
    assert loaded.features == rows.features


def test_push_several_splits(new_name: Any, rows: Any) -> None:
    repo_id = new_name()
    DatasetDict({"train": rows, "test": rows.select([0, 1])}).push_to_hub(repo_id)
    loaded = load_dataset(repo_id)
    assert {name: len(split) for name, split in loaded.items()} == {"train": 4, "test": 2}
    assert sorted(get_dataset_split_names(repo_id)) == ["test", "train"]


def test_push_several_configs(new_name: Any, rows: Any) -> None:
    repo_id = new_name()
    rows.push_to_hub(repo_id)
    rows.select([1]).push_to_hub(repo_id, "rejected")
    assert sorted(get_dataset_config_names(repo_id)) == ["default", "rejected"]
    assert len(load_dataset(repo_id, split="train")) == 4
    assert len(load_dataset(repo_id, "rejected", split="train")) == 1


def test_push_several_shards(api: Any, new_name: Any, rows: Any) -> None:
    repo_id = new_name()
    rows.push_to_hub(repo_id, num_shards=3)
    shards = [path for path in api.list_repo_files(repo_id, repo_type="dataset") if path.endswith(".parquet")]
    assert len(shards) == 3
    assert load_dataset(repo_id, split="train")["text"] == rows["text"]


def test_push_fewer_shards_removes_the_old_ones(api: Any, new_name: Any, rows: Any) -> None:
    repo_id = new_name()
    rows.push_to_hub(repo_id, num_shards=3)
    rows.push_to_hub(repo_id, num_shards=1)
    shards = [path for path in api.list_repo_files(repo_id, repo_type="dataset") if path.endswith(".parquet")]
    assert shards == ["data/train-00000-of-00001.parquet"]


def test_push_to_a_branch(api: Any, new_name: Any, rows: Any) -> None:
    repo_id = new_name()
    rows.push_to_hub(repo_id)
    rows.select([0]).push_to_hub(repo_id, revision="smaller")
    assert len(load_dataset(repo_id, revision="smaller", split="train")) == 1
    assert len(load_dataset(repo_id, split="train")) == 4


def test_push_as_a_pull_request(api: Any, new_name: Any, rows: Any) -> None:
    repo_id = new_name()
    rows.push_to_hub(repo_id)
    rows.select([0, 1]).push_to_hub(repo_id, create_pr=True)
    assert len(load_dataset(repo_id, split="train")) == 4
    assert len(load_dataset(repo_id, revision="refs/pr/1", split="train")) == 2
    api.merge_pull_request(repo_id, 1, repo_type="dataset")
    assert len(load_dataset(repo_id, split="train")) == 2


def test_load_at_a_tag(api: Any, new_name: Any, rows: Any) -> None:
    repo_id = new_name()
    rows.push_to_hub(repo_id)
    api.create_tag(repo_id, tag="v1.0.0", repo_type="dataset")
    rows.select([0]).push_to_hub(repo_id)
    assert load_dataset(repo_id, revision="v1.0.0", split="train")["text"] == rows["text"]
    assert len(load_dataset(repo_id, split="train")) == 1


def test_load_streaming(new_name: Any, rows: Any) -> None:
    repo_id = new_name()
    rows.push_to_hub(repo_id)
    stream = load_dataset(repo_id, split="train", streaming=True)
    assert [row["text"] for row in stream] == rows["text"][:]


def test_load_plain_files(new_repo: Any) -> None:
    repo_id = new_repo(files={"train.jsonl": b'{"text": "a"}\n{"text": "b"}\n', "test.jsonl": b'{"text": "c"}\n'})
    loaded = load_dataset(repo_id)
    assert loaded["train"]["text"][:] == ["a", "b"]
    assert loaded["test"]["text"][:] == ["c"]


def test_load_by_data_files(new_repo: Any) -> None:
    repo_id = new_repo(files={"odd/name.csv": b"text,label\nhello,1\n"})
    assert load_dataset(repo_id, data_files="odd/*.csv", split="train")["text"][:] == ["hello"]


def test_an_unknown_config_is_named_with_the_known_ones(new_name: Any, rows: Any) -> None:
    repo_id = new_name()
    rows.push_to_hub(repo_id, "known")
    with pytest.raises(ValueError, match="known"):
        load_dataset(repo_id, "other")


def test_a_missing_dataset(namespace: str, local_hub: Any) -> None:
    from datasets.exceptions import DatasetNotFoundError

    with pytest.raises(DatasetNotFoundError):
        load_dataset(f"{namespace}/there-is-none")


def test_four_concurrent_pushes_keep_every_config(new_repo: Any, rows: Any) -> None:
    repo_id = new_repo()

    def push(number: int) -> None:
        while True:
            try:
                rows.push_to_hub(repo_id, f"config_{number}")
                return
            except HfHubHTTPError as error:
                assert error.response.status_code in (409, 412)  # noqa: PT017

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(push, range(4)))
    assert sorted(get_dataset_config_names(repo_id)) == [f"config_{number}" for number in range(4)]


def test_push_an_iterable(new_name: Any) -> None:
    repo_id = new_name()
    Dataset.from_generator(lambda: iter([{"text": "a"}, {"text": "b"}])).push_to_hub(repo_id)
    assert load_dataset(repo_id, split="train")["text"][:] == ["a", "b"]
