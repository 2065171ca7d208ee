"""What the natural rows alone show of a study to come, before a row is generated or paid for.

    rehearsal = rehearse(x, y, n_labels, metric="macro_f1", labels=100, seed=0)
    rehearsal.components.crossed(items=600, replicates=5).interval(0.05)
    rehearsal.doubling, rehearsal.self_training

Heads on frozen features are trained with all, half and a quarter of a replicate's labels, in repeated
cross-validation over the rows that may be learned from; no test row is read. How much a model's score varies with the
rows it learns from, and on how many rows two models differ that learn from half and from all, is what a study's
interval hangs on (benchmarks/plan_against_runs.py compares it with real studies). The same fits are the learning
curve, and one more says what self-training gains.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sentisynth_hub.core.distributed import Processes
from sentisynth_hub.core.errors import DataError
from sentisynth_hub.core.random import rng
from sentisynth_hub.metrics.classification import METRICS, Array
from sentisynth_hub.natural.splits import NaturalData, Sample
from sentisynth_hub.pretrained.head import Rows, Scaling, Scored, best_fits
from sentisynth_hub.recipe import Recipe
from sentisynth_hub.study.features import compute_features
from sentisynth_hub.verdict.statistics.crossed import (
    MOVED_TOGETHER,
    Estimate,
    PseudoValues,
    cross_fitted,
    overlapping,
    pseudo_values,
)


FOLDS, REPETITIONS = 5, 4
MOST_ROWS = 1_000  # more say the same and take longer
OF_A_DOUBLING = 0.5
"""Share of the variance over items that synthetic rows bring, of what twice as many labels bring: `mixed` weighs its
rows and often stays near natural. Chosen on two draws of the designs of benchmarks/plan_against_runs.py, and not yet
held against draws of its own: the width of a plan is a rough one.
"""
_LEAST_A_LABEL = 2
_SUREST, _WEIGHT = 0.2, 0.3  # of the unlabelled rows, label by label, as the variant self_training takes them


@dataclass(frozen=True)
class VarianceParts:
    """How the difference of two models varies: `replicate` is the variance of the true difference over replicates,
    `item` that of an item's mean difference, `residual` what one item in one replicate adds.

    The defaults are assumptions for rows nobody has looked at: two variants disagree in correctness on 15 % of the
    items, half of that always the same items, and true differences scatter by 1.5 points.
    """

    replicate: float = 0.015**2
    item: float = 0.075
    residual: float = 0.075
    one_item: float = 1.0

    def for_shares(self, label_shares: Sequence[float]) -> "VarianceParts":
        """The same disagreement as a difference in macro-F1, in which an item of a label of share π counts
        1/(labels · π).
        """
        rarity = sum(1 / (len(label_shares) ** 2 * share) for share in label_shares)
        return VarianceParts(self.replicate, self.item * rarity, self.residual * rarity, math.sqrt(rarity))

    def crossed(self, items: int, replicates: int, *, overlap: float = 0.0) -> Estimate:
        """A difference of 0 in a study of so many test items (clusters, where they come in clusters) and replicates,
        two of which share the part `overlap` of their natural rows.
        """
        residual = self.residual / (items * replicates)
        planned = Estimate(
            0.0, self.replicate / replicates + residual, self.item / items, residual, replicates - 1, max(items - 1, 1)
        )
        return overlapping(planned, replicates, overlap) if overlap and replicates > 1 else planned

    def identical(self, items: int) -> Estimate:
        """The same where all replicates are one and the items alone decide."""
        each = (self.item + self.residual) / items
        return Estimate(0.0, 0.0, each, 0.0, math.inf, max(items - 1, 1))

    def cross_fitted(self, rows: int, folds: int, repetitions: int, training_share: float) -> Estimate:
        """The same in a cross-fitted study of `rows` natural rows; the parts are those of `crossed.cross_fitted`."""
        models = folds * repetitions
        residual = self.residual / (rows * repetitions)
        common = MOVED_TOGETHER * training_share / (1 - training_share)
        together = self.residual / rows * common * min(self.residual / self.one_item**2, 1.0)
        return Estimate(
            0.0, self.replicate / models + residual, self.item / rows + together, residual, models - 1, rows - 1
        )


@dataclass(frozen=True)
class Gain:
    """A difference in the metric between two ways to train on natural rows, with its 95 % interval."""

    value: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class CurvePoint:
    """The metric that so many labels reach, on rows that were not trained on."""

    labels: int
    score: float


@dataclass(frozen=True)
class Rehearsal:
    """What cross-validation over natural rows showed.

    Attributes:
        rows: Rows it was done on.
        components: Of a difference such as synthetic rows make.
        curve: The natural learning curve, fewest labels first.
        doubling: What the last doubling of the labels gained.
        self_training: What pseudo-labels of the rows left over gained; None where too few are left.
        unlabelled: How many rows they were, on average; 0 where there were too few.
    """

    rows: int
    components: VarianceParts
    curve: tuple[CurvePoint, ...]
    doubling: Gain
    self_training: Gain | None
    unlabelled: int

    def more_labels(self, count: int) -> Gain:
        """What `count` labels more would gain, were the curve to go on in the logarithm of the labels."""
        doublings = math.log2(1 + count / self.curve[-1].labels)
        low, high = self.doubling.interval
        return Gain(doublings * self.doubling.value, (doublings * low, doublings * high))


def rehearse_recipe(
    recipe: Recipe, natural: NaturalData, samples: Sequence[Sample], run: Path, processes: Processes
) -> Rehearsal:
    """Cross-validate heads of the recipe's student over its natural rows; features stay in the run folder.

    Raises:
        DataError: The rows are too few.
    """
    study, held_out = recipe.study, recipe.natural.validation == "held_out"
    parts = [natural.train, *([] if held_out else [natural.validation])]
    if study.cross_fitting is not None:
        parts = [natural.train, natural.validation, natural.test]
    distinct = {row.id: row for part in parts for row in part}
    rows = [distinct[name] for name in sorted(distinct)]
    places = np.sort(rng(recipe.seed, "rehearsal rows").permutation(len(rows))[:MOST_ROWS])
    rows = [rows[place] for place in places]
    labels = [len(sample.train) + (0 if held_out else len(sample.validation)) for sample in samples]
    texts = [row.text for row in rows]
    features = compute_features(texts, study.student, run / "study" / "features", processes)
    y = np.array([recipe.labels.index(str(row.label)) for row in rows])
    return rehearse(
        features.of(rows), y, len(recipe.labels), metric=study.metric, labels=max(labels), seed=recipe.seed
    )


def rehearse(x: Array, y: Array, n_labels: int, *, metric: str, labels: int, seed: int) -> Rehearsal:
    """Cross-validate heads over natural rows.

    Args:
        x: Features of the rows that may be learned from, (rows, dimensions).
        y: Their labels, (rows,).
        n_labels: Labels of the recipe.
        metric: Of the study.
        labels: Human labels a replicate has; where the rows outside a fold are fewer, those.
        seed: Of folds and draws.

    Raises:
        DataError: A label has too few rows for folds of training rows.
    """
    random = rng(seed, "rehearsal")
    counts = np.bincount(y, minlength=n_labels)
    if counts.min() < FOLDS:
        raise DataError(
            f"too few natural rows to say anything: a label has {counts.min()}, and at least {FOLDS} are needed"
        )
    folds = np.stack([_deal(y, n_labels, random) for _ in range(REPETITIONS)])
    held = (folds[:, None, :] == np.arange(FOLDS)[None, :, None]).reshape(-1, len(y))
    order = np.stack([_in_turn(y, n_labels, random, out) for out in held])  # place of a row in its fit's queue
    all_of_them = min(labels, int((~held).sum(1).min()))
    sizes = [size for size in (all_of_them // 4, all_of_them // 2, all_of_them) if size >= _LEAST_A_LABEL * n_labels]
    if len(sizes) < 2:
        raise DataError(
            f"too few natural rows to say anything: a replicate learns from {all_of_them} of {n_labels} labels; "
            "bring more rows"
        )
    fits = _Fits(Scaling.of(x).apply(x), y, n_labels, folds, held)
    parts = {size: fits.train((order < size) & ~held) for size in sizes}
    half, full = parts[sizes[-2]], parts[sizes[-1]]
    measured = {size: pseudo_values(y, part, n_labels, METRICS[metric]) for size, part in parts.items()}
    share = all_of_them / len(y)
    doubling = _gain(measured[sizes[-1]], measured[sizes[-2]], folds, share)
    scale = 1 / math.log2(sizes[-1] / sizes[-2])
    doubling = Gain(scale * doubling.value, (scale * doubling.interval[0], scale * doubling.interval[1]))
    base = full if int((~held).sum(1).min()) >= 2 * all_of_them else half
    labelled = (order < (sizes[-1] if base is full else sizes[-2])) & ~held
    taught = fits.self_trained(labelled)
    gained = None
    if taught is not None:
        without = measured[sizes[-1] if base is full else sizes[-2]]
        gained = _gain(pseudo_values(y, taught, n_labels, METRICS[metric]), without, folds, share)
    return Rehearsal(
        rows=len(y),
        components=components(measured[sizes[-1]], measured[sizes[-2]], folds),
        curve=tuple(CurvePoint(size, float(part.scores.mean())) for size, part in measured.items()),
        doubling=doubling,
        self_training=gained,
        unlabelled=0 if gained is None else int((~held & ~labelled).sum(1).mean()),
    )


def components(full: PseudoValues, half: PseudoValues, folds: Array) -> VarianceParts:
    """VarianceParts from repeated cross-validation, pseudo-values (repetitions, items) of models of all and of half of
    the labels, and the folds they were tested in: every fold of a repetition has a model of its own, which is a
    replicate.

    Over replicates the difference varies about as much as natural alone: beside many synthetic rows it matters less
    which natural ones were drawn. In items it varies as the difference of the two does, in part (`OF_A_DOUBLING`).
    """
    difference = full.values - half.values
    repetitions = len(difference)
    mean = difference.mean(axis=0)
    residual = float(((difference - mean) ** 2).mean()) * repetitions / (repetitions - 1)
    item = float(mean.var(ddof=1)) - residual / repetitions
    one_item = max(full.one_item, half.one_item)
    replicate = _between_models(full.values, folds)
    return VarianceParts(replicate, OF_A_DOUBLING * max(item, 0.0), OF_A_DOUBLING * residual, one_item)


def _between_models(values: Array, folds: Array) -> float:
    """Variance of the score of a fold model, without what its few test items add."""
    repetitions, items = values.shape
    bessel = repetitions / (repetitions - 1)
    residuals = values - values.mean(axis=0)
    means = [row[fold == number].mean() for row, fold in zip(residuals, folds, strict=True) for number in range(FOLDS)]
    noise = float((residuals**2).mean() * bessel * FOLDS / items)
    return max(float(np.square(means).mean() * bessel) - noise, 0.0)


class _Fits:
    """Heads of all folds of all repetitions at once; predictions are (repetitions, rows), each by a head that has not
    seen the row.
    """

    def __init__(self, x: Array, y: Array, n_labels: int, folds: Array, held: Array):
        self.x, self.y, self.n_labels, self.folds, self.held = x, y, n_labels, folds, held

    def train(self, uses: Array) -> Array:
        """Predictions of heads that learn from the rows `uses` (fits, rows) says."""
        return self._tested(self._probabilities(self.y, uses.astype(np.float64)))

    def self_trained(self, uses: Array) -> Array | None:
        """The same, with pseudo-labels of the surest of the rows outside the fold that are left over; None where they
        are fewer than those that teach.
        """
        rest = ~self.held & ~uses
        if rest.sum(1).min() < uses.sum(1).max() / 2:
            return None
        probabilities = self._probabilities(self.y, uses.astype(np.float64))
        guessed = probabilities.argmax(2)
        sureness = np.where(rest, probabilities.max(2), -1.0)
        surest = np.zeros_like(rest)
        for fit in range(len(rest)):
            for label in range(self.n_labels):
                own = np.flatnonzero(rest[fit] & (guessed[fit] == label))
                ranked = own[np.argsort(-sureness[fit, own], kind="stable")]
                surest[fit, ranked[: math.ceil(_SUREST * own.size)]] = True
        labels = np.where(surest, guessed, self.y[None])
        return self._tested(self._probabilities(labels, uses + _WEIGHT * surest))

    def _probabilities(self, labels: Array, weights: Array) -> Array:
        scored = Scored(self.x, self.y, self.held)
        return best_fits([Rows(self.x, labels, weights)], self.n_labels, scored).probabilities_of(self.x)

    def _tested(self, probabilities: Array) -> Array:
        predicted = probabilities.argmax(2).reshape(len(self.folds), FOLDS, -1)
        return np.take_along_axis(predicted, self.folds[:, None, :], axis=1)[:, 0]


def _gain(first: PseudoValues, second: PseudoValues, folds: Array, training_share: float) -> Gain:
    value = float((first.scores - second.scores).mean())
    one_item = max(first.one_item, second.one_item)
    estimate = cross_fitted(first.values - second.values, value, folds, training_share, None, one_item)
    interval = estimate.interval(0.05)
    assert interval is not None
    return Gain(value, interval)


def _deal(y: Array, n_labels: int, random: np.random.Generator) -> Array:
    """The fold of each row, every label dealt out evenly."""
    folds = np.empty(len(y), dtype=np.int64)
    for label in range(n_labels):
        own = random.permutation(np.flatnonzero(y == label))
        folds[own] = (np.arange(own.size) + label) % FOLDS
    return folds


def _in_turn(y: Array, n_labels: int, random: np.random.Generator, out: Array) -> Array:
    """The place of each row in one fit's queue, in which every beginning has the label shares of the whole; rows that
    are `out` stand behind all others.
    """
    standing = np.full(len(y), np.inf)
    for label in range(n_labels):
        own = random.permutation(np.flatnonzero((y == label) & ~out))
        standing[own] = (np.arange(own.size) + random.random()) / max(own.size, 1)
    place = np.empty(len(y), dtype=np.int64)
    place[np.argsort(standing, kind="stable")] = np.arange(len(y))
    return place
