"""The leakage gate: no text on both sides of a split, no evaluation text in a synthetic corpus.

    natural, dropped = check_natural_splits(natural, "stop")     # DataError, with the rows named
    check_corpus(kept, natural)                                  # the last look at what the filters left

Texts are the same when their normalised forms are (`sentisynth_hub.core.text.normalised`).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from sentisynth_hub.core import log
from sentisynth_hub.core.errors import DataError, StageError
from sentisynth_hub.core.rows import Row
from sentisynth_hub.core.text import normalised
from sentisynth_hub.natural.splits import NaturalData


_SHOWN = 5  # rows named in a message
_SHOWN_WIDTH = 50  # characters of their texts


def check_natural_splits(
    natural: NaturalData, policy: Literal["stop", "drop_from_train"]
) -> tuple[NaturalData, dict[str, int]]:
    """Refuse natural splits that share texts, or leave the shared rows out.

    Args:
        policy: `stop` raises; `drop_from_train` leaves out the train rows that stand in validation or test, and the
            validation rows that stand in test (thresholds are chosen on them). Test is never touched.

    Returns:
        The splits, and how many rows were left out of `train` and of `validation`.

    Raises:
        DataError: Under `stop`: there are such rows; five of them are named.
    """
    in_test = _forms(natural.test)
    in_held = in_test | _forms(natural.validation)
    leaks = {
        "train": [row for row in natural.train if normalised(row.text) in in_held],
        "validation": [row for row in natural.validation if normalised(row.text) in in_test],
    }
    count = sum(map(len, leaks.values()))
    if count and policy == "stop":
        raise DataError(
            f"natural: {len(leaks['train'])} train rows stand in validation or test too, {len(leaks['validation'])} "
            f"validation rows in test: {_named(leaks, in_test)}; "
            "set natural.overlap=drop_from_train to leave them out, or mend the splits"
        )
    if count:
        counts = " and ".join(f"{len(rows)} natural {split} rows" for split, rows in leaks.items())
        log.warn(f"{counts} stand in a split that is evaluated on, and are left out")
    left = replace(natural, train=_without(natural.train, in_held), validation=_without(natural.validation, in_test))
    return left, {split: len(rows) for split, rows in leaks.items()}


def check_corpus(rows: Sequence[Row], natural: NaturalData) -> None:
    """Make sure that no row of a corpus has the text of an evaluation row.

    Raises:
        StageError: One has; the overlap filter did not do its work.
    """
    held = _forms(natural.validation) | _forms(natural.test)
    leaks = [row for row in rows if normalised(row.text) in held]
    if leaks:
        raise StageError(
            f"filter: {len(leaks)} kept rows stand in validation or test, e.g. request {leaks[0].request_id}; "
            "nothing was written; this is a bug of the overlap filter, please report it"
        )


def _forms(rows: Sequence[Row]) -> set[str]:
    return {normalised(row.text) for row in rows}


def _without(rows: list[Row], forms: set[str]) -> list[Row]:
    return [row for row in rows if normalised(row.text) not in forms]


def _named(leaks: dict[str, list[Row]], in_test: set[str]) -> str:
    """The first rows by split, id, where they stand too, and the beginning of their text, safe to print."""
    named = [
        f"{split} {row.request_id} (also in {'test' if normalised(row.text) in in_test else 'validation'}): "
        f"{log.printable(row.text, _SHOWN_WIDTH)}"
        for split, rows in leaks.items()
        for row in rows
    ]
    more = f"; and {len(named) - _SHOWN} more" if len(named) > _SHOWN else ""
    return "; ".join(named[:_SHOWN]) + more
