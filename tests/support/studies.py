"""Small studies made up for the tests."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from sentisynth_hub.metrics.classification import NO_ANSWER
from sentisynth_hub.study.predictions import StudyPredictions, TrialPredictions, write_trials


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


def write_study(path: Path, study: StudyPredictions, replicates: Sequence[int] | None = None) -> None:
    """Write a study as its trials do; `replicates` are the numbers of its replicates, 0, 1, ... by default."""
    numbers = list(range(study.replicates)) if replicates is None else list(replicates)
    truth = [study.labels[label] for label in study.y]
    trials = [
        TrialPredictions(
            variant,
            number,
            study.item_ids,
            truth,
            [None if label == NO_ANSWER else study.labels[label] for label in predicted[place]],
            study.probabilities[variant][place].tolist() if variant in study.probabilities else None,
            study.folds[place].tolist() if study.folds is not None else None,
        )
        for variant, predicted in study.variants.items()
        for place, number in enumerate(numbers)
    ]
    write_trials(path, study.labels, trials)
