"""From a study's predictions to `evaluation.json`: one call, no training, no clock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from sentisynth_hub.core.errors import DataError
from sentisynth_hub.metrics.classification import METRICS, Array
from sentisynth_hub.verdict.evaluation import SCHEMA_VERSION, ControlCheck, Evaluation, Role
from sentisynth_hub.verdict.label_budget import LabelLedger
from sentisynth_hub.verdict.outcome import Rule, Verdict, judge, missing
from sentisynth_hub.verdict.predictions import StudyPredictions
from sentisynth_hub.verdict.slices import (
    DistanceGain,
    SliceTable,
    column_slices,
    compare_labels,
    compare_slices,
    gain_by_distance,
    text_slices,
)
from sentisynth_hub.verdict.statistics.bootstrap import Resampled, crossed_bootstrap
from sentisynth_hub.verdict.statistics.comparisons import Arms, Comparison, Design, compare
from sentisynth_hub.verdict.statistics.factorial import Factorial, TwoByTwo, factorial
from sentisynth_hub.verdict.statistics.scores import mcnemar, variant_scores
from sentisynth_hub.verdict.text_table import oracle_line, table_lines
from sentisynth_hub.verdict.worth import LearningCurve, Worth, learning_curve, worth


CLAIMS: dict[Design, str] = {
    "nested": "about the recipe: every replicate drew its own natural rows and generated its own corpus from them",
    "conditional": "about this corpus beside these natural rows: replicates vary initialisation and order only",
    "cross_fitted": "about the recipe on data like these rows: repeated folds, generation inside each fold",
}


@dataclass(frozen=True)
class EvaluationConfig:
    """How a study is evaluated; all of it comes from the recipe and is fixed before a test row is read.

    Attributes:
        metric: `macro_f1`, `accuracy` or `weighted_f1`.
        margin: Smallest difference that matters to the user.
        design: What a replicate is; see `comparisons.py`.
        primary: The variant the verdict is about.
        baseline: Natural rows alone.
        control: The same natural rows for the primary variant's number of steps.
        alpha: Rate of false verdicts allowed.
        power: Of the minimum detectable effect.
        resamples: Resamples of the crossed bootstrap.
        seed: Of the crossed bootstrap and of the simultaneous level.
        curve: Natural variants at several sizes, `baseline` among them, for "worth N human labels".
        worth_of: Variants whose worth is reported.
        two_by_two: Which variants make up the factorial table.
        looks: How often these test rows have been looked at over the versions of the dataset, this look included.
        oracle_teacher: Labels the filters' teacher learned from where it saw all natural training rows; 0: it did not.
    """

    metric: str = "macro_f1"
    margin: float = 0.02
    design: Design = "nested"
    primary: str = "mixed"
    baseline: str = "natural"
    control: str = "natural_repeated"
    alpha: float = 0.05
    power: float = 0.8
    resamples: int = 9_999
    seed: int = 0
    curve: Sequence[str] = ()
    worth_of: Sequence[str] = ("mixed",)
    two_by_two: TwoByTwo = field(default_factory=TwoByTwo)
    looks: int | None = None
    oracle_teacher: int = 0


@dataclass(frozen=True)
class TestItems:
    """What is known of the test items beside their labels; every part may be left out.

    Attributes:
        texts: Their texts, (items,), for slices by length, negation, contrast, emoji and script.
        language_share: Share of words in one language, (items,), for code-mixed text.
        columns: Further columns to slice by, (items,) each.
        distances: Distance to the nearest natural training row, (items,) or (replicates, items).
    """

    __test__ = False  # not a test class, whatever its name makes pytest think

    texts: Sequence[str] | None = None
    language_share: Array | None = None
    columns: Mapping[str, Sequence[object]] = field(default_factory=dict)
    distances: Array | None = None


def evaluate_study(
    predictions: StudyPredictions,
    config: EvaluationConfig,
    *,
    test_items: TestItems | None = None,
    ledger: LabelLedger | None = None,
    cost_usd: Mapping[str, float] | None = None,
) -> Evaluation:
    """Evaluate a study.

    Args:
        predictions: Every trial's predictions over the test items.
        config: Metric, margin, design and names.
        test_items: Texts, columns and distances for the slices.
        ledger: Who used which human label; needed for the budget and for "worth N human labels".
        cost_usd: What each variant's synthetic rows cost.

    Returns:
        The content of evaluation.json, JSON-ready; the same for the same input, on any machine and any number of
        threads.

    Raises:
        DataError: The baseline variant is missing, a cross-fitted study has no folds, or the metric is unknown.
    """
    _check(predictions, config)
    known = test_items or TestItems()
    arms = Arms(predictions, config.metric, config.design)
    resampled = _resample(arms, config)
    comparisons = _comparisons(arms, config, resampled)
    curve, worths = _worth(arms, config, resampled, ledger, cost_usd or {})
    by_label, slices, distance = _slices(predictions, config, known)
    evaluation: Evaluation = {
        "schema": SCHEMA_VERSION,
        "metric": config.metric,
        "design": config.design,
        "claim": CLAIMS[config.design],
        "replicates": predictions.replicates,
        "items": predictions.items,
        "labels": list(predictions.labels),
        "label_items": np.bincount(predictions.y, minlength=predictions.n_labels).tolist(),
        "margin": config.margin,
        "alpha": config.alpha,
        "power": config.power,
        "resamples": config.resamples,
        "primary": config.primary,
        "verdict": _verdict(arms, config),
        "comparisons": comparisons,
        "variants": [
            variant_scores(arms, name, _role(name, config), config.alpha, ledger) for name in predictions.variants
        ],
        "controls": _controls(comparisons),
        "mcnemar": mcnemar(predictions, config.primary, config.baseline)
        if config.primary in predictions.variants
        else [],
        "factorial": _factorial(arms, config),
        "blame": [],
        "by_label": by_label,
        "slices": slices,
        "distance": distance,
        "curve": curve,
        "worth": worths,
        "looks": config.looks,
        "warnings": _warnings(predictions, config, ledger),
        "table": [],
    }
    if config.oracle_teacher:
        evaluation["oracle_teacher"] = config.oracle_teacher
        evaluation["warnings"].insert(0, oracle_line(config.oracle_teacher))
        sentence = evaluation["verdict"]["sentence"]  # what is quoted from a card is this sentence, so it says it too
        evaluation["verdict"]["sentence"] = f"With an oracle teacher: {sentence[0].lower()}{sentence[1:]}"
    evaluation["table"] = table_lines(evaluation)
    return evaluation


def _check(predictions: StudyPredictions, config: EvaluationConfig) -> None:
    if config.metric not in METRICS:
        raise DataError(f"evaluation: unknown metric {config.metric!r}; one of {', '.join(METRICS)}")
    predictions.predicted(config.baseline)
    if (config.design == "cross_fitted") != (predictions.folds is not None):
        found = "without" if predictions.folds is None else "with"
        raise DataError(
            f"evaluation: design {config.design!r}, and predictions {found} folds; "
            "cross-fitted studies, and only they, carry the fold of every prediction"
        )
    if predictions.folds is not None and predictions.folds.max() < 1:
        raise DataError("evaluation: a cross-fitted study needs at least 2 folds")


def _role(name: str, config: EvaluationConfig) -> Role:
    if name == config.primary:
        return "primary"
    if name == config.baseline:
        return "baseline"
    if name == config.control:
        return "control"
    return "curve" if name in config.curve else "secondary"


def _resample(arms: Arms, config: EvaluationConfig) -> Resampled | None:
    """The crossed bootstrap over all variants; None where replicates and items are not crossed, or there is one
    replicate.
    """
    study = arms.predictions
    if not arms.crossed or study.replicates < 2:
        return None
    return crossed_bootstrap(
        study.y, study.variants, study.n_labels, config.metric, resamples=config.resamples, seed=config.seed
    )


def _comparisons(arms: Arms, config: EvaluationConfig, resampled: Resampled | None) -> list[Comparison]:
    present = arms.predictions.variants
    done: list[Comparison] = []
    if config.primary in present:
        for other in (config.baseline, config.control):
            if other in present:
                done.append(compare(arms, config.primary, other, "primary", config.alpha, config.margin, resampled))
    others = [name for name in present if _role(name, config) in ("control", "secondary")]
    each = arms.alpha_each(others, config.baseline, config.alpha, config.seed)
    return done + [
        compare(arms, name, config.baseline, "secondary", each, config.margin, resampled) for name in others
    ]


def _verdict(arms: Arms, config: EvaluationConfig) -> Verdict:
    rule = Rule(config.margin, config.alpha, config.power)
    present = arms.predictions.variants
    if config.primary not in present:
        return missing(config.primary, rule)
    estimates = {"natural": arms.difference(config.primary, config.baseline)}
    if config.control in present:
        estimates["repeated"] = arms.difference(config.primary, config.control)
        estimates["control"] = arms.difference(config.control, config.baseline)
    return judge(estimates, arms.units, arms.predictions.items, rule, crossed=arms.crossed)


def _controls(comparisons: Sequence[Comparison]) -> list[ControlCheck]:
    checks: list[ControlCheck] = []
    for one in comparisons:
        if one["variant"] == "shuffled_labels" and one["family"] == "secondary":
            passed = one["reading"] != "better"
            checks.append(
                {"variant": "shuffled_labels", "expected": "not better", "found": one["reading"], "passed": passed}
            )
        if one["variant"] == "extra_natural" and one["family"] == "secondary":
            passed = one["reading"] == "better"
            checks.append(
                {"variant": "extra_natural", "expected": "better", "found": one["reading"], "passed": passed}
            )
    return checks


def _factorial(arms: Arms, config: EvaluationConfig) -> Factorial | None:
    cells = config.two_by_two
    names = {cells.natural_repeated, cells.balanced_repeated, cells.natural_new, cells.balanced_new}
    if not arms.crossed or not names <= set(arms.parts):
        return None
    return factorial(arms.parts, cells, config.alpha, config.seed)


def _slices(
    predictions: StudyPredictions, config: EvaluationConfig, known: TestItems
) -> tuple[SliceTable | None, SliceTable | None, DistanceGain | None]:
    if config.primary not in predictions.variants or config.design == "cross_fitted":
        return None, None, None
    names = (config.primary, config.baseline)
    masks = text_slices(known.texts, known.language_share) if known.texts is not None else {}
    for column, values in known.columns.items():
        masks |= column_slices(column, values)
    return (
        compare_labels(predictions, *names, config.alpha),
        compare_slices(predictions, masks, *names, config.alpha) if masks else None,
        gain_by_distance(predictions, known.distances, *names, config.alpha) if known.distances is not None else None,
    )


def _worth(
    arms: Arms,
    config: EvaluationConfig,
    resampled: Resampled | None,
    ledger: LabelLedger | None,
    cost_usd: Mapping[str, float],
) -> tuple[LearningCurve | None, list[Worth]]:
    present = arms.predictions.variants
    if ledger is None or resampled is None:
        return None, []
    sizes = {name: ledger.budget(name)["distinct"] for name in config.curve if name in present}
    sizes = {name: size for name, size in sizes.items() if size}
    if len(set(sizes.values())) < max(len(sizes), 2):
        return None, []
    curve = learning_curve(sizes, {name: float(arms.scores(name).mean()) for name in sizes})
    return curve, [
        worth(
            name,
            float(arms.scores(name).mean()),
            ledger.budget(name)["distinct"],
            curve,
            resampled,
            config.alpha,
            cost_usd.get(name),
        )
        for name in config.worth_of
        if name in present
    ]


def _warnings(predictions: StudyPredictions, config: EvaluationConfig, ledger: LabelLedger | None) -> list[str]:
    found = []
    counts = np.bincount(predictions.y, minlength=predictions.n_labels)
    for label, count in zip(predictions.labels, counts, strict=True):
        if count < 20:
            found.append(f"label {label!r} has {count} test items: little can be said of it, and macro-F1 hangs on it")
    for name in (config.primary, config.control):
        if name not in predictions.variants:
            found.append(f"variant {name!r} was not run")
    if ledger is not None and any(ledger.budget(name)["oracle_validation"] for name in predictions.variants):
        found.append("oracle validation: more human labels for validation than for training")
    if config.looks is not None and config.looks > 1:
        found.append(
            f"these test rows have been looked at {config.looks} times; the level of the verdict assumes one look"
        )
    return found
