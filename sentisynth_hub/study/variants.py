"""What each variant of a study trains on: the rows behind every line of `recipe/variant_table.py`.

    options = variant_rows("mixed", recipe, sample, corpus, natural)

A variant is one set of rows, or several among which its trial chooses in the folds (`natural`, `mixed`). It sees its
replicate's own sample and corpus and nothing else. The exceptions are there to be compared with and are never
published: `extra_natural` and `natural_<n>` beyond the sample take further human rows out of the natural pool,
`zero_shot` sees human rows of another language in place of the sample. `self_training` takes texts out of the pool,
and their labels are struck out before it sees them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sentisynth_hub.core import log
from sentisynth_hub.core.errors import DataError, RecipeError
from sentisynth_hub.core.random import rng
from sentisynth_hub.core.rows import Row, by_label
from sentisynth_hub.filter.teacher import TeacherOptions
from sentisynth_hub.natural.splits import NaturalData, Sample
from sentisynth_hub.recipe import Recipe
from sentisynth_hub.recipe.variant_table import Variant, built_in, outside, variant
from sentisynth_hub.study import natural_rows
from sentisynth_hub.study.augment import eda_rows, translated_rows
from sentisynth_hub.study.training_rows import Corpus, Option, TrainingStage, derived, mixed_with, one_stage


@dataclass(frozen=True)
class Setting:
    """What a variant may be made from.

    Attributes:
        recipe: The recipe.
        sample: The natural rows the replicate may see; all of `sample.train` may be trained on.
        corpus: Its synthetic rows.
        natural: All natural rows, for what is taken out of the pool.
        random: A random generator of the variant and the replicate.
        number: The number in a family's name.
    """

    recipe: Recipe
    sample: Sample
    corpus: Corpus
    natural: NaturalData
    random: Any
    number: float | None = None

    @property
    def train(self) -> list[Row]:
        """The replicate's natural training rows."""
        return self.sample.train

    @property
    def kept(self) -> list[Row]:
        """The kept synthetic rows that have a label."""
        return _labelled(self.corpus.kept)

    @property
    def judged(self) -> list[Row]:
        """The rows the teacher judged, whatever it said; the kept ones where no teacher learned from the sample."""
        teacher = self.recipe.filter.of(TeacherOptions)
        own = teacher is not None and teacher.labels == "sample"
        return _labelled(self.corpus.judged if own and self.corpus.judged else self.corpus.kept)

    def mixed(self, natural: Sequence[Row], added: Sequence[Row], dropped: Sequence[Row] = ()) -> TrainingStage:
        """A stage of natural and synthetic rows; a synthetic one is in the fold of the row it was made from."""
        return mixed_with(natural, added, dropped, self.corpus.parents)

    def of(self, name: str) -> tuple[Option, ...]:
        """The options of another variant of the same replicate."""
        return variant_rows(name, self.recipe, self.sample, self.corpus, self.natural)


Rows = Callable[[Setting], Option | Sequence[Option]]


@dataclass(frozen=True)
class StudyVariant:
    """A variant from outside the package: its line of the table, and what it trains on."""

    line: Variant
    rows: Rows


_ROWS: dict[str, Rows] = {}


def _rows_of(*names: str) -> Callable[[Rows], Rows]:
    def register(function: Rows) -> Rows:
        _ROWS.update(dict.fromkeys(names, function))
        return function

    return register


def variant_rows(
    name: str, recipe: Recipe, sample: Sample, corpus: Corpus, natural: NaturalData
) -> tuple[Option, ...]:
    """What the variant `name` trains on in the replicate of `sample`: its options, one for all but a few.

    Raises:
        DataError: The replicate has no rows to make the variant of; says which, and what to do.
        RecipeError: The variant lies outside the package and cannot be loaded.
    """
    line = built_in(name)
    if line is None:
        rows, number = _outside_rows(name), None
    elif line.trained:
        rows, number = _ROWS[line.name], line.number(name)
    else:
        raise DataError(f"study.variants: {name!r} is not trained on rows; leave it out here")
    random = rng(recipe.seed, "variant", name, sample.replicate)
    variant_set = rows(Setting(recipe, sample, corpus, natural, random, number))
    return (variant_set,) if isinstance(variant_set, Option) else tuple(variant_set)


def _outside_rows(name: str) -> Rows:
    target = outside(name)
    if not isinstance(target, StudyVariant):
        raise RecipeError(f"study.variants: {name} is no StudyVariant; see docs/how-to/study.md")
    return target.rows


@_rows_of("plain", "natural_repeated")
def _plain(setting: Setting) -> Option:
    return Option("plain", (one_stage(setting.train),))


