"""Likely label errors by confident learning (Northcutt et al. 2021) as cleanlab implements it.

The rows' own labels are cross-validated with a logistic regression on frozen features; no natural row takes part.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import Field

from sentisynth_hub.core.errors import InputError
from sentisynth_hub.core.random import rng
from sentisynth_hub.core.rows import Decision, Row
from sentisynth_hub.filter.candidate_features import CandidateFeatures
from sentisynth_hub.filter.contract import Filter, FilterContext
from sentisynth_hub.filter.teacher import label_numbers
from sentisynth_hub.natural.folds import deal_into_folds
from sentisynth_hub.pretrained.embeddings import unit
from sentisynth_hub.pretrained.head import Scaling, cross_validated
from sentisynth_hub.recipe.filter_section import Encoder
from sentisynth_hub.recipe.section import Section


class ConfidentLearningOptions(Section):
    """Drops likely label errors by confident learning (cleanlab, extra `cleanlab`)."""

    encoder: Encoder
    """On whose features label probabilities are cross-validated."""
    folds: int = Field(default=5, ge=2)
    """Folds of the cross-validation."""


@dataclass(frozen=True)
class ConfidentLearning(Filter):
    """Keeps rows that cleanlab does not hold for mislabelled.

    The score is cleanlab's label quality: the held-out probability of the row's label.
    """

    encoder: Encoder
    features: CandidateFeatures
    labels: Sequence[str]
    folds: int

    name = "confident_learning"
    score_name = "label_quality"
    reasons = {"label_issue": "cleanlab holds the label for an error"}
    options = ConfidentLearningOptions
    version = 2

    @classmethod
    def build(cls, options: ConfidentLearningOptions, context: FilterContext) -> "ConfidentLearning":
        """Take encoder and folds from the recipe."""
        return cls(options.encoder, context.features, context.recipe.labels, options.folds)

    def judge(self, rows: Sequence[Row]) -> list[Decision]:
        """One decision a row. With fewer than `folds` rows of a label there is nothing to cross-validate: all stay."""
        present = [label for label in self.labels if any(row.label == label for row in rows)]
        counts = Counter(row.label for row in rows)
        if len(present) < 2 or min(counts[label] for label in present) < self.folds:
            return [Decision(True)] * len(rows)
        y, features = label_numbers(rows, present), unit(self.features.of(rows, self.encoder))
        x = Scaling.of(features).apply(features)
        folds = deal_into_folds(rows, present, self.folds, rng("confident_learning"))
        probabilities = cross_validated(x, y, len(present), np.array([folds])).probabilities
        issues = _label_issues(y, probabilities)
        return [
            Decision(False, "label_issue", quality) if issue else Decision(True, None, quality)
            for issue, quality in zip(issues, map(float, probabilities[np.arange(len(y)), y]), strict=True)
        ]


def _label_issues(y: Any, probabilities: Any) -> Any:
    """cleanlab's verdict on each row, (rows,) bool."""
    try:
        from cleanlab.filter import find_label_issues
    except ImportError:
        raise InputError(
            "filter.confident_learning needs cleanlab; pip install 'sentisynth-hub[cleanlab]' or drop it"
        ) from None
    return find_label_issues(y, probabilities, n_jobs=1)
