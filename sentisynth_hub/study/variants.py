"""What each variant of a study trains on.

    rows = variant_rows("mixed", recipe, sample, corpus, natural)        # VariantRows: the stages, one for all but
    `gradual`

A variant sees its replicate's own sample and corpus and nothing else. The exceptions are there to be compared with and
are never published: `extra_natural` and `natural_<n>` beyond the sample take further human rows out of the natural
pool, `zero_shot` sees human rows of another language in place of the sample.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sentisynth_hub.core import log
from sentisynth_hub.core.errors import DataError
from sentisynth_hub.core.random import allot, rng
from sentisynth_hub.core.rows import Row, by_label
from sentisynth_hub.natural.splits import NaturalData, Sample
from sentisynth_hub.recipe import Recipe
from sentisynth_hub.recipe.study_section import ASKED_VARIANTS, MIXED_AT_RATIO, NATURAL_OF_SIZE
from sentisynth_hub.study.augment import eda_rows, translated_rows


CONTROLS = ("shuffled_labels", "extra_natural")
"""Variants that check the study itself."""


@dataclass(frozen=True)
class Corpus:
    """The synthetic rows of one replicate: those the filters kept, all parsed candidates, and pseudo-labelled natural
    texts.
    """

    kept: list[Row]
    candidates: list[Row]
    pseudo_labelled: tuple[Row, ...] = ()


@dataclass(frozen=True)
class Stage:
    """Rows trained on together, for `share` of the variant's steps or for `epochs` passes, and the learning rate."""

    rows: list[Row]
    share: float = 1.0
    epochs: float | None = None
    learning_rate: float | None = None


@dataclass(frozen=True)
class VariantRows:
    """The stages of a variant, the human labels it uses, and labels it has no row of."""

    stages: tuple[Stage, ...]
    human_ids: tuple[str, ...]
    missing_labels: tuple[str, ...]

    @property
    def rows(self) -> list[Row]:
        """Rows of all stages; a row in several stages is there several times."""
        return [row for stage in self.stages for row in stage.rows]


def publishable(variant: str) -> bool:
    """Whether the model of `variant` may be published: trained, on nothing a user with this budget would not have."""
    return variant not in (*CONTROLS, "llm_classifier", "zero_shot") and not NATURAL_OF_SIZE.fullmatch(variant)


def chooses_budget(variant: str) -> bool:
    """Whether `variant` trains for its own best number of steps instead of mixed's."""
    return variant in ("natural", "zero_shot") or NATURAL_OF_SIZE.fullmatch(variant) is not None


def variant_rows(variant: str, recipe: Recipe, sample: Sample, corpus: Corpus, natural: NaturalData) -> VariantRows:
    """The training rows of `variant` in the replicate of `sample`.

    Raises:
        DataError: The replicate has no rows to make the variant of; says which, and what to do.
    """
    random = rng(recipe.seed, "variant", variant, sample.replicate)
    train = sample.train
    kept = _labelled(corpus.kept)
    if variant in ("natural", "natural_repeated"):
        return _one_stage(recipe, train, train)
    if NATURAL_OF_SIZE.fullmatch(variant):
        rows = natural_of_size(int(variant.removeprefix("natural_")), recipe, sample, natural)
        return _one_stage(recipe, rows, rows)
    if variant == "zero_shot":
        rows = _zero_shot(recipe, sample, natural)
        return _one_stage(recipe, rows, rows)
    if variant == "rebalanced":
        return _one_stage(recipe, _rebalanced(train, recipe.labels, random), train)
    if variant == "extra_natural":
        rows = [*train, *_extra_natural(kept, recipe, sample, natural)]
        return _one_stage(recipe, rows, rows)
    if variant == "pseudo_label":
        return _one_stage(recipe, [*train, *_needed(_labelled(corpus.pseudo_labelled), variant, sample)], train)
    if variant == "unfiltered":
        return _one_stage(recipe, [*train, *_needed(_labelled(corpus.candidates), variant, sample)], train)
    # Filters that kept nothing of this replicate's corpus added nothing: what follows is then natural rows alone, and
    # `synthetic` a student that saw no row. `check_corpora` stops a study that has no kept row anywhere.
    if variant == "synthetic":
        return _one_stage(recipe, kept, [])
    if variant == "gradual":
        return _gradual(recipe, train, kept, random)
    if variant == "mixed":
        added = kept
    elif MIXED_AT_RATIO.fullmatch(variant):
        count = round(float(variant[len("mixed_") : -1]) * len(train))
        added = [kept[i] for i in sorted(random.permutation(len(kept))[:count])]
    elif variant == "mixed_natural_prior":
        added = _with_prior_of(train, kept, recipe.labels, random)
    elif variant == "shuffled_labels":
        order = random.permutation(len(kept))
        added = [replace(row, label=kept[i].label) for row, i in zip(kept, order, strict=True)]
    elif variant == "eda":
        added = eda_rows(train, len(kept), random)
    elif variant == "word_translation":
        assert recipe.study.word_translation is not None
        added = translated_rows(train, len(kept), recipe, random)
    else:
        raise DataError(f"study.variants: {variant!r} is not trained on rows; leave it out here")
    return _one_stage(recipe, [*train, *added], train)


