"""From a study's predictions to its evaluation: one call, no training, no clock, no words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from sentisynth_hub.core.errors import DataError
from sentisynth_hub.metrics.classification import METRICS, Array
from sentisynth_hub.metrics.metric_table import METRIC_TABLE
from sentisynth_hub.recipe.study_section import Metric
from sentisynth_hub.study.predictions import StudyPredictions
from sentisynth_hub.verdict.evaluation import LEAST_LABEL_ROWS, LEAST_REPLICATES, Evaluation
from sentisynth_hub.verdict.evaluation_parts import (
    BY_FOLD,
    Comparison,
    ControlCheck,
    Design,
    DistanceGain,
    Factorial,
    LearningCurve,
    Look,
    Role,
    SliceTable,
    Unanswered,
    Verdict,
    Worth,
)
from sentisynth_hub.verdict.label_budget import LabelLedger
from sentisynth_hub.verdict.outcome import Rule, conclude, without_verdict
from sentisynth_hub.verdict.slices import column_slices, compare_labels, compare_slices, gain_by_distance, text_slices
from sentisynth_hub.verdict.statistics.bootstrap import Resampled, crossed_bootstrap
from sentisynth_hub.verdict.statistics.comparisons import Arms, Dependence, compare
from sentisynth_hub.verdict.statistics.crossed import Estimate
from sentisynth_hub.verdict.statistics.factorial import TwoByTwo, factorial
from sentisynth_hub.verdict.statistics.looks import chance_to_settle, look_levels
from sentisynth_hub.verdict.statistics.scores import by_replicate, other_metrics, variant_scores
from sentisynth_hub.verdict.worth import learning_curve, worth


MOST_OVERLAP = 0.5
"""Replicates that share more of their natural rows than this say nothing of other rows: the study is conditional."""
MOST_OVERLAP_OF_WORTH = 0.25
"""The bootstrap behind *worth* takes replicates for independent; above this no worth is given."""


@dataclass(frozen=True)
class EvaluationConfig:
    """How a study is evaluated; all of it comes from the recipe and is fixed before a test row is read.

    Attributes:
        metric: `macro_f1`, `accuracy` or `weighted_f1`.
        margin: Smallest difference that matters to the user.
        design: What a replicate is; see `evaluation.py`.
        primary: The variant the verdict is about.
        baseline: Natural rows alone.
        control: The same natural rows for the primary variant's number of steps; None where there is no such question.
        alternatives: Other uses of the same natural and synthetic rows. One that is better than the baseline while the
            primary variant is not contradicts the verdict.
        controls: What each control must read in a sound study.
        alpha: Rate of false verdicts allowed.
        power: Of the minimum detectable effect.
        resamples: Resamples of the crossed bootstrap.
        seed: Of the crossed bootstrap and of the simultaneous level.
        curve: Natural variants at several sizes, `baseline` among them, for "worth N human labels".
        worth_of: Variants whose worth is reported.
        two_by_two: Which variants make up the factorial table.
        plan: Replicates at each look of a study that may look again; empty: it looks once.
        looks: How often these test rows have been looked at over the versions of the dataset, this look included.
        oracle_teacher: Labels the filters' teacher learned from where it saw all natural training rows; 0: it did not.
        abstaining_teachers: Replicates in which the filters' teacher had no skill and abstained.
        shipped: The variant that ships, where one is known.
        overlap: Nested design: mean share of their natural rows that two replicates have in common.
        shared_corpus: Nested design: one corpus for all replicates, whose writer saw none of their labels.
        training_share: Cross-fitting: share of all rows a fold model learns from; None: all folds but its own.
        unanswered: Variants whose questions went without a label too often for a reading.
    """

    metric: Metric = "macro_f1"
    margin: float = 0.02
    design: Design = "nested"
    primary: str = "mixed"
    baseline: str = "natural"
    control: str | None = "natural_repeated"
    alternatives: Sequence[str] = ("unfiltered", "gradual", "weighted", "synthetic")
    controls: Mapping[str, Literal["better", "not better"]] = field(
        default_factory=lambda: {"shuffled_labels": "not better", "extra_natural": "better"}
    )
    alpha: float = 0.05
    power: float = 0.8
    resamples: int = 9_999
    seed: int = 0
    curve: Sequence[str] = ()
    worth_of: Sequence[str] = ("mixed",)
    two_by_two: TwoByTwo = field(default_factory=TwoByTwo)
    plan: Sequence[int] = ()
    looks: int | None = None
    oracle_teacher: int = 0
    abstaining_teachers: int = 0
    shipped: str | None = None
    overlap: float = 0.0
    training_share: float | None = None
    shared_corpus: bool = False
    unanswered: Sequence[Unanswered] = ()


@dataclass(frozen=True)
class TestItems:
    """What is known of the test items beside their labels; every part may be left out.

    Attributes:
        texts: Their texts, (items,), for slices by length, negation, contrast, emoji and script.
        language_share: Share of words in one language, (items,), for code-mixed text.
        columns: Further columns to slice by, (items,) each.
        distances: Distance to the nearest natural training row, (items,) or (replicates, items).
        clusters: An id for each item, (items,), the same for items that belong together: near-duplicates, or texts of
            one author, thread or document.
        row_ids: Ids of the rows behind the items, as the label ledger knows them; the items' own ids by default.
    """

    __test__ = False  # not a test class, whatever its name makes pytest think

    texts: Sequence[str] | None = None
    language_share: Array | None = None
    columns: Mapping[str, Sequence[object]] = field(default_factory=dict)
    distances: Array | None = None
    clusters: Sequence[object] | None = None
    row_ids: Sequence[str] | None = None


def evaluate_study(
    predictions: StudyPredictions,
    config: EvaluationConfig,
    *,
    test_items: TestItems | None = None,
    ledger: LabelLedger | None = None,
    cost_usd: Mapping[str, float] | None = None,
) -> Evaluation:
    """Evaluate a study.

    Args:
        predictions: Every trial's predictions over the test items.
        config: Metric, margin, design and names.
        test_items: Texts, columns, clusters and distances of the test items.
        ledger: Who used which human label; needed for the budget and for "worth N human labels".
        cost_usd: What each variant's synthetic rows cost.

    Returns:
        The evaluation; the same for the same input, on any machine and any number of threads.

    Raises:
        DataError: The baseline variant is missing, a cross-fitted study has no folds, the metric is unknown, or there
            is not one cluster id for every item.
    """
    _check(predictions, config)
    items = test_items or TestItems()
    replicates = predictions.replicates
    identical = config.design in ("conditional", "models") and replicates > 1 and _identical(predictions)
    if identical:
        predictions = _first_replicate(predictions)
    config, dependence = _dependence(predictions, config, items, identical)
    alpha, look = config.alpha, _look(config, replicates)
    if look is not None:
        config = replace(config, alpha=look.level)
    arms = Arms(predictions, config.metric, config.design, dependence)
    rare_label = _has_rare_label(predictions, config, dependence.clusters)
    resampled = _resample(arms, config)
    comparisons = _comparisons(arms, config, resampled, rare_label)
    curve, worths = _worth(arms, config, resampled, ledger, cost_usd or {})
    by_label, slices, distance = _slices(predictions, config, items, dependence)
    verdict = _verdict(arms, config, comparisons, rare_label)
    if look is not None and verdict.outcome == "too small to tell":
        look = look.model_copy(update={"chance": _chance(arms, config, look, alpha)})
    pair = (config.primary, config.baseline)
    both = config.primary in predictions.variants
    sizes = None if dependence.clusters is None else np.bincount(dependence.clusters)
    return Evaluation(
        metric=config.metric,
        design=config.design,
        replicates=replicates,
        shared_corpus=config.shared_corpus,
        identical=identical,
        overlap=min(config.overlap, 1.0),
        items=predictions.items,
        clusters=None if sizes is None else sizes.size,
        largest_cluster=1 if sizes is None else int(sizes.max()),
        labels=predictions.labels,
        label_items=tuple(np.bincount(predictions.y, minlength=predictions.n_labels).tolist()),
        margin=config.margin,
        alpha=alpha,
        power=config.power,
        resamples=config.resamples,
        primary=config.primary,
        baseline=config.baseline,
        control=config.control,
        verdict=verdict,
        comparisons=tuple(comparisons),
        variants=tuple(
            variant_scores(arms, name, _role(name, config), config.alpha, ledger) for name in predictions.variants
        ),
        controls=tuple(_controls(comparisons, config.controls)),
        by_replicate=tuple(by_replicate(predictions, *pair, clustered=sizes is not None)) if both else (),
        other_metrics=tuple(other_metrics(arms, *pair, config.alpha)) if both else (),
        factorial=_factorial(arms, config),
        by_label=by_label,
        slices=slices,
        distance=distance,
        curve=curve,
        worth=tuple(worths),
        study_labels=ledger.study(items.row_ids or predictions.item_ids) if ledger is not None else None,
        look=look,
        looks=config.looks,
        oracle_teacher=config.oracle_teacher,
        abstaining_teachers=config.abstaining_teachers,
        shipped=config.shipped,
        unanswered=tuple(part for part in config.unanswered if part.variant in predictions.variants),
    )


def _check(predictions: StudyPredictions, config: EvaluationConfig) -> None:
    if config.metric not in METRICS:
        raise DataError(f"evaluation: unknown metric {config.metric!r}; one of {', '.join(METRICS)}")
    predictions.predicted(config.baseline)
    if (config.design in BY_FOLD) != (predictions.folds is not None):
        folds = "without" if predictions.folds is None else "with"
        raise DataError(
            f"evaluation: design {config.design!r}, and predictions {folds} folds; "
            "cross-fitted studies, and only they, carry the fold of every prediction"
        )
    if predictions.folds is not None and predictions.folds.max() < 1:
        raise DataError("evaluation: a cross-fitted study needs at least 2 folds")


def _identical(predictions: StudyPredictions) -> bool:
    """Whether every replicate of every variant predicts the same."""
    return all(bool((predicted == predicted[0]).all()) for predicted in predictions.variants.values())


def _first_replicate(predictions: StudyPredictions) -> StudyPredictions:
    return replace(
        predictions,
        variants={name: predicted[:1] for name, predicted in predictions.variants.items()},
        probabilities={name: values[:1] for name, values in predictions.probabilities.items()},
    )


def _dependence(
    predictions: StudyPredictions, config: EvaluationConfig, items: TestItems, identical: bool
) -> tuple[EvaluationConfig, Dependence]:
    """What is not independent; a nested study whose replicates share most of their rows is judged as conditional."""
    clusters = None
    if items.clusters is not None:
        if len(items.clusters) != predictions.items:
            raise DataError(
                f"evaluation: {len(items.clusters)} cluster ids for {predictions.items} test items; give one for each"
            )
        ids = np.unique([str(name) for name in items.clusters], return_inverse=True)[1]
        clusters = ids if ids.max() + 1 < predictions.items else None
    overlap = config.overlap if config.design == "nested" else 0.0
    if overlap > MOST_OVERLAP:
        config, overlap = replace(config, design="conditional"), 0.0
    fixed = identical or (config.design == "models" and predictions.replicates == 1)
    return config, Dependence(clusters, overlap, config.training_share, fixed)


def _has_rare_label(predictions: StudyPredictions, config: EvaluationConfig, clusters: Array | None) -> bool:
    if not METRIC_TABLE[config.metric].labels_weigh_the_same:
        return False
    units = np.arange(predictions.items) if clusters is None else clusters
    return any(
        np.unique(units[predictions.y == label]).size < LEAST_LABEL_ROWS for label in range(predictions.n_labels)
    )


def _role(name: str, config: EvaluationConfig) -> Role:
    if name == config.primary:
        return "primary"
    if name == config.baseline:
        return "baseline"
    if name == config.control:
        return "control"
    return "curve" if name in config.curve else "secondary"


def _resample(arms: Arms, config: EvaluationConfig) -> Resampled | None:
    """The crossed bootstrap over all variants; None where replicates and items are not crossed, or one replicate is no
    sample of them.
    """
    study = arms.predictions
    if not arms.crossed or (study.replicates < 2 and not arms.dependence.fixed) or config.resamples < 1:
        return None
    return crossed_bootstrap(
        study.y,
        study.variants,
        study.n_labels,
        config.metric,
        resamples=config.resamples,
        seed=config.seed,
        clusters=arms.dependence.clusters,
    )


def _comparisons(
    arms: Arms, config: EvaluationConfig, resampled: Resampled | None, rare_label: bool
) -> list[Comparison]:
    present = arms.predictions.variants
    unreadable = set(present) if rare_label else {part.variant for part in config.unanswered}
    primary: list[Comparison] = []
    if config.primary in present:
        primary = [
            compare(
                arms,
                config.primary,
                other,
                "primary",
                config.alpha,
                config.margin,
                resampled,
                readable=not {config.primary, other} & unreadable,
            )
            for other in (config.baseline, config.control)
            if other is not None and other in present
        ]
    others = [name for name in present if _role(name, config) in ("control", "secondary")]
    each = arms.alpha_each(others, config.baseline, config.alpha, config.seed)
    return primary + [
        compare(
            arms,
            name,
            config.baseline,
            "secondary",
            each,
            config.margin,
            resampled,
            readable=not {name, config.baseline} & unreadable,
        )
        for name in others
    ]


def _verdict(arms: Arms, config: EvaluationConfig, comparisons: Sequence[Comparison], rare_label: bool) -> Verdict:
    present = arms.predictions.variants
    if config.primary not in present:
        return without_verdict("primary")
    least = 1 if arms.dependence.fixed or config.design == "models" else LEAST_REPLICATES
    rule = Rule(config.margin, config.alpha, config.power, config.control is not None, least)
    estimates, units = _estimates(arms, config), arms.parts[config.baseline].values.shape[1]
    verdict = conclude(estimates, arms.units, units, rule, crossed=arms.crossed, rare_label=rare_label)
    if verdict.outcome in ("helps", "just more steps", "no verdict"):
        return verdict
    contradicting = [
        comparison.variant
        for comparison in comparisons
        if comparison.variant in config.alternatives
        and comparison.reading == "better"
        and comparison.difference > config.margin
    ]
    return verdict.model_copy(update={"contradicted_by": tuple(contradicting)})


def _estimates(arms: Arms, config: EvaluationConfig) -> dict[str, Estimate]:
    """The differences that the verdict is read off, by what `conclude` calls them."""
    estimates = {"natural": arms.difference(config.primary, config.baseline)}
    if config.control is not None and config.control in arms.predictions.variants:
        estimates["repeated"] = arms.difference(config.primary, config.control)
        estimates["control"] = arms.difference(config.control, config.baseline)
    return estimates


def _look(config: EvaluationConfig, replicates: int) -> Look | None:
    """Which look of how many this is, and the level of its intervals."""
    if not config.plan:
        return None
    number = list(config.plan).index(replicates)
    level = look_levels(tuple(config.plan), config.alpha)[number]
    return Look(replicates=tuple(config.plan), number=number + 1, level=level)


def _chance(arms: Arms, config: EvaluationConfig, look: Look, alpha: float) -> float | None:
    if look.number == len(look.replicates):
        return None
    last = look_levels(look.replicates, alpha)[-1]
    units = arms.parts[config.baseline].values.shape[1]
    return chance_to_settle(_estimates(arms, config), arms.units, units, look.replicates[-1], last, config.margin)


def _controls(comparisons: Sequence[Comparison], expected: Mapping[str, str]) -> list[ControlCheck]:
    return [
        ControlCheck(
            variant=comparison.variant,
            expected=expected[comparison.variant],
            reading=comparison.reading,
            passed=(comparison.reading == "better") == (expected[comparison.variant] == "better"),
        )
        for comparison in comparisons
        if comparison.family == "secondary" and comparison.variant in expected
    ]


def _factorial(arms: Arms, config: EvaluationConfig) -> Factorial | None:
    cells = config.two_by_two
    names = {cells.natural_repeated, cells.balanced_repeated, cells.natural_new, cells.balanced_new}
    if not arms.crossed or not names <= set(arms.parts):
        return None
    return factorial(arms.parts, cells, config.alpha, config.seed, arms.dependence)


def _slices(
    predictions: StudyPredictions, config: EvaluationConfig, items: TestItems, dependence: Dependence
) -> tuple[SliceTable | None, SliceTable | None, DistanceGain | None]:
    if config.primary not in predictions.variants or config.design in BY_FOLD:
        return None, None, None
    names = (config.primary, config.baseline)
    masks = text_slices(items.texts, items.language_share) if items.texts is not None else {}
    for column, values in items.columns.items():
        masks |= column_slices(column, values)
    distances = items.distances
    return (
        compare_labels(predictions, *names, config.alpha, dependence),
        compare_slices(predictions, masks, *names, config.alpha, dependence) if masks else None,
        gain_by_distance(predictions, distances, *names, config.alpha, dependence) if distances is not None else None,
    )


def _worth(
    arms: Arms,
    config: EvaluationConfig,
    resampled: Resampled | None,
    ledger: LabelLedger | None,
    cost_usd: Mapping[str, float],
) -> tuple[LearningCurve | None, list[Worth]]:
    present = arms.predictions.variants
    if ledger is None or resampled is None:
        return None, []
    sizes = {name: ledger.budget(name).distinct for name in config.curve if name in present}
    sizes = {name: size for name, size in sizes.items() if size}
    if len(set(sizes.values())) < max(len(sizes), 2):
        return None, []
    curve = learning_curve(sizes, {name: float(arms.scores(name).mean()) for name in sizes})
    if arms.dependence.overlap > MOST_OVERLAP_OF_WORTH:
        return curve, []
    return curve, [
        worth(
            name,
            float(arms.scores(name).mean()),
            ledger.budget(name).distinct,
            curve,
            resampled,
            config.alpha,
            cost_usd.get(name),
        )
        for name in config.worth_of
        if name in present
    ]
