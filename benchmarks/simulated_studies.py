"""Studies whose truth is known: the world behind benchmarks/verdict_calibration.py and its small cell in the tests.

A simulated study has variants over the same test items. An item has a latent difficulty that all variants share and
one label it tends to be mistaken for; a replicate has a quality that all its variants share, and a luck of its own in
every variant, partly for one label only; a variant has a taste of its own in items; the rest is noise. Because all of
it is Gaussian on a latent scale, the true scores are known without simulation: that is what "false" is measured
against.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import stdtrit
from scipy.stats import norm

from sentisynth_hub.metrics.classification import METRICS, Array
from sentisynth_hub.verdict.outcome import decide
from sentisynth_hub.verdict.statistics.crossed import PseudoValues, contrast, pseudo_values, variance_parts


ALPHA = 0.05


@dataclass(frozen=True)
class Task:
    """Labels, their shares and how often each is recognised; `own_items` is the latent sd of a variant's taste in
    items.
    """

    name: str
    metric: str
    shares: tuple[float, ...]
    recalls: tuple[float, ...]
    own_items: float


TASKS = (
    Task("binary", "accuracy", (0.5, 0.5), (0.72, 0.68), 0.0),
    Task("binary, own items", "macro_f1", (0.5, 0.5), (0.72, 0.68), 0.7),
    Task("three labels, one of 5 %", "macro_f1", (0.55, 0.40, 0.05), (0.75, 0.70, 0.40), 0.7),
)
DIFFICULTY, QUALITY, ONE_LABEL = 1.5, 0.1, 0.7
NOISE_TOGETHER = 0.8  # share of the noise that items of one cluster have in common
"""Latent sd of the items' difficulty and of the replicates' shared quality; luck in one label as a share of luck in
all.
"""


@dataclass(frozen=True)
class Cell:
    """One cell of the grid.

    Attributes:
        task: Labels and how hard they are.
        replicates: Replicates of a study.
        sd: Standard deviation over replicates of the true difference mixed − natural.
        items: Test items.
        cluster: Items that belong together: they share label, difficulty, every variant's taste and most of the noise.
        overlap: Correlation of the luck of two replicates, as when they share that part of their natural rows.
        looks: Numbers of replicates at which the verdict is read, up to `replicates`; empty: once, at the end.
        chosen: Whether a replicate's folds choose if mixed uses its synthetic rows: they see how much the replicate
            truly gains by them with an error of deviation `sd`, and where they see a loss, mixed answers as natural.
    """

    task: Task
    replicates: int
    sd: float
    items: int
    cluster: int = 1
    overlap: float = 0.0
    looks: tuple[int, ...] = ()
    chosen: bool = False


@dataclass(frozen=True)
class World:
    """A cell with everything that follows from it; `mistaken` (labels, labels): what a label is mistaken for."""

    cell: Cell
    luck: float
    mistaken: Array
    draws: Array

    @property
    def latent_sd(self) -> float:
        """Standard deviation of everything on the latent scale but the replicates' part."""
        return float(np.sqrt(1 + DIFFICULTY**2 + self.cell.task.own_items**2))

    @property
    def thresholds(self) -> Array:
        """Latent means at which the labels are recognised as often as the task says."""
        return np.asarray(norm.ppf(self.cell.task.recalls) * self.latent_sd)

    def scores(self, shift: float, luck: Array) -> Array:
        """True metric of replicates with `luck` (replicates, labels) in a variant moved by `shift`."""
        shares = np.array(self.cell.task.shares)
        recalls = norm.cdf((self.thresholds + shift + luck) / self.latent_sd)
        counts = ((1 - recalls) * shares)[..., None] * self.mistaken
        counts[..., np.arange(shares.size), np.arange(shares.size)] += recalls * shares
        return METRICS[self.cell.task.metric](np.concatenate([counts, np.zeros((*counts.shape[:-1], 1))], axis=-1))

    def gain(self, shift: float, *, chosen: bool = False) -> float:
        """True difference between a variant moved by `shift` and one that is not, over all possible replicates;
        `chosen`: of which the folds let it be moved in some only.
        """
        luck = self.luck * self.draws
        if not chosen:
            return float((self.scores(shift, luck[:, 0]) - self.scores(0.0, luck[:, 0])).mean())
        gains = self.scores(shift, luck[:, 0]) - self.scores(0.0, luck[:, 1])
        errors = np.random.default_rng(8).standard_normal(len(gains))
        return float((gains * self.uses(gains, errors)).mean())

    def uses(self, gains: Array, errors: Array) -> Array:
        """Whether the folds of replicates with true `gains` let mixed use its rows; `errors` are standard normal."""
        return np.asarray(gains + self.cell.sd * errors >= 0)

    def shift(self, gain: float, *, chosen: bool = False) -> float:
        """The latent shift that makes `gain`; where folds choose, no gain at all is that of rows which lose as much
        where they are wrongly used as they gain elsewhere.
        """
        if not chosen:
            return float(brentq(lambda shift: self.gain(shift) - gain, -3.0, 6.0)) if gain else 0.0
        lowest = self.shift(-self.cell.sd)  # less than a standard deviation below: there the folds' errors cost most
        return float(brentq(lambda shift: self.gain(shift, chosen=True) - gain, lowest, 6.0))


