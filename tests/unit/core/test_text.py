"""The three forms of a text, on scripts that break naive code."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentisynth_hub.core.text import count_tokens, digest, nfc, normalised, text_id, text_ids, tokens


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Good  Movie!!", "goodmovie"),
        ("see https://t.co/aB1 now", "seenow"),
        ("ＦＵＬＬ width", "fullwidth"),
        ("Caf\u00e9", "caf\u00e9"),
        ("Cafe\u0301", "caf\u00e9"),
        ("നല്ല സിനിമ", "നല്ലസിനിമ"),
        ("😂😂", "😂😂"),
        ("...", "..."),
        ("😀 ok", "ok"),
    ],
)
def test_normalised(text: str, expected: str) -> None:
    assert normalised(text) == expected


def test_rows_of_different_emoji_stay_apart() -> None:
    assert normalised("😂") != normalised("😭")


@given(st.text())
def test_normalised_text_is_never_empty_unless_the_text_is(text: str) -> None:
    assert bool(normalised(text)) == bool(text)


@given(st.text())
def test_case_spaces_and_punctuation_do_not_matter(text: str) -> None:
    if normalised(text) != nfc(text):  # something other than symbols is left
        assert normalised(f"  {text} !") == normalised(text)


def test_an_id_is_of_the_composed_text_alone() -> None:
    assert text_id("Cafe\u0301") == text_id("Caf\u00e9") == hashlib.sha256("Caf\u00e9".encode()).hexdigest()[:16]


def test_lone_surrogates_become_the_replacement_character() -> None:
    assert nfc("a\ud83d") == "a\ufffd"
    assert len(text_id("a\ud83d")) == 16


def test_a_digest_keeps_its_parts_apart() -> None:
    assert digest(["ab", "c"]) != digest(["a", "bc"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I don't know", ["I", "don't", "know"]),
        ("que película!!", ["que", "película", "!", "!"]),
        ("പടം കിടു ആണ്", ["പടം", "കിടു", "ആണ്"]),
        ("bahut अच्छी movie", ["bahut", "अच्छी", "movie"]),
        ("ok👍🏽", ["ok", "👍", "🏽"]),
    ],
)
def test_tokens_keep_marks_with_their_letters(text: str, expected: list[str]) -> None:
    assert tokens(text) == expected


@given(st.text() | st.text(st.characters(max_codepoint=127)))
def test_tokens_are_counted_as_they_are_split(text: str) -> None:
    assert count_tokens(text) == len(tokens(text))


@given(st.text(st.characters(max_codepoint=127)))
def test_plain_text_is_split_and_normalised_as_any_other(text: str) -> None:
    """A letter that is not ASCII takes the general way; the rest has to come out as on the short one."""
    assert tokens(text + " é") == [*tokens(text), "é"]
    general = normalised("é " + text)
    assert normalised(text) == general.removeprefix("é") or general == "é"


@given(st.lists(st.text()))
def test_many_ids_are_each_texts_own(texts: list[str]) -> None:
    assert text_ids(map(nfc, texts)) == [text_id(text) for text in texts]
