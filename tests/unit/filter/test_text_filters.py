"""Filters that look at one text at a time."""

from collections.abc import Sequence

import pytest

from sentisynth_hub.core.rows import Row
from sentisynth_hub.filter.code_mixing_window import CodeMixingWindow
from sentisynth_hub.filter.contract import Filter
from sentisynth_hub.filter.echo import Echo
from sentisynth_hub.filter.language import Language
from sentisynth_hub.filter.length import Length
from sentisynth_hub.filter.refusals import Refusals
from sentisynth_hub.metrics.word_languages import WordTagger


TEMPLATE = """Write one film review that sounds like the examples below.
{% for shown in demonstrations %}
Review: {{ shown.text }}
Feeling: {{ shown.label }}
{% endfor %}"""


def rows(*texts: str) -> list[Row]:
    return [Row(text, "positive", str(number)) for number, text in enumerate(texts)]


def reasons(judge: Filter, texts: Sequence[str]) -> list[str | None]:
    return [decision.reason for decision in judge.judge(rows(*texts))]


def test_length_counts_words_and_symbols_in_any_script() -> None:
    judge = Length(2, 4)
    texts = ["", "  ", "ഗംഭീരം", "നല്ല സിനിമ", "so good !", "one two three four five", "🎉🎉"]
    decisions = judge.judge(rows(*texts))
    assert [d.reason for d in decisions] == ["empty", "empty", "too_short", None, None, "too_long", None]
    assert [d.score for d in decisions] == [0, 0, 1, 2, 3, 5, 2]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Review: a warm film", "prompt_echo"),
        ("a warm film\nFeeling: positive", "prompt_echo"),
        ("Please write one film review that sounds like me", "prompt_echo"),
        ("<|im_start|>a warm film", "prompt_echo"),
        ('{"text": "a warm film"}', "prompt_echo"),
        ("positive: a warm film", "label_word"),
        ("a warm film (Positive)", "label_word"),
        ("a warm film -> positive", "label_word"),
        ("a warm film #positive", "label_word"),
        ("glad", "label_word"),
        ("a positive surprise, this film", None),
        ("I am glad I went", None),
        ("a film review that sounds wrong", None),
        ("ഈ സിനിമ positive ആണ്", None),
    ],
)
def test_echo(text: str, reason: str | None) -> None:
    judge = Echo.of_template(TEMPLATE, ngram=5, label_names=["negative", "positive", "glad"])
    assert reasons(judge, [text]) == [reason]


def test_echo_can_leave_label_words_alone() -> None:
    assert reasons(Echo.of_template(TEMPLATE, ngram=5), ["positive: a warm film"]) == [None]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("As an AI language model, I have no taste in films", "refusal"),
        ("I’m sorry, but I can’t write that", "refusal"),
        ("Lo siento, pero no puedo escribir eso", "refusal"),
        ("Sure! Here is a review for you", "boilerplate"),
        ("Here are three sample reviews", "boilerplate"),
        ("I hope this helps!", "boilerplate"),
        ("[insert name] was great in it", "boilerplate"),
        ("I cannot believe how good it was", None),
        ("I'm sorry I paid for this", None),
        ("sure, it drags, but the songs are fine", None),
    ],
)
def test_refusals(text: str, reason: str | None) -> None:
    assert reasons(Refusals.unlike([]), [text]) == [reason]


def test_a_phrase_of_natural_rows_is_ordinary_speech() -> None:
    judge = Refusals.unlike(rows("hope this helps someone choose a film"))
    assert reasons(judge, ["I hope this helps!", "as an AI, no"]) == [None, "refusal"]
    assert judge.facts().phrases_natural_rows_use == 1


def test_scripts_are_those_of_natural_rows() -> None:
    natural = rows("padam kollam", "നല്ല സിനിമ", "super film")
    judge = Language.like(natural, ["ml-Latn", "en"], scripts=None, max_other_script=0.1, min_confidence=0.1)
    assert judge.facts().scripts == ["Latin", "Malayalam"]
    assert judge.facts().judged_by == "scripts"
    assert reasons(judge, ["nalla padam", "നല്ല film", "хороший фильм", "好看的电影", "👍 123"]) == [
        None,
        None,
        "other_script",
        "other_script",
        None,
    ]


def test_other_languages_are_dropped_where_lingua_knows_the_recipes() -> None:
    natural = rows("the plot is thin but the actors are warm", "what a careless ending to a good film")
    judge = Language.like(natural, ["en"], scripts=None, max_other_script=0.1, min_confidence=0.1)
    texts = ["the ending surprised me and I liked it", "die Handlung ist dünn, aber die Schauspieler sind gut"]
    assert reasons(judge, texts) == [None, "other_language"]


def test_code_mixing_window_comes_from_natural_rows() -> None:
    tagger = WordTagger(["hi-Latn", "en"])
    natural = rows("yeh movie bahut good hai", "acting was nice lekin story nahi", "mujhe songs bahut nice lage")
    judge = CodeMixingWindow.window_of(natural, tagger, (0.0, 1.0), 0.5)
    assert judge.judge(natural) == [d for d in judge.judge(natural) if d.keep]
    assert reasons(judge, ["the movie was very good", "yeh bahut nahi hai", "хорошо очень"]) == [
        "less_mixed",
        "less_mixed",
        None,
    ]
    assert judge.facts().tagger.startswith("script + lexicon hi-Latn")
    assert 0 <= judge.facts().natural_unknown_share <= 1