@_rows_of("natural")
def _natural(setting: Setting) -> list[Option]:
    options: list[Option] = []
    for rank, name in enumerate(setting.recipe.study.natural_methods):
        if name == "self_training" and not natural_rows.pool(setting.recipe, setting.sample, setting.natural):
            continue  # every natural row is in the sample: there is nothing to label
        options += [replace(option, rank=rank) for option in setting.of(name)]
    return options


@_rows_of("natural_<n>")
def _natural_of_size(setting: Setting) -> Option:
    assert setting.number is not None
    rows = natural_rows.of_size(int(setting.number), setting.recipe, setting.sample, setting.natural)
    return Option("plain", (one_stage(rows),))


@_rows_of("zero_shot")
def _zero_shot(setting: Setting) -> Option:
    rows = natural_rows.zero_shot(setting.recipe, setting.sample, setting.natural)
    return Option("zero_shot", (one_stage(rows),), own_folds=False)


@_rows_of("rebalanced")
def _rebalanced(setting: Setting) -> Option:
    rows = natural_rows.rebalanced(setting.train, setting.recipe.labels, setting.random)
    return Option("rebalanced", (one_stage(rows),))


@_rows_of("extra_natural")
def _extra_natural(setting: Setting) -> Option:
    extra = natural_rows.extra(len(setting.kept), setting.recipe, setting.sample, setting.natural)
    return Option("extra_natural", (one_stage([*setting.train, *extra]),))


@_rows_of("self_training")
def _self_training(setting: Setting) -> Option:
    pool = natural_rows.pool(setting.recipe, setting.sample, setting.natural)
    if not pool:
        raise DataError(
            "study.variants: self_training labels natural texts beyond the sample, and every natural training row is "
            f"in the sample of replicate {setting.sample.replicate}; leave it out, or set natural.rows_per_label"
        )
    pool = [replace(row, label=None) for row in pool[: setting.recipe.study.self_training.pool]]
    weights = _positive(setting.recipe.study.synthetic_weights)
    return Option("self_training", (mixed_with(setting.train, pool),), weights=weights, teacher="labels")


@_rows_of("setfit")
def _setfit(setting: Setting) -> Option:
    return Option("setfit", (one_stage(setting.train),), tuned=True)


@_rows_of("eda")
def _eda(setting: Setting) -> Option:
    count = len(setting.kept) or len(setting.train)
    return Option("eda", (derived(setting.train, eda_rows(setting.train, count, setting.random)),))


@_rows_of("word_translation")
def _word_translation(setting: Setting) -> Option:
    pairs = translated_rows(setting.train, len(setting.kept), setting.recipe, setting.random)
    return Option("word_translation", (derived(setting.train, pairs),))


@_rows_of("pseudo_label")
def _pseudo_label(setting: Setting) -> Option:
    rows = _needed(_labelled(setting.corpus.pseudo_labelled), "pseudo_label", setting.sample)
    return Option("pseudo_label", (setting.mixed(setting.train, rows),))


@_rows_of("unfiltered")
def _unfiltered(setting: Setting) -> Option:
    rows = _needed(_labelled(setting.corpus.candidates), "unfiltered", setting.sample)
    return Option("unfiltered", (setting.mixed(setting.train, rows),))


# Filters that kept nothing of this replicate's corpus added nothing: what follows is then natural rows alone, and
# `synthetic` a student that saw no row. `check_corpora` stops a study that has no kept row anywhere.


@_rows_of("synthetic")
def _synthetic(setting: Setting) -> Option:
    return _filtered("synthetic", (_with_kept([], setting.kept, setting),))


@_rows_of("kept")
def _kept(setting: Setting) -> Option:
    return _filtered("kept", (_with_kept(setting.train, setting.kept, setting),))


@_rows_of("weighted")
def _weighted(setting: Setting) -> Option:
    return Option("weighted", (setting.mixed(setting.train, setting.judged),), teacher="weighs")


@_rows_of("synthetic_then_natural")
def _synthetic_then_natural(setting: Setting) -> Option:
    total = len(setting.kept) + len(setting.train)
    stages = [stage for stage in (_with_kept([], setting.kept, setting), one_stage(setting.train)) if stage.trained]
    return _filtered(
        "synthetic_then_natural", tuple(replace(stage, share=len(stage.trained) / total) for stage in stages)
    )


@_rows_of("mixed")
def _mixed(setting: Setting) -> list[Option]:
    """Every declared way to use the synthetic rows, with every weight; a weight of 0 is `plain`, and there once."""
    weights = setting.recipe.study.synthetic_weights
    options = list(setting.of("plain")) if 0 in weights else []
    for name in setting.recipe.study.mixed_methods:
        if name != "unfiltered" or _labelled(setting.corpus.candidates):
            options += [replace(_weighed(option, weights), rank=1) for option in setting.of(name)]
    return options


