"""Seeded randomness that is the same on every machine, and whole shares of a whole."""

from collections.abc import Mapping
from typing import Any

from sentisynth_hub.core.text import digest


def rng(*parts: object) -> Any:
    """A numpy generator that follows from `parts` alone (seed, replicate, purpose), on every machine alike."""
    import numpy as np

    return np.random.default_rng(int(digest([repr(part) for part in parts])[:16], 16))


def allot(total: int, shares: Mapping[str, float]) -> dict[str, int]:
    """Split `total` by `shares` into whole numbers that sum to it, by largest remainders (Hamilton's method); of equal
    remainders the one named first is rounded up.

    >>> allot(100, {"negative": 0.95, "positive": 0.05})
    {'negative': 95, 'positive': 5}
    """
    weight = sum(shares.values())
    # Rounded before it is cut, since 100 · 0.29 is 28.999999999999996: every machine must cut the same number.
    exact = {name: round(total * share / weight, 9) for name, share in shares.items()}
    counts = {name: int(number) for name, number in exact.items()}
    by_remainder = sorted(exact, key=lambda name: counts[name] - exact[name])
    for name in by_remainder[: total - sum(counts.values())]:
        counts[name] += 1
    return counts
