"""Servers as they are: no answer that holds the text is lost, and no request is wasted twice on a refused field."""

import json
from pathlib import Path
from typing import Any

import pytest

from sentisynth_hub.core.errors import StageError
from sentisynth_hub.generate import stage as generation
from sentisynth_hub.generate.answers import spent
from sentisynth_hub.generate.providers import server_fields
from sentisynth_hub.generate.result import GeneratedReplicate
from sentisynth_hub.recipe import Recipe
from tests.support.quirky_server import ANSWERS, REFUSALS, quirky_server
from tests.support.scripted_server import Call, Reply, ScriptedServer, chat, reply
from tests.support.worlds import CHAT, alone, samples, stage, write_recipe


KEY = "sk-0123456789abcdef"


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sentisynth_hub.generate.providers.rate_limits._FIRST_WAIT", 0.01)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


def recipe(folder: Path, server: ScriptedServer, generate: dict[str, Any] | None = None, **endpoint: Any) -> Recipe:
    price = {"input_usd_per_million": 1.0, "output_usd_per_million": 10.0, "as_of": "2026-11-01"}
    section = {
        "generator": {
            "kind": "openai",
            "model": "m",
            "base_url": server.url,
            "price": price,
            "concurrency": 4,
            **endpoint,
        },
        "candidates": 8,
        "prompt": {"num_shots": 1, "chat": True},
        **(generate or {}),
    }
    return write_recipe(folder / "recipe", section, template=CHAT)


def run(made: Recipe, folder: Path) -> GeneratedReplicate:
    generation.generate(made, samples(), stage(folder / "runs", made), alone())
    return generation.load(stage(folder / "runs", made))[0]


@pytest.mark.parametrize("quirk", ANSWERS)
def test_the_text_is_found_in_every_answer(tmp_path: Path, quirk: str) -> None:
    with quirky_server(quirk) as server:
        corpus = run(recipe(tmp_path, server), tmp_path)
    assert sorted(row.text for row in corpus.candidates()) == sorted(f"a fine film, number {i}" for i in range(8))
    written = 90 if "thinks apart" in quirk or "total" in quirk else 10
    assert corpus.completion_tokens == 8 * written
    assert corpus.cost_usd == pytest.approx(8 * (20 + 10 * written) / 1e6)


@pytest.mark.parametrize("quirk", REFUSALS)
def test_a_refused_field_is_asked_with_once_and_never_again(tmp_path: Path, quirk: str) -> None:
    prompt = {"num_shots": 1, "chat": True}
    endpoint: dict[str, Any] = {"extra_body": {"reasoning_effort": "low"}}
    if quirk == "no n":
        endpoint["choices_per_call"] = 2
    if quirk == "no response_format":
        prompt["texts_per_call"] = 2
    with quirky_server(quirk, text=lambda call: json.dumps([f"one {call.number}", f"two {call.number}"])
                       if "texts_per_call" in prompt else f"film {call.number}") as server:  # fmt: skip
        made = recipe(tmp_path, server, {"prompt": prompt, "samples_per_prompt": 2}, **endpoint)
        corpus = run(made, tmp_path)
        assert corpus.candidate_count == 8
        refused = len(server.calls) - corpus.requests // endpoint.get("choices_per_call", 1)
        if quirk == "no n":  # one text a call from then on
            refused = len(server.calls) - corpus.requests
        assert refused == 1
        assert corpus.cost_usd == pytest.approx((len(server.calls) - 1) * (20 + 100) / 1e6)  # the refusal cost nothing
        fields = json.loads(next(corpus.lineage())["sampling"])["left_out"]
        assert len(fields) == 1
        assert fields[0] in quirk or quirk in ("max_completion_tokens", "one of temperature and top_p")
        before = len(server.calls)
        again = recipe(tmp_path / "again", server, {"prompt": prompt, "samples_per_prompt": 2}, **endpoint)
        run(again, tmp_path / "again")  # remembered for this host and model
        assert all(fields[0] not in call.body for call in server.calls[before:])


