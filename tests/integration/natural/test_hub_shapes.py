"""Datasets as the Hub has them, against the real clients: each is read, or one line says what there is."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from sentisynth_hub.cli import sentisynth
from sentisynth_hub.core.errors import DataError, SentisynthError
from sentisynth_hub.core.open_records import is_file_name, open_dataset, open_records
from sentisynth_hub.localhub.control import HubState
from sentisynth_hub.recipe import load_recipe


SPACE = "hub-shapes"
ROWS = [{"text": f"what a film {i}", "label": i % 2} for i in range(60)]


def features(**changed: Any) -> Any:
    import datasets

    return datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["negative", "positive"])} | changed
    )


def push(
    name: str, rows: list[dict[str, Any]], *, config: str = "default", split: str = "train", **changed: Any
) -> str:
    import datasets

    made = datasets.Dataset.from_list(rows, features=features(**changed))
    made.push_to_hub(f"{SPACE}/{name}", config, split=split)
    return f"{SPACE}/{name}"


def upload(name: str, files: dict[str, bytes]) -> str:
    from huggingface_hub import HfApi

    api = HfApi()
    api.create_repo(f"{SPACE}/{name}", repo_type="dataset", exist_ok=True)
    for path, content in files.items():
        api.upload_file(path_or_fileobj=content, path_in_repo=path, repo_id=f"{SPACE}/{name}", repo_type="dataset")
    return f"{SPACE}/{name}"


def start(tmp_path: Path, *arguments: str) -> tuple[Path | None, str, str]:
    """Folder, stderr and one-line error of `sentisynth init`."""
    done = CliRunner().invoke(sentisynth, ["init", *arguments, "--folder", str(tmp_path / "made")])
    if done.exception is None:
        return tmp_path / "made", done.stderr, ""
    assert isinstance(done.exception, SentisynthError), done.exc_info
    assert "\n" not in str(done.exception)
    assert not (tmp_path / "made").exists()
    return None, done.stderr, str(done.exception)


def test_unlabelled_rows_are_left_out_with_a_count(local_hub: HubState, tmp_path: Path) -> None:
    repo = push("unlabelled", [*ROWS, *({"text": f"nobody said {i}", "label": -1} for i in range(30))])
    folder, said, _ = start(tmp_path, repo)
    assert folder is not None
    assert "left out 30 of 90 rows: 30 without a label" in said
    labels = [json.loads(line)["label"] for line in (folder / "data/rows.jsonl").read_text().splitlines()]
    assert (labels.count("negative"), labels.count("positive")) == (30, 30)


def test_null_labels_and_texts_are_left_out_with_a_count(local_hub: HubState, tmp_path: Path) -> None:
    repo = push("nulls", [*ROWS, {"text": None, "label": 1}, {"text": "a", "label": None}])
    folder, said, _ = start(tmp_path, repo)
    assert folder is not None
    assert "left out 2 of 62 rows: 1 without a text, 1 without a label" in said


def test_labels_keep_the_order_of_the_source(local_hub: HubState, tmp_path: Path) -> None:
    import datasets

    rows = [{"text": f"film {i}", "label": i % 3} for i in range(90)]
    repo = push("ordered", rows, label=datasets.ClassLabel(names=["positive", "mixed", "bad"]))
    folder, _, _ = start(tmp_path, repo)
    assert load_recipe(str(folder)).labels == ["positive", "mixed", "bad"]


def test_configurations_and_splits_are_named_and_chosen(local_hub: HubState, tmp_path: Path) -> None:
    for config in ("hindi", "tamil"):
        push("pairs", ROWS, config=config)
    repo = push("pairs", ROWS[:40], config="hindi", split="validation")
    assert "several configurations; choose one with --config-name: hindi, tamil" in start(tmp_path, repo)[2]
    assert "has no configuration 'hindu'; did you mean 'hindi'?" in start(tmp_path, repo, "--config-name", "hindu")[2]
    wrong = start(tmp_path, repo, "--config-name", "hindi", "--split", "valid")[2]
    assert "has no split 'valid'; it has train, validation; did you mean 'validation'?" in wrong
    folder, _, _ = start(tmp_path, repo, "--config-name", "hindi", "--split", "validation")
    assert folder is not None
    assert len((folder / "data/rows.jsonl").read_text().splitlines()) == 40


def test_a_dot_in_the_id_is_no_ending(local_hub: HubState, tmp_path: Path) -> None:
    repo = push("movies-v1.5", ROWS)
    assert not is_file_name(repo)
    folder, _, _ = start(tmp_path, repo)
    assert folder is not None
    assert load_recipe(str(folder)).name == "movies-v1-5"


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("lists", lambda: _lists(), "several labels a row"),
        ("translation", lambda: _translation(), "holds an object .en, de., not text"),
        ("script", lambda: upload("script", {"script.py": b"raise SystemExit(1)"}), "needs a loading script|no data"),
        ("empty", lambda: upload("empty", {"README.md": b"---\nlicense: mit\n---\n"}), "holds no data files"),
        ("broken", lambda: upload("broken", {"train.parquet": b"PAR1"}), "cannot be read as one table"),
        ("torn", lambda: upload("torn", {"train.jsonl": b'{"text": "a"\n'}), "cannot be read as one table"),
        ("mixed", lambda: upload("mixed", {"a.csv": b"text,label\na,b\n", "b.csv": b"review,stars,x\nc,d,e\n"}),
         "cannot be read as one table"),
        ("absent", lambda: f"{SPACE}/absent", "is neither a file here nor a dataset on the Hub you may read"),
        ("one word", lambda: "absent-word", "is neither a file here nor a dataset on the Hub you may read"),
        ("no id", lambda: "a/b/c", "no such file|ending"),
        ("spaces", lambda: "my data", "no such file|ending"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_one_line(
    local_hub: HubState, tmp_path: Path, name: str, make: Callable[[], str], message: str
) -> None:
    import re

    _, _, problem = start(tmp_path, make())
    assert re.search(message, problem), problem


def _lists() -> str:
    import datasets

    return push("lists", [{"text": "a", "label": [0, 1]}], label=datasets.List(datasets.ClassLabel(names=["a", "b"])))


def _translation() -> str:
    import datasets

    rows = [{"text": {"en": "a", "de": "b"}, "label": 0}]
    return push("translation", rows, text={"en": datasets.Value("string"), "de": datasets.Value("string")})


def test_a_revision_is_opened_at_its_commit(local_hub: HubState) -> None:
    repo = push("revised", ROWS)
    before = open_dataset(repo).commit
    push("revised", ROWS[:30])
    assert len(list(open_records(repo, revision=before).rows)) == 60
    assert len(list(open_records(repo).rows)) == 30
    with pytest.raises(DataError, match="has no revision 'v9'"):
        open_dataset(repo, revision="v9")
