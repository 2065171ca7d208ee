"""The verdict of a study: what its primary variant does, as far as the data can tell.

One variant (`mixed`), one metric, two comparisons: with `natural`, and with `natural_repeated` (the same natural
rows for as many training steps). Every verdict is read off the two intervals of level 1 − alpha, so that interval and
verdict never disagree:

    helps                        above natural and above natural_repeated (intersection-union, Berger 1982)
    just more steps              above natural, and any gain over natural_repeated shown to be below the margin
    hurts                        below natural
    no difference that matters   the interval against natural inside ±margin (two one-sided tests: Schuirmann 1987)
    too small to tell            the rest

Wherever the two true differences lie, the verdicts that would be false need one of at most two interval ends to err,
alpha/2 each: the family-wise rate of false verdicts is at most alpha without further correction
(docs/concepts/evidence.md has the argument).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sentisynth_hub.verdict.evaluation import LEAST_REPLICATES
from sentisynth_hub.verdict.evaluation_parts import Missing, Outcome, Verdict
from sentisynth_hub.verdict.statistics.crossed import Estimate, correlation
from sentisynth_hub.verdict.statistics.power import detectable, power_each, remedy


@dataclass(frozen=True)
class Rule:
    """How a study is judged; all of it fixed before a test row is read.

    Attributes:
        margin: A difference smaller than this does not matter to the user.
        alpha: Rate of false verdicts allowed.
        power: Probability with which the minimum detectable effect is detected.
        controlled: A gain over the baseline counts only with a gain over the control.
        least_replicates: Fewer give no verdict.
    """

    margin: float
    alpha: float = 0.05
    power: float = 0.8
    controlled: bool = True
    least_replicates: int = LEAST_REPLICATES


def decide(
    natural: tuple[float, float], repeated: tuple[float, float] | None, margin: float, *, controlled: bool = True
) -> Outcome:
    """Read the outcome off the intervals of mixed − natural and mixed − natural_repeated (None: that variant was not
    run).
    """
    above = natural[0] > 0
    if above and not controlled:
        return "helps"
    if above and repeated is None:
        return "no verdict"
    if above and repeated is not None and repeated[0] > 0:
        return "helps"
    if above and repeated is not None and repeated[1] < margin:
        return "just more steps"
    if natural[1] < 0:
        return "hurts"
    if -margin < natural[0] and natural[1] < margin:
        return "no difference that matters"
    return "too small to tell"


def conclude(
    estimates: Mapping[str, Estimate],
    replicates: int,
    items: int,
    rule: Rule,
    *,
    crossed: bool = True,
    rare_label: bool = False,
) -> Verdict:
    """Give the verdict.

    Args:
        estimates: `natural` (mixed − natural) and, where that variant was run, `repeated` (mixed − natural_repeated)
            and `control` (natural_repeated − natural, for their correlation).
        replicates: Replicates, or fold models when cross-fitting.
        items: Test items, or clusters of them.
        rule: Margin, alpha and power.
        crossed: Whether replicates and items are crossed; cross-fitting has no remedy but more natural rows.
        rare_label: A label has too few test rows for this metric.
    """
    natural, repeated = estimates["natural"], estimates.get("repeated")
    interval = natural.interval(rule.alpha)
    if interval is None or replicates < rule.least_replicates:
        return without_verdict("replicates")
    _, effect, power = hardest = _hardest(estimates, rule)
    remedy_ = remedy(hardest[0], replicates, items, rule.alpha, power, rule.margin) if crossed else None
    inside = -rule.margin < interval[0] and interval[1] < rule.margin
    outcome: Outcome = "no verdict"
    missing: Missing | None = "rare label"
    if not rare_label:
        against_control = repeated.interval(rule.alpha) if repeated else None
        outcome = decide(interval, against_control, rule.margin, controlled=rule.controlled)
        missing = "control" if outcome == "no verdict" else None
    return Verdict(
        outcome=outcome,
        missing=missing,
        inside_margin=inside,
        minimum_detectable_effect=effect,
        remedy=remedy_,
    )


def without_verdict(missing: Missing) -> Verdict:
    """No verdict, and why."""
    return Verdict(outcome="no verdict", missing=missing)


def _hardest(estimates: Mapping[str, Estimate], rule: Rule) -> tuple[Estimate, float, float]:
    """The comparison with the larger error, the effect both detect together with the rule's power, and the power each
    then has.
    """
    natural, repeated = estimates["natural"], estimates.get("repeated")
    if repeated is None:
        return natural, detectable(natural, rule.alpha, rule.power), rule.power
    power = power_each(rule.power, correlation(natural, repeated, estimates["control"]))
    hardest = max(natural, repeated, key=lambda estimate: detectable(estimate, rule.alpha, power))
    return hardest, detectable(hardest, rule.alpha, power), power
