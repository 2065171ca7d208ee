"""Several writers in one recipe: whole shares, one order, journals and costs apart, and the same corpus every time."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from sentisynth_hub.core.errors import RecipeError, StageError
from sentisynth_hub.core.rows import Row
from sentisynth_hub.generate import stage as generation
from sentisynth_hub.generate.pilot import dry_run, pilot
from sentisynth_hub.generate.result import load
from sentisynth_hub.generate.writers import rounds_of, writers_of
from sentisynth_hub.recipe import Recipe
from tests.support.scripted_server import Call, Reply, ScriptedServer, chat, reply
from tests.support.worlds import CHAT, alone, lineage_of, samples, stage, write_recipe


PRICE = {"input_usd_per_million": 1000.0, "output_usd_per_million": 1000.0, "as_of": "2026-11-01"}


def by_model(call: Call) -> Reply:
    return reply(chat(f"{call.body['model']} on seed {call.body['seed']}"))


def recipe(folder: Path, url: str, candidates: int = 24, **generate: Any) -> Recipe:
    def endpoint(model: str) -> dict[str, Any]:
        return {"kind": "openai", "model": model, "base_url": url, "price": dict(PRICE)}

    section = {
        "generator": endpoint("cheap"),
        "generators": {"dear": {"share": 0.5, "generator": endpoint("strong")}},
        "candidates": candidates,
        "sampling": {"max_new_tokens": 16},
        "prompt": {"num_shots": 2, "chat": True},
        **generate,
    }
    return write_recipe(folder / "recipe", section, template=CHAT)


def corpus(made: Recipe, runs: Path) -> tuple[str, list[Row]]:
    folder = stage(runs, made)
    generation.generate(made, samples(), folder, alone())
    return load(folder)[0].digest, load(folder)[0].candidates()


def test_each_writes_its_share_between_the_others_rows(tmp_path: Path) -> None:
    with ScriptedServer(by_model) as server:
        made = recipe(tmp_path, server.url)
        digest, rows = corpus(made, tmp_path / "runs")
        assert corpus(made, tmp_path / "again") == (digest, rows)
    assert Counter((row.generator, row.label) for row in rows) == {
        ("cheap", "negative"): 8, ("cheap", "positive"): 8, ("strong", "negative"): 4, ("strong", "positive"): 4,
    }  # fmt: skip
    for start in range(0, 24, 6):
        assert Counter(row.generator for row in rows[start : start + 6]) == {"cheap": 4, "strong": 2}


def test_lineage_journals_and_costs_are_kept_apart(tmp_path: Path) -> None:
    with ScriptedServer(by_model) as server:
        made = recipe(tmp_path, server.url)
        corpus(made, tmp_path / "runs")
    folder = stage(tmp_path / "runs", made)
    result = load(folder)
    lines = list(lineage_of(folder, 0))
    assert {(line["model"], json.loads(line["attributes"])["writer"]) for line in lines} == {
        ("cheap", "cheap"), ("strong", "dear"),
    }  # fmt: skip
    assert made.generate.attribute_names == ["writer"], "leave-out and blame would not know it"
    assert {name: model.id for name, model in result.writers.items()} == {"cheap": "cheap", "dear": "strong"}
    journals = {path.parent.name: path.read_text("utf-8").count('"kind": "completion"') for path in result.journals()}
    assert journals == {"replicate-0": 16, "dear": 8}
    for name, count in result[0].writers.items():
        own = [line for line in lines if json.loads(line["attributes"])["writer"] == name]
        assert count.requests == count.candidates == len(own)
        assert count.cost_usd == pytest.approx(sum(line["cost_usd"] for line in own)) == pytest.approx(0.03 * len(own))
    assert result.cost_usd == pytest.approx(0.03 * 24)


def test_the_budget_is_of_all_writers_together(tmp_path: Path) -> None:
    with ScriptedServer(by_model) as server:
        made = recipe(tmp_path, server.url, budget={"max_usd": 0.8})
        with pytest.raises(StageError, match=r"of 8 requests of replicate 0 answered: the budget of \$0\.80"):
            generation.generate(made, samples(), stage(tmp_path / "runs", made), alone())
        asked = len(server.calls)
        assert 16 < asked < 24
        generation.generate(recipe(tmp_path, server.url), samples(), stage(tmp_path / "runs", made), alone())
        assert len(server.calls) == 24, "what was paid is not asked for again"


def test_a_second_writer_asks_the_first_one_only_for_what_is_new(tmp_path: Path) -> None:
    with ScriptedServer(by_model) as server:
        before = recipe(tmp_path, server.url, generators={})
        corpus(before, tmp_path / "runs")
        assert len(server.calls) == 24
        corpus(recipe(tmp_path, server.url), tmp_path / "runs")
        assert Counter(call.body["model"] for call in server.calls) == {"cheap": 24, "strong": 8}


def test_shares_are_whole_and_add_up(tmp_path: Path) -> None:
    endpoint = {"kind": "openai", "base_url": "http://127.0.0.1:1/v1"}
    shares = {"b": 1.0, "c": 0.3}
    more = {name: {"share": share, "generator": endpoint | {"model": name}} for name, share in shares.items()}
    writers = writers_of(recipe(tmp_path, "http://127.0.0.1:1/v1", generators=more))
    for count in range(40):
        parts = [rounds[0]["negative"] for rounds in rounds_of(writers, [{"negative": count}])]
        assert sum(parts) == count
        assert all(abs(part - count * writer.share) <= 1 for part, writer in zip(parts, writers, strict=True))


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"model": "cheap"}, "another writer is the same"),
        ({"kind": "rows", "file": "f.csv", "written_by": "w"}, "rows that are there already have no prompt"),
        ({"kind": "fine_tuned", "model": "m"}, "a fine-tuned generator learned from the rows"),
    ],
)
def test_a_writer_that_does_not_suit_is_refused(tmp_path: Path, more: dict[str, Any], problem: str) -> None:
    url = "http://127.0.0.1:1/v1"
    further = {"kind": "openai", "base_url": url, "price": dict(PRICE)} | more
    if further["kind"] != "openai":
        further = more
    with pytest.raises(RecipeError, match=problem) as refusal:
        recipe(tmp_path, url, generators={"other": {"generator": further}})
    assert "\n" not in str(refusal.value)


def test_an_estimate_is_of_one_writer_and_a_dry_run_of_all(tmp_path: Path) -> None:
    made = recipe(tmp_path, "http://127.0.0.1:1/v1")
    with pytest.raises(RecipeError, match="an estimate is of one writer"):
        pilot(made, samples(), stage(tmp_path / "runs", made), alone())
    plan = dry_run(made, samples())
    assert plan["requests"] == 24
    assert plan["worst_case_usd"] == pytest.approx(plan["worst_case_tokens"] / 1000)
