"""Publishing what was there already: a data set, a model; versions, cards, gates, verify, on the embedded Hub."""

import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from click.testing import CliRunner

from sentisynth_hub import DataError, InputError, PublishError
from sentisynth_hub.cli import sentisynth
from sentisynth_hub.localhub.control import HubState
from sentisynth_hub.publish.publish_given import publish_dataset, publish_model, verify_version
from tests.support.releases import tiny_classifier


if TYPE_CHECKING:
    from huggingface_hub import HfApi

_number = itertools.count()
SAID = {"licence": "cc-by-4.0", "language": ["en", "ml-Latn"]}


@pytest.fixture
def repo_id(local_hub: HubState) -> str:
    return f"given-tests/one-{next(_number)}"


@pytest.fixture
def api(local_hub: HubState) -> "HfApi":
    from huggingface_hub import HfApi

    return HfApi()


def frame(rows: int = 40) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "review": [f"phone number {place} is kollaam 😂" for place in range(rows)],
            "stars": [("bad", "good", "mixed")[place % 3] for place in range(rows)],
            "likes": [place * 1.5 for place in range(rows)],
            "tags": [["a", "b"][: place % 3] for place in range(rows)],
        }
    )


def publish(data: object, repo_id: str, **given: Any) -> Any:
    return publish_dataset(data, repo_id, **{"text": "review", "label": "stars", **given})


def card(repo_id: str, revision: str, repo_type: str = "dataset") -> str:
    from huggingface_hub import hf_hub_download

    return Path(hf_hub_download(repo_id, "README.md", repo_type=repo_type, revision=revision)).read_text("utf-8")


def test_a_data_frame_becomes_versions_that_load(repo_id: str, api: "HfApi") -> None:
    from datasets import load_dataset

    first = publish(frame(), repo_id, **SAID, card="# Phones\n\nCollected by hand in Kochi.\n", title="Phone reviews")
    assert (first.version, first.changed) == ("v1.0.0", True)
    assert first.checks
    assert all(check.agrees is not False for check in first.checks)
    assert not publish(frame().sample(frac=1, random_state=0), repo_id).changed  # the order of rows is no change

    more = pd.concat([frame(), frame(43).tail(3)])
    second = publish(more, repo_id)
    assert (second.version, second.why) == ("v1.1.0", "3 rows added")
    relabelled = more.assign(stars=["good", *more["stars"][1:]])
    third = publish(relabelled, repo_id)
    assert (third.version, third.why) == ("v2.0.0", "1 rows relabelled")
    scored = publish(relabelled.assign(likes=relabelled["likes"] + 1), repo_id)
    assert scored.version == "v2.1.0"
    assert "values of other columns changed" in scored.why
    wider = publish(relabelled.assign(shop="x"), repo_id)
    assert (wider.version, wider.why) == ("v3.0.0", "column 'shop' added")

    loaded = load_dataset(repo_id, revision="v1.0.0")
    assert list(loaded) == ["train"]
    assert loaded["train"].features["stars"].names == ["bad", "good", "mixed"]
    assert sorted(loaded["train"]["review"]) == sorted(frame()["review"])
    assert loaded["train"]["tags"][2] == ["a", "b"]
    text = card(repo_id, "v3.0.0")
    assert "Collected by hand in Kochi." in text
    assert f"[v2.0.0](/datasets/{repo_id}/tree/v2.0.0)" in text
    assert "language_details:\n- en\n- ml-Latn" in text
    assert len(api.list_repo_commits(repo_id, repo_type="dataset")) == 6  # one each, and the one that made the repo
    assert [check.name for check in verify_version(f"{repo_id}@v1.0.0") if check.agrees is False] == []


def test_splits_of_a_folder_and_what_repeats_between_them(repo_id: str, tmp_path: Path) -> None:
    whole = frame().drop(columns="tags")
    whole.to_csv(tmp_path / "train.csv", index=False)
    whole.tail(5).to_csv(tmp_path / "test.csv", index=False)
    with pytest.raises(PublishError, match="gate leakage: 5 rows do not pass, e.g. row 0 of test"):
        publish(tmp_path, repo_id, **SAID, gates=["leakage"])
    result = publish(tmp_path, repo_id, **SAID)
    assert "rows of other splits whose text stands in train | 5" in card(repo_id, result.version)
    whole.head(35).to_csv(tmp_path / "train.csv", index=False)
    assert publish(tmp_path, repo_id, gates=["leakage", "duplicates"]).why == "5 rows removed"


def test_a_dataset_of_the_datasets_library_and_a_stream(repo_id: str) -> None:
    from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

    features = Features({"text": Value("string"), "label": ClassLabel(names=["no", "yes"]), "at": Value("date32")})
    import datetime

    rows = {"text": ["so", "la", "ti"], "label": [1, 0, -1], "at": [datetime.date(2026, 1, day) for day in (1, 2, 3)]}
    data = DatasetDict(train=Dataset.from_dict(rows, features=features).select([2, 0, 1]))
    assert publish_dataset(data, repo_id, **SAID).version == "v1.0.0"
    stream = Dataset.from_dict(rows, features=features).to_iterable_dataset()
    again = publish_dataset(stream, repo_id, label_names=["no", "yes"])
    assert not again.changed, again.why


