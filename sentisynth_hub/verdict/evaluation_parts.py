"""What evaluation.json is made of: the parts a study's findings consist of, each a frozen record.

The whole and its reader are in `evaluation.py`.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


Name = Annotated[str, Field(max_length=500)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
Interval = tuple[float, float]

Design = Literal["nested", "conditional", "cross_fitted", "models", "models_by_fold"]
"""What a replicate is: a draw of natural rows with everything made from it; initialisation and order beside one
corpus; a repetition of all folds; or a run (a repetition of all folds) of models that somebody else trained.
"""
BY_FOLD: frozenset[Design] = frozenset(("cross_fitted", "models_by_fold"))
"""Designs in which every fold has a model of its own."""
Role = Literal["primary", "baseline", "control", "curve", "secondary"]
Reading = Literal["better", "worse", "no difference that matters", "undecided", "no verdict"]
Outcome = Literal["helps", "just more steps", "hurts", "no difference that matters", "too small to tell", "no verdict"]
Missing = Literal["primary", "control", "replicates", "rare label"]
"""Why there is no verdict: a variant was not run, too few replicates, or too few test rows of a label."""
Censored = Literal["more than the pool", "less than the smallest"]


class Record(BaseModel):
    """A part of evaluation.json: frozen, with no key that is not declared and no number that is not finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class LabelBudget(Record):
    """Human labels behind one variant.

    Attributes:
        uses: Distinct labels by use, in the replicate that used most.
        distinct: Distinct labels over all uses in one replicate (the largest); a label used twice counts once.
        study_distinct: The same over all replicates.
        oracle_validation: More labels for validation than for anything the rows or the student learned from, so the
            scores are better than a user with this training budget would see.
    """

    uses: dict[Name, Count]
    distinct: Count
    study_distinct: Count
    oracle_validation: bool


class StudyLabels(Record):
    """Human labels of the whole study, each counted once.

    Attributes:
        used: Distinct labels any variant used in any replicate, for whatever purpose but testing.
        test: Distinct labels the variants were tested with.
        total: Both together; less than their sum when rows were tested in one fold and used in another.
        machine: Labels that models gave: a judge of the filters', the generator's. None of them is a human's.
    """

    used: Count
    test: Count
    total: Count
    machine: Count = 0


class Remedy(Record):
    """What would bring the minimum detectable effect down to the margin.

    Attributes:
        by: "nothing" (it is there already), "replicates", "test items" (more replicates alone never would), or "both"
            (neither alone would).
        replicates: How many with the same test items; None where no number is enough.
        items: Likewise for test items (clusters, where test rows come in clusters).
    """

    by: Literal["nothing", "replicates", "test items", "both"]
    replicates: Count | None
    items: Count | None


class Verdict(Record):
    """The verdict with everything needed to doubt it.

    Attributes:
        outcome: Read off the intervals of the primary comparisons.
        missing: Why there is no verdict; None where there is one.
        inside_margin: The interval against the baseline lies within ±margin, so that *helps* may be real and still not
            matter.
        minimum_detectable_effect: Smallest true gain over baseline and control that *helps* would be said of with the
            power asked for; None without a standard error.
        remedy: What would bring that down to the margin; None when cross-fitting.
        contradicted_by: Variants with the same natural and synthetic rows, put to use in another way, that are better
            than the baseline by more than the margin while the verdict is not *helps*.
    """

    outcome: Outcome
    missing: Missing | None = None
    inside_margin: bool = False
    minimum_detectable_effect: float | None = None
    remedy: Remedy | None = None
    contradicted_by: tuple[Name, ...] = ()


class Look(Record):
    """Where a study stands that may look again with more replicates.

    Attributes:
        replicates: At each look, as the recipe fixed them.
        number: Which look this is, from 1.
        level: What each interval of this look was given of the study's alpha; those of all looks hold together.
        chance: Of a verdict at the last look, if replicates go on as they do; None where there is one already, or
            no further look.
    """

    replicates: tuple[Count, ...]
    number: Annotated[int, Field(ge=1)]
    level: Share
    chance: Share | None = None


class Unanswered(Record):
    """A variant that was asked for labels and named too few: its comparisons have no reading."""

    variant: Name
    missing: Count
    questions: Count


class BootstrapCheck(Record):
    """The same difference by the crossed bootstrap; `agrees`: both intervals leave out 0, or neither does."""

    interval: Interval
    p: Share
    agrees: bool


class RowGains(Record):
    """Test rows that the variant gets right in more replicates than the baseline does, and in fewer."""

    better: Count
    worse: Count
    rows: Count


