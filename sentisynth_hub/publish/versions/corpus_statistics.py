"""What a corpus looks like in a few numbers: balance, length, diversity, code-mixing. Anyone can compute them again
from the rows."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from math import fsum

from typing_extensions import TypedDict  # pydantic reads no other before Python 3.12

from sentisynth_hub.core.rows import Row
from sentisynth_hub.core.text import count_tokens, nfc, text_ids, tokens


DIVERSITY_WORDS = 2_000
"""distinct_2 falls with the length of the text it is measured on, so it is always measured on this many words, or on
all if fewer."""


class Statistics(TypedDict):
    """Numbers of one corpus.

    `labels`: rows a label. `words_mean`: mean words and symbols a row. `distinct_2`: distinct word pairs over all
    word pairs (pairs inside a row) in the first `distinct_2_words` words, rows in the order of their ids. `cmi_mean`:
    mean code-mixing index of the rows that have one (0 to 100), None where none has.
    """

    rows: int
    labels: dict[str, int]
    words_mean: float
    distinct_2: float
    distinct_2_words: int
    cmi_mean: float | None


def statistics(
    rows: Sequence[Row], labels: Sequence[str], *, words: int = DIVERSITY_WORDS, ids: Sequence[str] | None = None
) -> Statistics:
    """Measure a corpus; the order of `rows` does not matter. `ids`: the rows' ids, where they are known already."""
    counts = Counter(row.label for row in rows)
    ordered = by_id(rows, ids)
    distinct, used = _distinct_pairs((tokens(row.text) for row in ordered), words)
    mixing = [row.scores["cmi"] for row in ordered if "cmi" in row.scores]
    return {
        "rows": len(rows),
        "labels": {label: counts[label] for label in labels},
        "words_mean": sum(count_tokens(row.text) for row in rows) / len(rows) if rows else 0.0,
        "distinct_2": distinct,
        "distinct_2_words": used,
        "cmi_mean": fsum(mixing) / len(mixing) if mixing else None,
    }


def side_by_side(
    before: Sequence[Row],
    after: Sequence[Row],
    labels: tuple[Sequence[str], Sequence[str]],
    ids: tuple[Sequence[str], Sequence[str]] | tuple[None, None] = (None, None),
) -> tuple[Statistics, Statistics]:
    """Statistics of two corpora, their diversity measured on the same number of words. `ids`: of their rows, where
    they are known already."""
    words = min(count_words(before, DIVERSITY_WORDS), count_words(after, DIVERSITY_WORDS))
    return (
        statistics(before, labels[0], words=words, ids=ids[0]),
        statistics(after, labels[1], words=words, ids=ids[1]),
    )


def by_id(rows: Sequence[Row], ids: Sequence[str] | None = None) -> list[Row]:
    """The rows in the order of their ids (`ids`, where they are known already), then labels."""
    import numpy as np

    names = [row.label or "" for row in rows]
    ranks = {name: rank for rank, name in enumerate(sorted(set(names)))}
    places = np.array([ranks[name] for name in names], dtype=np.int64)
    keys = np.array(list(row_ids(rows) if ids is None else ids), dtype="S16")
    return [rows[place] for place in np.lexsort((places, keys)).tolist()]


def row_ids(rows: Iterable[Row]) -> list[str]:
    """The id of every row."""
    return text_ids([nfc(row.text) for row in rows])


def count_words(rows: Iterable[Row], most: int) -> int:
    """Words of a corpus, counted up to `most`."""
    count = 0
    for row in rows:
        count += count_tokens(row.text)
        if count >= most:
            return most
    return count


def balance_shift(before: Mapping[str, int], after: Mapping[str, int]) -> float:
    """Total variation distance of two label distributions: the share of rows that would have to change label, 0 to
    1."""
    totals = sum(before.values()) or 1, sum(after.values()) or 1
    names = before.keys() | after.keys()
    return fsum(abs(before.get(name, 0) / totals[0] - after.get(name, 0) / totals[1]) for name in names) / 2


def _distinct_pairs(texts: Iterable[Sequence[str]], words: int) -> tuple[float, int]:
    """Distinct pairs over pairs in the first `words` words, and how many words there were."""
    distinct: set[tuple[str, str]] = set()
    pairs = used = 0
    for text in texts:
        text = text[: words - used]
        used += len(text)
        pairs += max(0, len(text) - 1)
        distinct.update(zip(text, text[1:], strict=False))
        if used >= words:
            break
    return (len(distinct) / pairs if pairs else 0.0), used
