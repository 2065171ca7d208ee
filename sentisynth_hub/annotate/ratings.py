"""The shape of what `human.py` finds, and of human_evaluation.json around it; no text of a row, no clock, no path."""

from typing import TypedDict

from sentisynth_hub.verdict.evaluation_parts import Reading


class Mean(TypedDict):
    """A mean or a share (or a difference of two) over raters and the `rows` that every rater answered."""

    value: float
    interval: tuple[float, float] | None
    rows: int


class RatingDifference(TypedDict):
    """An estimate held against `null` (chance, or no difference).

    `p_difference` is two-sided and held against `alpha`; `p_equivalence` is the larger of two one-sided ones against
    null ± `margin`, held against alpha / 2. `reading` follows from the interval alone, so the three never disagree.
    """

    value: float
    interval: tuple[float, float] | None
    null: float
    margin: float
    alpha: float
    p_difference: float | None
    p_equivalence: float | None
    reading: Reading
    rows: int


class Agreement(TypedDict):
    """Krippendorff's alpha over the `rows` that two raters or more answered; None where it is not defined."""

    alpha: float | None
    interval: tuple[float, float] | None
    level: str
    rows: int


class Confusion(TypedDict):
    """Given label × label most raters gave (last column: none has most), and how many rows agree."""

    counts: list[list[int]]
    agreeing: int


class Sides(TypedDict):
    """One rater's means on natural and on synthetic rows."""

    natural: float | None
    synthetic: float | None


class RaterRecord(TypedDict):
    """One rater: rows answered in full, share told rightly (natural and synthetic by half each), the rest by side."""

    rater: int
    answered: int
    told_rightly: float | None
    label_match: Sides
    naturalness: Sides


class StratumRecord(TypedDict):
    """Synthetic rows of one stratum beside all natural ones; None where there are too few of them."""

    name: str
    rows: int
    label_match: Mean | None
    tell: RatingDifference | None
    naturalness: RatingDifference | None


class Agreements(TypedDict):
    """By question."""

    label: Agreement
    naturalness: Agreement
    source: Agreement


class Pair(TypedDict):
    """Natural and synthetic rows."""

    natural: Mean | None
    synthetic: Mean | None


class LabelMatch(Pair):
    """Share of answers that are the given label, and natural − synthetic."""

    difference: Mean | None


class Naturalness(Pair):
    """Mean naturalness, and natural − synthetic."""

    difference: RatingDifference | None


class Confusions(TypedDict):
    """By what the given label is: a natural one, or the one that was asked for."""

    natural: Confusion
    synthetic: Confusion


class HumanFindings(TypedDict):
    """What the raters' answers say."""

    rows: dict[str, int]
    raters: int
    alpha: float
    resamples: int
    labels: list[str]
    agreement: Agreements
    confusion: Confusions
    label_match: LabelMatch
    tell: RatingDifference | None
    said_machine: Pair
    naturalness: Naturalness
    strata: list[StratumRecord]


class HumanEvaluation(HumanFindings):
    """With every rater's own numbers."""

    per_rater: list[RaterRecord]


class HumanSummary(HumanFindings):
    """What a published manifest says: no single rater.

    `content_digest` is the corpus's that was rated, `settings` the corpora rows came from ("": the recipe's own);
    `missing` counts answers that were left open, `left_out` names raters with too few of them to count.
    """

    sheet: str
    recipe: str
    content_digest: str
    settings: list[str]
    missing: int
    left_out: list[int]
    sentences: list[str]
    warnings: list[str]


class HumanRecord(HumanSummary):
    """human_evaluation.json."""

    format: str
    version: int
    per_rater: list[RaterRecord]
