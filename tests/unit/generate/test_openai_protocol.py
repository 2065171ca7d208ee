"""What is sent, and what is believed of an answer."""

from pathlib import Path
from typing import Any

import pytest

from sentisynth_hub.generate.providers import openai_protocol as protocol
from sentisynth_hub.recipe import Recipe
from tests.support.worlds import request, write_recipe


def recipe(folder: Path, *, endpoint: dict[str, Any] | None = None, **prompt: Any) -> Recipe:
    generator = {"kind": "openai", "model": "gpt-x", **(endpoint or {})}
    sampling = {"max_new_tokens": 30, "temperature": 0.5}
    return write_recipe(folder, {"generator": generator, "candidates": 2, "prompt": prompt, "sampling": sampling})


def answer(*choices: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"model": "gpt-x-2026-01-01", "choices": list(choices), **fields}


def test_a_raw_call(tmp_path: Path) -> None:
    assert protocol.body(recipe(tmp_path), request(seed=5)) == {
        "model": "gpt-x",
        "prompt": "Positive review:",
        "max_tokens": 30,
        "temperature": 0.5,
        "top_p": 0.95,
        "seed": 5,
        "stop": ["\n"],
    }


def test_a_chat_call_for_a_list(tmp_path: Path) -> None:
    made = recipe(tmp_path, endpoint={"token_limit_field": "max_completion_tokens"}, chat=True, texts_per_call=3)
    messages = [{"role": "user", "content": "write"}]
    body = protocol.body(made, request(messages), 2)
    assert (body["messages"], body["n"], body["max_completion_tokens"]) == (messages, 2, 30)
    assert not {"stop", "prompt", "max_tokens"} & body.keys()
    assert body["response_format"]["json_schema"]["schema"]["properties"]["texts"]["maxItems"] == 3
    plain = recipe(tmp_path, endpoint={"structured_output": False}, chat=True, texts_per_call=3)
    assert "response_format" not in protocol.body(plain, request(messages))


@pytest.mark.parametrize(
    ("choice", "text", "finish_reason"),
    [
        ({"text": " fine", "finish_reason": "stop"}, " fine", "stop"),
        ({"text": "cut", "finish_reason": "length"}, "cut", "length"),
        ({"message": {"content": "fine"}, "finish_reason": "stop"}, "fine", "stop"),
        ({"message": {"content": None, "refusal": "No."}, "finish_reason": "stop"}, "No.", "refusal"),
        ({"message": {"content": ""}, "finish_reason": "content_filter"}, "", "refusal"),
        ({"message": {"content": ["parts"]}, "finish_reason": None}, "parts", "stop"),
        ({"message": {"content": [{"type": "text", "text": "a "}, {"type": "text", "text": "b"}]}}, "a b", "stop"),
        (
            {"message": {"content": [{"type": "thinking", "thinking": "x"}, {"type": "text", "text": "b"}]}},
            "b",
            "stop",
        ),
        ({"message": {"content": {"text": "fine"}}, "finish_reason": "STOP"}, "fine", "stop"),
        ({"message": {"content": None, "reasoning_content": "long"}, "finish_reason": "length"}, "", "length"),
        ({"message": {"content": [{"type": "refusal", "refusal": "No."}]}, "finish_reason": "stop"}, "No.", "refusal"),
        ({"text": "fine", "finish_reason": "eos"}, "fine", "stop"),
        ({"text": "fine", "finish_reason": "end_turn"}, "fine", "stop"),
        ({"text": "fine", "finish_reason": "stop_sequence"}, "fine", "stop"),
        ({"text": "half", "finish_reason": "max_tokens"}, "half", "length"),
        ({"text": "half", "finish_reason": "MAX_TOKENS"}, "half", "length"),
        ({"text": "half", "finish_reason": "SAFETY"}, "half", "refusal"),
        ({"text": "half", "finish_reason": "content-filter"}, "half", "refusal"),
        ({"text": "half", "finish_reason": "abort"}, "half", "interrupted"),
        ({"text": "half", "finish_reason": "tool_calls"}, "half", "interrupted"),
        ({"text": "half", "finish_reason": 7}, "half", "interrupted"),
        ({}, "", "stop"),
    ],
)
def test_a_choice_is_read(choice: dict[str, Any], text: str, finish_reason: str) -> None:
    (made,) = protocol.completions([request()], protocol.read_answer(answer(choice), "gpt-x"), (5, 2), None)
    assert (made.text, made.finish_reason, made.model) == (text, finish_reason, "gpt-x-2026-01-01")


