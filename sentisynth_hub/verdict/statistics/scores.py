"""The scores of one variant, and the per-trial detail of a comparison."""

import numpy as np
from scipy.special import bdtr

from sentisynth_hub.metrics.classification import (
    NO_ANSWER,
    Array,
    confusion_counts,
    f1_per_class,
    precision_per_class,
    recall_per_class,
)
from sentisynth_hub.metrics.metric_table import METRIC_TABLE, MetricDefinition
from sentisynth_hub.study.predictions import StudyPredictions
from sentisynth_hub.verdict.evaluation_parts import LabelScores, MetricDifference, ReplicateCounts, Role, VariantScores
from sentisynth_hub.verdict.label_budget import LabelLedger
from sentisynth_hub.verdict.statistics.comparisons import Arms
from sentisynth_hub.verdict.statistics.crossed import PseudoValues, by_cluster, clipped, pseudo_values


def variant_scores(arms: Arms, name: str, role: Role, alpha: float, ledger: LabelLedger | None) -> VariantScores:
    """Mean, interval, every replicate's score, confusion and label budget of one variant."""
    study = arms.predictions
    predicted = study.predicted(name)
    counts = confusion_counts(study.y, predicted, study.n_labels)
    per_label = [measure(counts).mean(axis=0) for measure in (precision_per_class, recall_per_class, f1_per_class)]
    support = np.bincount(study.y, minlength=study.n_labels)
    labels = tuple(
        LabelScores(label=label, precision=float(p), recall=float(r), f1=float(f), items=int(count))
        for label, p, r, f, count in zip(study.labels, *per_label, support, strict=True)
    )
    scores = arms.scores(name)
    return VariantScores(
        name=name,
        role=role,
        mean=float(scores.mean()),
        interval=clipped(arms.estimate({name: 1.0}).interval(alpha), (0.0, 1.0)),
        replicate_scores=tuple(scores.tolist()),
        replicate_sd=float(scores.std(ddof=1)) if scores.size > 1 else None,
        metrics=_all_metrics(study, name, counts),
        labels=labels,
        confusion=tuple(map(tuple, counts.sum(axis=0).tolist())),
        no_answer=float((predicted == NO_ANSWER).mean()),
        budget=ledger.budget(name) if ledger is not None else None,
    )


def other_metrics(arms: Arms, variant: str, baseline: str, alpha: float) -> list[MetricDifference]:
    """`variant` − `baseline` on every other metric the predictions allow; their intervals hold together."""
    study = arms.predictions
    pairs: list[tuple[MetricDefinition, dict[str, PseudoValues]]] = []
    for metric in METRIC_TABLE.values():
        if metric.name == arms.metric or not arms.crossed:
            continue
        parts = {name: metric_parts(study, name, metric, arms.dependence.clusters) for name in (variant, baseline)}
        complete = {name: part for name, part in parts.items() if part is not None}
        if len(complete) == 2:
            pairs.append((metric, complete))
    each = alpha / max(len(pairs), 1)
    differences = []
    for metric, complete in pairs:
        first, second = complete[variant], complete[baseline]
        value = float((first.scores - second.scores).mean())
        estimate = arms.dependence.estimate(first.values - second.values, value, max(first.one_item, second.one_item))
        differences.append(
            MetricDifference(
                metric=metric.name,
                lower_is_better=metric.lower_is_better,
                difference=estimate.value,
                interval=estimate.interval(each),
                alpha=each,
            )
        )
    return differences


def metric_parts(
    study: StudyPredictions, name: str, metric: MetricDefinition, clusters: Array | None
) -> PseudoValues | None:
    """Any metric of a variant, taken apart by replicate and item; None where it needs probabilities it has not got."""
    if metric.of_counts is not None:
        return pseudo_values(study.y, study.predicted(name), study.n_labels, metric.of_counts, clusters)
    if metric.of_probabilities is None or name not in study.probabilities:
        return None
    values = metric.of_probabilities(study.y, study.probabilities[name])
    spread = float(np.abs(values - np.median(values)).mean())  # what an item moves, in place of one hit turned a miss
    return PseudoValues(values.mean(axis=1), by_cluster(values, clusters), spread)


def _all_metrics(study: StudyPredictions, name: str, counts: Array) -> dict[str, float]:
    means = {}
    for metric in METRIC_TABLE.values():
        if metric.of_counts is not None:
            means[metric.name] = float(metric.of_counts(counts).mean())
        elif metric.of_probabilities is not None and name in study.probabilities:
            means[metric.name] = float(metric.of_probabilities(study.y, study.probabilities[name]).mean())
    return means


def by_replicate(study: StudyPredictions, variant: str, baseline: str, *, clustered: bool) -> list[ReplicateCounts]:
    """Discordant rows of every replicate, with McNemar's exact test: it knows nothing of the next training run
    (Dietterich 1998), nor of rows that belong together.
    """
    first, second = study.predicted(variant) == study.y, study.predicted(baseline) == study.y
    only_first, only_second = (first & ~second).sum(axis=1), (second & ~first).sum(axis=1)
    fewer, both = np.minimum(only_first, only_second), only_first + only_second
    p = np.minimum(1.0, 2 * bdtr(fewer, both, 0.5))
    return [
        ReplicateCounts(
            replicate=place, only_variant=int(gained), only_baseline=int(lost), p=None if clustered else float(value)
        )
        for place, (gained, lost, value) in enumerate(zip(only_first, only_second, p, strict=True))
    ]
