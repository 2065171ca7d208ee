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


@pytest.mark.parametrize(
    "raw",
    [
        "<think>short, warm</think> a fine film",
        "<think>\nshort\n\nwarm\n</think>\n\na fine film",
        "no opening tag, since the template wrote it\n</think>\na fine film",
        "<THINKING>a</THINKING>a fine film",
        "<reasoning>a</reasoning>\na fine film\n",
        "[THINK]a[/THINK]a fine film",
        "◁think▷a◁/think▷ a fine film",
        "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>a fine film<|return|>",
        "<think>one</think><think>two</think>a fine film",
        "a fine film<|im_end|>",
        "a fine film</s>",
        "```\na fine film\n```",
        "```text\na fine film\n```",
        "Here is one:\n```\na fine film\n```\nEnjoy!",
        '<think>JSON</think>```json\n{"text": "a fine film"}\n```',
        '{"text": "a fine film"}',
        '{"review": "a fine film", "stars": 5}',
        '{"texts": ["a fine film"]}',
        '["a fine film"]',
        '"a fine film"',
    ],
)
def test_what_is_wrapped_around_a_text_is_taken_off(raw: str) -> None:
    assert parse(completion(raw), request()) == [Parsed("a fine film")]


@pytest.mark.parametrize(
    "raw",
    ["<think>on and on", "<think>a</think> fine <think>again", "[THINK]on", "<|channel|>analysis<|message|>on and on"],
)
@pytest.mark.parametrize("count", [1, 3])
def test_a_model_that_never_stopped_reasoning_wrote_nothing(raw: str, count: int) -> None:
    assert [item.reason for item in parse(completion(raw), request(), count)] == ["unfinished"] * count


@pytest.mark.parametrize(
    "raw", ["I think > it is fine", "a <b>fine</b> film", "{not json} but fine", "[sic] fine", "`fine`"]
)
def test_a_text_that_only_looks_wrapped_stays_as_it_is(raw: str) -> None:
    assert parse(completion(raw), request()) == [Parsed(raw)]


@pytest.mark.parametrize(
    "raw",
    [
        "Sure! Here you are:\n" + json.dumps({"texts": TEXTS}) + "\nAnything else?",
        "<think>three [of them]</think>" + json.dumps(TEXTS),
        "As asked [1], in JSON:\n```json\n" + json.dumps({"reviews": TEXTS}) + "\n```",
        json.dumps([{"text": text} for text in TEXTS]),
        json.dumps({"texts": [{"review": text, "stars": 4} for text in TEXTS]}),
        "\n".join(json.dumps({"text": text}) for text in TEXTS),
        json.dumps({"texts": TEXTS}) + "<|im_end|>",
    ],
)
def test_a_list_is_read_whatever_is_said_around_it(raw: str) -> None:
    assert parse(completion(raw), request(), 3) == [Parsed(text) for text in TEXTS]


def test_an_item_that_is_no_text_costs_only_itself() -> None:
    assert [item.reason for item in parse(completion('{"texts": ["one", null, 3]}'), request(), 3)] == [
        None,
        "not_json",
        "not_json",
    ]


@pytest.mark.parametrize("raw", ["[" * 1100, "[" * 100_000, '{"a":' * 5000, "[[" * 600 + '"x"' + "]]" * 600])
def test_deep_brackets_are_a_rejection(raw: str) -> None:
    assert {item.reason for item in parse(completion(raw), request(), 2)} == {"not_json"}
    assert len(parse(completion(raw), request(), 1)) == 1


def test_a_text_the_server_broke_off_is_unfinished() -> None:
    assert [item.reason for item in parse(completion("half a", "interrupted"), request())] == ["unfinished"]
