"""The whole line on tiny models: published once, not twice; the same after kills; the same from two processes."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from sentisynth_hub.localhub.control import HubState
from tests.support.tiny import LABELS, tiny_recipe


RECIPES = Path(__file__).resolve().parents[2] / "recipes"
LICENCES = {"licence": "apache-2.0", "licence_reasons": {"encoder": "made by the test", "writer": "made by the test"}}


def sentisynth(*arguments: str, cwd: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "sentisynth_hub", *arguments], cwd=cwd, capture_output=True, text=True
    )
    assert done.returncode == code, done.stderr[-3000:]
    return done


def corpus_digests(runs: Path, name: str = "tiny") -> dict[str, str]:
    """Content digest of every replicate's kept rows."""
    (manifest,) = (runs / name / "filter").glob("*/manifest.json")
    return {
        replicate: result["digest"] for replicate, result in json.loads(manifest.read_text())["replicates"].items()
    }


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    publish = {"dataset": "main-job/rows", "model": "main-job/classifier", "private": False, **LICENCES}
    return tiny_recipe(tmp_path_factory.mktemp("main-job") / "tiny", publish=publish)


@pytest.fixture(scope="module")
def published(recipe: Path, local_hub: HubState) -> dict[str, Any]:
    """One whole run, published."""
    return dict(json.loads(sentisynth("run", str(recipe), "--json", cwd=recipe).stdout))


def test_the_dataset_loads_at_its_tag_with_named_labels(published: dict[str, Any], recipe: Path) -> None:
    import datasets

    rows = datasets.load_dataset("main-job/rows", revision="v1.0.0", split="train")
    assert rows.features["label"].names == LABELS
    assert len(rows) == published["funnel"]["kept"] > 0
    rejected = datasets.load_dataset("main-job/rows", "rejected", revision="v1.0.0", split="train")
    assert len(rejected) + len(rows) == published["funnel"]["requests"] == 48
    assert all(row["filter"] and row["reason"] for row in rejected)


def test_the_model_gives_the_stored_label_for_every_test_row(published: dict[str, Any], recipe: Path) -> None:
    import pyarrow.parquet as pq

    from sentisynth_hub.core.text import text_id
    from sentisynth_hub.pretrained.classifier import open_classifier
    from tests.support.tiny import reviews

    (stored,) = (recipe / "runs" / "tiny" / "model").glob("*/test_predictions.parquet")
    texts = {text_id(row["text"]): row["text"] for row in reviews()}
    classifier = open_classifier("main-job/classifier", "v1.0.0")
    assert classifier.layout == "sentence-transformers"  # the study judged heads
    rows = pq.read_table(stored).to_pylist()
    assert len(rows) == 96
    judged = _judged_labels(recipe, rows[0]["variant"])
    assert [row["predicted"] for row in rows] == [judged[row["item_id"]] for row in rows]
    asked = [texts[row["item_id"]] for row in rows]
    assert classifier.predict(asked) == [row["predicted"] for row in rows]


def _judged_labels(recipe: Path, variant: str) -> dict[str, str]:
    """What the study's student of `variant` said in replicate 0, by item."""
    import pyarrow.parquet as pq

    (path,) = (recipe / "runs" / "tiny" / "study").glob("*/predictions.parquet")
    rows = pq.read_table(path).to_pylist()
    return {row["item_id"]: row["predicted"] for row in rows if (row["variant"], row["replicate"]) == (variant, 0)}


def test_the_cards_two_lines_give_the_stored_labels(published: dict[str, Any], recipe: Path) -> None:
    """The snippet is run as a reader of the card would run it, for every test row."""
    pytest.importorskip("sentence_transformers")
    import re

    import pyarrow.parquet as pq
    from huggingface_hub import ModelCard

    from sentisynth_hub.core.text import text_id
    from tests.support.tiny import reviews

    snippet = re.search(r"```python\n(.*?)```", ModelCard.load("main-job/classifier").text, re.DOTALL)
    assert snippet is not None
    *setup, call = snippet[1].strip().splitlines()
    names: dict[str, Any] = {}
    exec("\n".join(setup), names)
    (stored,) = (recipe / "runs" / "tiny" / "model").glob("*/test_predictions.parquet")
    texts = {text_id(row["text"]): row["text"] for row in reviews()}
    for row in pq.read_table(stored).to_pylist():
        assert eval(call.replace('"your text"', repr(texts[row["item_id"]])), names) == row["predicted"]


def test_the_cards_parse_and_carry_the_checkpoints_own_score(published: dict[str, Any]) -> None:
    from huggingface_hub import DatasetCard, ModelCard

    card = DatasetCard.load("main-job/rows")
    assert card.data.license == "apache-2.0"
    assert "synthetic" in card.data.tags
    model = ModelCard.load("main-job/classifier")
    assert model.data.eval_results
    assert {result.metric_type for result in model.data.eval_results} >= {"accuracy", "f1"}


