"""Filters that compare rows with one another, or with natural rows."""

import random

import pytest

from sentisynth_hub.core.errors import DataError, StageError
from sentisynth_hub.core.rows import Row
from sentisynth_hub.core.text import normalised
from sentisynth_hub.filter.conflicting_labels import ConflictingLabels
from sentisynth_hub.filter.exact_duplicates import ExactDuplicates
from sentisynth_hub.filter.near_duplicates import NearDuplicates
from sentisynth_hub.filter.overlap import Overlap
from sentisynth_hub.metrics.minhash import jaccard, shingles_of
from sentisynth_hub.natural.leakage import check_corpus, check_natural_splits
from sentisynth_hub.natural.splits import NaturalData


def row(text: str, label: str = "positive", request_id: str = "") -> Row:
    return Row(text, label, request_id)


def test_exact_duplicates_keep_the_first_of_a_normalised_text() -> None:
    texts = ["Good film!", "good  FILM", "ｇｏｏｄ film", "good film https://a.b/c", "good films", "🎉", "🎉🎉", "🎉"]
    kept = [decision.keep for decision in ExactDuplicates().judge([row(text) for text in texts])]
    assert kept == [True, False, False, False, True, True, True, False]


def test_all_rows_of_a_text_with_two_labels_go_even_where_one_is_left() -> None:
    first, second, other = row("So so.", "positive"), row("so so", "negative"), row("fine", "positive")
    judge = ConflictingLabels.among([first, second, other])
    assert [d.keep for d in judge.judge([first, second, other])] == [False, False, True]
    assert [d.keep for d in judge.judge([second])] == [False]


OPPOSITE = [  # two texts of different labels, told apart by an emoji or an emoticon only
    ("see you tonight at eight 😀", "see you tonight at eight 😡"),
    ("നാളെ കാണാം 😍", "നാളെ കാണാം 😒"),
    ("ok then :)", "ok then :("),
    ("mañana otra vez", "mañana otra vez 🤮"),
    ("那就这样吧👍", "那就这样吧👎"),
]


@pytest.mark.parametrize(("happy", "angry"), OPPOSITE)
def test_an_emoji_can_be_all_that_tells_two_labels_apart(happy: str, angry: str) -> None:
    rows = [row(happy, "positive"), row(angry, "negative")]
    for judge in (ConflictingLabels.among(rows), ExactDuplicates(), NearDuplicates(0.8)):
        assert [decision.keep for decision in judge.judge(rows)] == [True, True], judge.name
    same = [row(happy, "positive"), row(angry, "positive")]
    assert [decision.keep for decision in ExactDuplicates().judge(same)] == [True, False]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("good 😀", "good 😀😀"),
        ("good 👍", "good 👍🏽"),
        ("fine :-)", "fine :)))"),
        ("❤️ it", "❤ it"),
        ("so 😀 so", "so so 😀"),
    ],
)
def test_the_same_emoji_with_two_labels_is_a_conflict(one: str, other: str) -> None:
    rows = [row(one, "positive"), row(other, "negative")]
    assert [decision.reason for decision in ConflictingLabels.among(rows).judge(rows)] == ["conflict", "conflict"]


def test_near_duplicate_scores_are_exact_similarities() -> None:
    one, other = "the story is slow but warm", "the story is slow but warms"
    expected = jaccard(shingles_of(normalised(one)), shingles_of(normalised(other)))
    decisions = NearDuplicates(0.8).judge([row(one), row("something else altogether"), row(other)])
    assert decisions[2].score == expected > 0.8
    assert [d.reason for d in decisions] == [None, None, "near_duplicate"]


def test_near_duplicates_of_nothing() -> None:
    assert NearDuplicates(0.8).judge([]) == []
    assert [d.keep for d in NearDuplicates(0.8).judge([row("🎉"), row("a"), row("a")])] == [True, True, False]


SOURCES = {
    "test": [row("One of the nicest little films that I have seen this year")],
    "validation": [row("The plot is as thin as a sheet of paper in the rain")],
    "demonstration": [row("My brother slept through most of the second half of it")],
    "train": [row("A short one")],
    "pool": [row("The music carries it from the first minute to the very last one")],
}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("one of the NICEST little films that i have seen this year!!", "exact_test"),
        ("He said: one of the nicest little films that I have seen ever", "ngram_test"),
        ("well, as thin as a sheet of paper in the rain was my soup", "ngram_validation"),
        ("brother slept through most of the second half of his life", "ngram_demonstration"),
        ("a short one.", "exact_train"),
        ("the music carries it, from the first minute to the very last one", "exact_pool"),
        ("The music carries it from the first minute to the very end", None),
        ("one of the nicest little films", "near_test"),  # short, and all of it is the test row's
        ("one of the best", None),
        ("One of the nicest small films that I have seen this year", "near_test"),
        ("a short one ok", "near_train"),
    ],
)
def test_overlap(text: str, reason: str | None) -> None:
    (decision,) = Overlap.against(SOURCES, ngram=8).judge([row(text)])
    assert decision.reason == reason
    assert decision.keep == (reason is None)


