"""Likely label errors by confident learning (Northcutt et al. 2021) as cleanlab implements it. Reason: `label_issue`.

The rows' own labels are cross-validated with a logistic regression on frozen features; no natural row takes part. The
score is cleanlab's label quality: the held-out probability of the row's label.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sentisynth_hub.core.errors import InputError
from sentisynth_hub.core.rows import Decision, Row
from sentisynth_hub.filter.candidate_features import Features
from sentisynth_hub.filter.teacher import label_numbers
from sentisynth_hub.recipe.filter_section import Encoder


@dataclass(frozen=True)
class ConfidentLearning:
    """Keeps rows that cleanlab does not hold for mislabelled."""

    encoder: Encoder
    features: Features
    labels: Sequence[str]
    folds: int
    facts: Mapping[str, Any] = field(default_factory=dict)
    name: str = "confident_learning"
    score_name: str = "label_quality"

    def judge(self, rows: Sequence[Row]) -> list[Decision]:
        """One decision a row. With fewer than `folds` rows of a label there is nothing to cross-validate: all stay."""
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import StratifiedKFold, cross_val_predict
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

        y = label_numbers(rows, self.labels)
        present, y = np.unique(y, return_inverse=True)
        if len(present) < 2 or np.bincount(y).min() < self.folds:
            return [Decision(True)] * len(rows)
        features = self.features.of(rows, self.encoder).astype(np.float64)
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))
        folds = StratifiedKFold(self.folds, shuffle=True, random_state=0)
        with threadpool_limits(1):
            probabilities = cross_val_predict(model, features, y, cv=folds, method="predict_proba")
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
