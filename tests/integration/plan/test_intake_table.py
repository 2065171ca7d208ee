"""Every shape of a table with every command: it works with the right number of rows, or ends in one line."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from sentisynth_hub.cli import sentisynth
from sentisynth_hub.core.errors import SentisynthError
from tests.support.shapes import FILES, Shape
from tests.support.tiny import LABELS, tiny_encoder, tiny_recipe


COMMANDS = ("init", "check", "filter", "evaluate", "predict", "compare")
SHORT = {"semicolon", "sep= line", "JSONL of PowerShell", "Parquet, ClassLabel with -1", "null text", "repeated ids",
         "several labels", "torn gzip", "not there"}  # fmt: skip
WITH_A_MODEL = {"semicolon", "null text", "torn gzip", "not there"}  # the classifier costs 2 s of processor a table


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier, and a recipe to filter with."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    folder = tmp_path_factory.mktemp("world")
    encoder = tiny_encoder(folder / "encoder")
    names = dict(enumerate(LABELS))
    model = AutoModelForSequenceClassification.from_pretrained(
        encoder, num_labels=2, id2label=names, label2id={name: i for i, name in names.items()}
    )
    model.save_pretrained(folder / "classifier")
    AutoTokenizer.from_pretrained(encoder).save_pretrained(folder / "classifier")
    tiny_recipe(folder / "recipe")
    return folder


def say(*arguments: str) -> tuple[Any, str]:
    """What the command prints as JSON or text, or the one line of its refusal."""
    done = CliRunner().invoke(sentisynth, arguments)
    if isinstance(done.exception, SentisynthError):
        assert done.exception.exit_code == 2
        assert "\n" not in str(done.exception)
        return None, str(done.exception)
    assert done.exit_code == 0, (done.output, done.exc_info)
    return done.stdout, ""


def run(command: str, source: str, world: Path, folder: Path) -> tuple[int | None, str]:
    """Rows that the command used, or its refusal."""
    model = str(world / "classifier")
    if command == "init":
        said, refusal = say("init", source, "--folder", str(folder / "made"))
        if said is None:
            assert not (folder / "made").exists()
            return None, refusal
        assert say("recipes", "check", said.strip())[1] == ""
        return len((folder / "made" / "data" / "rows.jsonl").read_text("utf-8").splitlines()), ""
    if command == "check":
        content = yaml.safe_load((world / "recipe" / "recipe.yaml").read_text("utf-8"))
        content["natural"] = {"files": {"train": Path(source).name}, "rows_per_label": 4}
        (folder / "prompt.jinja2").write_text("{{ label }}")
        (folder / "recipe.yaml").write_text(yaml.safe_dump(content))
        said, refusal = say("recipes", "check", str(folder))
        return (None, refusal) if said is None else (-1, "")
    if command == "filter":
        options = ("--recipe", str(world / "recipe"), "--out", str(folder / "out"), "--runs", str(world / "runs"))
        said, refusal = say("filter", source, *options, "--json")
        return (None, refusal) if said is None else (json.loads(said)["replicates"]["0"]["candidates"], "")
    if command == "evaluate":
        said, refusal = say("evaluate", model, source, "--json")
        return (None, refusal) if said is None else (json.loads(said)["items"], "")
    if command == "predict":
        said, refusal = say("predict", model, "--file", source)
        return (None, refusal) if said is None else (len(said.splitlines()), "")
    said, refusal = say("compare", source, source, "--json")
    return (None, refusal) if said is None else (json.loads(said)["items"], "")


def _is_short(shape: Shape, command: str) -> bool:
    return shape.name in (WITH_A_MODEL if command in ("evaluate", "predict") else SHORT)


@pytest.mark.parametrize(
    ("shape", "command"),
    [
        pytest.param(
            shape, command, id=f"{shape.name}-{command}", marks=[] if _is_short(shape, command) else pytest.mark.slow
        )
        for shape in FILES
        for command in COMMANDS
    ],
)
def test_a_shape_works_or_ends_in_one_line(world: Path, tmp_path: Path, shape: Shape, command: str) -> None:
    if shape.name == "Excel":
        pytest.importorskip("python_calamine")
    source = str(shape.write(tmp_path))
    rows, refusal = run(command, source, world, tmp_path)
    expected = shape.refusal(command)
    if expected not in (None, "works"):
        assert rows is None, f"{command} took {rows} rows"
        assert expected in refusal
    else:
        assert refusal == ""
        full = {"predict": shape.predicts, "compare": shape.compares, "filter": _candidates(shape)}
        used = full.get(command)
        assert rows in (-1, shape.rows if used is None else used)


def _candidates(shape: Shape) -> int | None:
    """`filter` keeps rows without a text, to drop them with a reason."""
    return 60 if shape.name == "null text" else None
