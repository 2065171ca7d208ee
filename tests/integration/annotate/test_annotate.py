"""`annotate make` on a real run of tiny models, and `annotate score` on what simulated raters export."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from sentisynth_hub.annotate.rating_files import Key
from sentisynth_hub.cli.annotate_commands import annotate
from sentisynth_hub.core.errors import InputError
from sentisynth_hub.pipeline import open_pipeline
from sentisynth_hub.recipe import load_recipe
from tests.support.ratings import export
from tests.support.tiny import tiny_recipe


FILTERS = "filter={exact_duplicates: {}, overlap: {}}"
FEWER = "generate.prompt.num_shots=2"


def command(*arguments: str) -> Result:
    return CliRunner().invoke(annotate, list(arguments), catch_exceptions=False)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe whose run is complete up to the filter, with four demonstrations a prompt."""
    folder = tiny_recipe(tmp_path_factory.mktemp("annotate") / "tiny")
    with pytest.raises(InputError, match="the generate stage of recipe tiny is not complete here; run it first"):
        command("make", str(folder), FILTERS, "--runs", str(folder / "runs"))
    assert not list((folder / "runs").rglob("*.parquet"))  # nothing was run to find that out
    open_pipeline(load_recipe(str(folder), [FILTERS]), runs=folder / "runs").through("filter")
    return folder


def make(recipe: Path, *arguments: str) -> dict[str, Any]:
    done = command("make", str(recipe), FILTERS, "--runs", str(recipe / "runs"), "--json", *arguments)
    assert done.exit_code == 0, done.output
    return dict(json.loads(done.stdout))


def answer(made: dict[str, Any], raters: int) -> Path:
    """Let simulated raters answer; returns the folder."""
    folder = Path(made["key"]).parent
    key = Key.model_validate_json((folder / "private-key.json").read_text())
    for rater in range(1, raters + 1):
        (folder / f"annotations-{rater}.json").write_text(export(key, rater).model_dump_json())
    return folder


def test_make_then_score_writes_into_the_run_folder(recipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make(recipe, "--rows", "30")
    folder = answer(made, 3)
    assert folder == recipe / "runs" / "tiny" / "annotate" / made["sheet"]
    monkeypatch.chdir(folder)
    done = command("score", *(path.name for path in folder.glob("*.json")))
    assert "15 natural and 15 synthetic rows, 3 raters" in done.stdout
    stored = json.loads((recipe / "runs" / "tiny" / "human_evaluation.json").read_text())
    assert json.loads(command("score", *(path.name for path in folder.glob("*.json")), "--json").stdout) == stored
    changed = json.loads((folder / "annotations-1.json").read_text())
    changed["answers"] = changed["answers"][1:]
    (folder / "again.json").write_text(json.dumps(changed))
    with pytest.raises(InputError, match="other answers of rater 1"):
        command("score", "again.json", "annotations-1.json")


def test_rows_come_from_the_run_and_never_from_test(recipe: Path) -> None:
    from sentisynth_hub.filter.stage import load

    pipeline = open_pipeline(load_recipe(str(recipe), [FILTERS]), runs=recipe / "runs")
    kept = {row.text for row in load(pipeline.folder("filter")).kept(0)}
    allowed = {row.text for row in [*pipeline.natural.train, *pipeline.natural.validation]}
    made = make(recipe, "--rows", "30", "--seed", "4")
    key = json.loads(Path(made["key"]).read_text())
    page = Path(made["page"]).read_text()
    content = json.loads(page.split('type="application/json">')[1].split("</script>")[0])
    origin = {item["id"]: item["origin"] for item in key["items"]}
    for row in content["rows"]:
        assert row["text"] in (kept if origin[row["id"]] == "synthetic" else allowed)
    assert not {row["text"] for row in content["rows"]} & {row.text for row in pipeline.natural.test}


def test_settings_are_compared_when_their_corpora_are_there(recipe: Path, tmp_path: Path) -> None:
    arguments = ["--rows", "40", "--setting", FEWER, "--strata", "num_shots", "--out", str(tmp_path / "out")]
    with pytest.raises(InputError, match=f"of recipe tiny with {FEWER} is not complete here"):
        make(recipe, *arguments)
    open_pipeline(load_recipe(str(recipe), [FILTERS, FEWER]), runs=recipe / "runs").through("filter")
    folder = answer(make(recipe, *arguments), 2)
    assert folder == tmp_path / "out"
    done = command("score", *map(str, folder.glob("*.json")), "--json")
    found = json.loads(done.stdout)
    assert [(one["name"], one["rows"]) for one in found["strata"]] == [("num_shots=2", 10), ("num_shots=4", 10)]
    assert found["settings"] == ["", FEWER]
    assert json.loads((folder / "human_evaluation.json").read_text()) == found  # not about the recipe's corpus alone


def test_a_result_about_other_rows_is_left_off_the_card(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from sentisynth_hub.publish.stage import human_evaluation

    folder = answer(make(recipe, "--rows", "20"), 2)
    command("score", *map(str, folder.glob("*.json")), "--runs", str(recipe / "runs"))
    pipeline = open_pipeline(load_recipe(str(recipe), [FILTERS]), runs=recipe / "runs")
    found = human_evaluation(pipeline, pipeline.through("filter"))
    assert found is not None
    assert found["raters"] == 2
    other = open_pipeline(load_recipe(str(recipe), [FILTERS, FEWER]), runs=recipe / "runs")
    capsys.readouterr()
    assert human_evaluation(other, other.through("filter")) is None
    assert "about other rows than these" in capsys.readouterr().err


def test_a_run_folder_stands_for_a_recipe_that_ships_only(recipe: Path) -> None:
    with pytest.raises(InputError, match="the run folder of a recipe of your own; give the recipe, with --runs"):
        command("make", str(recipe / "runs" / "tiny"))
