"""The runner: stages run forward once, under one lock, and what does not change a result runs nothing."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sentisynth_hub.core.distributed import Processes
from sentisynth_hub.core.errors import InputError
from sentisynth_hub.pipeline import STAGES, Pipeline, Results, open_pipeline
from sentisynth_hub.recipe import load_recipe
from tests.support.tiny import tiny_recipe


def opened(recipe: Path, *overrides: str) -> Pipeline:
    loaded = load_recipe(str(recipe), overrides)
    return open_pipeline(loaded, runs=recipe / "runs", processes=Processes())


def manifests(recipe: Path) -> dict[Path, int]:
    """When each stage's manifest was written."""
    return {path: path.stat().st_mtime_ns for path in (recipe / "runs").rglob("manifest.json")}


def trials(recipe: Path) -> dict[Path, int]:
    """When each trial was written."""
    return {path: path.stat().st_mtime_ns for path in (recipe / "runs" / "tiny" / "trials").glob("*.json")}


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_recipe(tmp_path_factory.mktemp("pipeline") / "tiny")


def test_naming_a_folder_and_opening_a_pipeline_make_nothing(tmp_path: Path) -> None:
    recipe = tiny_recipe(tmp_path / "tiny")
    before = set(recipe.rglob("*"))
    pipeline = opened(recipe)
    assert not pipeline.folder("filter").complete
    assert set(recipe.rglob("*")) == before


def test_stages_run_forward_and_only_once(recipe: Path) -> None:
    opened(recipe).through("filter")
    first = manifests(recipe)
    assert {path.parts[-3] for path in first} == {"generate", "filter"}
    opened(recipe).through("verdict")
    after = manifests(recipe)
    assert first.items() <= after.items()
    assert {path.parts[-3] for path in after} == {"generate", "filter", "study", "verdict"}


def test_another_margin_trains_no_trial_and_judges_anew(recipe: Path) -> None:
    first = opened(recipe).through("verdict").verdict
    before = trials(recipe)
    assert before
    wider = opened(recipe, "study.margin=0.2").through("verdict").verdict
    assert (first.margin, wider.margin) == (0.02, 0.2)
    assert [one.difference for one in wider.comparisons] == [one.difference for one in first.comparisons]
    assert trials(recipe) == before


def test_another_variant_trains_its_own_trials_alone(recipe: Path) -> None:
    opened(recipe).through("verdict")
    before = trials(recipe)
    more = "study.variants=[natural, natural_repeated, synthetic, mixed, eda]"
    results = opened(recipe, more).through("study")
    assert "eda" in results.study.variants
    after = trials(recipe)
    assert before.items() <= after.items()
    added = [json.loads(path.read_text("utf-8"))["option"] for path in after.keys() - before.keys()]
    assert added == ["eda", "eda"]  # one a replicate
    fewer = opened(recipe, "study.variants=[natural, mixed]").through("study")
    assert set(fewer.study.variants) == {"natural", "mixed"}
    assert trials(recipe) == after


def test_a_stage_that_is_not_complete_is_not_run_beside_another_run(recipe: Path, tmp_path: Path) -> None:
    holder = tiny_recipe(tmp_path / "tiny")
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom sentisynth_hub.core.run_folder import locked\n"
        f"with locked(Path({str(holder / 'runs' / 'tiny')!r})): print('held', flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        process.stdout.readline()
        with pytest.raises(InputError, match=r"is running this recipe here; wait for it") as refusal:
            opened(holder).through("filter")
        assert "\n" not in str(refusal.value)
        assert not list((holder / "runs").rglob("completions-*"))
    finally:
        process.communicate()


def test_what_is_complete_needs_no_lock(recipe: Path) -> None:
    from sentisynth_hub.core.run_folder import locked

    opened(recipe).through("verdict")
    code = (
        "from pathlib import Path\nfrom tests.unit.test_pipeline import opened\n"
        f"print(opened(Path({str(recipe)!r})).through('verdict').verdict is not None)"
    )
    with locked(recipe / "runs" / "tiny"):
        other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert other.stdout.strip() == "True", other.stderr


WANTED = ("generate.candidates=null", "generate.rows=20", "filter={length: {min_tokens: 3}, exact_duplicates: {}}")


def corpora(results: Results) -> dict[int, tuple[str, dict[str, int]]]:
    """Digest and rows a label of each replicate's corpus."""
    return {name: (record.digest, record.per_label) for name, record in results.filter.replicates.items()}


def test_rows_are_topped_up_label_by_label_to_the_number_that_is_wanted(recipe: Path) -> None:
    pipeline = opened(recipe, *WANTED)
    results = pipeline.through("filter")
    assert pipeline.further, "the tiny writer's first batch would have been enough, which proves nothing"
    for replicate, (_, per_label) in corpora(results).items():
        assert per_label == {"negative": 20, "positive": 20}
        candidates = results.generate[replicate].candidates()
        judged = [*results.filter.kept(replicate), *(item.row for item in results.filter.rejected(replicate))]
        assert {row.request_id for row in candidates} <= {row.request_id for row in judged}
        ids = [request["request_id"] for request in results.generate[replicate].lineage()]
        assert len(set(ids)) == len(ids) == results.generate[replicate].requests
    answered = [
        json.loads(line)["request_id"]
        for path in results.generate.journals()
        for line in path.read_text("utf-8").splitlines()
    ]
    assert len(set(answered)) == len(answered), "asked twice"
    before = manifests(recipe)
    assert corpora(opened(recipe, *WANTED).through("filter")) == corpora(results)
    assert manifests(recipe) == before


