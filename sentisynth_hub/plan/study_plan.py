"""A study before it is paid for: what it could show, what that costs, and what else the money would buy.

    plan = plan_study(recipe, natural, samples, rehearsal)
    print("\\n".join(plan_lines(plan)))

The width of the interval follows from how much two models of these rows differ (`rehearsal.py`, or assumptions where
nothing was measured), through the same variance as the verdict's. The chance of each verdict is averaged over a prior
of true gains (`prior.py`): assurance (O'Hagan et al. 2005), where power would take one gain for granted.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sentisynth_hub.core.random import rng
from sentisynth_hub.natural.splits import NaturalData, Sample
from sentisynth_hub.plan.costs import GenerationCost
from sentisynth_hub.plan.prior import Prior, published_prior
from sentisynth_hub.plan.rehearsal import Gain, Rehearsal, VarianceParts
from sentisynth_hub.recipe import Recipe
from sentisynth_hub.verdict.clusters import near_duplicate_clusters
from sentisynth_hub.verdict.evaluate import MOST_OVERLAP
from sentisynth_hub.verdict.evaluation import LEAST_REPLICATES
from sentisynth_hub.verdict.evaluation_parts import Remedy
from sentisynth_hub.verdict.label_budget import LabelLedger
from sentisynth_hub.verdict.outcome import decide
from sentisynth_hub.verdict.statistics.crossed import Estimate
from sentisynth_hub.verdict.statistics.power import detectable, power_each, remedy


ALPHA, POWER = 0.05, 0.8
_SHARED_VARIANT = 0.5  # correlation of the gains over natural and over natural_repeated, which share mixed
_DRAWS = 4_000
_MOST_ROWS = 1_000_000


@dataclass(frozen=True)
class StudyPlan:
    """What a study of this recipe could show.

    Attributes:
        design: `nested`, `conditional`, `identical` (a head on one sample: all replicates are one) or `cross_fitted`.
        replicates: As the recipe says, or the fewest that give a verdict where it says fewer; when cross-fitting,
            repetitions of all folds.
        items: Test rows, near-duplicates counted once.
        labels: Human labels of one replicate.
        half_width: Expected half-width of the 95 % interval of the gain.
        detectable: Smallest true gain of which *helps* is said 4 times in 5.
        remedy: What would make the margin detectable; None when cross-fitting.
        rows_needed: When cross-fitting, natural rows that would make the margin detectable; None: more than a million.
        chances: Probability of each verdict under the prior.
        prior: Of the true gain.
        rehearsal: What was measured on the natural rows; None where the width rests on assumptions.
    """

    design: str
    replicates: int
    items: int
    labels: int
    margin: float
    half_width: float
    detectable: float
    remedy: Remedy | None
    rows_needed: int | None
    chances: dict[str, float]
    prior: Prior
    rehearsal: Rehearsal | None

    @property
    def decided(self) -> float:
        """Probability that the verdict is anything but *too small to tell*."""
        return 1 - self.chances.get("too small to tell", 0.0)


def plan_study(
    recipe: Recipe,
    natural: NaturalData,
    samples: Sequence[Sample],
    rehearsal: Rehearsal | None = None,
    prior: Prior | None = None,
) -> StudyPlan:
    """Say what a study of the recipe could show, from its natural rows alone.

    Args:
        samples: What each replicate may see (`study_samples`).
        rehearsal: What cross-validation over the natural rows showed; None: assumptions.
        prior: Of the true gain; None: that of the published studies with as many labels.
    """
    study = recipe.study
    cross_fitted = study.cross_fitting is not None
    tested = [*natural.train, *natural.validation, *natural.test] if cross_fitted else natural.test
    items = int(near_duplicate_clusters([row.text for row in tested]).max(initial=-1)) + 1
    labels = _labels(recipe, samples)
    if rehearsal is not None:
        parts = rehearsal.components
    elif study.metric == "macro_f1":
        shares = Counter(row.label for row in tested)
        parts = VarianceParts().for_shares([count / len(tested) for count in shares.values()])
    else:
        parts = VarianceParts()
    design, overlap = _design(recipe, samples)
    crossed = study.cross_fitting is None and design != "identical"
    replicates = max(study.replicates, LEAST_REPLICATES) if crossed else study.replicates
    if study.cross_fitting is not None:
        folds, share = study.cross_fitting.folds, min(labels / max(len(tested), 1), 0.99)
        estimate = parts.cross_fitted(items, folds, study.replicates, share)
    elif design == "identical":
        estimate = parts.identical(items)
    else:
        estimate = parts.crossed(items, replicates, overlap=overlap)
    each = power_each(POWER, _SHARED_VARIANT)
    prior = prior or published_prior(labels / len(recipe.labels))
    remedy_ = rows_needed = None
    if study.cross_fitting is not None:
        rows_needed = _rows_needed(parts, study.cross_fitting.folds, study.replicates, share, items, study.margin)
    else:
        remedy_ = remedy(estimate, replicates, items, ALPHA, each, study.margin)
    return StudyPlan(
        design=design,
        replicates=replicates,
        items=items,
        labels=labels,
        margin=study.margin,
        half_width=estimate.spread(1 - ALPHA / 2),
        detectable=detectable(estimate, ALPHA, each),
        remedy=remedy_,
        rows_needed=rows_needed,
        chances=chances(estimate, study.margin, prior, seed=recipe.seed),
        prior=prior,
        rehearsal=rehearsal,
    )


def chances(estimate: Estimate, margin: float, prior: Prior, *, seed: int) -> dict[str, float]:
    """Probability of each verdict of a study with this error, its true gain drawn from the prior."""
    random = rng(seed, "assurance")
    true = prior.mean + prior.sd * random.standard_normal(_DRAWS)
    errors = random.standard_normal((2, _DRAWS))
    errors[1] = _SHARED_VARIANT * errors[0] + np.sqrt(1 - _SHARED_VARIANT**2) * errors[1]
    natural, repeated = true + estimate.standard_error * errors
    half = estimate.spread(1 - ALPHA / 2)
    outcomes = Counter(
        decide((float(gain) - half, float(gain) + half), (float(other) - half, float(other) + half), margin)
        for gain, other in zip(natural, repeated, strict=True)
    )
    return {outcome: count / _DRAWS for outcome, count in outcomes.most_common()}


def _labels(recipe: Recipe, samples: Sequence[Sample]) -> int:
    """Human labels that `natural` trains on in one replicate."""
    held_out = recipe.natural.validation == "held_out"
    counts = [len(sample.train) + (0 if held_out else len(sample.validation)) for sample in samples]
    return round(sum(counts) / len(counts))


def _design(recipe: Recipe, samples: Sequence[Sample]) -> tuple[str, float]:
    """How the verdict will treat the replicates, and the share of their rows that two have in common."""
    study = recipe.study
    if study.cross_fitting is not None:
        return "cross_fitted", 0.0
    if study.design == "nested":
        ledger = LabelLedger()
        for sample in samples:
            ledger.record(
                "natural", sample.replicate, "train", [row.id for row in [*sample.train, *sample.validation]]
            )
        overlap = ledger.overlap("natural")
        if overlap <= MOST_OVERLAP:
            return "nested", overlap
    return ("identical" if study.mode == "head" else "conditional"), 0.0


def _rows_needed(
    parts: VarianceParts, folds: int, repetitions: int, share: float, rows: int, margin: float
) -> int | None:
    each = power_each(POWER, _SHARED_VARIANT)

    def effect(count: int) -> float:
        return detectable(parts.cross_fitted(count, folds, repetitions, share), ALPHA, each)

    if effect(rows) <= margin:
        return rows
    low, high = rows, 2 * rows
    while effect(high) > margin:
        low, high = high, 2 * high
        if high > _MOST_ROWS:
            return None
    while high - low > max(1, low // 100):
        middle = (low + high) // 2
        low, high = (low, middle) if effect(middle) <= margin else (middle, high)
    return high


def plan_lines(plan: StudyPlan) -> list[str]:
    """What the study could show, for people."""
    replicates = f"{plan.replicates} replicates"
    if plan.design == "identical":
        replicates = "1 replicate (a head on one sample: more would be identical)"
    elif plan.design == "cross_fitted":
        replicates = f"{plan.replicates} repetitions of all folds"
    basis = "from assumptions, nothing was measured"
    if plan.rehearsal is not None:
        basis = f"measured by cross-validation on {plan.rehearsal.rows:,} natural rows"
    chances = ", ".join(f"{outcome} {chance:.0%}" for outcome, chance in plan.chances.items())
    lines = [
        f"study      {replicates} × {plan.items:,} test rows, {plan.labels:,} human labels each ({basis})",
        f"interval   about ±{plan.half_width:.4f} around the gain; gains of {plan.detectable:.4f} or more are found 4 "
        "times in 5",
        f"margin     {_to_detect(plan)}",
        f"verdict    {chances}; if true gains are as in {plan.prior.studies} published studies, at that many labels "
        f"({plan.prior.mean:+.4f}, standard deviation {plan.prior.sd:.4f})",
    ]
    if plan.rehearsal is not None:
        points = ", ".join(f"{point.labels:,} labels {point.score:.4f}" for point in plan.rehearsal.curve)
        lines.append(f"labels     {points}; twice as many {_words(plan.rehearsal.doubling)}")
        if plan.rehearsal.self_training is not None:
            lines.append(
                f"unlabelled {plan.rehearsal.unlabelled:,} rows, as self-training uses them: "
                f"{_words(plan.rehearsal.self_training)}"
            )
    return lines


def advice(plan: StudyPlan, cost: GenerationCost) -> list[str]:
    """What to do rather, or beforehand, where the figures say so."""
    lines = []
    if plan.decided < 0.5:
        lines.append(
            f"More likely than not this study ends as too small to tell ({1 - plan.decided:.0%}). {_to_detect(plan)}."
        )
    rehearsal = plan.rehearsal
    if rehearsal is None:
        return lines
    if rehearsal.self_training is not None and rehearsal.self_training.interval[0] > 0:
        lines.append(
            f"Self-training on rows without labels gains {_words(rehearsal.self_training)} and costs nothing; "
            "`natural` may use it (study.natural_methods), so synthetic rows have to beat it."
        )
    return [*lines, _labels_instead(plan, rehearsal, cost)]


def _labels_instead(plan: StudyPlan, rehearsal: Rehearsal, cost: GenerationCost) -> str:
    """Whether labelling more rows is the better buy."""
    if rehearsal.doubling.interval[0] <= 0:
        return "More labels promise little: the learning curve of the natural rows is flat as far as it can be seen."
    labels = rehearsal.curve[-1].labels
    as_much = math.ceil(labels * (2 ** (max(plan.prior.mean, 0.0) / rehearsal.doubling.value) - 1))
    price = as_much * cost.usd_per_label
    words = (
        f"About {as_much:,} labels more (${price:,.2f} at ${cost.usd_per_label:g} each) gain as much as synthetic "
        f"rows did on average ({plan.prior.mean:+.4f})"
    )
    if cost.usd is None or cost.source == "nothing":
        return f"{words}."
    bought = int(cost.usd.estimate / cost.usd_per_label) if cost.usd_per_label else 0
    if price <= cost.usd.estimate:
        return f"{words}: labelling is the better buy; {bought:,} labels for the same money gain " + (
            f"{_words(rehearsal.more_labels(bought))}."
        )
    return f"{words}; the generation's ${cost.usd.estimate:,.2f} buy {bought:,}."


def _to_detect(plan: StudyPlan) -> str:
    aim = f"to find gains of {plan.margin:g}"
    if plan.remedy is None:
        if plan.rows_needed is None:
            return f"{aim}: no number of rows is enough"
        if plan.rows_needed <= plan.items:
            return f"{aim}: these rows are enough"
        return f"{aim}: about {plan.rows_needed:,} natural rows"
    if plan.remedy.by == "nothing":
        return f"{aim}: this study is enough"
    if plan.remedy.by == "replicates":
        rows = f", or {plan.remedy.items:,} test rows with as many replicates" if plan.remedy.items else ""
        return f"{aim}: {plan.remedy.replicates} replicates on these test rows{rows}"
    if plan.remedy.by == "test items":
        return f"{aim}: {plan.remedy.items:,} test rows; more replicates alone never would"
    return f"{aim}: more test rows and more replicates, neither alone is enough"


def _words(gain: Gain) -> str:
    return f"{gain.value:+.4f} [{gain.interval[0]:+.4f}, {gain.interval[1]:+.4f}]"