def check_corpora(recipe: Recipe, corpora: Mapping[int, Corpus]) -> None:
    """Stop where no replicate has a kept row though variants want some; warn of single replicates without any.

    Raises:
        DataError: Says which variants, and what to do.
    """
    wanting = [name for name in recipe.study.variants if _wants_kept(name)]
    empty = [replicate for replicate, corpus in sorted(corpora.items()) if not _labelled(corpus.kept)]
    if not wanting or not empty:
        return
    if len(empty) == len(corpora):
        raise DataError(
            f"study: {', '.join(wanting)} need synthetic rows and the filters kept none; loosen the filters, generate "
            "more, or leave these out of study.variants"
        )
    log.warn(
        f"study: the filters kept no row in replicate {', '.join(map(str, empty))}: there {', '.join(wanting)} have "
        "nothing but natural rows, as a user of this recipe would"
    )


def _wants_kept(variant: str) -> bool:
    return not (
        chooses_budget(variant) or variant in ("natural_repeated", "rebalanced", "unfiltered", *ASKED_VARIANTS)
    )


def reordered(recipe: Recipe, sample: Sample) -> Sample:
    """The sample with all of its training rows in another order: a replicate of the conditional design.

    Never fewer of them: the corpus and its teacher have seen all, and `mixed` would bring the missing ones back.
    """
    order = rng(recipe.seed, "order of the sample", sample.replicate).permutation(len(sample.train))
    return replace(sample, train=[sample.train[i] for i in order])


def natural_of_size(per_label: int, recipe: Recipe, sample: Sample, natural: NaturalData) -> list[Row]:
    """`per_label` natural rows a label: out of the sample as far as it goes, then further ones from the pool.

    Raises:
        DataError: The pool has too few rows of a label.
    """
    rows: list[Row] = []
    own = by_label(sample.train, recipe.labels)
    pool = by_label(_pool(recipe, sample, natural), recipe.labels)
    for label in recipe.labels:
        found = [*own[label], *pool[label]]
        if len(found) < per_label:
            raise DataError(
                f"study.variants: natural_{per_label} needs {per_label} natural rows of {label!r}, the pool has "
                f"{len(found)}; name a smaller size"
            )
        rows += found[:per_label]
    order = rng(recipe.seed, "natural of size", per_label, sample.replicate).permutation(len(rows))
    return [rows[i] for i in order]


def _zero_shot(recipe: Recipe, sample: Sample, natural: NaturalData) -> list[Row]:
    """The replicate's draw from the rows of another language, with their own label shares."""
    wanted = recipe.study.zero_shot
    if not natural.zero_shot or wanted is None:
        raise DataError("study.zero_shot: no rows; name a dataset or a file that has some")
    rows = sorted(natural.zero_shot, key=lambda row: (row.id, row.request_id))
    count = len(rows) if wanted.rows is None else wanted.rows
    if count > len(rows):
        raise DataError(f"study.zero_shot.rows: {count} rows are asked for, the source has {len(rows)}; lower it")
    groups = by_label(rows, recipe.labels)
    counts = allot(count, {label: len(group) for label, group in groups.items()})
    random = rng(recipe.seed, "zero shot", sample.replicate)
    return [group[i] for label, group in groups.items() for i in random.permutation(len(group))[: counts[label]]]


