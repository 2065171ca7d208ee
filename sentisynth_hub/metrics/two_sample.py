"""Can a classifier tell two samples apart? (Lopez-Paz & Oquab 2017, cross-validated.)"""

from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt


class TwoSample(TypedDict):
    """`accuracy` over held-out rows (0.5: cannot be told apart), its one-sided p-value against 0.5, rows a side; None
    where there are too few rows to cross-validate."""

    accuracy: float | None
    p_value: float | None
    rows: int


def classifier_two_sample(
    first: npt.NDArray[Any], other: npt.NDArray[Any], *, folds: int = 5, seed: int = 0
) -> TwoSample:
    """Cross-validate a logistic regression that tells features `one` (n, d) from `other` (m, d), at equal sizes.

    The larger sample is cut to the size of the smaller. The accuracy's null distribution is the normal of Lopez-Paz &
    Oquab (2017, sec. 3): N(1/2, 1/(4 · held-out rows)); held-out rows of different folds are taken as independent.
    """
    from scipy.stats import norm
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    random = np.random.default_rng(seed)
    rows = min(len(first), len(other))
    if rows < folds:
        return {"accuracy": None, "p_value": None, "rows": rows}
    halves = [sample[random.permutation(len(sample))[:rows]].astype(np.float64) for sample in (first, other)]
    x, y = np.concatenate(halves), np.repeat([0, 1], rows)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))
    with threadpool_limits(1):
        predicted = cross_val_predict(model, x, y, cv=StratifiedKFold(folds, shuffle=True, random_state=seed))
    accuracy = float((predicted == y).mean())
    return {"accuracy": accuracy, "p_value": float(norm.sf((accuracy - 0.5) * 2 * np.sqrt(2 * rows))), "rows": rows}
