"""The rows a trial trains on, and what the folds have to know of each: which natural row it is or was made from."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from sentisynth_hub.core.rows import Row


@dataclass(frozen=True)
class Corpus:
    """The synthetic rows of one replicate.

    Attributes:
        kept: Rows that passed every filter.
        candidates: All parsed candidates that share no text with an evaluation row.
        judged: Rows the filters' teacher judged, those it dropped included; empty where no teacher is in the recipe.
        pseudo_labelled: Natural texts labelled by the generator's model.
        parents: Of the rows that were made from a natural one, that row by their `request_id`.
    """

    kept: Sequence[Row]
    candidates: Sequence[Row]
    judged: Sequence[Row] = ()
    pseudo_labelled: Sequence[Row] = ()
    parents: Mapping[str, Row] = field(default_factory=dict)


@dataclass(frozen=True)
class TrainingStage:
    """Rows trained on together.

    Attributes:
        rows: The rows.
        sources: For each, the natural row it is or was made from, or itself where it was made from none; a row is in
            the fold of its source.
        added: For each, whether it stands beside the natural rows, with the weight of added rows.
        dropped: For each, whether the filters' teacher dropped it: no student of all rows trains on it, but in a fold
            another teacher may keep it.
        share: Share of the trial's steps (fine-tuning).
        epochs: Passes over the rows instead of a share of the steps.
        learning_rate: Peak learning rate; None: the student's.
    """

    rows: Sequence[Row]
    sources: Sequence[Row]
    added: Sequence[bool]
    dropped: Sequence[bool] = ()
    share: float = 1.0
    epochs: float | None = None
    learning_rate: float | None = None

    @property
    def trained(self) -> list[Row]:
        """The rows without those that the filters' teacher dropped."""
        if not self.dropped:
            return list(self.rows)
        return [row for row, dropped in zip(self.rows, self.dropped, strict=True) if not dropped]


@dataclass(frozen=True)
class Option:
    """One way to train: a variant is one of them, or several of which its trial chooses one in the folds.

    Attributes:
        name: What the way is called; the variant of the same name trains in this way alone.
        stages: Trained one after the other.
        weights: Weights of an added row, in units of a natural one, of which the best in the folds is taken.
        teacher: What a head that learned from the natural rows at hand does to the added rows: `weighs` each by the
            probability of its label, `labels` those of which it is surest, `filters` as the recipe's teacher does.
            In a fold it has seen nothing of that fold: rows filtered by a teacher that knew the fold's labels would
            score too well there.
        rank: Of options as good as each other within a standard error one with the lowest rank is taken.
        own_folds: Whether the natural rows trained on are the ones that choose; False: they are of another kind than
            the replicate's (`zero_shot`), whose rows then choose.
        tuned: Whether SetFit tunes the encoder on these rows before it fits a head (`setfit_trial`).
    """

    name: str
    stages: tuple[TrainingStage, ...]
    weights: tuple[float, ...] = (1.0,)
    teacher: Literal["weighs", "labels", "filters"] | None = None
    rank: int = 0
    own_folds: bool = True
    tuned: bool = False
    _human: list[Row] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        rows = {
            row.id: row
            for stage in self.stages
            for row, added in zip(stage.rows, stage.added, strict=True)
            if not added
        }
        object.__setattr__(self, "_human", list(rows.values()))

    @property
    def rows(self) -> list[Row]:
        """What a student of all rows trains on, by stage; a row in several stages is there several times."""
        return [row for stage in self.stages for row in stage.trained]

    @property
    def human(self) -> list[Row]:
        """The rows whose human label it learns from, each text once, in their order."""
        return self._human

    @property
    def weighable(self) -> bool:
        """Whether a weight of added rows changes anything: they share a stage with natural ones."""
        return any(any(stage.added) and not all(stage.added) for stage in self.stages)

    def missing_labels(self, labels: Sequence[str]) -> tuple[str, ...]:
        """Labels without a row in the first stage; a head's own labels for `self_training` are no rows of a label."""
        there = {row.label for row in self.stages[0].trained} if self.stages else set()
        return tuple(label for label in labels if label not in there)


def one_stage(natural: Iterable[Row]) -> TrainingStage:
    """A stage of natural rows."""
    rows = list(natural)
    return TrainingStage(rows, rows, [False] * len(rows))


def mixed_with(
    natural: Iterable[Row],
    added: Iterable[Row],
    dropped: Iterable[Row] = (),
    parents: Mapping[str, Row] | None = None,
) -> TrainingStage:
    """A stage of natural rows and added ones, some of which the teacher dropped; `parents` as a `Corpus` has them."""
    rows, others, without = list(natural), list(added), list(dropped)
    everything = [*rows, *others, *without]
    added_flags = [False] * len(rows) + [True] * (len(others) + len(without))
    dropped_flags = [False] * (len(rows) + len(others)) + [True] * len(without)
    sources = [*rows, *((parents or {}).get(row.request_id, row) for row in [*others, *without])]
    return TrainingStage(everything, sources, added_flags, dropped_flags if without else ())


def derived(natural: Iterable[Row], pairs: Iterable[tuple[Row, Row]]) -> TrainingStage:
    """A stage of natural rows and changed copies of them, given as (copy, the row it was made from)."""
    rows, copies = list(natural), list(pairs)
    return TrainingStage(
        [*rows, *(copy for copy, _ in copies)],
        [*rows, *(source for _, source in copies)],
        [False] * len(rows) + [True] * len(copies),
    )
