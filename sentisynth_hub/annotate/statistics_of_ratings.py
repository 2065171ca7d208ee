"""What people said of natural and synthetic rows that nothing but their text told apart.

Raters × rows is the same two-way layout as replicates × test items, and is judged by the same crossed variance
(`crossed.py`): both the raters and the rows are samples, so an interval speaks of other people and other rows too.
A share of right answers weighs natural and synthetic rows by half each, whatever their number: a rater who always says
"human" is at chance. Two groups of rows were drawn apart from each other, so what varies between the groups is taken
out before the variance of the rows is measured.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from sentisynth_hub.annotate.agreement import MISSING, agreement
from sentisynth_hub.annotate.ratings import (
    Confusion,
    HumanEvaluation,
    Mean,
    RaterRecord,
    RatingDifference,
    StratumRecord,
)
from sentisynth_hub.metrics.classification import Array
from sentisynth_hub.verdict.slices import LEAST_ITEMS
from sentisynth_hub.verdict.statistics.comparisons import read
from sentisynth_hub.verdict.statistics.crossed import Estimate, clipped, two_way


CHANCE = 0.5


@dataclass(frozen=True)
class Ratings:
    """All answers of one sheet; a missing one is `MISSING` in `label`, NaN elsewhere.

    Attributes:
        labels: Names of the labels.
        raters: Their numbers, (raters,).
        synthetic: Which rows are synthetic, (rows,) bool.
        given: Place in `labels` of the natural or asked label, (rows,).
        strata: Stratum of each synthetic row; None where there are none, and for natural rows.
        label: Answers, (raters, rows): place in `labels`.
        naturalness: 1 to 5, (raters, rows) float.
        machine: 1.0 where the rater said machine, 0.0 human, (raters, rows) float.
    """

    labels: tuple[str, ...]
    raters: tuple[int, ...]
    synthetic: Array
    given: Array
    strata: tuple[str | None, ...]
    label: Array
    naturalness: Array
    machine: Array

    @property
    def told(self) -> Array:
        """1.0 where human or machine was told rightly, NaN where it was left open, (raters, rows)."""
        return np.where(np.isnan(self.machine), np.nan, self.machine == self.synthetic)

    @property
    def matched(self) -> Array:
        """1.0 where the rater's label is the given one, NaN where it was left open, (raters, rows)."""
        return np.where(self.label == MISSING, np.nan, self.label == self.given)


def evaluate_ratings(
    ratings: Ratings,
    *,
    accuracy_margin: float,
    naturalness_margin: float,
    alpha: float = 0.05,
    resamples: int = 1999,
    seed: int = 0,
) -> HumanEvaluation:
    """Everything that is said of a sheet's answers.

    Args:
        ratings: Answers of at least one rater to at least one natural and one synthetic row.
        accuracy_margin: Distance from chance that does not matter; `naturalness_margin` in points of the scale.
        alpha: Level of every interval; those of strata share it (Bonferroni).
        resamples: Of the bootstrap over rows, for agreement.
        seed: Decides those.
    """
    natural, synthetic = ~ratings.synthetic, ratings.synthetic
    gap = [(1.0, natural), (-1.0, synthetic)]
    return {
        "rows": {"natural": int(natural.sum()), "synthetic": int(synthetic.sum())},
        "raters": len(ratings.raters),
        "alpha": alpha,
        "resamples": resamples,
        "labels": list(ratings.labels),
        "agreement": {
            "label": agreement(ratings.label, len(ratings.labels), "nominal", alpha, resamples, seed),
            "naturalness": agreement(_codes(ratings.naturalness - 1), 5, "ordinal", alpha, resamples, seed),
            "source": agreement(_codes(ratings.machine), 2, "nominal", alpha, resamples, seed),
        },
        "confusion": {"natural": confusion(ratings, natural), "synthetic": confusion(ratings, synthetic)},
        "label_match": {
            "natural": _mean(group_estimate(ratings.matched, [(1.0, natural)]), alpha, (0, 1)),
            "synthetic": _mean(group_estimate(ratings.matched, [(1.0, synthetic)]), alpha, (0, 1)),
            "difference": _mean(group_estimate(ratings.matched, gap), alpha, (-1, 1)),
        },
        "tell": accuracy(ratings, synthetic, accuracy_margin, alpha),
        "said_machine": {
            "natural": _mean(group_estimate(ratings.machine, [(1.0, natural)]), alpha, (0, 1)),
            "synthetic": _mean(group_estimate(ratings.machine, [(1.0, synthetic)]), alpha, (0, 1)),
        },
        "naturalness": {
            "natural": _mean(group_estimate(ratings.naturalness, [(1.0, natural)]), alpha, (1, 5)),
            "synthetic": _mean(group_estimate(ratings.naturalness, [(1.0, synthetic)]), alpha, (1, 5)),
            "difference": _difference(
                group_estimate(ratings.naturalness, gap), 0.0, naturalness_margin, alpha, (-4, 4)
            ),
        },
        "strata": _strata(ratings, accuracy_margin, naturalness_margin, alpha),
        "per_rater": [_rater(ratings, place) for place in range(len(ratings.raters))],
    }


