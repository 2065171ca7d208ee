"""Which rows are to blame: the primary variant trained again without one group of its synthetic rows at a time.

A group is a prompt, an attribute or a generator; the variant `mixed_without_<group>` is `mixed` without its rows. If
leaving a group out makes the student better, that group is to blame. Leaving rows out also leaves training data out,
so a group that merely adds nothing shows no difference; only rows that do harm show up.
"""

from typing import Literal, TypedDict

from sentisynth_hub.evaluation.comparisons import Arms, Reading, read


Guilt = Literal["to blame", "pays its way", "no difference that matters", "undecided", "no verdict"]


class Blame(TypedDict):
    """What leaving out one group does: the difference without − with, its interval (all groups' hold together), and
    the reading.
    """

    group: str
    variant: str
    difference: float
    interval: tuple[float, float] | None
    alpha: float
    reading: Guilt


READINGS: dict[Reading, Guilt] = {
    "better": "to blame",
    "worse": "pays its way",
    "no difference that matters": "no difference that matters",
    "undecided": "undecided",
    "no verdict": "no verdict",
}


def is_without(name: str, primary: str) -> bool:
    """Whether variant `name` is `primary` without a group."""
    return name.startswith(f"{primary}_without_")


def blame(arms: Arms, primary: str, alpha: float, margin: float, seed: int) -> list[Blame]:
    """Compare every `<primary>_without_<group>` with `primary`; the group that harms most comes first."""
    names = [name for name in arms.predictions.variants if is_without(name, primary)]
    if not names or primary not in arms.predictions.variants:
        return []
    each = arms.alpha_each(names, primary, alpha, seed)
    found: list[Blame] = []
    for name in names:
        estimate = arms.difference(name, primary)
        interval = estimate.interval(each)
        found.append(
            {
                "group": name.removeprefix(f"{primary}_without_"),
                "variant": name,
                "difference": estimate.value,
                "interval": interval,
                "alpha": each,
                "reading": READINGS[read(interval, margin)],
            }
        )
    return sorted(found, key=lambda one: -one["difference"])
