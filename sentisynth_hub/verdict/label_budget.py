"""The label budget: every human label a variant used, anywhere, once each."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, get_args

from sentisynth_hub.verdict.evaluation_parts import LabelBudget, StudyLabels


Use = Literal["train", "teacher", "demonstrations", "threshold", "scorer", "validation", "zero_shot"]
"""What a human label was used for; `validation` covers early stopping and the choice of a budget or a
regularisation, `zero_shot` labels of other rows than the natural ones.
"""


_LEARNED_FROM: tuple[Use, ...] = ("train", "teacher", "demonstrations", "zero_shot")


@dataclass
class LabelLedger:
    """Who used which human label, by the id of the natural row.

    >>> ledger = LabelLedger()
    >>> ledger.record("mixed", 0, "train", ["a", "b"])
    >>> ledger.record("mixed", 0, "teacher", ["b", "c"])
    >>> ledger.budget("mixed").distinct
    3
    """

    machine: int = 0
    """Labels that models gave, in the whole study."""
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

    def budget(self, variant: str) -> LabelBudget:
        """Count the labels behind `variant`; all zero where nothing was recorded."""
        replicates = list(self._ids.get(variant, {}).values())
        uses = {use: max((len(by_use.get(use, ())) for by_use in replicates), default=0) for use in get_args(Use)}
        pooled = [set().union(*by_use.values()) for by_use in replicates]
        return LabelBudget(
            uses={str(use): count for use, count in uses.items()},
            distinct=max(map(len, pooled), default=0),
            study_distinct=len(set().union(*pooled)),
            oracle_validation=uses["validation"] > max(uses[use] for use in _LEARNED_FROM),
        )

    def study(self, test_ids: Iterable[str]) -> StudyLabels:
        """Count the labels behind the whole study, those of the test rows `test_ids` beside the ones it learned from.

        >>> ledger = LabelLedger()
        >>> ledger.record("natural", 0, "train", ["a", "b"])
        >>> ledger.study(["b", "t"])
        StudyLabels(used=2, test=2, total=3, machine=0)
        """
        by_variant = [by_use for replicates in self._ids.values() for by_use in replicates.values()]
        used = set().union(*(ids for by_use in by_variant for ids in by_use.values()))
        tested = set(test_ids)
        return StudyLabels(used=len(used), test=len(tested), total=len(used | tested), machine=self.machine)

    def overlap(self, variant: str) -> float:
        """Mean share of their labels that two replicates of `variant` have in common; 0 with one replicate."""
        replicates = [set().union(*by_use.values()) for by_use in self._ids.get(variant, {}).values()]
        pairs = [
            len(first & second) / max(len(first), len(second))
            for place, first in enumerate(replicates)
            for second in replicates[:place]
            if first and second
        ]
        return sum(pairs) / len(pairs) if pairs else 0.0