def test_integers_keep_the_names_they_had(repo_id: str) -> None:
    rows = [{"text": f"row {place}", "label": place % 2} for place in range(6)]
    publish_dataset(rows, repo_id, **SAID, label_names=["off", "on"])
    assert publish_dataset([*rows, {"text": "row 6", "label": 0}], repo_id).why == "1 rows added"


def test_the_owners_words_can_change_and_nothing_else(repo_id: str) -> None:
    publish(frame(), repo_id, **SAID, card="Old words.\n")
    changed = publish(frame(), repo_id, card="---\nannotations_creators:\n- crowdsourced\n---\nNew words.\n")
    assert (changed.version, changed.why) == ("v1.0.1", "card changed")
    text = card(repo_id, "v1.0.1")
    assert "New words." in text
    assert "Old words." not in text
    assert "annotations_creators:\n- crowdsourced" in text
    assert not publish(frame(), repo_id).changed


def test_what_may_not_go_out_does_not(repo_id: str, api: "HfApi") -> None:
    secret = frame().assign(review=["hf_" + "a" * 34, *frame()["review"][1:]])
    with pytest.raises(PublishError, match="looks like a secret"):
        publish(secret, repo_id, **SAID)
    personal = frame().assign(review=["write to jo@mail.example.org", *frame()["review"][1:]])
    with pytest.raises(PublishError, match="gate personal_data: 1 rows do not pass, e.g. row 0 of train"):
        publish(personal, repo_id, **SAID, gates=["personal_data"])
    assert not api.repo_exists(repo_id, repo_type="dataset")


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"licence": None}, "licence missing; the first version has to say it"),
    ({"language": None}, "language missing"),
    ({"licence": "free"}, "licence 'free' is none of those the Hub knows"),
    ({"text": "revew"}, "no column 'revew'; did you mean 'review'?"),
    ({"text": "likes"}, "column 'likes' holds float64, not text"),
    ({"gates": ["privacy"]}, "no gate 'privacy'; there are personal_data, duplicates, leakage"),
    ({"card": "absent.md"}, "absent.md: cannot be read"),
]


@pytest.mark.parametrize(("given", "message"), MISTAKES)
def test_a_mistake_is_one_line(given: dict[str, Any], message: str, repo_id: str) -> None:
    with pytest.raises(InputError, match=message.replace("?", r"\?")) as caught:
        publish(frame(), repo_id, **{**SAID, **given})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (5, "int is no data set"),
        ([], "no column 'text'"),
        ([{"text": "a", "image": {"bytes": b"x"}}], "column 'image' holds struct"),
        ([{"text": "a", "n": 1}, {"text": "b", "n": "one"}], "a column holds values of several types"),
        ({"train": [{"text": "a"}], "test": [{"body": "a"}]}, "split test: no column 'text'"),
    ],
)
def test_what_is_no_data_set_is_refused(data: object, message: str, repo_id: str) -> None:
    with pytest.raises(InputError, match=message):
        publish_dataset(data, repo_id, **SAID)


def test_a_repo_of_somebody_elses_making_is_left_alone(repo_id: str, api: "HfApi") -> None:
    api.create_repo(repo_id, repo_type="dataset")
    api.upload_file(path_or_fileobj=b"a,b", path_in_repo="data.csv", repo_id=repo_id, repo_type="dataset")
    with pytest.raises(PublishError, match="holds data.csv but no sentisynth.json"):
        publish(frame(), repo_id, **SAID)


def test_verify_finds_a_changed_row_and_a_changed_card(repo_id: str, api: "HfApi") -> None:
    publish(frame(), repo_id, **SAID)
    manifest = json.loads(
        Path(api.hf_hub_download(repo_id, "sentisynth.json", repo_type="dataset", revision="v1.0.0")).read_text()
    )
    path = next(iter(manifest["splits"]["train"]["files"]))
    local = Path(api.hf_hub_download(repo_id, path, repo_type="dataset", revision="v1.0.0"))
    table = pd.read_parquet(local).assign(likes=0.0)
    api.delete_tag(repo_id, tag="v1.0.0", repo_type="dataset")
    table.to_parquet(local.parent / "other.parquet")
    api.upload_file(
        path_or_fileobj=(local.parent / "other.parquet").read_bytes(),
        path_in_repo=path,
        repo_id=repo_id,
        repo_type="dataset",
    )
    text = card(repo_id, "main").replace("| rows | 40 |", "| rows | 4000 |")
    api.upload_file(path_or_fileobj=text.encode(), path_in_repo="README.md", repo_id=repo_id, repo_type="dataset")
    api.create_tag(repo_id, tag="v1.0.0", repo_type="dataset")
    wrong = [check.name for check in verify_version(f"{repo_id}@v1.0.0") if check.agrees is False]
    assert "train: digest" in wrong
    assert "numbers on the card that are not the manifest's" in wrong


