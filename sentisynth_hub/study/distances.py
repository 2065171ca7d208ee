"""How far each test item lies from the nearest natural training row: where synthetic rows can add coverage, and where
they cannot.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from sentisynth_hub.pretrained.embeddings import unit
from sentisynth_hub.study.features import Features
from sentisynth_hub.study.trial import Trial


def nearest_natural(trial: Trial, features: Features) -> npt.NDArray[Any]:
    """Cosine distance (0 to 2) of each test item to the nearest natural training row of the trial's replicate,
    (items,) float32.
    """
    test, natural = (unit(features.of(rows)) for rows in (trial.test, trial.natural))
    return np.asarray(1 - (test @ natural.T).max(1), dtype=np.float32)
