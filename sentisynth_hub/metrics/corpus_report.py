"""A synthetic corpus beside the natural one, at equal numbers of rows and tokens.

report = compare_corpora(synthetic, natural, encoder, languages=["ml-Latn", "en"])
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sentisynth_hub.core.rows import Row
from sentisynth_hub.core.text import tokens
from sentisynth_hub.metrics.code_mixing import MEASURES
from sentisynth_hub.metrics.diversity import compression_ratio, distinct_n, equal_tokens, self_bleu
from sentisynth_hub.metrics.two_sample import classifier_two_sample
from sentisynth_hub.metrics.word_languages import WordTagger
from sentisynth_hub.pretrained.embeddings import unit


Embed = Callable[[Sequence[str]], npt.NDArray[np.float32]]
_ROWS = 2000  # a side at most for what costs a model or a comparison with every other row


def compare_corpora(
    synthetic: Sequence[Row],
    natural: Sequence[Row],
    *,
    embed: Embed | None = None,
    tagger: WordTagger | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Compare two corpora.

    Args:
        embed: Gives features (n, d) of n texts; None: no two-sample test and no nearest natural rows.
        tagger: None: no code-mixing measures.
        seed: Of the samples drawn.

    Returns:
        JSON-ready: `rows`, `labels`, `length`, `diversity` (at equal tokens), `code_mixing` (means, and the distance
        between the two distributions), `two_sample`, `nearest_natural` (quantiles of the cosine to the nearest
        natural row, for synthetic rows and, for comparison, for natural rows among themselves).
    """
    report: dict[str, Any] = {
        "rows": {"synthetic": len(synthetic), "natural": len(natural)},
        "labels": {"synthetic": _labels(synthetic), "natural": _labels(natural)},
        "length": _lengths(synthetic, natural),
        "diversity": _diversity(synthetic, natural, seed),
    }
    if tagger is not None:
        report["code_mixing"] = _code_mixing(synthetic, natural, tagger)
    if embed is not None:
        size = min(len(synthetic), len(natural), _ROWS)
        ours, theirs = (embed(_drawn(rows, size, seed)) for rows in (synthetic, natural))
        report["two_sample"] = dict(classifier_two_sample(ours, theirs, seed=seed))
        report["nearest_natural"] = _nearest(unit(ours), unit(theirs))
    return report


def distributions(
    synthetic: Sequence[Row], natural: Sequence[Row], tagger: WordTagger | None = None
) -> dict[str, dict[str, list[float]]]:
    """The rows' lengths and, with a tagger, code-mixing measures, by side: what figures are drawn of."""
    sides = {"synthetic": synthetic, "natural": natural}
    measures = {"length": {side: [float(len(tokens(row.text))) for row in rows] for side, rows in sides.items()}}
    if tagger is not None:
        tags = {side: [tagger.tags(row.text) for row in rows] for side, rows in sides.items()}
        for name, measure in MEASURES.items():
            measures[name] = {side: [measure(each) for each in tags[side]] for side in sides}
    return measures


def _labels(rows: Sequence[Row]) -> dict[str, float]:
    """Share of each label."""
    counts = Counter(str(row.label) for row in rows)
    return {label: round(count / len(rows), 4) for label, count in sorted(counts.items())}


def _lengths(synthetic: Sequence[Row], natural: Sequence[Row]) -> dict[str, Any]:
    ours, theirs = ([len(tokens(row.text)) for row in rows] for rows in (synthetic, natural))
    quantiles = {
        name: [round(float(value), 1) for value in np.quantile(lengths, [0.05, 0.5, 0.95])]
        for name, lengths in (("synthetic", ours), ("natural", theirs))
    }
    return {**quantiles, "distance": _distance(ours, theirs)}


def _diversity(synthetic: Sequence[Row], natural: Sequence[Row], seed: int) -> dict[str, Any]:
    split = [[tokens(row.text.lower()) for row in rows] for rows in (synthetic, natural)]
    places = equal_tokens(split[0], split[1], seed=seed)
    report: dict[str, Any] = {}
    for name, rows, words, numbers in zip(("synthetic", "natural"), (synthetic, natural), split, places, strict=True):
        texts = [words[number] for number in numbers]
        report[name] = {
            "tokens": sum(map(len, texts)),
            "distinct_1": round(distinct_n(texts, 1), 4),
            "distinct_2": round(distinct_n(texts, 2), 4),
            "distinct_3": round(distinct_n(texts, 3), 4),
            "self_bleu_4": round(self_bleu(texts, seed=seed), 4),
            "compression_ratio": round(compression_ratio([rows[number].text for number in numbers]), 3),
        }
    return report


def _code_mixing(synthetic: Sequence[Row], natural: Sequence[Row], tagger: WordTagger) -> dict[str, Any]:
    tags = [[tagger.tags(row.text) for row in rows] for rows in (synthetic, natural)]
    measured: dict[str, Any] = {"tagger": tagger.description}
    for name, measure in MEASURES.items():
        ours, theirs = ([measure(each) for each in corpus] for corpus in tags)
        measured[name] = {
            "synthetic": round(float(np.mean(ours)), 4),
            "natural": round(float(np.mean(theirs)), 4),
            "distance": _distance(ours, theirs),
        }
    return measured


def _nearest(ours: npt.NDArray[np.float32], theirs: npt.NDArray[np.float32]) -> dict[str, list[float]]:
    """Quantiles (5 %, 50 %, 95 %) of the highest cosine with a natural row."""
    among = theirs @ theirs.T
    np.fill_diagonal(among, -1.0)
    return {
        name: [round(float(value), 4) for value in np.quantile(cosines.max(1), [0.05, 0.5, 0.95])]
        for name, cosines in (("synthetic", ours @ theirs.T), ("natural", among))
    }


def _distance(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The largest gap between the two cumulative distributions (Kolmogorov-Smirnov), in [0, 1]."""
    from scipy.stats import ks_2samp

    return round(float(ks_2samp(ours, theirs, method="asymp").statistic), 4)


def _drawn(rows: Sequence[Row], size: int, seed: int) -> list[str]:
    places = np.sort(np.random.default_rng(seed).permutation(len(rows))[:size])
    return [rows[number].text for number in places]
