"""The scores of one variant, and the per-trial detail of a comparison."""

import numpy as np
from scipy.stats import binom

from sentisynth_hub.metrics.classification import (
    METRICS,
    NO_ANSWER,
    confusion_counts,
    f1_per_class,
    precision_per_class,
    recall_per_class,
)
from sentisynth_hub.verdict.evaluation import LabelScores, McNemar, Role, VariantScores
from sentisynth_hub.verdict.label_budget import LabelLedger
from sentisynth_hub.verdict.predictions import StudyPredictions
from sentisynth_hub.verdict.statistics.comparisons import Arms
from sentisynth_hub.verdict.statistics.crossed import clipped


def variant_scores(arms: Arms, name: str, role: Role, alpha: float, ledger: LabelLedger | None) -> VariantScores:
    """Mean, interval, every replicate's score, confusion and label budget of one variant."""
    study = arms.predictions
    predicted = study.predicted(name)
    counts = confusion_counts(study.y, predicted, study.n_labels)
    per_label = [measure(counts).mean(axis=0) for measure in (precision_per_class, recall_per_class, f1_per_class)]
    support = np.bincount(study.y, minlength=study.n_labels)
    labels: list[LabelScores] = [
        {"label": label, "precision": float(p), "recall": float(r), "f1": float(f), "items": int(count)}
        for label, p, r, f, count in zip(study.labels, *per_label, support, strict=True)
    ]
    scores = arms.scores(name)
    return {
        "name": name,
        "role": role,
        "mean": float(scores.mean()),
        "interval": clipped(arms.estimate({name: 1.0}).interval(alpha), (0.0, 1.0)),
        "replicate_scores": scores.tolist(),
        "replicate_sd": float(scores.std(ddof=1)) if scores.size > 1 else None,
        "metrics": {key: float(measure(counts).mean()) for key, measure in METRICS.items()},
        "labels": labels,
        "confusion": counts.sum(axis=0).tolist(),
        "no_answer": float((predicted == NO_ANSWER).mean()),
        "budget": ledger.budget(name) if ledger is not None else None,
    }


def mcnemar(study: StudyPredictions, variant: str, baseline: str) -> list[McNemar]:
    """McNemar's exact test of every replicate alone: it knows nothing of the next training run (Dietterich 1998)."""
    first, second = study.predicted(variant) == study.y, study.predicted(baseline) == study.y
    only_first, only_second = (first & ~second).sum(axis=1), (second & ~first).sum(axis=1)
    fewer, both = np.minimum(only_first, only_second), only_first + only_second
    p = np.minimum(1.0, 2 * binom.cdf(fewer, both, 0.5))
    return [
        {"replicate": place, "only_variant": int(one), "only_baseline": int(other), "p": float(value)}
        for place, (one, other, value) in enumerate(zip(only_first, only_second, p, strict=True))
    ]
