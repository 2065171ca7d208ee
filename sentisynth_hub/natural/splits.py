"""Natural splits, and the low-resource sample each replicate draws from them.

A replicate sees its own sample and nothing else: demonstrations, teacher, thresholds, scorer windows and students all
come
from `Sample.train` and `Sample.validation`. Test rows are the same for all replicates.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sentisynth_hub.core.errors import DataError
from sentisynth_hub.core.random import allot, rng
from sentisynth_hub.core.rows import Row, by_label
from sentisynth_hub.core.text import digest, normalised
from sentisynth_hub.recipe import Recipe


@dataclass(frozen=True)
class NaturalData:
    """The natural rows as the recipe names them; `source` says where they came from (ids, commits, licence,
    counts).

    `zero_shot` are human-labelled rows of another language, which no stage but the variant of that name sees;
    `clusters` is what the recipe's column `natural.cluster` says of a row, by `request_id`. Neither is part of the
    digest.
    """

    train: list[Row]
    validation: list[Row]
    test: list[Row]
    source: dict[str, Any] = field(default_factory=dict)
    zero_shot: list[Row] = field(default_factory=list)
    clusters: dict[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """sha256 over every split's rows, in no order."""
        return digest(
            sorted(
                f"{split}\0{row.request_id}\0{row.id}\0{row.label}"
                for split in ("train", "validation", "test")
                for row in getattr(self, split)
            )
        )


@dataclass(frozen=True)
class Sample:
    """The natural rows one replicate may see."""

    replicate: int
    train: list[Row]
    validation: list[Row]


def draw_samples(recipe: Recipe, natural: NaturalData) -> list[Sample]:
    """Draw each replicate's sample.

    nested: every replicate draws its own rows, so many a label or so many with the label shares the recipe gives;
    validation rows too where the recipe counts them or holds them out (folds over the training rows need none);
    conditional: all replicates share replicate 0's sample (what varies is initialisation and
    the order of the rows, inside training).

    Raises:
        DataError: A label has fewer rows than asked for, or would get none.
    """
    study, settings = recipe.study, recipe.natural
    draws = range(study.replicates) if study.design == "nested" else [0]
    samples = []
    for replicate in draws:
        train = _draw(recipe, natural.train, settings.rows, settings.rows_per_label, "train", replicate)
        validation = _draw_validation(recipe, natural.validation, replicate)
        samples.append(Sample(replicate, train, validation))
    if study.design == "conditional":
        samples = [Sample(replicate, samples[0].train, samples[0].validation) for replicate in range(study.replicates)]
    return samples


def _draw_validation(recipe: Recipe, rows: Sequence[Row], replicate: int) -> list[Row]:
    settings = recipe.natural
    count, per_label = settings.validation_rows, settings.validation_per_label
    if count is None and per_label is None:
        count, per_label = settings.rows, settings.rows_per_label
        if settings.validation == "cross_validated" and (count or per_label):
            return []  # the rows that were asked for are all the labels this replicate has
    return _draw(recipe, rows, count, per_label, "validation", replicate)


def parents_of(sample: Sample, parents: Mapping[str, str]) -> dict[str, Row]:
    """The natural rows that synthetic ones were made from, by the synthetic ones' `request_id`.

    Args:
        parents: `request_id` of a natural row by that of a synthetic one.

    Raises:
        DataError: A parent is no row of the replicate: the rows belong to another sample.
    """
    own = {row.request_id: row for row in sample.train}
    for parent in parents.values():
        if parent not in own:
            raise DataError(
                f"generate: a row of replicate {sample.replicate} was made from {parent!r}, which is not among its "
                "training rows; delete the generate stage's folder and run again"
            )
    return {row: own[parent] for row, parent in parents.items()}


def samples_digest(samples: Sequence[Sample]) -> str:
    """sha256 over which rows each replicate may see."""
    return digest(
        f"{sample.replicate}\0{split}\0{row.request_id}\0{row.id}\0{row.label}"
        for sample in samples
        for split, rows in (("train", sample.train), ("validation", sample.validation))
        for row in rows
    )


def _draw(
    recipe: Recipe, rows: Sequence[Row], total: int | None, per_label: int | None, split: str, replicate: int
) -> list[Row]:
    """`per_label` rows a label, or `total` by the label shares (all rows where both are None), without replacement, in
    shuffled order. A smaller sample of the same replicate and split is part of a larger one.
    """
    random = rng(recipe.seed, "sample", split, replicate)
    groups = by_label(rows, recipe.labels)
    counts = _wanted(recipe, groups, total, per_label, split)
    sample: list[Row] = []
    for label, group in groups.items():
        # Sorted first: the sample depends on what the rows are, not on the order a file happens to have them in.
        group = sorted(group, key=lambda row: (row.id, row.request_id))
        places = random.permutation(len(group))[: counts[label]]
        sample += [group[i] for i in places]
    return [sample[i] for i in random.permutation(len(sample))]


def _wanted(
    recipe: Recipe, groups: Mapping[str, Sequence[Row]], total: int | None, per_label: int | None, split: str
) -> dict[str, int]:
    """How many rows of each label a sample has.

    Raises:
        DataError: A label has fewer rows than that, or would get none.
    """
    there = {label: len(group) for label, group in groups.items()}
    key = "rows" if split == "train" else "validation"
    if total is None:
        for label, count in there.items():
            if per_label is not None and count < per_label:
                raise DataError(
                    f"natural {split}: label {label!r} has {count} rows, the recipe asks for {per_label} a label; "
                    f"lower natural.{key}_per_label or bring more rows"
                )
        return there if per_label is None else dict.fromkeys(there, per_label)
    key = "rows" if split == "train" else "validation_rows"
    shares = recipe.natural.label_shares
    counts = allot(total, {label: shares[label] for label in there} if shares is not None else there)
    for label, count in counts.items():
        if not count:
            raise DataError(
                f"natural {split}: {total} rows by the label shares leave none for {label!r}; raise natural.{key}, "
                "or give the label a larger share in natural.label_shares"
            )
        if count > there[label]:
            raise DataError(
                f"natural {split}: {total} rows by the label shares are {count} of {label!r}, which has "
                f"{there[label]}; lower natural.{key} or change natural.label_shares"
            )
    return counts


def shared_texts(rows: Sequence[Row], others: Sequence[Row]) -> list[Row]:
    """Rows whose normalised text stands among `others` too."""
    texts = {normalised(row.text) for row in others}
    return [row for row in rows if normalised(row.text) in texts]
