"""Which texts share most of their runs of characters."""

import random

import pytest

from sentisynth_hub.metrics.minhash import TextIndex, bands_for, jaccard, nearest_earlier, shingles_of


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


@pytest.mark.parametrize("limit", [0.3, 0.5, 0.8, 0.95])
def test_bands_bring_up_nearly_every_pair_at_the_limit(limit: float) -> None:
    bands, width = bands_for(limit)
    assert bands * width <= 128
    assert 1 - (1 - limit**width) ** bands >= 0.999


@pytest.mark.parametrize("size", [2, 5])
def test_an_index_finds_what_comparing_all_pairs_finds(size: int) -> None:
    draw = random.Random(4)
    natural = ["".join(draw.choices("abcdefghij", k=draw.randint(1, 60))) for _ in range(200)]
    texts = []
    for form in natural:
        changed = list(form)
        for _ in range(draw.randint(0, 5)):
            changed[draw.randrange(len(changed))] = draw.choice("abcdefghij")
        texts.append("".join(changed))
    runs = [shingles_of(form, size) for form in natural]
    best = [max(jaccard(shingles_of(text, size), other) for other in runs) for text in texts]
    nearest = TextIndex(natural, 0.6, size).nearest(texts)
    assert [None if near is None else near.jaccard for near in nearest] == [b if b >= 0.6 else None for b in best]
    assert 20 < sum(near is None for near in nearest) < 180


def test_an_index_of_nothing_and_of_short_texts() -> None:
    assert TextIndex([], 0.6).nearest(["a", ""]) == [None, None]
    assert TextIndex(["ab"], 0.6).nearest([]) == []
    found = TextIndex(["ab", "x"], 0.6).nearest(["ab", "abc", "x"])
    assert [None if near is None else near.place for near in found] == [0, None, 1]
