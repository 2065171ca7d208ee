"""Where a variant wins and loses: by label, by kind of text, by distance from the natural rows.

All of it is secondary. Slices are compared in accuracy, which is defined on any of them, labels in their own F1; the
intervals of one table hold together (level alpha divided by its number of rows, Bonferroni).
"""

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from sentisynth_hub.core.text import tokens
from sentisynth_hub.metrics.classification import Array, f1_per_class
from sentisynth_hub.study.predictions import StudyPredictions
from sentisynth_hub.verdict.evaluation_parts import DistanceGain, SliceDelta, SliceTable
from sentisynth_hub.verdict.statistics.comparisons import INDEPENDENT, Dependence
from sentisynth_hub.verdict.statistics.crossed import by_cluster, pseudo_values


LEAST_ITEMS = 20
"""Slices with fewer items are counted but not compared."""

NEGATION = {
    "no", "not", "never", "none", "nobody", "nothing", "neither", "nor", "nowhere", "without", "cannot",
    "hardly", "barely", "scarcely", "lacks", "lacking",
}  # fmt: skip
CONTRAST = {
    "but", "although", "though", "however", "yet", "despite", "whereas", "nevertheless", "nonetheless", "still",
    "unless", "except",
}  # fmt: skip
"""English cue words; slices of texts in other languages come from columns the user supplies."""


def text_slices(texts: Sequence[str], language_share: Array | None = None) -> dict[str, Array]:
    """Slice test items by their text: {slice name: mask (items,)}.

    Length in characters (thirds), negation and contrast (English cue words; `n't` too), emoji, the script most
    letters are in, mixed scripts, and thirds of `language_share` (items,) where given. Slices that hold every item or
    none are left out.
    """
    words = [frozenset(token.lower().replace("’", "'") for token in tokens(text)) for text in texts]
    scripts = [_scripts(text) for text in texts]
    slices = _thirds("length", np.array([len(text) for text in texts], dtype=float), ("short", "middle", "long"))
    slices["negation"] = np.array([bool(own & NEGATION) or any(word.endswith("n't") for word in own) for own in words])
    slices["contrast"] = np.array([bool(own & CONTRAST) for own in words])
    slices["emoji"] = np.array([any(_is_emoji(character) for character in text) for text in texts])
    for script in sorted({name for counts in scripts for name in counts}):
        slices[f"script: {script.lower()}"] = np.array(
            [bool(counts) and counts.most_common(1)[0][0] == script for counts in scripts]
        )
    slices["script: mixed"] = np.array([len(counts) > 1 for counts in scripts])
    if language_share is not None:
        slices |= _thirds("language share", language_share, ("low", "middle", "high"))
    return {name: mask for name, mask in slices.items() if 0 < mask.sum() < len(texts)}


def column_slices(name: str, values: Sequence[object]) -> dict[str, Array]:
    """One slice for each value of a column the user supplies, (items,)."""
    names = np.array([str(value) for value in values], dtype=object)
    return {f"{name}: {value}": names == value for value in sorted(set(names))}


def compare_slices(
    predictions: StudyPredictions,
    slices: Mapping[str, Array],
    variant: str,
    baseline: str,
    alpha: float,
    dependence: Dependence = INDEPENDENT,
) -> SliceTable:
    """Compare `variant` with `baseline` in accuracy on every slice."""
    hits = {name: _hits(predictions, name) for name in (variant, baseline)}
    compared = sum(int(mask.sum()) >= LEAST_ITEMS for mask in slices.values())
    each = alpha / max(compared, 1)
    rows = [_on_slice(name, mask, hits[variant], hits[baseline], each, dependence) for name, mask in slices.items()]
    return SliceTable(metric="accuracy", rows=tuple(rows), alpha_each=each)