def test_the_first_of_several_choices_carries_the_call() -> None:
    choices = [{"text": f"film {i}"} for i in range(4)]
    made = protocol.completions(
        [request(index=i) for i in range(3)], protocol.read_answer(answer(*choices), "m"), (9, 6), 0.5
    )
    assert [item.text for item in made] == ["film 0", "film 1", "film 2"]
    assert [(item.prompt_tokens, item.completion_tokens, item.cost_usd) for item in made] == [(9, 6, 0.5)] + [
        (0, 0, 0.0)
    ] * 2


@pytest.mark.parametrize("content", [None, [], "text", {}, {"choices": None}, {"choices": ["text"]}])
def test_what_is_no_answer_is_told(content: Any) -> None:
    with pytest.raises(protocol.AnswerError):
        protocol.read_answer(content, "m")


@pytest.mark.parametrize("said", ["/home/someone/model.gguf", "other", None, 7, ""])
def test_a_model_name_that_is_not_a_snapshot_of_the_one_asked_for_is_not_believed(said: Any) -> None:
    assert protocol.read_answer({"choices": [], "model": said}, "gpt-x").model == "gpt-x"


@pytest.mark.parametrize(
    ("usage", "believed"),
    [
        ({"prompt_tokens": 9, "completion_tokens": 3}, (9, 3)),
        ({"prompt_tokens": 9, "completion_tokens": 1}, None),
        ({"prompt_tokens": -9, "completion_tokens": 3}, None),
        ({"prompt_tokens": "9"}, None),
        (None, None),
    ],
)
def test_usage_below_the_words_there_are_is_not_believed(usage: Any, believed: tuple[int, int] | None) -> None:
    read = protocol.read_answer(answer({"text": "a fine film"}, usage=usage), "gpt-x")
    assert read.usage == believed


@pytest.mark.parametrize(
    "choice",
    [
        {"text": "half", "finish_reason": "error"},
        {"message": {"content": "half"}, "finish_reason": "stop", "error": {"message": "overloaded"}},
        {"message": {"content": "half"}, "finish_reason": "ERROR"},
    ],
)
def test_a_choice_that_is_an_error_is_no_text(choice: dict[str, Any]) -> None:
    read = protocol.read_answer(answer(choice, {"text": "whole"}), "gpt-x")
    assert [item.text for item in protocol.completions([request()], read, (1, 1), None)] == ["whole"]


@pytest.mark.parametrize(
    ("content", "words", "code"),
    [
        ({"error": {"message": "busy", "code": 429}}, "busy", "429"),
        ({"error": "busy"}, "busy", None),
        ({"error": {"message": "busy", "type": "rate_limit_error"}, "choices": []}, "busy", "rate_limit_error"),
        ({"object": "error", "message": "busy", "code": 503}, "busy", "503"),
        ({"detail": "busy"}, "busy", None),
        ({"error": {"code": "overloaded"}}, "overloaded", "overloaded"),
        ({"error": {"message": "busy"}, "choices": [{"text": "half"}]}, "busy", None),
    ],
)
def test_an_error_in_an_answer_is_told_in_the_servers_words_and_not_billed(
    content: dict[str, Any], words: str, code: str | None
) -> None:
    with pytest.raises(protocol.AnswerError, match=f"the answer is an error: {words}") as raised:
        protocol.read_answer(content, "m")
    assert (raised.value.billed, raised.value.code) == (False, code)


def test_a_web_page_hints_at_the_address() -> None:
    with pytest.raises(protocol.AnswerError, match="web page, no JSON; check base_url, which usually ends in /v1"):
        protocol.read_body(b"  <!doctype html><title>nginx</title>", "m")


def test_a_character_cut_in_two_does_not_cost_the_answer() -> None:
    body = b'{"choices": [{"text": "fine \xf0\x9f"}, {"text": "\\ud83d film"}]}'
    read = protocol.read_body(body, "m")
    made = protocol.completions([request(index=0), request(index=1)], read, (1, 1), None)
    assert [item.text for item in made] == ["fine \ufffd", "\ufffd film"]


@pytest.mark.parametrize(
    ("usage", "written"),
    [
        ({"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14}, 5),
        ({"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 114}, 105),  # reasoning only in the total
        ({"prompt_tokens": 9, "completion_tokens": 105, "completion_tokens_details": {"reasoning_tokens": 100}}, 105),
        ({"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 3}, 5),
        ({"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": "x"}, 5),
    ],
)
def test_tokens_of_reasoning_are_paid_tokens(usage: dict[str, Any], written: int) -> None:
    assert protocol.read_answer(answer({"text": "a fine film"}, usage=usage), "gpt-x").usage == (9, written)


@pytest.mark.parametrize("count", [True, 2**70, -1, 1.5, "9"])
def test_a_count_that_is_none_is_not_believed(count: Any) -> None:
    read = protocol.read_answer(answer({"text": "a"}, usage={"prompt_tokens": count, "completion_tokens": 2}), "gpt-x")
    assert read.usage is None