def test_rows_stop_at_the_cap_and_say_so(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = opened(recipe, *WANTED, "generate.max_requests=50").through("filter")
    assert all(sum(per_label.values()) < 40 for _, per_label in corpora(results).values())
    assert {each.requests for each in results.generate.replicates.values()} == {50}
    assert "the cap of 50 requests a replicate stopped it; raise generate.max_requests" in capsys.readouterr().err


def test_a_rare_label_alone_is_asked_for(recipe: Path) -> None:
    results = opened(recipe, *WANTED, "generate.rows={positive: 5}").through("filter")
    assert [per_label for _, per_label in corpora(results).values()] == [{"positive": 5}] * 2


@pytest.mark.slow
def test_rounds_killed_between_and_within_give_the_same_corpus(tmp_path: Path) -> None:
    """Killed with signal 9 after so many journalled batches, in the first round and in a later one."""
    whole = tiny_recipe(tmp_path / "whole")
    expected = corpora(opened(whole, *WANTED).through("filter"))
    cut = tiny_recipe(tmp_path / "cut")
    code = f"""
import os, sys
from pathlib import Path
from sentisynth_hub.generate.journal import Journal
from tests.unit.test_pipeline import WANTED, opened
append, left = Journal.append, [int(sys.argv[1])]
def dying(journal, records):
    append(journal, records)
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), 9)
Journal.append = dying
opened(Path({str(cut)!r}), *WANTED).through("filter")
"""
    kills = 0
    for batches in (7, 9):
        process = subprocess.run([sys.executable, "-c", code, str(batches)], capture_output=True, text=True)
        kills += process.returncode == -9
    assert kills == 2, process.stderr
    assert corpora(opened(cut, *WANTED).through("filter")) == expected


def test_the_list_is_in_the_order_of_the_data() -> None:
    assert [stage.name for stage in STAGES] == ["generate", "filter", "labels", "study", "verdict", "model"]


@pytest.mark.slow
def test_a_study_stops_at_the_first_look_that_settles_it(tmp_path: Path) -> None:
    recipe = tiny_recipe(tmp_path / "tiny")
    results = opened(recipe, "study.looks=[5, 6]", "study.replicates=5", "study.margin=0.9").through("verdict")
    assert results.verdict.verdict.outcome == "no difference that matters"
    assert results.verdict.look is not None
    assert (results.verdict.look.number, results.verdict.replicates) == (1, 5)
    assert (
        len(list((recipe / "runs" / "tiny" / "generate").glob("*/replicate-*"))) == 5
    )  # nothing was asked for a sixth


@pytest.mark.slow
def test_a_study_that_is_killed_between_looks_goes_on_and_does_nothing_twice(tmp_path: Path) -> None:
    recipe, looks = tiny_recipe(tmp_path / "tiny"), ("study.looks=[2, 3]", "study.replicates=2")
    code = (
        "from pathlib import Path\nfrom tests.unit.test_pipeline import opened\n"
        f"opened(Path({str(recipe)!r}), *{looks!r}).through('verdict')"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert any("going on to 3 replicates" in line for line in process.stderr)
    process.kill()
    process.communicate()
    run = recipe / "runs" / "tiny"
    before = manifests(recipe), trials(recipe)
    assert len(list(run.glob("verdict/*/manifest.json"))) == 1
    results = opened(recipe, *looks).through("verdict")
    assert results.recipe.study.replicates == results.verdict.replicates == 3
    assert before[0].items() <= manifests(recipe).items()
    assert before[1].items() <= trials(recipe).items()
    asked = sorted(path.parent.name for path in results.generate.journals())
    assert asked == ["replicate-2"]  # the answers of the two before are read where they lie
    opened(recipe, *looks).through("filter")
    assert (run / "current.json").read_text().count(results.folders["filter"].path.name) == 1

    whole = opened(tiny_recipe(tmp_path / "whole"), "study.replicates=3").through("verdict").verdict
    assert [one.difference for one in results.verdict.comparisons] == [one.difference for one in whole.comparisons]
    level = results.verdict.look.level if results.verdict.look else 0.0
    assert 0.02 < level < 0.05 == whole.alpha
    assert results.verdict.comparisons[0].alpha == level


@pytest.mark.slow
def test_a_second_recipe_on_the_same_test_rows_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENTISYNTH_CONFIG", str(tmp_path / "config"))
    first, second = (tiny_recipe(tmp_path / name, name=name) for name in ("one", "two"))
    opened(first).through("verdict")
    again = opened(first, "study.margin=0.3").through("verdict").look_count
    other = opened(second).through("verdict").look_count
    assert (again.looks, again.recipes) == (2, 1)
    assert (other.looks, other.recipes) == (3, 2)
    assert other.test_set == again.test_set
    assert opened(second).through("verdict").look_count == other  # told again, it is no further look


@pytest.mark.slow
def test_test_rows_of_one_author_are_judged_as_one(tmp_path: Path) -> None:
    recipe = tiny_recipe(tmp_path / "tiny")
    rows = [json.loads(line) for line in (recipe / "train.jsonl").read_text().splitlines()]
    by_author = [row | {"author": f"author {place % 24}"} for place, row in enumerate(rows)]
    (recipe / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in by_author))
    fast = "study.variants=[natural, mixed]"
    alone = opened(recipe, fast).through("verdict").verdict
    before = trials(recipe)
    together = opened(recipe, fast, "natural.cluster=author").through("verdict").verdict
    assert trials(recipe) == before  # the column trains nothing
    assert together.clusters is not None
    assert together.clusters <= 24 < (alone.clusters or alone.items)
    assert together.items == alone.items
