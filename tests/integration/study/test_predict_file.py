"""`sentisynth predict --file`: a label for every row, in the file's order, empty rows included."""

import csv
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from sentisynth_hub.cli import sentisynth
from tests.support.tiny import tiny_encoder


LABELS = ["negative", "neutral", "positive"]
TEXTS = ["what a dull plot", "", "what a warm cast", None, "@ana 😂!"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier of random weights that leans to `neutral` where it reads nothing it knows."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    folder = tiny_encoder(tmp_path_factory.mktemp("encoder"))
    torch.manual_seed(3)
    made = AutoModelForSequenceClassification.from_pretrained(
        folder, num_labels=3, id2label=dict(enumerate(LABELS)), label2id={label: i for i, label in enumerate(LABELS)}
    )
    target = tmp_path_factory.mktemp("classifier")
    made.save_pretrained(target)
    AutoTokenizer.from_pretrained(folder).save_pretrained(target)
    return target


def write(folder: Path, kind: str) -> Path:
    path = folder / f"test.{kind}"
    if kind == "jsonl":
        path.write_text("".join(json.dumps({"id": f"t{i}", "text": text}) + "\n" for i, text in enumerate(TEXTS)))
    elif kind == "csv":
        with open(path, "w", encoding="utf-8", newline="") as handle:
            writer = csv.writer(handle)
            writer.writerows([["id", "text"], *([f"t{i}", text or ""] for i, text in enumerate(TEXTS))])
    else:
        import pyarrow as pa
        import pyarrow.parquet as pq

        words = [None if text is None else text.split() for text in TEXTS]
        pq.write_table(
            pa.table({"id": [f"t{i}" for i in range(5)], "text": pa.array(words, pa.list_(pa.string()))}), path
        )
    return path


def call(*arguments: str, code: int = 0) -> tuple[str, str]:
    done = CliRunner().invoke(sentisynth, ["predict", *arguments])
    assert done.exit_code == code, done.output
    return done.stdout, done.stderr


def direct(model: Path, texts: list[str]) -> list[str]:
    """What `pipeline()` says, without any code of ours."""
    from transformers import pipeline

    classifier = pipeline("text-classification", model=str(model), device="cpu")
    return [classifier(text)[0]["label"] for text in texts]


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_lince_file_has_a_line_for_every_row(model: Path, tmp_path: Path, kind: str) -> None:
    output = tmp_path / "sa_spaeng.txt"
    told, warned = call(str(model), "--file", str(write(tmp_path, kind)), "--format", "lince", "--output", str(output))
    assert told == ""
    assert "2 rows have no text (row 2, 4) and get the model's answer to an empty text" in warned
    expected = direct(model, [text or "" for text in TEXTS])
    assert output.read_bytes().decode() == "".join(f"{label}\n" for label in expected)


def test_empty_rows_get_the_label_they_are_told_to_have(model: Path, tmp_path: Path) -> None:
    expected = direct(model, [text or "" for text in TEXTS])
    wanted = next(label for label in LABELS if label != expected[1])
    path = write(tmp_path, "jsonl")
    told, _ = call(str(model), "--file", str(path), "--format", "csv", "--empty", wanted)
    rows = list(csv.DictReader(told.splitlines()))
    assert [row["row"] for row in rows] == ["1", "2", "3", "4", "5"]
    assert [row["id"] for row in rows] == ["t0", "t1", "t2", "t3", "t4"]
    assert [row["label"] for row in rows] == [expected[0], wanted, expected[2], wanted, expected[4]]
    assert [bool(row["probability"]) for row in rows] == [True, False, True, False, True]


def test_json_lines_hold_every_probability_and_preprocessing_reaches_the_model(model: Path, tmp_path: Path) -> None:
    path = tmp_path / "test.jsonl"
    path.write_text(json.dumps({"text": "@ana what a dull plot!! https://t.co/x"}) + "\n")
    told, _ = call(
        str(model), "--file", str(path), *(f"--preprocess={s}" for s in ("urls", "mentions", "punctuation"))
    )
    found = json.loads(told)
    clean, _ = call(str(model), "what a dull plot", "--json")
    assert (found["row"], found["id"], set(found["probabilities"])) == (1, None, set(LABELS))
    assert found["probabilities"] == json.loads(clean)[0]["probabilities"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give either texts to classify, or a file"),
        (["a text", "--file", "x.jsonl"], "give either texts to classify, or a file"),
        (["a text", "--empty", "neutral"], "--output and --empty belong to --file"),
        (["--file", "{csv}", "--text", "txt"], "no column 'txt'; did you mean 'text'?"),
        (["--file", "{csv}", "--empty", "meh"], "'meh' is no label of the model"),
        (["--file", "{none}"], "no rows; there is nothing to predict"),
    ],
)
def test_bad_input_is_one_line(model: Path, tmp_path: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "none.csv").write_text("id,text\n")
    given = {"csv": str(write(tmp_path, "csv")), "none": str(tmp_path / "none.csv")}
    done = CliRunner().invoke(sentisynth, ["predict", str(model), *(each.format(**given) for each in arguments)])
    assert message in str(done.exception) or message in done.output
    assert done.exit_code != 0


def test_labels_that_are_not_lince_s_are_refused(tmp_path: Path, model: Path) -> None:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    names = dict(enumerate(["Negative", "neutral", "positive"]))
    other = AutoModelForSequenceClassification.from_pretrained(model, id2label=names)
    other.save_pretrained(tmp_path / "other")
    AutoTokenizer.from_pretrained(model).save_pretrained(tmp_path / "other")
    arguments = [str(tmp_path / "other"), "--file", str(write(tmp_path, "csv")), "--format", "lince"]
    done = CliRunner().invoke(sentisynth, ["predict", *arguments, "--output", str(tmp_path / "out.txt")])
    assert "the model says 'Negative', LinCE's labels are negative, neutral, positive" in str(done.exception)
    assert not (tmp_path / "out.txt").exists()
