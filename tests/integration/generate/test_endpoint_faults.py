"""A server that fails one call in five: every request ends answered once or rejected with a reason, within the
budget.
"""

import contextlib
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from sentisynth_hub.core.errors import StageError
from sentisynth_hub.core.rows import Rejected, Row
from sentisynth_hub.generate import stage as generation
from sentisynth_hub.generate.answers import spent
from sentisynth_hub.generate.journal import read_journal
from sentisynth_hub.recipe import Recipe
from tests.support import fault_server
from tests.support.fault_server import FAULTS, FaultServer
from tests.support.worlds import CHAT, alone, candidates_of, samples, stage, write_recipe


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sentisynth_hub.generate.providers.rate_limits._FIRST_WAIT", 0.02)
    monkeypatch.setenv("OPENAI_API_KEY", "test")


def recipe(
    folder: Path, server: FaultServer, candidates: int, generate: dict[str, Any] | None = None, **endpoint: Any
) -> Recipe:
    generator = {"kind": "openai", "model": "fault-model", "base_url": server.url, "timeout_seconds": 0.5, **endpoint}
    section = {
        "generator": generator,
        "candidates": candidates,
        "sampling": {"max_new_tokens": 20},
        "prompt": {"num_shots": 2, "chat": True},
        **(generate or {}),
    }
    return write_recipe(
        folder / "recipe", section, template=CHAT if section["prompt"].get("chat") else "{{ verbalizer }}:"
    )


def rows(made: Recipe, runs: Path) -> tuple[list[Row], list[Rejected]]:
    return candidates_of(stage(runs, made), 0)


def test_two_thousand_requests_with_one_fault_in_five(tmp_path: Path) -> None:
    with FaultServer(0.2, seed=1) as server:
        made = recipe(tmp_path, server, 2000, concurrency=64, max_attempts=8, timeout_seconds=5)
        manifest = generation.generate(made, samples(), stage(tmp_path / "runs", made), alone())
    candidates, unparsed = rows(made, tmp_path / "runs")
    record = manifest["replicates"]["0"]
    assert record["requests"] == len(candidates) + len(unparsed) == 2000
    assert len({row.request_id for row in [*candidates, *(item.row for item in unparsed)]}) == 2000
    assert set(server.faults) == set(FAULTS)
    assert record["reasons"] == {"refusal": server.faults["refusal"]}
    assert sum(row.text == "the same film again" for row in candidates) == server.faults["duplicate text"]
    assert len(server.answered) == 2000
    assert set(server.answered.values()) == {1}, "an answered request was asked again"


def test_no_journalled_request_is_asked_again(tmp_path: Path) -> None:
    """Stopped by its budget again and again, the run goes on where it was."""
    with FaultServer(0.2, seed=2) as server:
        folder = None
        for step in range(1, 100):
            budget = {"budget": {"max_tokens": 12_000 * step}}
            made = recipe(tmp_path, server, 300, budget, concurrency=8, max_attempts=8, timeout_seconds=3)
            folder = stage(tmp_path / "runs", made)
            with contextlib.suppress(StageError):
                generation.generate(made, samples(), folder, alone())
            if folder.complete:
                break
        assert step > 3
        assert folder is not None
        assert folder.complete
        assert set(server.answered.values()) == {1}


@pytest.mark.parametrize("concurrency", [1, 8, 64])
@pytest.mark.parametrize("share", [0.0, 0.3])
def test_the_budget_is_never_passed_by_a_token(tmp_path: Path, concurrency: int, share: float) -> None:
    budget = 20_000
    with FaultServer(share, seed=concurrency) as server:
        limits = {"budget": {"max_tokens": budget}}
        made = recipe(tmp_path, server, 500, limits, concurrency=concurrency, max_attempts=8)
        folder = stage(tmp_path / "runs", made)
        with pytest.raises(StageError, match="the budget of 20,000 tokens is used up; raise --max-tokens"):
            generation.generate(made, samples(), folder, alone())
        counted = spent(folder.path.glob("replicate-0/completions-*.jsonl")).tokens
        assert server.tokens <= counted <= budget
        assert counted > budget * 0.9, "stopped long before the budget was used"


