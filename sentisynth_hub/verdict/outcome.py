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
from typing import Literal, TypedDict

from sentisynth_hub.verdict.statistics.crossed import Estimate, correlation
from sentisynth_hub.verdict.statistics.power import Remedy, detectable, power_each, remedy


LEAST_REPLICATES = 5
"""Fewer replicates give numbers but no verdict."""

Outcome = Literal["helps", "just more steps", "hurts", "no difference that matters", "too small to tell", "no verdict"]


@dataclass(frozen=True)
class Rule:
    """How a study is judged; all of it fixed before a test row is read.

    Attributes:
        margin: A difference smaller than this does not matter to the user.
        alpha: Rate of false verdicts allowed.
        power: Probability with which the minimum detectable effect is detected.
    """

    margin: float
    alpha: float = 0.05
    power: float = 0.8


class Verdict(TypedDict):
    """The verdict with everything needed to doubt it.

    `inside_margin`: the interval against natural lies within ±margin (so a `helps` may be real and still not matter).
    `minimum_detectable_effect`: the smallest true gain over natural and natural_repeated that `helps` would be said
    of with the rule's power; None without a standard error. `remedy`: what would bring that down to the margin (None
    when cross-fitting).
    """

    outcome: Outcome
    sentence: str
    inside_margin: bool
    minimum_detectable_effect: float | None
    alpha: float
    remedy: Remedy | None


def decide(natural: tuple[float, float], repeated: tuple[float, float] | None, margin: float) -> Outcome:
    """Read the outcome off the intervals of mixed − natural and mixed − natural_repeated (None: that variant was not
    run).
    """
    above = natural[0] > 0
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


def judge(
    comparisons: Mapping[str, Estimate], replicates: int, items: int, rule: Rule, *, crossed: bool = True
) -> Verdict:
    """Give the verdict.

    Args:
        comparisons: The estimates `natural` (mixed − natural) and, where that variant was run, `repeated` (mixed −
            natural_repeated) and `control` (natural_repeated − natural, for their correlation).
        replicates: Replicates, or fold models when cross-fitting.
        items: Test items.
        rule: Margin, alpha and power.
        crossed: Whether replicates and items are crossed; cross-fitting has no remedy but more natural rows.
    """
    natural, repeated = comparisons["natural"], comparisons.get("repeated")
    interval = natural.interval(rule.alpha)
    if interval is None or replicates < LEAST_REPLICATES:
        sentence = f"No verdict: {replicates} replicates; a verdict needs at least {LEAST_REPLICATES}."
        return _verdict("no verdict", sentence, False, None, rule, None)
    outcome = decide(interval, repeated.interval(rule.alpha) if repeated else None, rule.margin)
    hardest, effect, power = _detectable(comparisons, rule)
    mend = remedy(hardest, replicates, items, rule.alpha, power, rule.margin) if crossed else None
    inside = -rule.margin < interval[0] and interval[1] < rule.margin
    sentence = _sentence(outcome, natural, interval, inside, effect, mend, rule)
    return _verdict(outcome, sentence, inside, effect, rule, mend)


def missing(primary: str, rule: Rule) -> Verdict:
    """The verdict of a study without its primary variant."""
    return _verdict("no verdict", f"No verdict: the variant {primary!r} was not run.", False, None, rule, None)


def _detectable(comparisons: Mapping[str, Estimate], rule: Rule) -> tuple[Estimate, float, float]:
    """The comparison with the larger error, the effect both detect together with the rule's power, and the power each
    then has.
    """
    natural, repeated = comparisons["natural"], comparisons.get("repeated")
    if repeated is None:
        return natural, detectable(natural, rule.alpha, rule.power), rule.power
    power = power_each(rule.power, correlation(natural, repeated, comparisons["control"]))
    hardest = max(natural, repeated, key=lambda estimate: detectable(estimate, rule.alpha, power))
    return hardest, detectable(hardest, rule.alpha, power), power


def _sentence(
    outcome: Outcome,
    natural: Estimate,
    interval: tuple[float, float],
    inside: bool,
    effect: float,
    mend: Remedy | None,
    rule: Rule,
) -> str:
    numbers = f"{natural.value:+.4f} [{interval[0]:+.4f}, {interval[1]:+.4f}] against natural"
    small = f", but by less than the margin of {rule.margin:g}" if inside else ""
    if outcome == "helps":
        return f"Helps{small}: {numbers}, and better than natural_repeated."
    if outcome == "just more steps":
        return f"Just more steps: {numbers}, but natural_repeated does as well, or worse by less than {rule.margin:g}."
    if outcome == "hurts":
        return f"Hurts{small}: {numbers}."
    if outcome == "no difference that matters":
        return f"No difference that matters: {numbers}, inside the margin of ±{rule.margin:g}."
    if outcome == "no verdict":
        return f"No verdict: {numbers}, but natural_repeated was not run, so it may be just more training steps."
    better = "; better than natural, but it may be just more training steps" if interval[0] > 0 else ""
    reach = f"this study detects gains of {effect:.4f} or more"
    return f"Too small to tell: {numbers}{better}; {reach}. {_advice(mend, rule)}"


def _advice(mend: Remedy | None, rule: Rule) -> str:
    aim = f"To detect gains of {rule.margin:g} (the margin)"
    if mend is None:
        return f"{aim}: more natural rows."
    if mend["by"] == "nothing":
        return "Gains as large as the margin would have been detected."
    if mend["by"] == "replicates":
        return f"{aim}: {mend['replicates']} replicates on the same test items."
    if mend["by"] == "test items":
        return f"{aim}: {mend['items']:,} test items; more replicates alone never would."
    return f"{aim}: more test items and more replicates, neither alone is enough."


def _verdict(
    outcome: Outcome, sentence: str, inside: bool, effect: float | None, rule: Rule, mend: Remedy | None
) -> Verdict:
    return {
        "outcome": outcome,
        "sentence": sentence,
        "inside_margin": inside,
        "minimum_detectable_effect": effect,
        "alpha": rule.alpha,
        "remedy": mend,
    }
