"""When a simpler way is as good: the rule of one standard error (Breiman et al. 1984, section 3.4.3)."""

import numpy as np

from sentisynth_hub.pretrained.head import Array


def within_one_error(worse: Array) -> bool:
    """Whether paired differences in loss, simpler minus best, are in the mean no more than their standard error.

    Args:
        worse: One difference a row or a replicate, (units,). Of a single one nothing is known: it must not exceed 0.
    """
    error = float(worse.std(ddof=1) / np.sqrt(len(worse))) if len(worse) > 1 else 0.0
    return float(worse.mean()) <= error
