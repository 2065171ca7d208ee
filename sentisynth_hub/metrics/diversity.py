"""How varied the texts of a corpus are. All of these depend on the amount of text: compare at equal numbers of
tokens.
"""

import math
import random
import zlib
from collections import Counter
from collections.abc import Sequence

from sentisynth_hub.metrics.words import ngrams


Texts = Sequence[Sequence[str]]
"""Texts as lists of tokens."""


def distinct_n(texts: Texts, n: int) -> float:
    """Distinct n-grams over all n-grams (Li et al. 2016); 0 where there are none."""
    counts = Counter(run for text in texts for run in ngrams(text, n))
    total = counts.total()
    return len(counts) / total if total else 0.0


def compression_ratio(texts: Sequence[str]) -> float:
    """Size of the texts in UTF-8 over their size compressed (zlib, level 9): the higher, the more repeats (Shaib
    2024).
    """
    whole = "\n".join(texts).encode("utf-8")
    return len(whole) / len(zlib.compress(whole, 9)) if whole else 0.0


def self_bleu(texts: Texts, *, order: int = 4, sample: int = 300, seed: int = 0) -> float:
    """Mean BLEU of a text against all others (Zhu et al. 2018), in [0, 1]: the higher, the less varied.

    Computed on `sample` texts drawn with `seed`, as the cost is quadratic. Clipped n-gram precisions up to `order`, a
    count of 0 taken as 0.1 (Chen & Cherry 2014, method 1), brevity penalty with the closest length. A text shorter
    than an order has no precision of that order; it is left out of its mean.
    """
    sampled = random.Random(seed).sample(list(texts), min(sample, len(texts)))
    sampled = [text for text in sampled if text]
    if len(sampled) < 2:
        return 0.0
    counts = [[Counter(ngrams(text, n)) for n in range(1, order + 1)] for text in sampled]
    most = [_two_highest(counts, n) for n in range(order)]
    scores = []
    for number, text in enumerate(sampled):
        logs = [_log_precision(counts[number][n], most[n], number) for n in range(order) if counts[number][n]]
        others = [len(other) for place, other in enumerate(sampled) if place != number]
        closest = min(others, key=lambda length: (abs(length - len(text)), length))
        brevity = min(0.0, 1 - closest / len(text))
        scores.append(math.exp(brevity + sum(logs) / len(logs)))
    return sum(scores) / len(scores)


def equal_tokens(first: Texts, other: Texts, *, seed: int = 0) -> tuple[list[int], list[int]]:
    """Indices of texts of each corpus, drawn in a seeded order until both hold about as many tokens (within one
    text).
    """
    budget = min(sum(map(len, first)), sum(map(len, other)))
    return _up_to(first, budget, seed), _up_to(other, budget, seed)


def _up_to(texts: Texts, budget: int, seed: int) -> list[int]:
    order = list(range(len(texts)))
    random.Random(seed).shuffle(order)
    taken, total = [], 0
    for number in order:
        if total + len(texts[number]) > budget:
            break
        taken.append(number)
        total += len(texts[number])
    return sorted(taken)


_Highest = dict[tuple[str, ...], tuple[int, int, int]]


def _two_highest(counts: Sequence[Sequence[Counter[tuple[str, ...]]]], n: int) -> _Highest:
    """For each n-gram its highest count in a text, which text that is, and the highest count in any other."""
    highest: _Highest = {}
    for number, by_order in enumerate(counts):
        for run, count in by_order[n].items():
            first, holder, second = highest.get(run, (0, -1, 0))
            highest[run] = (count, number, first) if count > first else (first, holder, max(second, count))
    return highest


def _log_precision(counts: Counter[tuple[str, ...]], highest: _Highest, number: int) -> float:
    """Log of the share of a text's n-grams that stand in another text, each counted at most as often as there."""
    clipped = 0
    for run, count in counts.items():
        first, holder, second = highest[run]
        clipped += min(count, second if holder == number else first)
    return math.log(max(clipped, 0.1) / counts.total())
