"""Small studies made up for the tests."""

from collections.abc import Mapping

import numpy as np

from sentisynth_hub.verdict.predictions import StudyPredictions


def made_study(
    accuracies: Mapping[str, float], *, replicates: int = 6, items: int = 300, labels: int = 3, seed: int = 0
) -> StudyPredictions:
    """A study whose variants are right with the given probabilities; half of an item's luck is shared."""
    rng = np.random.default_rng(seed)
    y = rng.integers(labels, size=items)
    wrong = (y + rng.integers(1, labels, size=items)) % labels
    hard = rng.standard_normal(items)
    variants = {}
    for name, accuracy in accuracies.items():
        latent = np.quantile(rng.standard_normal(20_000), accuracy) * np.sqrt(2)
        variants[name] = np.where(latent + hard + rng.standard_normal((replicates, items)) > 0, y, wrong)
    names = tuple(f"label {place}" for place in range(labels))
    return StudyPredictions(names, tuple(f"item-{place}" for place in range(items)), y, variants)