def group_estimate(values: Array, groups: Sequence[tuple[float, Array]]) -> tuple[Estimate, int] | None:
    """Σ weight × mean over a group of rows, with its crossed variance over raters and rows.

    Args:
        values: (raters, rows), NaN where there is no answer; rows that any rater left open are left out.
        groups: Weight and mask of rows (rows,): [(1, all)] is a mean, [(1, natural), (−1, synthetic)] a difference.

    Returns:
        The estimate and the rows it rests on; None where a group has no complete row.
    """
    complete = ~np.isnan(values).any(axis=0)
    used = [(weight, values[:, mask & complete]) for weight, mask in groups]
    rows = sum(part.shape[1] for _, part in used)
    if any(part.shape[1] == 0 for _, part in used):
        return None
    # Scaled so that a plain mean over all rows is the weighted sum of the groups' means; each group around its own.
    scales = [weight * rows / part.shape[1] for weight, part in used]
    centred = [scale * (part - part.mean()) for scale, (_, part) in zip(scales, used, strict=True)]
    value = float(sum(weight * part.mean() for weight, part in used))
    return two_way(np.concatenate(centred, axis=1), value, max(map(abs, scales))), rows


def accuracy(ratings: Ratings, synthetic: Array, margin: float, alpha: float) -> RatingDifference | None:
    """Share of rows told rightly, natural and `synthetic` ones half each, held against chance."""
    estimate = group_estimate(ratings.told, [(0.5, ~ratings.synthetic), (0.5, synthetic)])
    return _difference(estimate, CHANCE, margin, alpha, (0, 1))


def confusion(ratings: Ratings, mask: Array) -> Confusion:
    """Labels that most raters gave (last column: no label has most) by the given label, for the rows of `mask`."""
    size = len(ratings.labels)
    counts = [[0] * (size + 1) for _ in range(size)]
    agreeing = 0
    for row in np.flatnonzero(mask):
        votes = np.bincount(ratings.label[:, row][ratings.label[:, row] != MISSING], minlength=size)
        best = np.flatnonzero(votes == votes.max()) if votes.any() else np.array([])
        majority = int(best[0]) if best.size == 1 else size
        counts[int(ratings.given[row])][majority] += 1
        agreeing += majority == ratings.given[row]
    return {"counts": counts, "agreeing": int(agreeing)}


def _codes(values: Array) -> Array:
    return np.where(np.isnan(values), MISSING, np.nan_to_num(values)).astype(int)


def _mean(estimated: tuple[Estimate, int] | None, alpha: float, bounds: tuple[float, float]) -> Mean | None:
    if estimated is None:
        return None
    estimate, rows = estimated
    return {"value": estimate.value, "interval": clipped(estimate.interval(alpha), bounds), "rows": rows}


def _difference(
    estimated: tuple[Estimate, int] | None, null: float, margin: float, alpha: float, bounds: tuple[float, float]
) -> RatingDifference | None:
    """An estimate held against `null` both ways: is it another, and is it the same within the margin?"""
    if estimated is None:
        return None
    estimate, rows = estimated
    shifted = replace(estimate, value=estimate.value - null)
    return {
        "value": estimate.value,
        "interval": clipped(estimate.interval(alpha), bounds),
        "null": null,
        "margin": margin,
        "alpha": alpha,
        "p_difference": shifted.p_value(),
        "p_equivalence": _equivalence(shifted, margin),
        "reading": read(shifted.interval(alpha), margin),
        "rows": rows,
    }


def _equivalence(estimate: Estimate, margin: float) -> float | None:
    """The larger p of two one-sided tests against ±margin (Schuirmann 1987); hold it against alpha / 2."""
    inside = margin - abs(estimate.value)
    p = replace(estimate, value=inside).p_value()
    return None if p is None else p / 2 if inside >= 0 else 1 - p / 2


def _strata(ratings: Ratings, accuracy_margin: float, naturalness_margin: float, alpha: float) -> list[StratumRecord]:
    """Each stratum's synthetic rows beside all natural ones; under `LEAST_ITEMS` rows they are counted only."""
    names = sorted({name for name in ratings.strata if name is not None})
    each = alpha / max(len(names), 1)
    records: list[StratumRecord] = []
    for name in names:
        rows = np.array([stratum == name for stratum in ratings.strata])
        enough = rows.sum() >= LEAST_ITEMS
        gap = group_estimate(ratings.naturalness, [(1.0, ~ratings.synthetic), (-1.0, rows)])
        matched = group_estimate(ratings.matched, [(1.0, rows)])
        records.append(
            {
                "name": name,
                "rows": int(rows.sum()),
                "label_match": _mean(matched, each, (0, 1)) if enough else None,
                "tell": accuracy(ratings, rows, accuracy_margin, each) if enough else None,
                "naturalness": _difference(gap, 0.0, naturalness_margin, each, (-4, 4)) if enough else None,
            }
        )
    return records


def _rater(ratings: Ratings, place: int) -> RaterRecord:
    def share(values: Array, mask: Array) -> float | None:
        answers = values[place, mask & ~np.isnan(values[place])]
        return float(answers.mean()) if answers.size else None

    natural, synthetic = ~ratings.synthetic, ratings.synthetic
    shares = [share(ratings.told, natural), share(ratings.told, synthetic)]
    both = [value for value in shares if value is not None]
    answered = (ratings.label[place] != MISSING) & ~np.isnan(ratings.naturalness[place] + ratings.machine[place])
    return {
        "rater": ratings.raters[place],
        "answered": int(answered.sum()),
        "told_rightly": float(np.mean(both)) if len(both) == 2 else None,
        "label_match": {"natural": share(ratings.matched, natural), "synthetic": share(ratings.matched, synthetic)},
        "naturalness": {
            "natural": share(ratings.naturalness, natural),
            "synthetic": share(ratings.naturalness, synthetic),
        },
    }
