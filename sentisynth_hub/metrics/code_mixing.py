"""How much, how evenly and how often a text mixes languages.

All measures take one tag a token: a language, `UNKNOWN`, or None for what belongs to no language (numbers,
punctuation, emoji, links). Unknown words count as language-independent too, as no measure may guess; say their share
beside every value (`unknown_share`). n is the number of tokens, u the language-independent ones, w_i the words of
language i.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import groupby

import numpy as np


UNKNOWN = "und"
"""Tag of a word whose language the tagger does not know (BCP-47: undetermined)."""
Tags = Sequence[str | None]


def cmi(tags: Tags) -> float:
    """Code-Mixing Index (Das & Gambäck 2014): 100 · (1 − max w_i / (n − u)), 0 without a tagged word; in [0, 100)."""
    counts = Counter(_spoken(tags))
    words = sum(counts.values())
    return 100.0 * (1 - max(counts.values()) / words) if words else 0.0


def m_index(tags: Tags, languages: int = 2) -> float:
    """Multilingual index (Barnett et al. 2000): (1 − Σp²) / ((k − 1) · Σp²), k = `languages`; 0 one, 1 all equally."""
    counts = Counter(_spoken(tags))
    words = sum(counts.values())
    if not words or languages < 2:
        return 0.0
    squares = sum((count / words) ** 2 for count in counts.values())
    return (1 - squares) / ((languages - 1) * squares)


def i_index(tags: Tags) -> float:
    """Integration index (Guzmán et al. 2017): switches between neighbouring words over the pairs of such; in [0,
    1].
    """
    spoken = _spoken(tags)
    switches = sum(language != other for language, other in zip(spoken, spoken[1:], strict=False))
    return switches / (len(spoken) - 1) if len(spoken) > 1 else 0.0


def language_entropy(tags: Tags) -> float:
    """Entropy of the words' languages in bits (Guzmán et al. 2017)."""
    return _entropy(list(Counter(_spoken(tags)).values()))


def span_entropy(tags: Tags) -> float:
    """Entropy in bits of the lengths of single-language spans (Guzmán et al. 2017)."""
    return _entropy(list(Counter(spans(tags)).values()))


def burstiness(tags: Tags) -> float:
    """(σ − m) / (σ + m) of the span lengths (Goh & Barabási 2008): −1 regular, towards 1 bursts; 0 for no span."""
    lengths = np.array(spans(tags), dtype=float)
    if len(lengths) == 0:
        return 0.0
    spread, mean = float(lengths.std()), float(lengths.mean())
    return (spread - mean) / (spread + mean)


def spans(tags: Tags) -> list[int]:
    """Lengths in words of the runs of one language, in order."""
    return [len(list(run)) for _, run in groupby(_spoken(tags))]


def unknown_share(tags: Tags) -> float:
    """Unknown words over all words (known and unknown); 0 for a text without words."""
    words = [tag for tag in tags if tag is not None]
    return words.count(UNKNOWN) / len(words) if words else 0.0


MEASURES = {
    "cmi": cmi,
    "m_index": m_index,
    "i_index": i_index,
    "language_entropy": language_entropy,
    "span_entropy": span_entropy,
    "burstiness": burstiness,
    "unknown_share": unknown_share,
}
"""The measures by their key."""


def _spoken(tags: Tags) -> list[str]:
    return [tag for tag in tags if tag is not None and tag != UNKNOWN]


def _entropy(counts: Sequence[int]) -> float:
    total = sum(counts)
    return float(-sum(count / total * np.log2(count / total) for count in counts)) + 0.0 if total else 0.0