def test_several_refused_fields_are_found_one_after_the_other(tmp_path: Path) -> None:
    quirks = ("no temperature", "no top_p", "no seed", "max_completion_tokens", "no reasoning_effort")
    with quirky_server(*quirks) as server:
        corpus = run(recipe(tmp_path, server, extra_body={"reasoning_effort": "low"}), tmp_path)
        assert corpus.candidate_count == 8
        assert len(server.calls) == 8 + 5
        assert server.calls[-1].body.keys() == {"model", "messages", "max_completion_tokens"}


@pytest.mark.parametrize(
    "content", [b"", b"[]", b'{"127.0.0.1 m": 5}', b'{"x": {"refused": "seed"}}', b"\xff", b"[" * 99999]
)
def test_a_memory_that_cannot_be_read_is_none(content: bytes) -> None:
    server_fields.cache_file().parent.mkdir(parents=True)
    server_fields.cache_file().write_bytes(content)
    assert server_fields.ServerFields("h", "m").refused == []


def test_a_wrong_value_is_told_and_not_left_out(tmp_path: Path) -> None:
    def script(call: Call) -> Reply:
        return reply({"error": {"message": "temperature must be between 0 and 1", "code": "bad_value"}}, 400)

    with (
        ScriptedServer(script) as server,
        pytest.raises(StageError, match="HTTP 400: temperature must be between 0 and 1"),
    ):
        run(recipe(tmp_path, server), tmp_path)


@pytest.mark.parametrize("field", ["temperature", "top_p", "seed"])
def test_a_field_that_is_null_is_not_sent(tmp_path: Path, field: str) -> None:
    with quirky_server() as server:
        run(recipe(tmp_path, server, {"sampling": {field: None}}), tmp_path)
        assert all(field not in call.body for call in server.calls)
        assert {"temperature", "top_p", "seed"} - {field} <= server.calls[0].body.keys()


def test_more_fields_are_sent_as_they_are(tmp_path: Path) -> None:
    extra = {"reasoning_effort": "low", "chat_template_kwargs": {"enable_thinking": False}}
    with quirky_server() as server:
        run(
            recipe(tmp_path, server, {"sampling": {"max_new_tokens": 30}}, extra_body=extra, thinking_tokens=200),
            tmp_path,
        )
        assert all(extra.items() <= call.body.items() for call in server.calls)
        assert {call.body["max_tokens"] for call in server.calls} == {230}


OVERLOADED = {"error": {"message": "service temporarily overloaded", "code": 503}}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (reply(OVERLOADED), "the answer is an error: service temporarily overloaded"),
        (reply({"detail": "no such thing here"}), "no such thing here"),
        (reply({"message": {"reason": "temperature is odd"}}, 422), "HTTP 422: .*temperature is odd"),
        (reply({"errors": [{"why": "too long"}]}, 413), "HTTP 413: .*too long"),
        (Reply(200, b"<html>nginx</html>", {"Content-Type": "text/html"}), "web page, no JSON; check base_url"),
        (Reply(502, b"<html>bad gateway</html>"), "bad gateway.*check base_url, which usually ends in /v1"),
        (reply({"error": {"message": f"Incorrect API key: Bearer {KEY}"}}, 401), r"Incorrect API key: Bearer \[key\]"),
        (reply({"error": {"message": f"odd key {KEY}"}}, 400), r"odd key \[key\]"),
        (reply({"error": {"message": "x" * 190 + KEY}}, 400), r"HTTP 400: x{190}\[key\]…"),  # cut within the key
        (reply({"error": {"message": "x" * 5000}}, 400), r"HTTP 400: x{199}…"),
        (reply({"error": {"message": "red\x1b[8m\u202e\nforged line"}}, 400), "red\ufffd"),
    ],
)
def test_the_servers_own_words_are_told_in_one_line_and_nothing_is_billed(
    tmp_path: Path, answer: Reply, words: str
) -> None:
    with ScriptedServer(lambda call: answer) as server:
        made = recipe(tmp_path, server, max_attempts=2)
        with pytest.raises(StageError, match=words) as raised:
            run(made, tmp_path)
    journals = sorted((tmp_path / "runs").rglob("completions-*.jsonl"))
    assert spent(journals).tokens == 0
    assert "\n" not in str(raised.value)
    assert KEY[:6] not in str(raised.value)
    assert all(KEY[:6].encode() not in path.read_bytes() for path in journals)