@_rows_of("shuffled_labels")
def _shuffled_labels(setting: Setting) -> list[Option]:
    """The control goes the way of `mixed`: the labels are shuffled, and the folds may find that out."""
    kept, weights = setting.kept, setting.recipe.study.synthetic_weights
    order = setting.random.permutation(len(kept))
    shuffled = [replace(row, label=kept[i].label) for row, i in zip(kept, order, strict=True)]
    options = list(setting.of("plain")) if 0 in weights else []
    shuffling = Option("kept", (setting.mixed(setting.train, shuffled),), rank=1)
    return [*options, _weighed(shuffling, weights)]


@_rows_of("mixed_<r>x")
def _mixed_at_ratio(setting: Setting) -> Option:
    assert setting.number is not None
    kept, count = setting.kept, round(setting.number * len(setting.train))
    rows = [kept[i] for i in sorted(setting.random.permutation(len(kept))[:count])]
    return _filtered("kept", (_with_kept(setting.train, rows, setting),))


@_rows_of("mixed_natural_prior")
def _mixed_natural_prior(setting: Setting) -> Option:
    rows = natural_rows.with_shares_of(setting.train, setting.kept, setting.recipe.labels, setting.random)
    return _filtered("kept", (_with_kept(setting.train, rows, setting),))


@_rows_of("gradual")
def _gradual(setting: Setting) -> Option:
    """The schedule's stages: all natural rows in each, a prefix of one shuffle of the synthetic ones."""
    schedule, kept = setting.recipe.study.gradual, setting.kept
    shuffled = [kept[i] for i in setting.random.permutation(len(kept))]
    parts = [
        _with_kept(setting.train, shuffled[: round(stage.synthetic_share * len(kept))], setting)
        for stage in schedule.stages
    ]
    total = sum(len(part.trained) for part in parts)
    stages = (
        replace(part, share=len(part.trained) / total, epochs=schedule.epochs, learning_rate=stage.learning_rate)
        for part, stage in zip(parts, schedule.stages, strict=True)
    )
    return _filtered("gradual", tuple(stages))


def check_corpora(recipe: Recipe, corpora: Mapping[int, Corpus]) -> None:
    """Stop where no replicate has a kept row though variants need some; warn of single replicates without any.

    Raises:
        DataError: Says which variants, and what to do.
    """
    needing = [name for name in recipe.study.variants if variant(name).corpus == "kept"]
    empty = [replicate for replicate, corpus in sorted(corpora.items()) if not _labelled(corpus.kept)]
    if not needing or not empty:
        return
    if len(empty) == len(corpora):
        raise DataError(
            f"study: {', '.join(needing)} need synthetic rows and the filters kept none; loosen the filters, generate "
            "more, or leave these out of study.variants"
        )
    log.warn(
        f"study: the filters kept no row in replicate {', '.join(map(str, empty))}: there {', '.join(needing)} have "
        "nothing but natural rows, as a user of this recipe would"
    )


def _with_kept(natural: Sequence[Row], kept: Sequence[Row], setting: Setting) -> TrainingStage:
    """Natural rows and some of the kept ones; beside them the same share, label by label, of the rows that the
    filters' teacher dropped, for the folds in which another teacher decides.
    """
    everything, judged = {row.request_id for row in setting.kept}, setting.judged
    dropped = by_label([row for row in judged if row.request_id not in everything], setting.recipe.labels)
    there, taken = (by_label(rows, setting.recipe.labels) for rows in (setting.kept, kept))
    share = len(kept) / max(1, len(setting.kept))
    part: list[Row] = []
    for label, rows in dropped.items():
        own = len(taken[label]) / len(there[label]) if there[label] else share
        part += rows[: round(own * len(rows))]
    return setting.mixed(natural, kept, part)


def _filtered(name: str, stages: tuple[TrainingStage, ...]) -> Option:
    """An option whose added rows the recipe's teacher has filtered, if it dropped any."""
    return Option(name, stages, teacher="filters" if any(any(stage.dropped) for stage in stages) else None)


def _weighed(option: Option, weights: Sequence[float]) -> Option:
    return replace(option, weights=_positive(weights)) if option.weighable else option


def _positive(weights: Sequence[float]) -> tuple[float, ...]:
    return tuple(float(weight) for weight in weights if weight > 0)


def _labelled(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row.label is not None]


def _needed(rows: list[Row], name: str, sample: Sample) -> list[Row]:
    if not rows:
        raise DataError(
            f"study: variant {name!r} has no synthetic row in replicate {sample.replicate}; loosen the filters, "
            "generate more, or leave the variant out of study.variants"
        )
    return rows
