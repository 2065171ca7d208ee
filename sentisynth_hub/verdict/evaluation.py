"""The shape of `evaluation.json`, key by key; it holds no clock, no duration and no path."""

from typing import Literal, NotRequired, TypedDict

from sentisynth_hub.verdict.label_budget import Budget
from sentisynth_hub.verdict.outcome import Verdict
from sentisynth_hub.verdict.slices import DistanceGain, SliceTable
from sentisynth_hub.verdict.statistics.comparisons import Comparison, Design, Reading
from sentisynth_hub.verdict.statistics.factorial import Factorial
from sentisynth_hub.verdict.worth import LearningCurve, Worth


SCHEMA_VERSION = 1
Role = Literal["primary", "baseline", "control", "curve", "secondary"]


class Blame(TypedDict):
    """One group: its rows over all replicates, and how much `mixed`'s cross-entropy on validation rows (nats) falls
    without it.

    `gain` above 0: validation is better off without the group. `standard_error` over the replicates that have it (None
    with one), in a conditional study over the validation rows.
    """

    group_by: str
    group: str
    rows: int
    replicates: int
    gain: float
    standard_error: float | None


class LabelScores(TypedDict):
    """Precision, recall and F1 of one label, means over replicates, and its test items."""

    label: str
    precision: float
    recall: float
    f1: float
    items: int


class VariantScores(TypedDict):
    """One variant.

    `role`: primary, baseline (`natural`), control (`natural_repeated`), curve (natural at another size), without (the
    primary variant without a group of rows), secondary. `mean` and `interval` are of the study's metric,
    `replicate_scores` one number a replicate, `replicate_sd` their standard deviation (None with one), `metrics` the
    means of all metrics, `confusion` counts summed over replicates (true × predicted, last column no answer).
    """

    name: str
    role: Role
    mean: float
    interval: tuple[float, float] | None
    replicate_scores: list[float]
    replicate_sd: float | None
    metrics: dict[str, float]
    labels: list[LabelScores]
    confusion: list[list[int]]
    no_answer: float
    budget: Budget | None


class ControlCheck(TypedDict):
    """Whether a control variant behaves: `shuffled_labels` must not be better than natural, `extra_natural` must
    be.
    """

    variant: str
    expected: str
    found: Reading
    passed: bool


class McNemar(TypedDict):
    """One replicate, a detail: items only the variant got right, items only the baseline did, and the exact two-sided
    p.
    """

    replicate: int
    only_variant: int
    only_baseline: int
    p: float


class Evaluation(TypedDict):
    """evaluation.json.

    Everything but `verdict` and the comparisons of family `primary` is secondary: it explains, and proves nothing
    alone. `oracle_teacher` (the labels it read) is there only where the filters' teacher saw all natural training
    rows: then the study is a comparison, not a claim.
    """

    schema: int
    metric: str
    design: Design
    claim: str
    replicates: int
    items: int
    labels: list[str]
    label_items: list[int]
    margin: float
    alpha: float
    power: float
    resamples: int
    primary: str
    verdict: Verdict
    comparisons: list[Comparison]
    variants: list[VariantScores]
    controls: list[ControlCheck]
    mcnemar: list[McNemar]
    factorial: Factorial | None
    blame: list[Blame]
    by_label: SliceTable | None
    slices: SliceTable | None
    distance: DistanceGain | None
    curve: LearningCurve | None
    worth: list[Worth]
    looks: int | None
    warnings: list[str]
    table: list[str]
    oracle_teacher: NotRequired[int]
