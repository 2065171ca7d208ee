"""evaluation.json: what a study found, as data. Whoever shows it renders the words from it (`evaluation_text.py`).

    evaluation = read_evaluation(folder / "evaluation.json")
    evaluation.verdict.outcome, evaluation.comparisons[0].interval

It holds no clock, no duration, no path and no sentence. A file that does not fit is refused in one line: evaluations
come from run folders and from published repositories, so they are read as anyone's input.
"""

import json
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from sentisynth_hub.core.errors import DataError
from sentisynth_hub.recipe.study_section import Metric


LAYOUT = 2
MOST_BYTES = 64_000_000
"""A larger evaluation.json is not one of ours."""
LEAST_REPLICATES = 5
"""Fewer replicates give numbers but no verdict."""
LEAST_CHANCE = 0.1
"""A further look that is less probable to settle the verdict is not taken."""
LEAST_LABEL_ROWS = 10
"""Fewer test rows of a label give no verdict on a metric in which every label weighs the same: with at
most two rows its 95 % intervals miss a gain in that label in 16 % of simulated studies (docs/results/dependence.md).
"""

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


class Looks(Record):
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
        metrics: Means of all metrics the predictions allow (`metrics/table.py`).
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


class Evaluation(Record):
    """evaluation.json.

    Everything but `verdict` and the comparisons of family `primary` is secondary: it explains, and proves nothing
    alone.

    Attributes:
        layout: Version of this file's layout.
        metric: What the verdict is about.
        design: What a replicate is.
        replicates: Replicates of the study, as run.
        shared_corpus: Nested design: all replicates have one corpus, whose writer saw none of their labels.
        identical: All replicates predict the same (a head on one natural sample), so they count as one.
        overlap: Mean share of their natural rows that two replicates have in common.
        items: Test rows.
        clusters: Groups of test rows that belong together, single rows included; None where each row stands alone.
        largest_cluster: Rows of the largest; 1 where each stands alone.
        labels: Label names; `label_items` their test rows.
        margin: Smallest difference that matters to the user.
        alpha: Rate of false verdicts allowed.
        power: Of the minimum detectable effect.
        resamples: Of the crossed bootstrap.
        primary: The variant the verdict is about.
        baseline: What it is compared with.
        control: The baseline's rows for as many steps; None where the question has no such control.
        verdict: What comes out.
        comparisons: All differences, the primary ones first.
        variants: Scores of every variant.
        controls: Whether the controls behave.
        by_replicate: Discordant rows, replicate by replicate.
        other_metrics: The primary difference on the other metrics.
        factorial: Imbalance or coverage, where all four variants were run.
        by_label, slices, distance: Where the primary variant gains and loses.
        curve, worth: The natural learning curve and what variants are worth on it.
        study_labels: Human labels of the whole study, where it kept count.
        look: Which look of how many this is; None where there is one.
        looks: How often these test rows have been looked at, this time included, where that is known.
        oracle_teacher: Labels the filters' teacher learned from where it saw all natural training rows; 0: it did not.
        abstaining_teachers: Replicates in which the filters' teacher knew no more than a guess and dropped nothing.
        shipped: The variant that ships, chosen before a test row was read.
        unanswered: Variants of which nothing is claimed, since the model asked named too few labels.
    """

    layout: Literal[2] = 2
    metric: Metric
    design: Design
    replicates: Annotated[int, Field(ge=1)]
    shared_corpus: bool = False
    identical: bool = False
    overlap: Share = 0.0
    items: Annotated[int, Field(ge=1)]
    clusters: Count | None = None
    largest_cluster: Count = 1
    labels: tuple[Name, ...]
    label_items: tuple[Count, ...]
    margin: Annotated[float, Field(ge=0)]
    alpha: Share
    power: Share
    resamples: Count
    primary: Name
    baseline: Name
    control: Name | None
    verdict: Verdict
    comparisons: tuple[Comparison, ...]
    variants: tuple[VariantScores, ...]
    controls: tuple[ControlCheck, ...] = ()
    by_replicate: tuple[ReplicateCounts, ...] = ()
    other_metrics: tuple[MetricDifference, ...] = ()
    factorial: Factorial | None = None
    by_label: SliceTable | None = None
    slices: SliceTable | None = None
    distance: DistanceGain | None = None
    curve: LearningCurve | None = None
    worth: tuple[Worth, ...] = ()
    study_labels: StudyLabels | None = None
    look: Looks | None = None
    looks: Count | None = None
    oracle_teacher: Count = 0
    abstaining_teachers: Count = 0
    shipped: Name | None = None
    unanswered: tuple[Unanswered, ...] = ()

    FILE: ClassVar[str] = "evaluation.json"

    @model_validator(mode="after")
    def _parts_fit(self) -> "Evaluation":
        if len(self.labels) != len(self.label_items):
            raise ValueError("labels and label_items differ in length")
        names = [variant.name for variant in self.variants]
        if len(set(names)) != len(names):
            raise ValueError("a variant is there twice")
        unknown = {name for pair in self.comparisons for name in (pair.variant, pair.baseline)} - set(names)
        if unknown:
            raise ValueError(f"comparisons name variants that are not there: {', '.join(sorted(unknown))}")
        return self

    @property
    def of_models(self) -> bool:
        """Whether this is about models that somebody else trained, and not about a study of synthetic rows."""
        return self.design in ("models", "models_by_fold")

    @property
    def next_look(self) -> int | None:
        """Replicates of the look that may still settle the verdict; None where it is settled, or hardly can be."""
        looks, missing = self.look, self.verdict.missing
        if looks is None or looks.number == len(looks.replicates):
            return None
        hopeful = looks.chance is not None and looks.chance >= LEAST_CHANCE
        return looks.replicates[looks.number] if hopeful or missing == "replicates" else None

    def variant(self, name: str) -> VariantScores | None:
        """Scores of a variant; None where it was not run."""
        return next((variant for variant in self.variants if variant.name == name), None)

    def against(self, variant: str, baseline: str) -> Comparison | None:
        """One comparison; None where it was not made."""
        pairs = (pair for pair in self.comparisons if (pair.variant, pair.baseline) == (variant, baseline))
        return next(pairs, None)

    def first_comparisons(self) -> list[Comparison]:
        """Each variant's comparison with the baseline, in the order of the variants."""
        pairs = (self.against(variant.name, self.baseline) for variant in self.variants)
        return [comparison for comparison in pairs if comparison is not None]

    def record(self) -> dict[str, Any]:
        """The content of evaluation.json, JSON-ready."""
        return self.model_dump(mode="json")


def read_evaluation(path: Path) -> Evaluation:
    """Read evaluation.json.

    Raises:
        DataError: No such file, or its content is no evaluation of this layout.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file; run `sentisynth study` on the recipe")
    if path.stat().st_size > MOST_BYTES:
        raise DataError(f"{path}: larger than {MOST_BYTES:,} bytes; it is no evaluation of a study")
    return _parse(path.read_bytes(), str(path))


def parse_evaluation(record: object, where: str = "evaluation") -> Evaluation:
    """The evaluation in a JSON value that was read elsewhere, e.g. in a published manifest.

    Raises:
        DataError: It is no evaluation of this layout.
    """
    return _parse(json.dumps(record).encode("utf-8"), where)


def _parse(content: bytes, where: str) -> Evaluation:
    try:
        return Evaluation.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        if b'"schema"' in content and first["loc"] != ("layout",) and b'"layout"' not in content:
            raise DataError(
                f"{where}: written in layout 1 by an older version, this one reads {LAYOUT}; run the study again"
            ) from None
        raise DataError(f"{where}: {place[:200]}: {first['msg']}; run the study again") from None
    except RecursionError:
        raise DataError(f"{where}: nested too deeply to be an evaluation; run the study again") from None