REWRITES = [  # of a test row: short, or with a few characters changed
    ("worst phone ever!", "worst phone ever made"),
    ("the delivery took four weeks", "the delivery took four week :("),
    ("adorei, comprei outra vez", "adoreiii, comprei outra vez!!"),
    ("padam kollam", "padam kolam"),
    ("ഈ സിനിമ വളരെ നല്ലതാണ്", "ഈ സിനിമ വളരെ നല്ലതാ"),
    ("പാട്ട് മോശം", "പാട്ടു മോശം"),
    ("这部电影很好看", "这部电影很好看啊"),
    ("映画が大好きです", "この映画が大好きです"),
    ("ดีมากชอบเลย", "ดีมากชอบเลยค่ะ"),
    ("😂😂😂", "😂😂"),
    ("❤️😍", "😍 ❤"),
    ("👍🏽👍🏽", "👍"),
    ("my order never arrived today", "sorry to say my order never arrived today and nobody at the shop seems to care"),
]


@pytest.mark.parametrize(("natural_text", "text"), REWRITES)
def test_light_rewrites_of_short_texts_overlap(natural_text: str, text: str) -> None:
    for one, other in ((natural_text, text), (text, natural_text)):
        (decision,) = Overlap.against({"test": [row("an unlike text"), row(one)]}, ngram=8).judge([row(other)])
        assert decision.reason in ("near_test", "exact_test", "ngram_test"), (one, other)
        assert 0 < (decision.score or 0) <= 1


@pytest.mark.parametrize(
    ("natural_text", "text"),
    [
        ("good film", "bad film"),
        ("worst phone ever", "best phone ever"),
        ("the film", "the film was long and the cinema was cold"),
        ("😂😂😂", "😡😡😡"),
        ("പാട്ട് മോശം", "കഥ മോശം"),
        ("这部电影很好看", "那本书很无聊"),
        ("I love it", "I hate it"),
        ("the delivery took four weeks", "the repair took four hours"),
    ],
)
def test_short_texts_of_their_own_do_not_overlap(natural_text: str, text: str) -> None:
    (decision,) = Overlap.against({"test": [row(natural_text)]}, ngram=8).judge([row(text)])
    assert decision.keep


def test_no_text_at_a_jaccard_of_six_tenths_is_kept() -> None:
    """Compared with every test row, by hand."""
    draw = random.Random(1)
    alphabet = "abcdefgh മനസ"
    tests = ["".join(draw.choices(alphabet, k=draw.randint(12, 60))) for _ in range(150)]
    texts = []
    for text in tests:
        letters = list(text)
        for _ in range(draw.randint(0, 6)):
            letters[draw.randrange(len(letters))] = draw.choice(alphabet)
        texts.append("".join(letters))
    decisions = Overlap.against({"test": [row(text) for text in tests]}).judge([row(text) for text in texts])
    runs = [shingles_of(normalised(text)) for text in tests]
    near = [max(jaccard(shingles_of(normalised(text)), other) for other in runs) >= 0.6 for text in texts]
    assert 30 < sum(near) < 130
    assert not any(decision.keep and is_near for decision, is_near in zip(decisions, near, strict=True))


def test_overlap_finds_runs_in_scripts_without_spaces() -> None:
    overlap = Overlap.against({"test": [row("这部电影的音乐非常好听我很喜欢")]}, ngram=8)
    decisions = overlap.judge([row("我觉得电影的音乐非常好听不错"), row("这部电影很好")])
    assert [d.reason for d in decisions] == ["ngram_test", None]


def natural() -> NaturalData:
    train = [row("Good film", request_id="t1"), row("bad film", request_id="t2"), row("a film", request_id="t3")]
    validation = [row("good  film!", request_id="v1"), row("so long", request_id="v2")]
    return NaturalData(train, validation, [row("BAD film", request_id="s1"), row("So long.", request_id="s2")])


def test_splits_that_share_texts_stop_the_run_with_the_rows_named() -> None:
    with pytest.raises(DataError, match="2 train rows.*1 validation rows") as caught:
        check_natural_splits(natural(), "stop")
    message = str(caught.value)
    assert "train t1 (also in validation)" in message
    assert "train t2 (also in test)" in message
    assert "validation v2 (also in test)" in message
    assert "t3" not in message
    assert "\n" not in message


def test_shared_rows_can_be_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    left, dropped = check_natural_splits(natural(), "drop_from_train")
    assert dropped == {"train": 2, "validation": 1}
    assert [r.request_id for r in left.train] == ["t3"]
    assert [r.request_id for r in left.validation] == ["v1"]
    assert [r.request_id for r in left.test] == ["s1", "s2"]
    assert "left out" in capsys.readouterr().err


def test_hostile_text_cannot_reach_the_terminal() -> None:
    data = NaturalData([row("x\x1b[2J")], [], [row("x\x1b[2J")])
    with pytest.raises(DataError) as caught:
        check_natural_splits(data, "stop")
    assert "\x1b" not in str(caught.value)


def test_a_corpus_with_an_evaluation_text_is_never_written() -> None:
    check_corpus([row("an own text")], natural())
    with pytest.raises(StageError, match="1 kept rows stand in validation or test"):
        check_corpus([row("bad FILM")], natural())
