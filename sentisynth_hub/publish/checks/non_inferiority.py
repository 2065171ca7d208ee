"""Gates a new version must pass: what was spent, and that the new model is not worse than the last published one."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sentisynth_hub.core import log
from sentisynth_hub.core.errors import PublishError
from sentisynth_hub.core.rows import Row
from sentisynth_hub.publish.release import DatasetRelease
from sentisynth_hub.publish.repo_head import read_head
from sentisynth_hub.recipe import Recipe


RESAMPLES = 9_999
_CHUNK = 500  # resamples held in memory at once


@dataclass(frozen=True)
class NonInferiority:
    """New model against old on the same rows: scores, and the one-sided lower bound of the difference (percentile
    bootstrap)."""

    metric: str
    new: float
    old: float
    lower: float
    rows: int

    def passes(self, margin: float) -> bool:
        """Whether the new model is shown to lose less than `margin`; too small to tell is no pass."""
        return self.lower > -margin


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


def check_non_inferiority(recipe: Recipe, validation: Sequence[Row], folder: Path) -> NonInferiority | None:
    """Compare the model in `folder` with the last published one on natural validation rows, if the recipe asks for it.

    Returns:
        The comparison; None where no margin is set or no model was published yet.

    Raises:
        PublishError: The new model is not shown to be less than the margin worse.
    """
    margin = recipe.publish.gates.non_inferiority_margin
    if margin is None or recipe.publish.model is None:
        return None
    from huggingface_hub import HfApi

    head = read_head(HfApi(), recipe.publish.model, "model")
    if head is None or head.version is None:
        return None
    from sentisynth_hub.model.stage import best, classify

    texts = [row.text for row in validation]
    truth = [str(row.label) for row in validation]
    new = [best(scores) for scores in classify(folder, texts)]
    old = [best(scores) for scores in classify(recipe.publish.model, texts, revision=head.version.tag)]
    found = non_inferiority(
        truth, new, old, recipe.labels, recipe.study.metric, recipe.publish.gates.alpha, recipe.seed
    )
    said = (
        f"{found.metric} {found.new:.3f} against {found.old:.3f} of {head.version.tag} "
        f"on {found.rows} validation rows, lower bound of the difference {found.lower:+.3f}"
    )
    if not found.passes(margin):
        why = "worse" if found.new - found.old <= -margin else "too small to tell, which is not a pass"
        raise PublishError(
            f"non-inferiority gate: {said}, which must be above -{margin}: {why}; nothing was published"
        )
    log.info(f"non-inferiority gate: {said}: passed")
    return found


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
    drawn = [
        difference(rng.multinomial(rows, np.full(rows, 1 / rows), size=min(_CHUNK, RESAMPLES - start)))
        for start in range(0, RESAMPLES, _CHUNK)
    ]
    whole = np.ones((1, rows), dtype=np.int64)
    scores = [float(measure((whole @ cell).reshape(-1, count, count + 1))[0]) for cell in cells]
    return NonInferiority(metric, scores[0], scores[1], float(np.quantile(np.concatenate(drawn), alpha)), rows)
