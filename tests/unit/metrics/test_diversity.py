"""Diversity measures and the two-sample test."""

import random
import zlib
from collections import Counter

import numpy as np
import pytest

from sentisynth_hub.core.rows import Row
from sentisynth_hub.metrics.corpus_report import compare_corpora, distributions
from sentisynth_hub.metrics.diversity import compression_ratio, distinct_n, equal_tokens, self_bleu
from sentisynth_hub.metrics.two_sample import classifier_two_sample
from sentisynth_hub.metrics.word_languages import WordTagger


def test_distinct_n_by_hand() -> None:
    texts = [["a", "b", "a", "b"], ["a", "c"]]
    assert distinct_n(texts, 1) == pytest.approx(3 / 6)
    assert distinct_n(texts, 2) == pytest.approx(3 / 4)  # ab ba ab ac
    assert distinct_n(texts, 5) == 0


def naive_self_bleu(texts: list[list[str]]) -> float:
    """BLEU-4 of each text with all others as references, straight from the definition."""
    scores = []
    for place, text in enumerate(texts):
        others = texts[:place] + texts[place + 1 :]
        logs = []
        for n in range(1, 5):
            own = Counter(tuple(text[i : i + n]) for i in range(len(text) - n + 1))
            if not own:
                continue
            references = [Counter(tuple(o[i : i + n]) for i in range(len(o) - n + 1)) for o in others]
            clipped = sum(min(count, max(r[run] for r in references)) for run, count in own.items())
            logs.append(np.log(max(clipped, 0.1) / sum(own.values())))
        closest = min((len(o) for o in others), key=lambda length: (abs(length - len(text)), length))
        scores.append(np.exp(min(0, 1 - closest / len(text)) + np.mean(logs)))
    return float(np.mean(scores))


def test_self_bleu_is_the_naive_one() -> None:
    draw = random.Random(0)
    texts = [[draw.choice("abcdef") for _ in range(draw.randint(2, 12))] for _ in range(40)]
    assert self_bleu(texts, sample=40) == pytest.approx(naive_self_bleu(texts))
    assert self_bleu([["a", "b", "c", "d", "e"]] * 5) == pytest.approx(1)
    assert self_bleu([["a"]]) == 0


def test_compression_ratio() -> None:
    texts = ["the same line"] * 50
    assert compression_ratio(texts) == len("\n".join(texts)) / len(zlib.compress("\n".join(texts).encode(), 9))
    assert compression_ratio(texts) > 5
    assert compression_ratio([]) == 0


def test_equal_tokens_holds_both_to_the_smaller() -> None:
    draw = random.Random(1)
    one = [["w"] * draw.randint(1, 9) for _ in range(500)]
    other = [["w"] * draw.randint(1, 30) for _ in range(60)]
    chosen = equal_tokens(one, other)
    totals = [sum(len(texts[i]) for i in numbers) for texts, numbers in zip((one, other), chosen, strict=True)]
    assert abs(totals[0] - totals[1]) < 30
    assert len(set(chosen[0])) == len(chosen[0])


def test_two_samples_of_one_distribution_cannot_be_told_apart() -> None:
    random = np.random.default_rng(0)
    same = classifier_two_sample(random.normal(size=(400, 5)), random.normal(size=(900, 5)))
    other = classifier_two_sample(random.normal(size=(400, 5)), random.normal(size=(400, 5)) + 1)
    assert same["rows"] == 400
    assert abs(same["accuracy"] - 0.5) < 0.06
    assert same["p_value"] > 0.01
    assert other["accuracy"] > 0.8
    assert other["p_value"] < 1e-6


def test_two_sample_p_value_by_hand() -> None:
    """All told apart: accuracy 1 on 2n rows is sqrt(2n) standard deviations of 1/(2 sqrt(2n)) above one half."""
    from scipy.stats import norm

    found = classifier_two_sample(np.zeros((50, 2)), np.ones((50, 2)))
    assert found["accuracy"] == 1
    assert found["p_value"] == pytest.approx(norm.sf(10))


def test_corpus_report() -> None:
    draw = random.Random(2)
    natural = [
        Row(" ".join(draw.choices(["yeh", "film", "nahi", "very", "good", "bahut", "song"], k=6)), "positive")
        for _ in range(120)
    ]
    synthetic = [Row("a very good film indeed", draw.choice(["positive", "negative"])) for _ in range(60)]

    def embed(texts: list[str]) -> np.ndarray:
        return np.array([[len(text), text.count("a"), 1] for text in texts], dtype=np.float32)

    report = compare_corpora(synthetic, natural, embed=embed, tagger=WordTagger(["hi-Latn", "en"]))
    diversity = report["diversity"]
    assert abs(diversity["synthetic"]["tokens"] - diversity["natural"]["tokens"]) < 6
    assert diversity["synthetic"]["distinct_2"] < diversity["natural"]["distinct_2"]
    assert diversity["synthetic"]["self_bleu_4"] == pytest.approx(1)
    assert report["labels"]["natural"] == {"positive": 1.0}
    assert report["code_mixing"]["cmi"]["synthetic"] == 0
    assert report["code_mixing"]["cmi"]["distance"] > 0.9
    assert report["two_sample"]["accuracy"] > 0.9
    assert report["nearest_natural"]["natural"][2] <= 1
    drawn = distributions(synthetic, natural, WordTagger(["hi-Latn", "en"]))
    assert len(drawn["cmi"]["natural"]) == 120
    assert drawn["length"]["synthetic"] == [5.0] * 60
