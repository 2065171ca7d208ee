"""Natural splits, and the low-resource sample each replicate draws from them.

A replicate sees its own sample and nothing else: demonstrations, teacher, thresholds, scorer windows and students all
come
from `Sample.train` and `Sample.validation`. Test rows are the same for all replicates.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sentisynth_hub.errors import DataError
from sentisynth_hub.recipe import Recipe
from sentisynth_hub.rows import Row
from sentisynth_hub.text import digest, normalised


@dataclass(frozen=True)
class NaturalData:
    """The natural rows as the recipe names them; `source` says where they came from (ids, commits, licence,
    counts)."""

    train: list[Row]
    validation: list[Row]
    test: list[Row]
    source: dict[str, Any] = field(default_factory=dict)

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


def rng(*parts: object) -> Any:
    """A numpy generator that follows from `parts` alone (seed, replicate, purpose), on every machine alike."""
    import numpy as np

    return np.random.default_rng(int(digest([repr(part) for part in parts])[:16], 16))


def draw_samples(recipe: Recipe, natural: NaturalData) -> list[Sample]:
    """Draw each replicate's sample.

    nested: every replicate draws its own `rows_per_label` training and `validation_per_label` validation rows;
    conditional: all
    replicates share replicate 0's sample (what varies is initialisation, order and a bootstrap of the rows, inside
    training).

    Raises:
        DataError: A label has fewer rows than asked for.
    """
    study, wanted = recipe.study, recipe.natural
    draws = range(study.replicates) if study.design == "nested" else [0]
    samples = []
    for replicate in draws:
        train = _draw(recipe, natural.train, wanted.rows_per_label, "train", replicate)
        per_label = wanted.validation_per_label or wanted.rows_per_label
        samples.append(Sample(replicate, train, _draw(recipe, natural.validation, per_label, "validation", replicate)))
    if study.design == "conditional":
        samples = [Sample(replicate, samples[0].train, samples[0].validation) for replicate in range(study.replicates)]
    return samples


def samples_digest(samples: Sequence[Sample]) -> str:
    """sha256 over which rows each replicate may see."""
    return digest(
        f"{sample.replicate}\0{split}\0{row.request_id}\0{row.id}\0{row.label}"
        for sample in samples
        for split, rows in (("train", sample.train), ("validation", sample.validation))
        for row in rows
    )


def by_label(rows: Sequence[Row], labels: Sequence[str]) -> dict[str, list[Row]]:
    """Rows of each label, in the order of `labels`; a label without rows has an empty list."""
    groups: dict[str, list[Row]] = {label: [] for label in labels}
    for row in rows:
        if row.label is not None:
            groups[row.label].append(row)
    return groups


def _draw(recipe: Recipe, rows: Sequence[Row], per_label: int | None, split: str, replicate: int) -> list[Row]:
    """`per_label` rows a label without replacement (all of them where None), in shuffled order."""
    random = rng(recipe.seed, "sample", split, replicate)
    drawn: list[Row] = []
    for label, group in by_label(rows, recipe.labels).items():
        if per_label is not None and len(group) < per_label:
            raise DataError(
                f"natural {split}: label {label!r} has {len(group)} rows, the recipe asks for {per_label} a label; "
                f"lower natural.{'rows' if split == 'train' else 'validation'}_per_label or bring more rows"
            )
        # Sorted first: the sample depends on what the rows are, not on the order a file happens to have them in.
        group = sorted(group, key=lambda row: (row.id, row.request_id))
        chosen = random.permutation(len(group))[: per_label or len(group)]
        drawn += [group[i] for i in chosen]
    return [drawn[i] for i in random.permutation(len(drawn))]


def shared_texts(rows: Sequence[Row], others: Sequence[Row]) -> list[Row]:
    """Rows whose normalised text stands among `others` too."""
    seen = {normalised(row.text) for row in others}
    return [row for row in rows if normalised(row.text) in seen]
