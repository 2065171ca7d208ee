"""`sentisynth filter`, `sweep` and `inspect` on files, as a user types them."""

import csv
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sentisynth_hub.cli import sentisynth
from sentisynth_hub.core.errors import InputError
from sentisynth_hub.core.rows import read_rejected, read_rows
from tests.support.tiny import reviews, tiny_recipe


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_recipe(tmp_path_factory.mktemp("tiny") / "recipe")


@pytest.fixture(scope="module")
def mine(folder: Path) -> Path:
    """60 rows: 40 new ones, 10 again, 10 that stand in the natural data."""
    new = [{"text": " ".join(reversed(row["text"].split())), "label": row["label"]} for row in reviews()[::6]]
    path = folder.parent / "mine.csv"
    with open(path, "w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, ["text", "label"])
        writer.writeheader()
        writer.writerows([*new, *new[:10], *({"text": r["text"], "label": r["label"]} for r in reviews()[:10])])
    return path


def sentisynth_says(folder: Path, *arguments: str) -> Result:
    result = CliRunner().invoke(sentisynth, [*arguments, "--runs", str(folder.parent / "runs")])
    if result.exception is not None:
        raise result.exception
    return result


def test_rows_of_a_label_called_null_are_no_candidates(folder: Path, mine: Path, tmp_path: Path) -> None:
    with open(mine, encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    with open(tmp_path / "more.csv", "w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, ["text", "label"])
        writer.writeheader()
        writer.writerows([*rows, {"text": "so so", "label": "mixed"}])
    arguments = ("filter", str(tmp_path / "more.csv"), "natural.label_names={mixed: null}", "--recipe", str(folder))
    told = sentisynth_says(folder, *arguments, "--out", str(tmp_path / "out"), "--json").stdout
    (result,) = json.loads(told)["replicates"].values()
    assert result["candidates"] == 60


def test_filter_a_file(folder: Path, mine: Path, tmp_path: Path) -> None:
    arguments = ("filter", str(mine), "--recipe", str(folder), "--out", str(tmp_path / "out"))
    (result,) = json.loads(sentisynth_says(folder, *arguments, "--json").stdout)["replicates"].values()
    kept, rejected = read_rows(tmp_path / "out/kept.parquet"), read_rejected(tmp_path / "out/rejected.parquet")
    assert len(kept) == result["kept"]
    assert len(kept) + len(rejected) == result["candidates"] == 60
    steps = {(step["filter"], step["reason"]): step["rejected"] for step in result["funnel"]}
    assert steps["exact_duplicates", "duplicate"] == 10
    assert sum(count for (name, _), count in steps.items() if name == "overlap") == 10
    shown = sentisynth_says(folder, *arguments).stdout
    assert f"{len(kept)} of 60 rows stay" in shown
    assert "exact_duplicates" in shown


def test_sweep_a_file(folder: Path, mine: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    figure = tmp_path / "sweep.png"
    values = "filter.teacher.min_confidence=0:1:0.5"
    found = sentisynth_says(
        folder, "sweep", str(folder), values, "--file", str(mine), "--figure", str(figure), "--json"
    )
    points = json.loads(found.stdout)["points"]
    assert [point["value"] for point in points] == [0, 0.5, 1]
    assert all(0 <= point["macro_f1"] <= 1 for point in points)
    assert figure.read_bytes()[:4] == b"\x89PNG"
    shown = sentisynth_says(folder, "sweep", str(folder), values, "--file", str(mine)).stdout
    assert "without synthetic rows: macro_f1" in shown


def test_inspect_a_file(folder: Path, mine: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    arguments = ("inspect", str(mine), "--recipe", str(folder))
    report = json.loads(sentisynth_says(folder, *arguments, "--figures", str(tmp_path), "--json").stdout)
    assert report["rows"]["synthetic"] == 60
    diversity = report["diversity"]
    assert abs(diversity["synthetic"]["tokens"] - diversity["natural"]["tokens"]) <= 10
    assert (tmp_path / "length.png").is_file()
    assert "a classifier tells them apart" in sentisynth_says(folder, *arguments).stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("filter", "nowhere.csv", "--recipe"), "no such file"),
        (("inspect", "neither-file-nor-repo", "--recipe"), "namespace/name@tag"),
    ],
)
def test_what_is_not_there_is_named(folder: Path, arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        sentisynth_says(folder, *arguments, str(folder))