def make_world(cell: Cell) -> World:
    """Find the latent luck that gives the cell's standard deviation over replicates."""
    labels = len(cell.task.shares)
    weights = np.array(cell.task.shares) * (1 - np.eye(labels))
    normal = np.random.default_rng(7).standard_normal((20_000, 2, labels + 1))
    draws = normal[..., :1] + ONE_LABEL * normal[..., 1:]
    world = World(cell, 0.0, weights / weights.sum(axis=1, keepdims=True), draws)

    def excess(luck: float) -> float:
        difference = world.scores(0.0, luck * draws[:, 0]) - world.scores(0.0, luck * draws[:, 1])
        return float(difference.std()) - cell.sd

    return World(cell, float(brentq(excess, 1e-6, 3.0)), world.mistaken, draws)


@dataclass(frozen=True)
class Study:
    """The latent draws of one study: true labels, what each item is mistaken for, latent (variants, replicates,
    items), luck (variants, replicates, labels), and the folds' errors (replicates,).
    """

    y: Array
    other: Array
    latent: Array
    luck: Array
    fold_errors: Array

    def predicted(self, variant: int, shift: float) -> Array:
        """Predicted labels (replicates, items) of one variant moved by `shift`."""
        return np.where(self.latent[variant] + np.float32(shift) > 0, self.y, self.other)


def draw(world: World, rng: np.random.Generator, variants: int = 3) -> Study:
    """Draw a study."""
    cell, labels = world.cell, len(world.cell.task.shares)
    units = cell.items // cell.cluster
    y = np.searchsorted(np.cumsum(cell.task.shares)[:-1], rng.random(units), side="right").astype(np.int16)
    other = (rng.random(units)[:, None] > np.cumsum(world.mistaken, axis=1)[y]).sum(axis=1, dtype=np.int16)
    luck = _shared(rng, cell.overlap, (variants, cell.replicates, labels + 1))
    quality = _shared(rng, cell.overlap, (1, cell.replicates, 1))[0]
    by_label = world.luck * (luck[..., :1] + ONE_LABEL * luck[..., 1:]) + QUALITY * quality
    by_item = (world.thresholds[y] + DIFFICULTY * rng.standard_normal(units)).astype(np.float32)
    by_variant = by_item + np.float32(cell.task.own_items) * rng.standard_normal(
        (variants, 1, units), dtype=np.float32
    )
    latent = rng.standard_normal((variants, cell.replicates, units), dtype=np.float32)
    if cell.cluster > 1:
        latent *= np.float32(np.sqrt(NOISE_TOGETHER))
    latent += by_variant
    latent += by_label.astype(np.float32)[..., y]
    if cell.cluster > 1:
        y, other = np.repeat(y, cell.cluster), np.repeat(other, cell.cluster)
        latent = np.repeat(latent, cell.cluster, axis=2)
        latent += np.float32(np.sqrt(1 - NOISE_TOGETHER)) * rng.standard_normal(latent.shape, dtype=np.float32)
    return Study(y, other, latent, by_label, rng.standard_normal(cell.replicates) if cell.chosen else np.zeros(0))


