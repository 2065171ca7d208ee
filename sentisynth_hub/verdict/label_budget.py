"""The label budget: every human label a variant used, anywhere, once each."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, TypedDict, get_args


Use = Literal["train", "teacher", "demonstrations", "threshold", "scorer", "validation", "zero_shot"]
"""What a human label was used for; `validation` covers early stopping and the choice of a budget or a
regularisation, `zero_shot` labels of other rows than the natural ones.
"""


_LEARNED_FROM: tuple[Use, ...] = ("train", "teacher", "demonstrations", "zero_shot")


class Budget(TypedDict):
    """Human labels behind one variant.

    `uses`: distinct labels by use, in the replicate that used most. `distinct`: distinct labels over all uses in one
    replicate (the largest); a label used twice counts once. `study_distinct`: over all replicates.
    `oracle_validation`: more labels for validation than for anything the rows or the student
    learned from, so the scores are better than a user with this
    training budget would see.
    """

    uses: dict[str, int]
    distinct: int
    study_distinct: int
    oracle_validation: bool


@dataclass
class LabelLedger:
    """Who used which human label, by the id of the natural row.

    >>> ledger = LabelLedger()
    >>> ledger.record("mixed", 0, "train", ["a", "b"])
    >>> ledger.record("mixed", 0, "teacher", ["b", "c"])
    >>> ledger.budget("mixed")["distinct"]
    3
    """

    _ids: dict[str, dict[int, dict[Use, set[str]]]] = field(default_factory=dict, init=False)

    def record(self, variant: str, replicate: int, use: Use, ids: Iterable[str]) -> None:
        """Note that `variant` used the labels of the rows `ids` in `replicate`; the same ids again change nothing."""
        if use not in get_args(Use):
            raise ValueError(f"label ledger: unknown use {use!r}; one of {', '.join(get_args(Use))}")
        self._ids.setdefault(variant, {}).setdefault(replicate, {}).setdefault(use, set()).update(ids)

    @property
    def variants(self) -> list[str]:
        """Variants that used any label, in the order they were first recorded."""
        return list(self._ids)

    def budget(self, variant: str) -> Budget:
        """Count the labels behind `variant`; all zero where nothing was recorded."""
        replicates = list(self._ids.get(variant, {}).values())
        uses = {use: max((len(by_use.get(use, ())) for by_use in replicates), default=0) for use in get_args(Use)}
        pooled = [set().union(*by_use.values()) for by_use in replicates]
        return {
            "uses": uses,
            "distinct": max(map(len, pooled), default=0),
            "study_distinct": len(set().union(*pooled)),
            "oracle_validation": uses["validation"] > max(uses[use] for use in _LEARNED_FROM),
        }
