"""A sheet: which rows people are shown, half natural and half synthetic, and the private key that says which are
which.

Every rater sees the same rows, each in an order of their own, so that agreement can be measured and raters and rows
can both be taken for samples. Natural rows come from train and validation, never from test. Rows are balanced over the
labels, synthetic ones over the strata too. A row's number on the sheet says nothing about it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sentisynth_hub.annotate.rating_files import FORMAT_KEY, AnyKey, Item, Key, Margins
from sentisynth_hub.core.errors import InputError
from sentisynth_hub.core.files import json_digest
from sentisynth_hub.core.random import rng
from sentisynth_hub.core.rows import Row, content_digest
from sentisynth_hub.core.text import nfc, normalised
from sentisynth_hub.natural.splits import NaturalData


ROW_STRATA = ("num_shots", "generator", "language", "prompt_id", "asked_label")
CORPUS_STRATA = ("volume", "setting")


@dataclass(frozen=True)
class RatedCorpus:
    """Kept rows of one setting of a recipe.

    Attributes:
        kept: The rows.
        volume: Candidates that were asked for.
        setting: The overrides that make the setting, as they were written; "" for the recipe itself.
        attributes: What was varied from prompt to prompt, by request_id.
    """

    kept: Sequence[Row]
    volume: int
    setting: str = ""
    attributes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Sheet:
    """What goes onto the page: the key (which does not), the texts by row id, and each rater's order of the rows."""

    key: AnyKey
    texts: dict[str, str]
    orders: list[list[int]]


def draw_sheet(
    recipe: str,
    run: str,
    labels: Sequence[str],
    corpora: Sequence[RatedCorpus],
    natural: NaturalData,
    *,
    rows: int,
    raters: int,
    strata: Sequence[str],
    margins: Margins,
    seed: int,
) -> Sheet:
    """Draw `rows` rows for `raters` people.

    Args:
        recipe: Name of the recipe; `run` its run folder, where the result will be written.
        labels: The recipe's labels, in their order.
        corpora: The recipe's kept rows (first), and those of other settings to compare with.
        natural: Natural rows; those of test, and rows whose text stands in test too, are never drawn.
        strata: What to balance synthetic rows over and to compare them by: names of `ROW_STRATA`, `CORPUS_STRATA`, or
            of an attribute of the prompts.
        margins: Differences that do not matter; fixed here, before there is an answer.
        seed: Decides the rows and their orders.

    Raises:
        InputError: A label or stratum has too few rows, or a stratum is unknown; names the largest sheet there is.
    """
    if rows < 2 * len(labels):
        raise InputError(
            f"--rows {rows}: {len(labels)} labels need at least {2 * len(labels)} rows, half of them natural"
        )
    if raters < 1:
        raise InputError(f"--raters {raters}: at least one")
    pools = _natural_pools(natural, labels)
    taken = {normalised(row.text) for split in (natural.train, natural.validation, natural.test) for row in split}
    cells = _synthetic_pools(corpora, strata, labels, taken)
    random = rng(seed, "sheet", rows)
    picks: list[tuple[Row, str, str | None]]
    picks = [(row, "natural", None) for row, _ in _draw(pools, rows // 2, random, "natural (train and validation)")]
    picks += [(row, "synthetic", name) for row, name in _draw(cells, rows - rows // 2, random, "kept synthetic")]
    picks = [picks[place] for place in random.permutation(len(picks))]
    width = max(3, len(str(len(picks))))
    items, texts = [], {}
    for number, (row, origin, stratum) in enumerate(picks, 1):
        label = row.asked_label or row.label
        item = Item.model_validate({"id": f"r{number:0{width}}", "origin": origin, "label": label, "stratum": stratum})
        items.append(item)
        texts[item.id] = nfc(row.text)
    orders = [[int(place) for place in rng(seed, "order", rater).permutation(len(items))] for rater in range(raters)]
    content = [[item.model_dump(), texts[item.id]] for item in items]
    sheet = json_digest({"rows": content, "labels": list(labels), "orders": orders})[:16]
    key = Key(
        format=FORMAT_KEY,
        version=1,
        sheet=sheet,
        recipe=recipe,
        run=run,
        content_digest=content_digest(corpora[0].kept),
        settings=[corpus.setting for corpus in corpora],
        labels=list(labels),
        raters=raters,
        seed=seed,
        strata=list(strata),
        margins=margins,
        items=items,
    )
    return Sheet(key, texts, orders)


_Pools = dict[tuple[str, str], list[Row]]  # rows by (stratum, label)


def _natural_pools(natural: NaturalData, labels: Sequence[str]) -> _Pools:
    test = {normalised(row.text) for row in natural.test}
    rows = [*natural.validation, *natural.train]
    unique = {normalised(row.text): row for row in sorted(rows, key=lambda row: (row.id, row.request_id))}
    pools: _Pools = {("", label): [] for label in labels}
    for text, row in unique.items():
        if text not in test and row.label is not None:
            pools["", row.label].append(row)
    return pools


def _synthetic_pools(
    corpora: Sequence[RatedCorpus], strata: Sequence[str], labels: Sequence[str], taken: set[str]
) -> _Pools:
    """Rows by stratum and asked label; a text that is natural, or that was met before, is shown once or not at all."""
    cells: dict[str, dict[str, list[Row]]] = {}
    used = set(taken)
    for corpus in corpora:
        for row in sorted(corpus.kept, key=lambda row: (row.id, row.request_id)):
            name = ", ".join(f"{column}={_stratum(corpus, row, column)}" for column in strata)
            label = row.asked_label or row.label
            text = normalised(row.text)
            groups = cells.setdefault(name, {label: [] for label in labels})
            if text not in used and label in groups:
                used.add(text)
                groups[label].append(row)
    return {(name, label): rows for name in sorted(cells) for label, rows in cells[name].items()}


def _stratum(corpus: RatedCorpus, row: Row, name: str) -> Any:
    if name in ROW_STRATA:
        return getattr(row, name)
    if name in CORPUS_STRATA:
        return getattr(corpus, name) or "as the recipe says"
    attributes = corpus.attributes.get(row.request_id, {})
    if name not in attributes:
        columns = [*ROW_STRATA, *CORPUS_STRATA, *attributes]
        raise InputError(f"--strata {name}: rows are not told apart by it; it is one of {', '.join(columns)}")
    return attributes[name]


def _draw(pools: _Pools, count: int, random: Any, kind: str) -> list[tuple[Row, str | None]]:
    """`count` rows, equally many of every pool as far as that divides; the rest from pools drawn by lot."""
    if not pools or count < len(pools):
        names = f"{len(pools)} groups (stratum and label)"
        raise InputError(f"{kind} rows: {count} are asked for over {names}; raise --rows or name fewer --strata")
    share, over = divmod(count, len(pools))
    more = set(random.permutation(len(pools))[:over].tolist())
    picks: list[tuple[Row, str | None]] = []
    for place, ((stratum, label), rows) in enumerate(pools.items()):
        size = share + (place in more)
        if len(rows) < size:
            largest = 2 * len(pools) * min(len(group) for group in pools.values())
            where = f"label {label!r}" + (f" with {stratum}" if stratum else "")
            raise InputError(
                f"{kind} rows: {len(rows)} of {where} where {size} are needed; "
                + (f"--rows {largest} is the most there is" if largest else "there is nothing to show people of it")
            )
        picks += [(rows[i], stratum or None) for i in random.permutation(len(rows))[:size]]
    return picks
