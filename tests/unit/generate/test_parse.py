"""What becomes of a completion: a text, or a reason; never a label."""

import json

import pytest

from sentisynth_hub.core.rows import Completion
from sentisynth_hub.generate.parse import Parsed, parse
from tests.support.worlds import request


def completion(text: str, finish_reason: str = "stop") -> Completion:
    return Completion("r0", text, finish_reason, "m")


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("  a fine film ", "a fine film"),
        ('"a fine film"', "a fine film"),
        ("“qué película más linda”", "qué película más linda"),
        ('"good" and "bad"', '"good" and "bad"'),
        ("it's 'fine'", "it's 'fine'"),
        ("cafe\u0301 ❤️ padam super", "café ❤️ padam super"),
        ("{{ 7 * 7 }} - !!python/object <b>", "{{ 7 * 7 }} - !!python/object <b>"),
    ],
)
def test_a_text_is_stripped_of_white_space_and_of_quotes_around_all_of_it(raw: str, text: str) -> None:
    assert parse(completion(raw), request()) == [Parsed(text)]


@pytest.mark.parametrize(
    ("raw", "finish_reason", "reason"),
    [
        ("", "error", "error"),
        ("I cannot help with that.", "refusal", "refusal"),
        ("this film goes on and", "length", "unfinished"),
        (" \t", "stop", "empty"),
        ('""', "stop", "empty"),
        ("Sure! Here is one:\n\na fine film", "stop", "several_lines"),
        ("a fine film. Positive Review: dull", "stop", "template_leak"),
    ],
)
def test_what_is_no_text_has_a_reason(raw: str, finish_reason: str, reason: str) -> None:
    (parsed,) = parse(completion(raw, finish_reason), request())
    assert parsed.reason == reason


def test_a_short_lead_in_is_no_leak() -> None:
    assert parse(completion("a film - long"), request(prompt="one\ntwo\n- ")) == [Parsed("a film - long")]


TEXTS = ["one fine film", "दूसरी फिल्म 👍", "third"]


@pytest.mark.parametrize(
    "raw",
    [
        json.dumps({"texts": TEXTS}),
        json.dumps(TEXTS),
        "```json\n" + json.dumps({"texts": TEXTS}, ensure_ascii=False) + "\n```",
    ],
)
def test_a_json_list_gives_its_texts(raw: str) -> None:
    assert parse(completion(raw), request(), 3) == [Parsed(text) for text in TEXTS]


def test_a_list_of_another_length_is_told() -> None:
    raw = json.dumps({"texts": TEXTS})
    assert [item.reason for item in parse(completion(raw), request(), 2)] == [None, None, "surplus_text"]
    assert [item.reason for item in parse(completion(raw), request(), 4)] == [None, None, None, "missing_text"]


@pytest.mark.parametrize("raw", ["no json", '{"text": "one"}', '{"texts": "one"}', '{"texts": [1, 2]}', "17", "[[]]"])
def test_what_is_no_list_of_texts_gives_as_many_rejections_as_were_asked_for(raw: str) -> None:
    assert [item.reason for item in parse(completion(raw), request(), 3)] == ["not_json"] * 3
    assert [item.reason for item in parse(completion(raw, "length"), request(), 3)] == ["unfinished"] * 3