def test_a_second_run_makes_no_commit_and_no_tag(published: dict[str, Any], recipe: Path) -> None:
    from huggingface_hub import HfApi

    def state() -> Any:
        refs = HfApi().list_repo_refs("main-job/rows", repo_type="dataset")
        return refs.branches[0].target_commit, [tag.name for tag in refs.tags]

    before = state()
    done = sentisynth("run", str(recipe), cwd=recipe)
    assert "Nothing changed" in done.stdout
    again = json.loads(
        sentisynth("run", str(recipe), "--json", "--runs", str(recipe / "elsewhere"), cwd=recipe).stdout
    )
    assert set(again["unchanged"]) == {"main-job/rows", "main-job/classifier"}
    assert not (recipe / "elsewhere" / "tiny" / "generate").exists()
    assert state() == before


def test_no_token_and_no_path_of_this_machine_is_published(published: dict[str, Any], recipe: Path) -> None:
    from huggingface_hub import snapshot_download

    for repo_id, repo_type in (("main-job/rows", "dataset"), ("main-job/classifier", "model")):
        folder = Path(snapshot_download(repo_id, repo_type=repo_type, revision="v1.0.0"))
        for file in folder.rglob("*"):
            if file.is_file():
                content = file.read_bytes()
                assert os.environ["HF_TOKEN"].encode() not in content
                assert str(recipe).encode() not in content, file.name


def test_two_processes_make_the_same_rows_as_one(published: dict[str, Any], recipe: Path) -> None:
    runs = recipe / "two"
    command = [sys.executable, "-m", "accelerate.commands.accelerate_cli", "launch"]
    command += [
        "--config_file",
        str(RECIPES / "accelerate_configs" / "multi_cpu.yaml"),
        "--num_processes",
        "2",
        "--main_process_port",
        "0",
    ]
    command += [str(RECIPES / "run.py"), str(recipe), "--no-publish", "--runs", str(runs)]
    done = subprocess.run(
        command, cwd=recipe, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    assert done.returncode == 0, done.stderr[-3000:]
    journals = list((runs / "tiny" / "generate").glob("*/replicate-0/completions-*.jsonl"))
    assert len([journal for journal in journals if journal.stat().st_size]) == 2, "one process did all the work"
    assert corpus_digests(runs) == corpus_digests(recipe / "runs")
    assert done.stdout.count("Use this model") == 1
    assert "generation: " in done.stdout
    assert "this run took " in done.stdout


@pytest.mark.parametrize("variable", ["WORLD_SIZE", "OMPI_COMM_WORLD_SIZE"])
def test_processes_that_do_not_see_each_other_are_refused(recipe: Path, local_hub: HubState, variable: str) -> None:
    command = [sys.executable, "-m", "sentisynth_hub", "run", str(recipe), "--no-publish"]
    environment = os.environ | {variable: "2"}
    done = subprocess.run(command, cwd=recipe, capture_output=True, text=True, env=environment, timeout=60)
    assert done.returncode == 2
    assert "everything would be done 2 times" in done.stderr


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_killed_runs_end_in_the_same_rows(published: dict[str, Any], recipe: Path, tmp_path: Path, kills: int) -> None:
    runs = tmp_path / "runs"
    command = [sys.executable, "-m", "sentisynth_hub", "run", str(recipe), "--no-publish", "--runs", str(runs)]
    moments = random.Random(7)
    for _ in range(kills):
        running = subprocess.Popen(
            command, cwd=recipe, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        time.sleep(moments.uniform(1, 12))
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
    subprocess.run(command, cwd=recipe, check=True, capture_output=True)
    assert corpus_digests(runs) == corpus_digests(recipe / "runs")
    for folder in (runs / "tiny").glob("*/*/manifest.json"):
        json.loads(folder.read_text())


def test_mistakes_are_one_line_and_exit_code_2(recipe: Path, local_hub: HubState) -> None:
    for arguments, message in (
        (["run", "nowhere"], "no such recipe or file"),
        (["run", str(recipe), "generate.candidats=3"], "did you mean 'candidates'?"),
        (
            ["run", str(recipe), "natural.files.train=gone.jsonl", "--no-publish"],
            "natural.files.train: gone.jsonl is not beside the recipe",
        ),
        (["run", str(recipe), "labels=[positive, neutral]", "--no-publish"], "label 'negative' is not one of"),
        (["run", str(recipe), "publish.licence=null"], "publish.licence: missing"),
    ):
        done = sentisynth(*arguments, cwd=recipe, code=2)
        assert message in done.stderr
        assert "Traceback" not in done.stderr
        assert len([line for line in done.stderr.splitlines() if line.startswith("error:")]) == 1


def test_publishing_needs_a_repo_that_is_the_users_own(recipe: Path, local_hub: HubState, tmp_path: Path) -> None:
    content = yaml.safe_load((recipe / "recipe.yaml").read_text())
    done = sentisynth("run", str(recipe), f"publish={{dataset: YOUR-NAME/{content['name']}}}", cwd=recipe, code=2)
    assert "still says YOUR-NAME" in done.stderr