def saved_model(folder: Path, bias: float = 0.0) -> Path:
    """A tiny classifier as `save_pretrained` and `Trainer` leave it."""
    import torch
    from transformers import AutoModelForSequenceClassification

    model = AutoModelForSequenceClassification.from_pretrained(tiny_classifier(folder))
    with torch.no_grad():
        model.classifier.bias += torch.tensor([bias, 0.0])
    model.save_pretrained(folder)
    (folder / "training_args.bin").write_bytes(b"pickle")
    return folder


FILMS = [("bad", "negative"), ("good", "positive")] * 10
TEST = [{"text": f"a {word} film", "label": label} for word, label in FILMS]


def test_a_model_becomes_versions_that_open(repo_id: str, tmp_path: Path) -> None:
    from sentisynth_hub.pretrained.classifier import open_classifier

    said = {"licence": "mit", "language": ["en"]}
    folder = saved_model(tmp_path / "model")
    first = publish_model(folder, repo_id, **said, test=TEST, base_model="acme/tiny", datasets=["acme/films@v1.0.0"])
    assert first.version == "v1.0.0"
    assert not publish_model(folder, repo_id).changed
    assert open_classifier(repo_id, "v1.0.0").labels == ("negative", "positive")
    text = card(repo_id, "v1.0.0", "model")
    assert "base_model: acme/tiny" in text
    assert "- acme/films" in text
    assert "On 20 test rows:" in text

    worse = saved_model(tmp_path / "worse", bias=50.0)  # it says negative, whatever it reads
    accuracy = {"metric": "accuracy", "test": [*TEST, *TEST[1::2]]}
    now = open_classifier(folder).predict([row["text"] for row in accuracy["test"]])
    right = sum(label == row["label"] for label, row in zip(now, accuracy["test"], strict=True))
    gates = {"gates": ["not_worse"]}
    if right > 10:
        with pytest.raises(PublishError, match="gate not_worse: accuracy 0.333"):
            publish_model(worse, repo_id, **accuracy, **gates)
    second = publish_model(worse, repo_id, **accuracy)
    assert second.version == "v1.1.0"
    assert "model.safetensors changed" in second.why
    assert "training_args.bin" not in second.plan.sizes
    assert "On the same 30 natural test rows" in card(repo_id, "v1.1.0", "model")
    assert [check.name for check in verify_version(f"{repo_id}@v1.1.0") if check.agrees is False] == []


def test_no_pickle_goes_out_and_no_folder_without_a_model(repo_id: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        publish_model(tmp_path / "absent", repo_id)
    with pytest.raises(DataError, match="config.json is missing or names no labels"):
        publish_model(tmp_path, repo_id)
    folder = saved_model(tmp_path / "model")
    (folder / "pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(DataError, match="pytorch_model.bin is a pickle"):
        publish_model(folder, repo_id, licence="mit", language=["en"])


def command(*arguments: str) -> Any:
    """What `sentisynth ... --json` prints."""
    result = CliRunner().invoke(sentisynth, [*arguments, "--json"])
    if result.exception is not None:
        raise result.exception
    return json.loads(result.stdout)


def test_the_command_publishes_files_and_folders(repo_id: str, tmp_path: Path) -> None:
    frame().drop(columns="tags").to_csv(tmp_path / "phones.csv", index=False)
    (tmp_path / "words.md").write_text("Collected by hand.\n", "utf-8")
    said = ("--licence", "cc-by-4.0", "--language", "en,ml", "--card", str(tmp_path / "words.md"))
    columns = ("--text", "review", "--label", "stars")
    plan = command("publish", str(tmp_path / "phones.csv"), "--to", repo_id, *columns, *said, "--dry-run")
    assert (plan["version"], plan["commit"]) == ("v1.0.0", None)
    done = command("publish", str(tmp_path / "phones.csv"), "--to", repo_id, *columns, *said)
    assert done["version"] == "v1.0.0"
    assert all(check["agrees"] is not False for check in done["checks"])
    assert "Collected by hand." in card(repo_id, "v1.0.0")
    model = saved_model(tmp_path / "model")
    options = ("--licence", "mit", "--language", "en", "--trained-on", f"{repo_id}@v1.0.0")
    assert command("publish", str(model), "--to", f"{repo_id}-classifier", *options)["repo_type"] == "model"
    assert f"- {repo_id}" in card(f"{repo_id}-classifier", "v1.0.0", "model")
    with pytest.raises(InputError, match="--licence belongs to --to REPO"):
        command("publish", "quickstart", "--licence", "mit")
    with pytest.raises(InputError, match="is a data set; this option is for a model"):
        command("publish", str(tmp_path / "phones.csv"), "--to", repo_id, "--base-model", "acme/base")
    with pytest.raises(InputError, match="no such file or folder"):
        command("publish", str(tmp_path / "absent.csv"), "--to", repo_id)
