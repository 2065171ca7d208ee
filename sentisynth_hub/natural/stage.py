"""Natural rows: from a Hub dataset at a pinned commit, or from files.

    natural = load_natural(recipe)      # NaturalData: train / validation / test, and where they came from

Splits the source lacks are taken out of train once, seeded, stratified by label; the user's own splits are used as
given. The stage has no run folder: reading the rows again is as quick as reading a copy of them, and the digests of
the later stages begin with `NaturalData.digest`, so a source that changed is noticed.
"""

from collections.abc import Sequence
from typing import Any

from sentisynth_hub.core import log
from sentisynth_hub.core.cells import LeftOut
from sentisynth_hub.core.errors import DataError
from sentisynth_hub.core.open_records import Records, open_dataset
from sentisynth_hub.core.random import rng
from sentisynth_hub.core.read_files import read_file
from sentisynth_hub.core.rows import Row, by_label, content_digest
from sentisynth_hub.core.text import distinct_form, normalised
from sentisynth_hub.natural.leakage import check_natural_splits
from sentisynth_hub.natural.read_rows import RowReader, file_candidates, given_rows, hub_candidates, zero_shot_rows
from sentisynth_hub.natural.splits import NaturalData
from sentisynth_hub.recipe import Recipe


__all__ = ["VERSION", "decides", "file_candidates", "given_rows", "hub_candidates", "load_natural"]

VERSION = 1
SPLITS = ("train", "validation", "test")
_TEST_SHARE = 0.4  # of a source without a test split: small data needs its test rows most, or nothing can be told
_VALIDATION_SHARE = 0.2


def decides(recipe: Recipe) -> dict[str, Any]:
    """The part of a recipe that decides which natural rows there are; what the sources hold is in their digest."""
    zero_shot = recipe.study.zero_shot if "zero_shot" in recipe.study.variants else None
    return recipe.part("labels", "language", "seed", "natural") | {
        "zero_shot": None if zero_shot is None else zero_shot.model_dump(mode="json")
    }


def load_natural(recipe: Recipe) -> NaturalData:
    """Read the recipe's natural rows.

    What is left out of them is said, and stands in `NaturalData.source`.

    Raises:
        DataError: A file, column, split or label is not there, a cell holds no text or label, or train shares texts
            with validation or test and `natural.overlap` is `stop`.
    """
    source, records = _open(recipe)
    reader = RowReader.of_natural(recipe)
    clusters: dict[str, str] = {}
    read = {split: reader.read(part, f"{split}/", clusters=clusters) for split, part in records.items()}
    splits = _complete(recipe, {split: rows for split, (rows, _) in read.items()})
    whole = NaturalData(splits["train"], splits["validation"], splits["test"])
    gated, dropped = check_natural_splits(whole, recipe.natural.overlap)
    splits = {split: getattr(gated, split) for split in SPLITS}
    zero_shot = zero_shot_rows(recipe, gated)
    if recipe.natural.test_rows is not None:
        splits["test"] = _stratified(splits["test"], recipe, recipe.natural.test_rows, "test")
    for split, rows in splits.items():
        _say_copies(split, rows)
    source["left_out"] = dropped
    source["splits"] = {
        split: {
            "rows": len(rows),
            "labels": {label: len(group) for label, group in by_label(rows, recipe.labels).items()},
            "content_digest": content_digest(rows, split),
        }
        for split, rows in splits.items()
    }
    for split, (_, left_out) in read.items():
        if left_out.reasons:
            source["splits"][split]["left_out"] = dict(left_out.reasons)
    return NaturalData(**splits, source=source, zero_shot=zero_shot, clusters=clusters)


def _open(recipe: Recipe) -> tuple[dict[str, Any], dict[str, Records]]:
    """Where the rows come from, and the records of every split the source has."""
    section = recipe.natural
    if section.files is not None:
        paths = {
            split: recipe.local_file(path, f"natural.files.{split}")
            for split, path in section.files
            if path is not None
        }
        source: dict[str, Any] = {"kind": "files", "licence": section.licence}
        return source, {split: Records(str(path), read_file(path)) for split, path in paths.items()}
    assert section.dataset is not None
    dataset = open_dataset(
        section.dataset, config_name=section.config_name, revision=section.revision, key="natural.dataset"
    )
    source = {
        "kind": "hub",
        "dataset": section.dataset,
        "revision": section.revision,
        "commit": dataset.commit,
        "config_name": section.config_name,
        "licence": section.licence or dataset.licence,
    }
    named = {split: name for split, name in section.splits if name is not None}
    return source, {split: dataset.split(name, f"natural.splits.{split}") for split, name in named.items()}


def _complete(recipe: Recipe, given: dict[str, list[Row]]) -> dict[str, list[Row]]:
    """Take the splits the source lacks out of train: rows of one normalised text always go to the same side.

    Copies of a held-out row (the same text with the same label, but for emoji) are left out and counted, so that no
    item is tested twice; rows that differ from it by their emoji alone are items of their own.
    """
    splits = {split: given.get(split, []) for split in SPLITS}
    left_out = LeftOut()
    for split, share in (("test", _TEST_SHARE), ("validation", _VALIDATION_SHARE)):
        if split not in given:
            held = _stratified(splits["train"], recipe, round(share * len(given["train"])), f"hold out {split}")
            texts = {normalised(row.text) for row in held}
            near = [row for row in splits["train"] if normalised(row.text) in texts]
            splits["train"] = [row for row in splits["train"] if normalised(row.text) not in texts]
            splits[split] = _with_other_emoji(held, near)
            left_out.count(f"repeating a text of {split}", len(near) - len(splits[split]))
    left_out.rows = sum(map(len, splits.values()))
    left_out.say("natural")
    for split, rows in splits.items():
        missing = [label for label, group in by_label(rows, recipe.labels).items() if not group]
        if missing and split != "test":
            raise DataError(
                f"natural {split}: no row with label {', '.join(map(repr, missing))}; every label needs rows"
            )
        if not rows:
            raise DataError(f"natural {split}: no rows; bring more, or name another split")
    return splits


def _with_other_emoji(held: Sequence[Row], near: Sequence[Row]) -> list[Row]:
    """The held rows, and of those that share their normalised text the ones with other emoji."""
    forms = {distinct_form(row.text) for row in held}
    rows = list(held)
    for row in near:
        if (form := distinct_form(row.text)) not in forms:
            forms.add(form)
            rows.append(row)
    return rows


def _say_copies(split: str, rows: Sequence[Row]) -> None:
    """Warn where a split has a text several times: it counts as often as it stands there."""
    copies = len(rows) - len({normalised(row.text) for row in rows})
    if copies:
        log.info(f"natural {split}: {copies:,} of {len(rows):,} rows repeat a text of the same split, and are kept")


def _stratified(rows: Sequence[Row], recipe: Recipe, count: int, purpose: str) -> list[Row]:
    """At most `count` rows of distinct texts with the labels' shares kept, in the order of a seeded shuffle."""
    if count >= len(rows):
        return list(rows)
    random = rng(recipe.seed, purpose)
    sample: list[Row] = []
    for group in by_label(rows, recipe.labels).values():
        group = sorted({normalised(row.text): row for row in group}.values(), key=lambda row: (row.id, row.request_id))
        order = random.permutation(len(group))
        sample += [group[i] for i in order[: round(count * len(group) / len(rows))]]
    return [sample[i] for i in random.permutation(len(sample))]
