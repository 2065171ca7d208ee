"""Gates a new version must pass: what was spent, and that the new model is not worse than the last published one.

Both models answer the same natural test rows: the other natural rows of its replicate have trained the new one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sentisynth_hub.core import log
from sentisynth_hub.core.errors import InputError, PublishError
from sentisynth_hub.core.hub_endpoint import hub_api
from sentisynth_hub.core.rows import Row
from sentisynth_hub.pretrained.classifier import open_classifier
from sentisynth_hub.publish.release import DatasetRelease
from sentisynth_hub.publish.repo_head import read_head
from sentisynth_hub.publish.versions.changes import ScoreChange
from sentisynth_hub.recipe import Recipe


RESAMPLES = 9_999
_CHUNK = 500  # resamples held in memory at once
_ROUNDING = 1e-9


@dataclass(frozen=True)
class NonInferiority:
    """New model against old on the same rows: scores, the one-sided lower bound of the difference and its two-sided
    interval (paired percentile bootstrap), and how many rows only one of them labels rightly.

    Attributes:
        tag: Of the version that the old model is; "" where none is named.
    """

    metric: str
    new: float
    old: float
    lower: float
    rows: int
    interval: tuple[float, float]
    alpha: float
    better: int
    worse: int
    tag: str = ""

    def passes(self, margin: float) -> bool:
        """Whether the new model is shown to lose less than `margin`; too small to tell is no pass."""
        return self.lower > -margin

    def change(self) -> ScoreChange:
        """What a changelog says of it."""
        return {
            "metric": self.metric,
            "before": self.old,
            "after": self.new,
            "difference": self.new - self.old,
            "interval": self.interval,
            "alpha": self.alpha,
            "rows": self.rows,
            "better": self.better,
            "worse": self.worse,
        }


def check_budget(release: DatasetRelease) -> None:
    """Check that the corpus cost no more than the recipe allows.

    Raises:
        PublishError: It cost more.
    """
    limit = release.recipe.generate.budget.max_usd
    costs = [line["cost_usd"] for line in release.lineage]
    if limit is None or None in costs:  # without a price nothing can be said; generating under a limit needs one
        return
    if sum(costs) > limit:
        raise PublishError(
            f"budget gate: the rows cost ${sum(costs):.4f}, generate.budget.max_usd is ${limit:.4f}; "
            "raise it if that is meant"
        )


def check_not_worse(
    recipe: Recipe, test: Sequence[Row], folder: Path, *, allow_worse: bool = False
) -> NonInferiority | None:
    """Compare the model in `folder` with the last published one on natural test rows.

    It may not score more than `study.margin` lower. Where the recipe sets `publish.gates.non_inferiority_margin`, it
    has to be shown, with an interval, to lose less than that.

    Args:
        allow_worse: Only warn.

    Returns:
        The comparison; None where there is nothing to compare with.

    Raises:
        PublishError: The new model is worse.
    """
    if recipe.publish.model is None:
        return None
    head = read_head(hub_api(), recipe.publish.model, "model")
    if head is None or head.version is None:
        return None
    tag = head.version.tag
    texts, truth = [row.text for row in test], [str(row.label) for row in test]
    gates, margin = recipe.publish.gates, recipe.publish.gates.non_inferiority_margin
    predicted = open_classifier(folder).predict(texts)
    comparison = against_published(
        head.repo_id,
        tag,
        texts,
        truth,
        predicted,
        recipe.labels,
        recipe.study.metric,
        alpha=gates.alpha,
        seed=recipe.seed,
    )
    if comparison is None:
        return None
    difference = comparison.new - comparison.old
    numbers = (
        f"{comparison.metric} {comparison.new:.3f} against {comparison.old:.3f} of {tag} on the same "
        f"{comparison.rows} test rows (difference {difference:+.3f}, lower bound {comparison.lower:+.3f})"
    )
    if margin is None:
        passes = difference >= -recipe.study.margin - _ROUNDING
        rule = f"may be {recipe.study.margin} lower (study.margin)"
    else:
        passes = comparison.passes(margin)
        rule = f"has to be shown to be less than {margin} lower (publish.gates.non_inferiority_margin)"
    if passes:
        log.info(f"the new model is not worse: {numbers}")
    elif allow_worse:
        log.warn(f"the new model is published although it {rule}: {numbers}")
    else:
        worse = difference < -(recipe.study.margin if margin is None else margin)
        raise PublishError(
            f"the new model {'is worse' if worse else 'may be worse'}: {numbers}; it {rule}. Nothing was published; "
            "publish it all the same with `sentisynth publish --allow-worse`"
        )
    return comparison


def against_published(
    repo_id: str,
    tag: str,
    texts: Sequence[str],
    truth: Sequence[str],
    predicted: Sequence[str],
    labels: Sequence[str],
    metric: str,
    *,
    alpha: float = 0.05,
    seed: int = 0,
) -> NonInferiority | None:
    """A new model's predictions beside those of a published version on the same texts; None, with a warning, where
    that one cannot be opened or has other labels."""
    try:
        classifier = open_classifier(repo_id, tag)
    except InputError as error:
        log.warn(f"the new model is not compared with {tag}, which cannot be opened: {error}")
        return None
    if set(classifier.labels) != set(labels):
        log.warn(f"the new model is not compared with {tag}, whose labels are {', '.join(classifier.labels)}")
        return None
    comparison = non_inferiority(truth, predicted, classifier.predict(texts), labels, metric, alpha, seed)
    return replace(comparison, tag=tag)


def non_inferiority(
    truth: Sequence[str],
    new: Sequence[str],
    old: Sequence[str],
    labels: Sequence[str],
    metric: str,
    alpha: float,
    seed: int,
) -> NonInferiority:
    """Difference new − old with its lower bound: rows are resampled, both models on the same rows of each resample."""
    import numpy as np

    from sentisynth_hub.metrics.classification import METRICS

    count, rows = len(labels), len(truth)
    place = {label: number for number, label in enumerate(labels)}
    measure = METRICS[metric]
    cells = []  # one-hot of (true, predicted) for each model: (rows, labels * (labels + 1)), last column no answer
    for predicted in (new, old):
        cell = [place[t] * (count + 1) + place.get(p, count) for t, p in zip(truth, predicted, strict=True)]
        cells.append(np.eye(count * (count + 1))[cell])

    def difference(weights: "np.typing.NDArray[np.int64]") -> "np.typing.NDArray[np.float64]":
        scores = [measure((weights @ cell).reshape(-1, count, count + 1)) for cell in cells]
        return np.asarray(scores[0] - scores[1])

    rng = np.random.default_rng(seed)
    resampled = [
        difference(rng.multinomial(rows, np.full(rows, 1 / rows), size=min(_CHUNK, RESAMPLES - start)))
        for start in range(0, RESAMPLES, _CHUNK)
    ]
    whole = np.ones((1, rows), dtype=np.int64)
    scores = [float(measure((whole @ cell).reshape(-1, count, count + 1))[0]) for cell in cells]
    lower, low, high = np.quantile(np.concatenate(resampled), [alpha, alpha / 2, 1 - alpha / 2])
    outcomes = [(n == t) - (o == t) for n, o, t in zip(new, old, truth, strict=True)]
    return NonInferiority(
        metric,
        scores[0],
        scores[1],
        float(lower),
        rows,
        interval=(float(low), float(high)),
        alpha=alpha,
        better=outcomes.count(1),
        worse=outcomes.count(-1),
    )