def test_a_budget_in_money_is_kept_and_the_cost_is_in_the_manifest(tmp_path: Path) -> None:
    price = {"input_usd_per_million": 10.0, "output_usd_per_million": 30.0, "as_of": "2026-11-01"}
    with FaultServer() as server:
        limits = {"budget": {"max_usd": 0.05}}
        made = recipe(tmp_path, server, 500, limits, price=price)
        with pytest.raises(StageError, match=r"the budget of \$0.05 is used up"):
            generation.generate(made, samples(), stage(tmp_path / "runs", made), alone())
        paid = sum(10 * _asked(body) + 30 * 20 for body in server.bodies) / 1e6
        assert 0.045 < paid <= 0.05
        free = recipe(tmp_path, server, 60, price=price)
        manifest = generation.generate(free, samples(), stage(tmp_path / "more", free), alone())
    record = manifest["replicates"]["0"]
    per_token = (10 * record["prompt_tokens"] + 30 * record["completion_tokens"]) / 1e6
    assert record["cost_usd"] == pytest.approx(per_token)
    assert manifest["prices"]["as_of"] == "2026-11-01"


def _asked(body: dict[str, Any]) -> int:
    return sum(len(message["content"].encode()) for message in body["messages"])


def test_several_choices_share_a_call_and_missing_ones_are_asked_for_again(tmp_path: Path) -> None:
    with FaultServer(0.2, seed=5) as server:
        changes = {"samples_per_prompt": 6}
        made = recipe(tmp_path, server, 120, changes, concurrency=4, choices_per_call=6, max_attempts=8)
        generation.generate(made, samples(), stage(tmp_path / "runs", made), alone())
        calls = server.calls - sum(server.faults.values())
    candidates, unparsed = rows(made, tmp_path / "runs")
    assert len(candidates) + len(unparsed) == 120
    assert calls <= 20
    assert {body["n"] for body in server.bodies} == {6}


def test_a_server_that_ignores_n_is_asked_for_each_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = FaultServer._choice
    monkeypatch.setattr(FaultServer, "_respond", _ignoring_n(FaultServer._respond))
    with FaultServer() as server:
        made = recipe(tmp_path, server, 24, {"samples_per_prompt": 4}, choices_per_call=4)
        generation.generate(made, samples(), stage(tmp_path / "runs", made), alone())
    candidates, _ = rows(made, tmp_path / "runs")
    assert len(candidates) == 24
    assert len({row.text for row in candidates}) == 24
    assert honest is FaultServer._choice


def _ignoring_n(respond: Any) -> Any:
    async def without_n(self: FaultServer, writer: Any, path: str, body: dict[str, Any]) -> None:
        await respond(self, writer, path, {name: value for name, value in body.items() if name != "n"})

    return without_n


def test_json_lists_are_asked_for_by_schema(tmp_path: Path) -> None:
    with FaultServer() as server:
        prompt = {"num_shots": 2, "chat": True, "texts_per_call": 5}
        made = recipe(tmp_path, server, 40, {"prompt": prompt})
        generation.generate(made, samples(), stage(tmp_path / "runs", made), alone())
        assert {body["response_format"]["type"] for body in server.bodies} == {"json_schema"}
    candidates, _ = rows(made, tmp_path / "runs")
    assert len(candidates) == 40
    assert len({row.text for row in candidates}) == 40


def test_a_raw_prompt_goes_to_completions_and_stops_at_the_line(tmp_path: Path) -> None:
    with FaultServer() as server:
        made = recipe(tmp_path, server, 8, {"prompt": {"num_shots": 0}})
        generation.generate(made, samples(), stage(tmp_path / "runs", made), alone())
        assert {body["prompt"] for body in server.bodies} == {"negative:", "positive:"}
        assert {tuple(body["stop"]) for body in server.bodies} == {("\n",)}
        assert len({body["seed"] for body in server.bodies}) == 8


