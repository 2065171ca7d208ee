"""Code-mixing measures against values worked by hand from the papers' formulas.

CMI: Das & Gambäck 2014. M-index, entropy, I-index, span entropy, burstiness: Guzmán, Ricard, Serigos, Bullock &
Toribio 2017 ("Metrics for modeling code-switching across corpora"); the arithmetic stands beside each value.
"""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentisynth_hub.metrics.code_mixing import (
    MEASURES,
    UNKNOWN,
    burstiness,
    cmi,
    i_index,
    language_entropy,
    m_index,
    span_entropy,
    spans,
    unknown_share,
)


A, B, C = "en", "hi-Latn", "es"
X = None  # belongs to no language


def test_cmi() -> None:
    assert cmi([A, A, A, B, X]) == pytest.approx(25)  # n 5, u 1, max 3: 100 (1 - 3/4)
    assert cmi([A, B, A, B]) == pytest.approx(50)  # two languages, half each: the most two can give
    assert cmi([A, B, C]) == pytest.approx(100 * 2 / 3)
    assert cmi([A, A, A]) == 0
    assert cmi([X, X]) == 0  # n = u: defined as 0
    assert cmi([]) == 0


def test_m_index() -> None:
    assert m_index([A, B]) == pytest.approx(1)  # sum p^2 = 1/2: (1 - .5) / (1 * .5)
    assert m_index([A, A, A, B]) == pytest.approx(0.6)  # sum p^2 = 10/16: (6/16) / (10/16)
    assert m_index([A, B, C], languages=3) == pytest.approx(1)
    assert m_index([A, B], languages=3) == pytest.approx(0.5)  # (1/2) / (2 * 1/2)
    assert m_index([A, A]) == 0
    assert m_index([]) == 0


def test_i_index() -> None:
    assert i_index([A, B, A, B]) == 1  # 3 switches in 3 pairs
    assert i_index([A, A, B, B]) == pytest.approx(1 / 3)
    assert i_index([A, X, B, X, B]) == pytest.approx(1 / 2)  # what has no language is skipped: A B B
    assert i_index([A]) == 0


def test_language_entropy() -> None:
    assert language_entropy([A, B]) == pytest.approx(1)
    assert language_entropy([A, A, A, B]) == pytest.approx(-(0.75 * math.log2(0.75) + 0.25 * math.log2(0.25)))
    assert language_entropy([A]) == 0


def test_spans_and_their_entropy() -> None:
    tags = [A, A, B, A, A, B, B, B]  # spans 2 1 2 3: lengths 2 (p 1/2), 1 (1/4), 3 (1/4)
    assert spans(tags) == [2, 1, 2, 3]
    assert span_entropy(tags) == pytest.approx(1.5)
    assert span_entropy([A, A, A]) == 0


def test_burstiness() -> None:
    assert burstiness([A, B, A, B]) == -1  # spans 1 1 1 1: sigma 0
    assert burstiness([A, B, B, B]) == pytest.approx((1 - 2) / (1 + 2))  # spans 1 3: mean 2, sigma 1
    assert burstiness([]) == 0


def test_two_texts_of_equal_cmi_differ_in_integration() -> None:
    """The reason Guzmán et al. give for the I-index: the same shares of languages, mixed or in two blocks."""
    woven, blocks = [A, B, A, B, A, B], [A, A, A, B, B, B]
    assert cmi(woven) == cmi(blocks)
    assert m_index(woven) == m_index(blocks)
    assert (i_index(woven), i_index(blocks)) == (1, pytest.approx(0.2))


def test_unknown_words_count_as_no_language_and_are_counted() -> None:
    assert unknown_share([A, UNKNOWN, UNKNOWN, B, X]) == 0.5
    assert cmi([A, UNKNOWN, UNKNOWN, B, X]) == 50
    assert unknown_share([X]) == 0


@given(st.lists(st.sampled_from([A, B, UNKNOWN, None]), max_size=40))
def test_ranges(tags: list[str | None]) -> None:
    values = {name: measure(tags) for name, measure in MEASURES.items()}
    assert 0 <= values["cmi"] <= 50
    assert 0 <= values["m_index"] <= 1 + 1e-12
    assert 0 <= values["i_index"] <= 1
    assert 0 <= values["language_entropy"] <= 1 + 1e-12
    assert values["span_entropy"] >= 0
    assert -1 <= values["burstiness"] <= 1
    assert 0 <= values["unknown_share"] <= 1


@given(st.lists(st.sampled_from([A, B]), min_size=1, max_size=40))
def test_which_language_is_which_changes_nothing(tags: list[str]) -> None:
    swapped = [B if tag == A else A for tag in tags]
    for measure in MEASURES.values():
        assert measure(tags) == pytest.approx(measure(swapped))