def _shared(rng: np.random.Generator, correlation: float, shape: tuple[int, int, int]) -> Array:
    """Standard normal draws (variants, replicates, ...) that correlate between replicates."""
    own = rng.standard_normal(shape)
    if not correlation:
        return own
    common = rng.standard_normal((shape[0], 1, shape[2]))
    return np.asarray(np.sqrt(correlation) * common + np.sqrt(1 - correlation) * own)


@dataclass(frozen=True)
class Truth:
    """A scenario: the true scores of natural_repeated and mixed above natural, and the verdicts that would be
    false.
    """

    name: str
    repeated: float
    mixed: float
    false: frozenset[str]

    def chosen(self, cell: Cell) -> bool:
        """Whether folds choose: no choice worth its name loses the margin, so a loss is that of rows always used."""
        return cell.chosen and self.mixed >= 0


def scenarios(margin: float, steps: float, effect: float) -> tuple[Truth, ...]:
    """The places where verdicts are hardest to get right, and one where `helps` is true and should be said."""
    same, steps_only, hurts = "no difference that matters", "just more steps", "hurts"
    return (
        Truth("no effect", 0.0, 0.0, frozenset({"helps", steps_only, hurts})),
        Truth("only more steps", steps, steps, frozenset({"helps", hurts, same})),
        Truth("gain of the margin", 0.0, margin, frozenset({steps_only, hurts, same})),
        Truth("loss of the margin", 0.0, -margin, frozenset({"helps", steps_only, same})),
        Truth("steps and the margin", steps, steps + margin, frozenset({steps_only, hurts, same})),
        Truth("detectable gain", 0.0, effect, frozenset({steps_only, hurts})),
    )


class Judged:
    """One study under several truths: what a variant predicts after a shift is worked out once."""

    def __init__(self, study: Study, world: World):
        self.study, self.world = study, world
        self._parts: dict[tuple[int, float, bool], PseudoValues] = {}

    def parts(self, variant: int, shift: float, *, chosen: bool = False) -> PseudoValues:
        """Pseudo-values of a variant moved by `shift`; `chosen`: only where the folds let it, elsewhere natural's."""
        key = (variant, shift, chosen)
        if key not in self._parts:
            study, task = self.study, self.world.cell.task
            predicted = study.predicted(variant, shift)
            if chosen:
                gains = self.world.scores(shift, study.luck[variant]) - self.world.scores(0.0, study.luck[0])
                used = self.world.uses(gains, study.fold_errors)
                predicted = np.where(used[:, None], predicted, study.predicted(0, 0.0))
            self._parts[key] = pseudo_values(study.y, predicted, len(task.shares), METRICS[task.metric])
        return self._parts[key]

    def outcome(self, repeated: float, mixed: float, margin: float, *, chosen: bool = False) -> str:
        """What the engine says."""
        parts = {"n": self.parts(0, 0.0), "r": self.parts(1, repeated), "m": self.parts(2, mixed, chosen=chosen)}
        natural = contrast(parts, {"m": 1, "n": -1}).interval(ALPHA)
        assert natural is not None
        return decide(natural, contrast(parts, {"m": 1, "r": -1}).interval(ALPHA), margin)

    def other_methods(self) -> dict[str, bool]:
        """Without any effect: does another method call mixed − natural different from 0 at 5 %?"""
        difference = self.parts(2, 0.0).values - self.parts(0, 0.0).values
        value = abs(float(difference.mean()))
        by_replicate, by_item, rest = variance_parts(difference)
        replicates, items = difference.shape
        crossed = max(by_replicate + by_item - rest, 1e-12)
        df = crossed**2 / (
            by_replicate**2 / (replicates - 1) + by_item**2 / (items - 1) + rest**2 / ((replicates - 1) * (items - 1))
        )
        engine = contrast({"m": self.parts(2, 0.0), "n": self.parts(0, 0.0)}, {"m": 1, "n": -1}).interval(ALPHA)
        assert engine is not None
        return {
            "engine": not engine[0] <= 0 <= engine[1],
            "satterthwaite": value > stdtrit(max(df, 1.0), 0.975) * np.sqrt(crossed),
            "replicates_only": value > stdtrit(replicates - 1, 0.975) * np.sqrt(by_replicate),
            "items_only": value > stdtrit(items - 1, 0.975) * np.sqrt(by_item),
            "one_trial": abs(float(difference[0].mean())) > 1.96 * np.sqrt(difference[0].var() / items),
        }