class Comparison(Record):
    """One difference `variant − baseline` on the study's metric.

    Attributes:
        family: `primary` carries the verdict; the intervals of all `secondary` ones hold together.
        alpha: Level of this interval, and what `p` is to be held against.
        parts: Variances: replicate (residual included), item, residual.
        reading: Follows from the interval alone.
        counts: The same in rows.
    """

    variant: Name
    baseline: Name
    family: Literal["primary", "secondary"]
    difference: float
    interval: Interval | None
    alpha: Share
    p: Share | None
    standard_error: float | None
    parts: dict[Name, float]
    reading: Reading
    counts: RowGains
    bootstrap: BootstrapCheck | None


class LabelScores(Record):
    """Precision, recall and F1 of one label, means over replicates, and its test items."""

    label: Name
    precision: Share
    recall: Share
    f1: Share
    items: Count


class VariantScores(Record):
    """One variant.

    Attributes:
        mean: Of the study's metric, with its interval.
        replicate_scores: The metric of each replicate.
        replicate_sd: Their standard deviation; None with one.
        metrics: Means of all metrics the predictions allow (`metrics/metric_table.py`).
        confusion: Counts summed over replicates, true × predicted, last column no answer.
        no_answer: Share of items without an answer.
        budget: Human labels behind it, where the study kept count.
    """

    name: Name
    role: Role
    mean: float
    interval: Interval | None
    replicate_scores: tuple[float, ...]
    replicate_sd: float | None
    metrics: dict[Name, float]
    labels: tuple[LabelScores, ...]
    confusion: tuple[tuple[Count, ...], ...]
    no_answer: Share
    budget: LabelBudget | None


class ControlCheck(Record):
    """Whether a control behaves: `shuffled_labels` must not be better than natural, `extra_natural` must be."""

    variant: Name
    expected: Name
    reading: Reading
    passed: bool


class ReplicateCounts(Record):
    """One replicate, a detail: rows only the variant got right, rows only the baseline did, and McNemar's exact p.

    `p` is None where test rows come in clusters, which the test knows nothing of.
    """

    replicate: Count
    only_variant: Count
    only_baseline: Count
    p: Share | None


class MetricDifference(Record):
    """The primary variant against the baseline on another metric, secondary: `difference`, its interval at `alpha`."""

    metric: Name
    lower_is_better: bool
    difference: float
    interval: Interval | None
    alpha: Share


class Effect(Record):
    """One effect of the two by two with its simultaneous interval."""

    name: Name
    value: float
    interval: Interval | None
    p: Share | None


class Factorial(Record):
    """Cell means by variant, the three effects, and the level each interval was given so that all three hold."""

    cells: dict[Name, float]
    effects: tuple[Effect, ...]
    alpha_each: Share


class SliceDelta(Record):
    """One slice: its items, both scores and their difference; no interval where items or replicates are too few."""

    name: Name
    items: Count
    baseline_score: float
    variant_score: float
    difference: float
    interval: Interval | None

    @property
    def reading(self) -> Literal["better", "worse", "undecided", "too few rows"]:
        """What the interval says."""
        if self.interval is None:
            return "too few rows"
        return "better" if self.interval[0] > 0 else "worse" if self.interval[1] < 0 else "undecided"


class SliceTable(Record):
    """Differences over a family of slices; `alpha_each` is the level of every interval."""

    metric: Name
    rows: tuple[SliceDelta, ...]
    alpha_each: Share

    @property
    def skipped(self) -> list[SliceDelta]:
        """Slices that were counted but not compared."""
        return [row for row in self.rows if row.interval is None]


class DistanceGain(Record):
    """Gain by distance: four bins of equal counts, and the change of the gain in accuracy for one standard deviation
    more distance.
    """

    bins: SliceTable
    slope: float
    slope_interval: Interval | None
    slope_p: Share | None


class LearningCurve(Record):
    """The natural curve: distinct human labels, mean score, and the monotone fit, point by point."""

    variants: tuple[Name, ...]
    labels: tuple[Count, ...]
    scores: tuple[float, ...]
    fitted: tuple[float, ...]


class Worth(Record):
    """What a variant's score would have cost in human labels.

    Attributes:
        labels: Human labels at which natural reaches the score (a bound where `censored` says so).
        interval: Percentile interval of the crossed bootstrap; `interval_censored` says at which end it ran out.
        used: Human labels the variant itself used.
        saved: labels − used.
        cost_usd: What its synthetic rows cost, where known.
    """

    variant: Name
    labels: float
    censored: Censored | None
    interval: Interval
    interval_censored: tuple[Censored | None, Censored | None]
    used: Count
    saved: float
    saved_interval: Interval
    cost_usd: float | None
