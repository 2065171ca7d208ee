"""Natural rows that a variant takes in place of the replicate's sample, or beside it."""

from collections.abc import Sequence
from typing import Any

from sentisynth_hub.core.errors import DataError
from sentisynth_hub.core.random import allot, rng
from sentisynth_hub.core.rows import Row, by_label
from sentisynth_hub.natural.splits import NaturalData, Sample
from sentisynth_hub.recipe import Recipe


def of_size(per_label: int, recipe: Recipe, sample: Sample, natural: NaturalData) -> list[Row]:
    """`per_label` natural rows a label: out of the sample as far as it goes, then further ones from the pool.

    Raises:
        DataError: The pool has too few rows of a label.
    """
    rows: list[Row] = []
    own = by_label(sample.train, recipe.labels)
    further = by_label(_beyond(recipe, sample, natural), recipe.labels)
    for label in recipe.labels:
        there = [*own[label], *further[label]]
        if len(there) < per_label:
            raise DataError(
                f"study.variants: natural_{per_label} needs {per_label} natural rows of {label!r}, the pool has "
                f"{len(there)}; name a smaller size"
            )
        rows += there[:per_label]
    order = rng(recipe.seed, "natural of size", per_label, sample.replicate).permutation(len(rows))
    return [rows[i] for i in order]


def zero_shot(recipe: Recipe, sample: Sample, natural: NaturalData) -> list[Row]:
    """The replicate's draw from the rows of another language, with their own label shares.

    Raises:
        DataError: There are no such rows, or too few.
    """
    setting = recipe.study.zero_shot
    if not natural.zero_shot or setting is None:
        raise DataError("study.zero_shot: no rows; name a dataset or a file that has some")
    rows = sorted(natural.zero_shot, key=lambda row: (row.id, row.request_id))
    count = len(rows) if setting.rows is None else setting.rows
    if count > len(rows):
        raise DataError(f"study.zero_shot.rows: {count} rows are asked for, the source has {len(rows)}; lower it")
    groups = by_label(rows, recipe.labels)
    counts = allot(count, {label: len(group) for label, group in groups.items()})
    random = rng(recipe.seed, "zero shot", sample.replicate)
    return [group[i] for label, group in groups.items() for i in random.permutation(len(group))[: counts[label]]]


def extra(count: int, recipe: Recipe, sample: Sample, natural: NaturalData) -> list[Row]:
    """`count` natural rows beyond the sample.

    Raises:
        DataError: The pool has fewer.
    """
    rows = _beyond(recipe, sample, natural)
    if len(rows) < count:
        raise DataError(
            f"study.variants: extra_natural needs {count} natural rows beyond the sample of replicate "
            f"{sample.replicate}, the pool has {len(rows)}; lower natural.rows_per_label or generate.candidates, or "
            "leave extra_natural out"
        )
    return rows[:count]


def pool(recipe: Recipe, sample: Sample, natural: NaturalData) -> list[Row]:
    """Natural training rows outside the sample, in one seeded order for all replicates: what is computed on the first
    of them serves every replicate.
    """
    own = {row.id for row in [*sample.train, *sample.validation]}
    distinct = {row.id: row for row in natural.train}
    rows = [distinct[name] for name in sorted(distinct)]
    order = rng(recipe.seed, "unlabelled pool").permutation(len(rows))
    return [rows[i] for i in order if rows[i].id not in own]


def rebalanced(rows: Sequence[Row], labels: Sequence[str], random: Any) -> list[Row]:
    """Every label as often as the most frequent one: all of its rows, then some of them again."""
    groups = [group for group in by_label(rows, labels).values() if group]
    most = max(len(group) for group in groups)
    balanced = []
    for group in groups:
        whole, rest = divmod(most, len(group))
        balanced += group * whole + [group[i] for i in random.permutation(len(group))[:rest]]
    return balanced


def with_shares_of(natural: Sequence[Row], rows: Sequence[Row], labels: Sequence[str], random: Any) -> list[Row]:
    """As many of `rows` as go, with the label shares of `natural`."""
    shares = {label: len(group) / len(natural) for label, group in by_label(natural, labels).items()}
    groups = by_label(rows, labels)
    size = min((len(groups[label]) / share for label, share in shares.items() if share > 0), default=0)
    cut = []
    for label, group in groups.items():
        count = int(size * shares[label] + 1e-9)
        cut += [group[i] for i in sorted(random.permutation(len(group))[:count])]
    return cut


def _beyond(recipe: Recipe, sample: Sample, natural: NaturalData) -> list[Row]:
    """Natural training rows outside the sample, in an order of the replicate that is not the file's."""
    own = {row.id for row in [*sample.train, *sample.validation]}
    rows = sorted((row for row in natural.train if row.id not in own), key=lambda row: (row.id, row.request_id))
    return [rows[i] for i in rng(recipe.seed, "pool", sample.replicate).permutation(len(rows))]