def test_a_dead_server_stops_the_run_and_loses_no_request(tmp_path: Path) -> None:
    with FaultServer(1.0, seed=3) as dead:
        made = recipe(tmp_path, dead, 40, concurrency=4, max_attempts=2)
        dead._random.choice = lambda faults: "500"  # type: ignore[method-assign, assignment]
        with pytest.raises(StageError, match="the server failed 4 requests in a row, the last with: HTTP 500"):
            generation.generate(made, samples(), stage(tmp_path / "runs", made), alone())
    with FaultServer() as alive:
        made = recipe(tmp_path, alive, 40)
        generation.generate(made, samples(), stage(tmp_path / "runs", made), alone())
    candidates, unparsed = rows(made, tmp_path / "runs")
    assert (len(candidates), unparsed) == (40, [])


def test_a_server_that_refuses_every_call_as_wrong_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FaultServer, "_respond", _always(400, "n must be 1"))
    with FaultServer() as server:
        made = recipe(tmp_path, server, 4, concurrency=8)
        with pytest.raises(StageError, match="the server answered nothing; the last call ended with: HTTP 400"):
            generation.generate(made, samples(), stage(tmp_path / "runs", made), alone())
        assert server.calls == 4


def _always(status: int, message: str) -> Any:
    async def refuse(self: FaultServer, writer: Any, path: str, body: dict[str, Any]) -> None:
        self.calls += 1
        await fault_server._send(writer, status, {"error": {"message": message, "code": None}})

    return refuse


def test_nobody_there_costs_nothing(tmp_path: Path) -> None:
    with FaultServer() as server:
        made = recipe(tmp_path, server, 10, max_attempts=2)
    folder = stage(tmp_path / "runs", made)
    with pytest.raises(StageError, match="no connection to the server"):
        generation.generate(made, samples(), folder, alone())
    assert spent(folder.path.glob("replicate-0/completions-*.jsonl")).tokens == 0


def test_minutes_are_kept(tmp_path: Path) -> None:
    with FaultServer(latency=0.2) as server:
        made = recipe(tmp_path, server, 200, {"budget": {"max_minutes": 1.5 / 60}}, concurrency=2)
        started = time.monotonic()
        with pytest.raises(StageError, match="max-minutes"):
            generation.generate(made, samples(), stage(tmp_path / "runs", made), alone())
        assert time.monotonic() - started < 3
        assert sum(server.answered.values()) == len(_answered(stage(tmp_path / "runs", made).path))


def _answered(folder: Path) -> list[str]:
    records = [record for path in folder.glob("replicate-0/completions-*.jsonl") for _, record in read_journal(path)]
    return [record["request_id"] for record in records if record["kind"] == "completion"]


def test_calls_a_minute_and_calls_in_flight_are_kept(tmp_path: Path) -> None:
    with FaultServer(latency=0.05) as server:
        made = recipe(tmp_path, server, 30, concurrency=3, requests_per_minute=1200)
        started = time.monotonic()
        generation.generate(made, samples(), stage(tmp_path / "runs", made), alone())
        assert time.monotonic() - started >= 29 * 0.05
        assert server.most_in_flight <= 3


@pytest.mark.parametrize(("status", "what"), [(401, "HTTP 401"), (404, "HTTP 404")])
def test_a_wrong_key_or_model_stops_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, what: str
) -> None:
    monkeypatch.setattr(FaultServer, "_respond", _always(status, "no such thing"))
    with FaultServer() as server:
        made = recipe(tmp_path, server, 40, concurrency=4)
        with pytest.raises(StageError, match=what):
            generation.generate(made, samples(), stage(tmp_path / "runs", made), alone())
        assert server.calls <= 4


def test_the_fault_server_counts_what_it_does() -> None:
    """The measure itself: a call more is an answer more."""
    import urllib.request

    with FaultServer() as server:
        for _ in range(2):
            body = json.dumps({"model": "m", "prompt": "héllo", "max_tokens": 7, "seed": 5}).encode()
            urllib.request.urlopen(urllib.request.Request(f"{server.url}/completions", body)).read()
        assert server.answered == Counter({5: 2})
        assert server.tokens == 2 * (6 + 7)
