"""Filters that compare rows with one another, or with natural rows."""

import random

import pytest

from sentisynth_hub.core.errors import DataError, StageError
from sentisynth_hub.core.rows import Row
from sentisynth_hub.core.text import normalised
from sentisynth_hub.filter.conflicting_labels import ConflictingLabels
from sentisynth_hub.filter.exact_duplicates import ExactDuplicates
from sentisynth_hub.filter.near_duplicates import NearDuplicates, bands_for, jaccard, nearest_earlier, shingles_of
from sentisynth_hub.filter.overlap import Overlap
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


def brute_force(forms: list[str], limit: float) -> list[bool]:
    """Compare every text with every earlier one that stays."""
    kept: list[frozenset[str]] = []
    dropped = []
    for form in forms:
        runs = shingles_of(form)
        dropped.append(any(jaccard(runs, other) >= limit for other in kept))
        if not dropped[-1]:
            kept.append(runs)
    return dropped


@pytest.mark.parametrize("limit", [0.5, 0.7, 0.8, 0.9])
def test_near_duplicates_are_those_of_comparing_all_pairs(limit: float) -> None:
    draw = random.Random(3)
    alphabet = "abcdefghijklmnopqrstuvwxyzസിനിമ"
    forms: list[str] = []
    for _ in range(300):
        base = "".join(draw.choice(alphabet) for _ in range(draw.randint(1, 90)))
        forms.append(base)
        for _ in range(draw.randint(0, 3)):
            changed = list(base)
            for _ in range(draw.randint(0, 6)):
                changed[draw.randrange(len(changed))] = draw.choice(alphabet)
            forms.append("".join(changed))
    draw.shuffle(forms)
    found = [value >= limit for value in nearest_earlier(forms, limit)]
    expected = brute_force(forms, limit)
    assert sum(expected) > 50
    assert found == expected


def test_near_duplicate_scores_are_exact_similarities() -> None:
    one, other = "the story is slow but warm", "the story is slow but warms"
    expected = jaccard(shingles_of(normalised(one)), shingles_of(normalised(other)))
    decisions = NearDuplicates(0.8).judge([row(one), row("something else altogether"), row(other)])
    assert decisions[2].score == expected > 0.8
    assert [d.reason for d in decisions] == [None, None, "near_duplicate"]


@pytest.mark.parametrize("limit", [0.3, 0.5, 0.8, 0.95])
def test_bands_bring_up_nearly_every_pair_at_the_limit(limit: float) -> None:
    bands, width = bands_for(limit)
    assert bands * width <= 128
    assert 1 - (1 - limit**width) ** bands >= 0.999


def test_near_duplicates_of_nothing() -> None:
    assert NearDuplicates(0.8).judge([]) == []
    assert [d.keep for d in NearDuplicates(0.8).judge([row("🎉"), row("a"), row("a")])] == [True, True, False]


SOURCES = {
    "test": [row("One of the nicest little films that I have seen this year")],
    "validation": [row("The plot is as thin as a sheet of paper in the rain")],
    "demonstration": [row("My brother slept through most of the second half of it")],
    "train": [row("A short one"), row("The music carries it from the first minute to the very last one")],
}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("one of the NICEST little films that i have seen this year!!", "exact_test"),
        ("He said: one of the nicest little films that I have seen ever", "ngram_test"),
        ("well, as thin as a sheet of paper in the rain was my soup", "ngram_validation"),
        ("brother slept through most of the second half of his life", "ngram_demonstration"),
        ("a short one.", "exact_train"),
        ("The music carries it from the first minute to the very end", None),
        ("one of the nicest little films", None),
    ],
)
def test_overlap(text: str, reason: str | None) -> None:
    (decision,) = Overlap.against(SOURCES, ngram=8).judge([row(text)])
    assert decision.reason == reason
    assert decision.keep == (reason is None)


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