def compare_labels(
    predictions: StudyPredictions, variant: str, baseline: str, alpha: float, dependence: Dependence = INDEPENDENT
) -> SliceTable:
    """Compare `variant` with `baseline` in the F1 of every label."""
    each = alpha / predictions.n_labels
    support = np.bincount(predictions.y, minlength=predictions.n_labels)
    rows = []
    for place, label in enumerate(predictions.labels):
        measure = lambda counts, place=place: f1_per_class(counts)[..., place]  # noqa: E731
        first, second = (
            pseudo_values(
                predictions.y, predictions.predicted(name), predictions.n_labels, measure, dependence.clusters
            )
            for name in (variant, baseline)
        )
        value = float((first.scores - second.scores).mean())
        estimate = dependence.estimate(first.values - second.values, value, max(first.one_item, second.one_item))
        rows.append(
            SliceDelta(
                name=label,
                items=int(support[place]),
                baseline_score=float(second.scores.mean()),
                variant_score=float(first.scores.mean()),
                difference=value,
                interval=estimate.interval(each) if support[place] >= LEAST_ITEMS else None,
            )
        )
    return SliceTable(metric="f1", rows=tuple(rows), alpha_each=each)


def gain_by_distance(
    predictions: StudyPredictions,
    distances: Array,
    variant: str,
    baseline: str,
    alpha: float,
    dependence: Dependence = INDEPENDENT,
) -> DistanceGain:
    """Compare by how far a test item lies from its nearest natural training row.

    Args:
        predictions: The study.
        distances: (items,), or (replicates, items) where every replicate has natural rows of its own; averaged over
            replicates.
        variant: Compared variant.
        baseline: What it is compared with.
        alpha: The intervals have level 1 − alpha, the four bins together.
        dependence: Clusters of test rows and replicates that share rows.
    """
    distance = distances if distances.ndim == 1 else distances.mean(axis=0)
    order = np.argsort(np.argsort(distance, kind="stable"), kind="stable")
    quarter = order * 4 // len(distance)
    names = ("nearest quarter", "second quarter", "third quarter", "farthest quarter")
    bins = {name: quarter == place for place, name in enumerate(names) if (quarter == place).any()}
    gain = _hits(predictions, variant) - _hits(predictions, baseline)
    spread = float(distance.std())
    standard = (distance - distance.mean()) / spread if spread > 0 else np.zeros(len(distance))
    slopes = (gain * standard).mean(axis=1)
    rest = gain - gain.mean(axis=1, keepdims=True) - slopes.mean() * standard
    estimate = dependence.estimate(by_cluster(rest * standard, dependence.clusters), float(slopes.mean()), 1.0)
    return DistanceGain(
        bins=compare_slices(predictions, bins, variant, baseline, alpha, dependence),
        slope=estimate.value,
        slope_interval=estimate.interval(alpha),
        slope_p=estimate.p_value(),
    )


def _hits(predictions: StudyPredictions, variant: str) -> Array:
    """1 where a variant is right, else 0; (replicates, items)."""
    return np.asarray(predictions.predicted(variant) == predictions.y, dtype=float)


def _on_slice(name: str, mask: Array, first: Array, second: Array, alpha: float, dependence: Dependence) -> SliceDelta:
    gain = first[:, mask] - second[:, mask]
    clusters = None if dependence.clusters is None else dependence.clusters[mask]
    value = float(gain.mean())
    compared = mask.sum() >= LEAST_ITEMS
    interval = dependence.estimate(by_cluster(gain, clusters), value, 1.0).interval(alpha) if compared else None
    return SliceDelta(
        name=name,
        items=int(mask.sum()),
        baseline_score=float(second[:, mask].mean()),
        variant_score=float(first[:, mask].mean()),
        difference=value,
        interval=interval,
    )


def _thirds(name: str, values: Array, words: tuple[str, str, str]) -> dict[str, Array]:
    low, high = np.quantile(values, [1 / 3, 2 / 3])
    place = (values > low).astype(int) + (values > high)
    return {f"{name}: {word}": place == number for number, word in enumerate(words)}


def _scripts(text: str) -> Counter[str]:
    """Letters and vowel signs by script: the first word of their Unicode names (LATIN, MALAYALAM, CJK, ...)."""
    signs = (character for character in text if unicodedata.category(character)[0] in "LM")
    scripts = Counter(unicodedata.name(sign, "UNKNOWN").split()[0] for sign in signs)
    del scripts["COMBINING"], scripts["VARIATION"]  # accents and emoji selectors belong to no script
    return scripts


def _is_emoji(character: str) -> bool:
    place = ord(character)
    return unicodedata.category(character) == "So" and (place >= 0x1F000 or 0x2600 <= place <= 0x27BF)
