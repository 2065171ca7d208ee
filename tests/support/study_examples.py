"""A study made to break each of the numbered checks, and sound ones that break none."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from sentisynth_hub.metrics.classification import NO_ANSWER, Array
from sentisynth_hub.study.predictions import StudyPredictions
from sentisynth_hub.verdict.evaluate import EvaluationConfig, TestItems, evaluate_study
from sentisynth_hub.verdict.evaluation import Evaluation
from sentisynth_hub.verdict.label_budget import LabelLedger
from sentisynth_hub.verdict.study_checks import ShippedModel, StudyFacts
from tests.support.studies import made_study


CONFIG = EvaluationConfig(resamples=200, margin=0.03, shipped="mixed")
GAIN = {"natural": 0.6, "natural_repeated": 0.6, "mixed": 0.75, "shuffled_labels": 0.55}
MODEL = ShippedModel("mixed", labels=3, test_items=900, confidence=0.7, changed_answers=0, constant_label=None)


def judged(
    accuracies: Mapping[str, float] = GAIN,
    *,
    replicates: int = 8,
    items: int = 900,
    seed: int = 0,
    clusters: Sequence[object] | None = None,
    ledger: LabelLedger | None = None,
    change: Callable[[StudyPredictions], StudyPredictions] = lambda study: study,
    **config: Any,
) -> Evaluation:
    """The evaluation of a simulated study; `change` is done to its predictions first."""
    study = change(made_study(accuracies, replicates=replicates, items=items, seed=seed))
    return evaluate_study(study, replace(CONFIG, **config), test_items=TestItems(clusters=clusters), ledger=ledger)


def sound_study(seed: int) -> StudyFacts:
    """A study nothing can be said against: a gain, none, or a loss, its controls as they should be."""
    mixed = (0.75, 0.6, 0.5)[seed % 3]
    return StudyFacts(
        judged(GAIN | {"mixed": mixed}, seed=seed, shipped="mixed" if mixed > 0.55 else "natural"), MODEL
    )


def _much_validation() -> LabelLedger:
    ledger = LabelLedger()
    ledger.record("mixed", 0, "train", ["a"])
    ledger.record("mixed", 0, "validation", ["b", "c"])
    return ledger


def _same_every_time(study: StudyPredictions) -> StudyPredictions:
    return replace(
        study, variants={name: np.repeat(rows[:1], len(rows), axis=0) for name, rows in study.variants.items()}
    )


def _rare(study: StudyPredictions) -> StudyPredictions:
    """All but 12 rows of the last label are called by the first."""
    last = np.flatnonzero(study.y == 2)[12:]
    y = study.y.copy()
    y[last] = 0
    return replace(study, y=y)


def _silent(study: StudyPredictions) -> StudyPredictions:
    asked: Array = study.predicted("natural").copy()
    asked[:, ::5] = NO_ANSWER
    return replace(study, variants={**study.variants, "llm_classifier": asked})


BROKEN: dict[str, Callable[[], StudyFacts]] = {
    "SH101": lambda: StudyFacts(judged(oracle_teacher=4_000)),
    "SH102": lambda: StudyFacts(judged(ledger=_much_validation())),
    "SH103": lambda: StudyFacts(judged(clusters=[place // 3 for place in range(900)])),
    "SH104": lambda: StudyFacts(judged(overlap=0.3, items=1_800)),
    "SH105": lambda: StudyFacts(judged(looks=3)),
    "SH106": lambda: StudyFacts(judged(change=_rare)),
    "SH107": lambda: StudyFacts(judged(replicates=3)),
    "SH108": lambda: StudyFacts(judged({"natural": 0.6, "mixed": 0.75})),
    "SH109": lambda: StudyFacts(judged(design="conditional", change=_same_every_time)),
    "SH201": lambda: StudyFacts(judged(abstaining_teachers=2)),
    "SH301": lambda: StudyFacts(judged(GAIN | {"shuffled_labels": 0.75})),
    "SH302": lambda: StudyFacts(judged(GAIN | {"mixed": 0.62}, items=120, replicates=5)),
    "SH303": lambda: StudyFacts(judged(GAIN | {"mixed": 0.6, "unfiltered": 0.75})),
    "SH304": lambda: StudyFacts(judged(change=_silent)),
    "SH401": lambda: StudyFacts(judged(GAIN | {"synthetic": 0.5}, shipped="synthetic")),
    "SH402": lambda: StudyFacts(model=replace(MODEL, constant_label="neutral")),
    "SH403": lambda: StudyFacts(model=replace(MODEL, confidence=0.35)),
    "SH404": lambda: StudyFacts(model=replace(MODEL, changed_answers=4)),
}
"""By the check's number: what it fires on, other checks perhaps beside it."""