def test_a_chat_model_behind_a_raw_prompt_is_told(tmp_path: Path) -> None:
    message = "This is a chat model and not supported in the v1/completions endpoint"
    with ScriptedServer(lambda call: reply({"error": {"message": message}}, 404)) as server:
        made = recipe(tmp_path, server, {"prompt": {"num_shots": 1}})
        with pytest.raises(StageError, match="a chat model needs generate.prompt.chat=true"):
            run(made, tmp_path)


@pytest.mark.parametrize("code", [429, "429", "rate_limit_exceeded", "RESOURCE_EXHAUSTED"])
def test_a_limit_inside_an_answer_is_waited_for(tmp_path: Path, code: Any) -> None:
    def script(call: Call) -> Reply:
        if call.number % 4:
            return reply({"error": {"message": "slow down", "code": code}}, Retry_After="0.01")
        return reply(chat(f"film {call.number}"))

    with ScriptedServer(script) as server:
        corpus = run(recipe(tmp_path, server, max_attempts=1, concurrency=1), tmp_path)
    assert (corpus.candidate_count, corpus.unparsed_count) == (8, 0)


def test_a_server_that_asks_for_hours_ends_the_run(tmp_path: Path) -> None:
    slow = reply({"error": {"message": "daily limit"}}, 429, Retry_After="86400")
    with ScriptedServer(lambda call: slow) as server, pytest.raises(StageError, match="asks to wait 24.0 hours"):
        run(recipe(tmp_path, server), tmp_path)


@pytest.mark.parametrize("code", ["content_filter", "ResponsibleAIPolicyViolation", "content_policy_violation"])
def test_a_refusal_by_http_400_is_an_answer_and_stops_nothing(tmp_path: Path, code: str) -> None:
    with ScriptedServer(lambda call: reply({"error": {"message": "filtered", "code": code}}, 400)) as server:
        corpus = run(recipe(tmp_path, server), tmp_path)
    assert corpus.reasons == {"refusal": 8}
    assert corpus.cost_usd == 0


def test_the_last_request_may_be_at_fault_itself(tmp_path: Path) -> None:
    """Stopped by a budget before it, a run must not end for good at the one request that the server cannot answer."""

    def script(call: Call) -> Reply:
        if call.body["seed"] == bad:
            return reply({"error": {"message": "cannot read that", "code": "odd"}}, 400)
        return reply(chat(f"film {call.number}"))

    bad = -1
    with ScriptedServer(script) as server:
        made = recipe(tmp_path, server, concurrency=1)
        plan = generation.generate(made, samples(), stage(tmp_path / "plan", made), alone(), limit=1)
        assert plan["replicates"]["0"]["requests"] == 1
        folder = stage(tmp_path / "runs", made)
        generation.generate(made, samples(), folder, alone(), limit=7)
        last = (folder.path / "replicate-0" / "requests.jsonl").read_text("utf-8").split("\n")[7]
        bad = json.loads(last)["seed"]
        corpus = run(made, tmp_path)
    assert corpus.reasons == {"error": 1}


def test_many_answers_at_the_limit_are_told_early(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with ScriptedServer(lambda call: reply(chat("half of a", "length"))) as server:
        run(recipe(tmp_path, server, {"candidates": 40}), tmp_path)
    warning = [line for line in capsys.readouterr().err.split("\n") if "reached the limit" in line]
    assert len(warning) == 1
    assert "20 of the first 20 answers reached the limit of 48 tokens (generate.sampling.max_new_tokens)" in warning[0]


@pytest.mark.parametrize("reason", ["error", "max_tokens", "MAX_TOKENS", "SAFETY", "abort", "tool_calls", "cancelled"])
def test_half_a_text_is_no_row(tmp_path: Path, reason: str) -> None:
    with ScriptedServer(lambda call: reply(chat("half a te", reason if call.number % 2 else "stop"))) as server:
        corpus = run(recipe(tmp_path, server, concurrency=1), tmp_path)
    halves = {"error": {}, "SAFETY": {"refusal": 4}}.get(reason, {"unfinished": 4})
    assert corpus.reasons == halves
    assert corpus.candidate_count == 8 - sum(halves.values())