def _pool(recipe: Recipe, sample: Sample, natural: NaturalData) -> list[Row]:
    """Natural training rows outside the sample, in a seeded order that does not depend on the file's."""
    own = {row.id for row in [*sample.train, *sample.validation]}
    rows = sorted((row for row in natural.train if row.id not in own), key=lambda row: (row.id, row.request_id))
    return [rows[i] for i in rng(recipe.seed, "pool", sample.replicate).permutation(len(rows))]


def _extra_natural(kept: Sequence[Row], recipe: Recipe, sample: Sample, natural: NaturalData) -> list[Row]:
    pool = _pool(recipe, sample, natural)
    if len(pool) < len(kept):
        raise DataError(
            f"study.variants: extra_natural needs {len(kept)} natural rows beyond the sample of replicate "
            f"{sample.replicate}, the pool has {len(pool)}; lower natural.rows_per_label or generate.candidates, or "
            "leave extra_natural out"
        )
    return pool[: len(kept)]


def _rebalanced(rows: Sequence[Row], labels: Sequence[str], random: Any) -> list[Row]:
    """Every label as often as the most frequent one: all of its rows, then some of them again."""
    groups = [group for group in by_label(rows, labels).values() if group]
    most = max(len(group) for group in groups)
    chosen = []
    for group in groups:
        whole, rest = divmod(most, len(group))
        chosen += group * whole + [group[i] for i in random.permutation(len(group))[:rest]]
    return chosen


def _with_prior_of(train: Sequence[Row], kept: Sequence[Row], labels: Sequence[str], random: Any) -> list[Row]:
    """As many of `kept` as go, with the label shares of `train`."""
    wanted = {label: len(group) / len(train) for label, group in by_label(train, labels).items()}
    groups = by_label(kept, labels)
    size = min((len(groups[label]) / share for label, share in wanted.items() if share > 0), default=0)
    chosen = []
    for label, group in groups.items():
        count = int(size * wanted[label] + 1e-9)
        chosen += [group[i] for i in sorted(random.permutation(len(group))[:count])]
    return chosen


def _gradual(recipe: Recipe, train: list[Row], kept: list[Row], random: Any) -> VariantRows:
    """The schedule's stages: all natural rows in each, a prefix of one shuffle of the synthetic ones."""
    schedule = recipe.study.gradual
    shuffled = [kept[i] for i in random.permutation(len(kept))]
    parts = [[*train, *shuffled[: round(stage.synthetic_share * len(kept))]] for stage in schedule.stages]
    total = sum(map(len, parts))
    stages = tuple(
        Stage(rows, len(rows) / total, schedule.epochs, stage.learning_rate)
        for rows, stage in zip(parts, schedule.stages, strict=True)
    )
    return VariantRows(stages, _ids(train), _missing(recipe, parts[0]))


def _one_stage(recipe: Recipe, rows: list[Row], human: Sequence[Row]) -> VariantRows:
    return VariantRows((Stage(rows),), _ids(human), _missing(recipe, rows))


def _ids(rows: Sequence[Row]) -> tuple[str, ...]:
    return tuple(sorted({row.id for row in rows}))


def _missing(recipe: Recipe, rows: Sequence[Row]) -> tuple[str, ...]:
    return tuple(label for label, group in by_label(rows, recipe.labels).items() if not group)


def _labelled(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row.label is not None]


def _needed(rows: list[Row], variant: str, sample: Sample) -> list[Row]:
    if not rows:
        raise DataError(
            f"study: variant {variant!r} has no synthetic row in replicate {sample.replicate}; loosen the filters, "
            "generate more, or leave the variant out of study.variants"
        )
    return rows
