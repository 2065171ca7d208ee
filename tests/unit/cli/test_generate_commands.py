"""The commands around generation: what they print, refuse and leave alone."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sentisynth_hub.cli import sentisynth
from tests.support.worlds import LABELS, natural_rows, tiny_model, write_recipe


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recipe")
    rows = "".join(
        json.dumps({"text": row.text, "label": row.label, "id": row.request_id}) + "\n" for row in natural_rows()
    )
    model = tiny_model(folder / "model")
    generate = {
        "generator": {"kind": "transformers", "model": str(model), "dtype": "float32", "threads": 1, "batch_size": 8},
        "candidates": 24,
        "samples_per_prompt": 4,
        "prompt": {"num_shots": 4},
        "sampling": {"max_new_tokens": 8},
    }
    write_recipe(folder, generate, study={"student": {"model": str(model)}, "replicates": 1})
    (folder / "train.jsonl").write_text(rows, "utf-8")
    return folder / "recipe.yaml"


def run(*arguments: object, fails: bool = False) -> Result:
    result = CliRunner().invoke(sentisynth, [str(argument) for argument in arguments])
    assert (result.exception is not None) == fails, result.output
    return result


def test_prompt_show_prints_what_is_sent(recipe: Path, tmp_path: Path) -> None:
    shown = run("prompt", "show", recipe, "--label", "positive", "--runs", tmp_path).stdout
    sent = json.loads(run("prompt", "show", recipe, "--label", "positive", "--runs", tmp_path, "--json").stdout)
    assert shown == sent["prompt"] + "\n"
    assert shown.endswith("\nPositive review:\n")
    other = run("prompt", "show", recipe, "--label", "positive", "--number", 1, "--runs", tmp_path).stdout
    assert other != shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--label", "neutral"], "'neutral' is not a label of the recipe"),
        (["--replicate", "7"], "the recipe has 1 replicates"),
        (["--number", "99"], "the recipe makes 3 prompts for 'negative'"),
    ],
)
def test_prompt_show_says_what_is_wrong(recipe: Path, tmp_path: Path, arguments: list[str], message: str) -> None:
    assert message in str(run("prompt", "show", recipe, "--runs", tmp_path, *arguments, fails=True).exception)


def test_a_dry_run_asks_and_writes_nothing(recipe: Path, tmp_path: Path) -> None:
    plan = json.loads(run("generate", recipe, "--runs", tmp_path, "--dry-run", "--json").stdout)
    assert (plan["replicates"], plan["requests"], plan["worst_case_usd"]) == (1, 24, None)
    assert plan["worst_case_tokens"] > 24 * 8
    assert not list(tmp_path.rglob("*.jsonl"))
    assert "24 requests with" in run("generate", recipe, "--runs", tmp_path, "--dry-run").stdout


def test_estimate_then_generate_asks_nothing_twice(recipe: Path, tmp_path: Path) -> None:
    refused = run("generate", recipe, "--runs", tmp_path, "--resume", fails=True)
    assert "holds no answers yet" in str(refused.exception)
    made = json.loads(run("estimate", recipe, "--runs", tmp_path, "--pilot", 8, "--json").stdout)
    assert (made["pilot_requests"], made["requests"], made["usd"]) == (8, 24, None)
    assert made["minutes"]["interval"] == [0.0, None]  # one batch: no spread to tell from
    assert made["kept_rows"]["estimate"] <= made["accepted_rows"]["estimate"]
    told = run("estimate", recipe, "--runs", tmp_path, "--pilot", 8).stdout
    assert "tokens:" in told
    assert "minutes of generation:" in told  # of the first pilot: this one asked nothing
    assert "cost: none but time; the model runs here" in told
    lines = run("generate", recipe, "--runs", tmp_path, "--resume").stdout
    assert "of 24 requests" in lines
    (journal,) = tmp_path.rglob("completions-0.jsonl")
    kinds = [json.loads(line)["request_id"] for line in journal.read_text("utf-8").splitlines()]
    assert len(kinds) == len(set(kinds)) == 24


def test_budgets_are_options(recipe: Path, tmp_path: Path) -> None:
    stopped = run("generate", recipe, "--runs", tmp_path, "--max-tokens", 10, fails=True)
    assert "the budget of 10 tokens is used up" in str(stopped.exception)
    priceless = run("generate", recipe, "--runs", tmp_path, "--max-usd", 1, fails=True)
    assert "no price is known" in str(priceless.exception)


def test_a_limit_prints_what_there_is(recipe: Path, tmp_path: Path) -> None:
    record = json.loads(run("generate", recipe, "--runs", tmp_path, "--limit", 4, "--json").stdout)
    assert record["replicates"]["0"]["requests"] == 8
    assert set(LABELS) == {"negative", "positive"}
