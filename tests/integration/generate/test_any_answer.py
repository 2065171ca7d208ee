"""Whatever a server sends: nothing raises but an error of ours in one line, and every answer that was paid is there.

Each example goes the whole way: HTTP, journal, parser, tables, and a second run that must find everything answered.
"""

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sentisynth_hub.core.errors import SentisynthError
from sentisynth_hub.core.rows import Completion
from sentisynth_hub.generate import stage as generation
from sentisynth_hub.generate.answers import Answers, completion_record
from sentisynth_hub.generate.journal import Journal, read_journal, union_journals
from sentisynth_hub.generate.parse import parse
from sentisynth_hub.generate.providers import openai_protocol as protocol
from tests.support.scripted_server import Call, Reply, ScriptedServer, chat, reply
from tests.support.worlds import CHAT, alone, request, samples, stage, write_recipe


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sentisynth_hub.generate.providers.rate_limits._FIRST_WAIT", 0.001)
    monkeypatch.setattr("sentisynth_hub.generate.providers.rate_limits._LONGEST_WAIT", 0.002)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-of-mine")


# Half an emoji, line ends that only Unicode knows, NUL, an escape sequence, a byte order mark, a direction override.
PIECES = st.sampled_from(
    ["\ud83d", "\udc00", "\u2028", "\u2029", "\u0085", "\x00", "\x1b[8m", "\ufeff", "\u202e", "\n", '"']
)
TEXTS = st.one_of(
    st.text(st.characters(), max_size=40),
    st.lists(st.one_of(PIECES, st.text(max_size=5)), max_size=8).map("".join),
    st.sampled_from(
        ["[" * 1100, '{"a":' * 1100, "[" * 100_000, "<think>" * 50, "</think>", "```\n" * 9, '{"texts": [1e999]}']
    ),
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=6,
)
FIELDS = ("model", "choices", "usage", "system_fingerprint", "error", "object", "message", "detail")


def bodies() -> st.SearchStrategy[bytes]:
    """Answers as they should be but for some part, any JSON, any bytes."""
    message = st.fixed_dictionaries(
        {},
        optional={"content": st.one_of(TEXTS, JSON), "refusal": JSON, "reasoning_content": JSON, "tool_calls": JSON},
    )
    choice = st.fixed_dictionaries(
        {}, optional={"message": st.one_of(message, JSON), "text": JSON, "finish_reason": JSON, "error": JSON}
    )
    answer = st.fixed_dictionaries(
        {}, optional=dict.fromkeys(FIELDS, JSON) | {"choices": st.one_of(st.lists(choice, max_size=2), JSON)}
    )
    dumped = st.one_of(answer, JSON).map(lambda value: json.dumps(value).encode())
    raw = answer.map(lambda value: json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    return st.one_of(dumped, raw, st.binary(max_size=60), st.just(b"<html>no</html>"), st.just(b"[" * 50_000))


@settings(deadline=None, max_examples=300)
@given(
    text=TEXTS,
    finish_reason=st.sampled_from(["stop", "length", "interrupted", "refusal", "error"]),
    count=st.integers(1, 3),
)
def test_any_text_is_journalled_read_back_joined_and_parsed(
    text: str, finish_reason: str, count: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("journal")
    completion = Completion("r0", text, finish_reason, text, system_fingerprint=text, error=text)
    for name, part in (("a", 5), ("b", 7)):
        journal = Journal(folder / name)
        journal.append([completion_record(completion), completion_record(Completion(f"r{part}", "x", "stop", "m"))])
        journal.close()
    union_journals(folder / "a", folder / "b", folder / "union")
    assert len(list(read_journal(folder / "union"))) == 3
    answers = Answers(lambda: [folder / "union"])
    assert answers.completion("r0", None) == completion
    assert ("r5", None) in answers
    assert ("r7", None) in answers
    parsed = parse(completion, request(), count)
    assert len(parsed) >= count
    assert all(item.text.encode("utf-8") is not None for item in parsed)


@settings(deadline=None, max_examples=400)
@given(body=bodies(), cut=st.one_of(st.none(), st.integers(0, 400)))
def test_any_bytes_are_an_answer_or_an_error_of_ours(body: bytes, cut: int | None) -> None:
    try:
        answer = protocol.read_body(body[:cut], "m")
    except protocol.AnswerError:
        return
    for completion in protocol.completions([request(index=0), request(index=1)], answer, answer.usage or (0, 0), None):
        assert json.dumps(completion_record(completion), allow_nan=False)
        assert completion.text.encode("utf-8") is not None
        assert parse(completion, request(), 2)


@settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))
@given(
    replies=st.lists(
        st.builds(
            Reply,
            st.sampled_from([200, 200, 200, 400, 404, 409, 422, 429, 500, 503]),
            bodies(),
            st.sampled_from(
                [{}, {"Retry-After": "0"}, {"Retry-After": "-1"}, {"Retry-After": "²"}, {"retry-after-ms": "nan"}]
            ),
            st.one_of(st.none(), st.none(), st.none(), st.integers(0, 30)),
        ),
        min_size=1,
        max_size=6,
    ),
    lists=st.booleans(),
)
def test_a_run_survives_any_answers_and_keeps_the_good_ones(
    replies: list[Reply], lists: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("run")
    paid: set[str] = set()

    def script(call: Call) -> Reply:
        """Strange answers in turn with good ones, each of which says its own name."""
        if call.number % 2:
            text = f"film number {call.number} again"
            paid.add(text)
            return reply(chat(json.dumps([text]) if lists else text))
        return replies[call.number // 2 % len(replies)]

    with ScriptedServer(script) as server:
        endpoint = {"kind": "openai", "model": "m", "base_url": server.url, "concurrency": 2, "max_attempts": 2}
        prompt = {"num_shots": 1, "chat": True, "texts_per_call": 2 if lists else 1}
        made = write_recipe(
            folder / "recipe", {"generator": endpoint, "candidates": 8, "prompt": prompt}, template=CHAT
        )
        for _ in range(12):
            with contextlib.suppress(SentisynthError):  # stopped in one line; every run gets further
                generation.generate(made, samples(), stage(folder / "runs", made), alone())
                break
        kept = _journalled(folder / "runs")
        assert {name for name in paid if not any(name in text for text in kept)} == set()
        before = len(server.calls)
        if stage(folder / "runs", made).complete:
            (stage(folder / "runs", made).path / "manifest.json").unlink()
            manifest = generation.generate(made, samples(), stage(folder / "runs", made), alone())
            assert len(server.calls) == before, "an answer that was paid was asked for again"
            record = manifest["replicates"]["0"]
            assert record["candidates"] + record["unparsed"] >= 8


def _journalled(runs: Path) -> list[str]:
    records: list[dict[str, Any]] = [
        record for path in runs.rglob("completions-*.jsonl") for _, record in read_journal(path)
    ]
    return [record["text"] for record in records if record["kind"] == "completion"]
