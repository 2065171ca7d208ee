"""Which of two models is right more often, from labels of the rows alone on which they disagree.

    sheet = draw_disagreements(rows, first, second, names=("a", "b"), labels=labels, count=100, raters=1, seed=0)
    result = score_disagreements(sheet.key, exports)

Where two models agree they are both right or both wrong, so such rows add nothing to the difference of their
accuracies and need no label. Of the D disagreements among M rows, n are drawn without replacement and labelled; a
row's d is 1 where only the first model is right, −1 where only the second is, 0 where neither. Then

    difference = D/M · mean(d)
    variance   = (D/M)² · s²/n · (1 − n/D)  +  (D/M · mean(d²) − difference²) / M

the first part for the disagreements nobody labelled, the second because the M rows are themselves a sample (two-phase
sampling: Särndal, Swensson and Wretman 1992, section 9.3). One row for and one against are added where the variance
is estimated, as in the verdict's own intervals, so that ten rows all for one model do not prove it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import stdtrit

from sentisynth_hub.annotate.rating_files import FORMAT_DISAGREEMENTS, DisagreementItem, DisagreementKey, Export
from sentisynth_hub.annotate.sheet import Sheet
from sentisynth_hub.core.errors import InputError
from sentisynth_hub.core.files import json_digest
from sentisynth_hub.core.random import rng
from sentisynth_hub.core.text import nfc


DISAGREEMENTS_FILE = "disagreements.json"
_LEAST = 2  # labelled disagreements from which there is an interval


@dataclass(frozen=True)
class AccuracyDifference:
    """First − second accuracy on texts like these.

    Attributes:
        difference: Estimate, with its 95 % `interval`.
        rows: M; `disagreements`: D; `labelled`: n of them that people gave a label.
        first_right, second_right, neither: Shares of the labelled disagreements.
        worth: How many rows of M, drawn at random and labelled, would give an interval as narrow.
    """

    first: str
    second: str
    difference: float
    interval: tuple[float, float]
    rows: int
    disagreements: int
    labelled: int
    first_right: float
    second_right: float
    neither: float
    worth: int

    @property
    def sentence(self) -> str:
        """What was found, in words."""
        low, high = self.interval
        says = "is right more often" if low > 0 else "is right less often" if high < 0 else "is not told apart from"
        words = f"{self.first} {says}" + (f" {self.second}" if low <= 0 <= high else f" than {self.second}")
        return f"{words}: accuracy {self.difference:+.4f} [{low:+.4f}, {high:+.4f}]"


def draw_disagreements(
    rows: Sequence[tuple[str, str]],
    first: Sequence[str | None],
    second: Sequence[str | None],
    *,
    names: tuple[str, str],
    labels: Sequence[str],
    count: int,
    raters: int,
    seed: int,
) -> Sheet:
    """Draw `count` rows on which two models disagree, or all there are.

    Args:
        rows: Id and text of every row that both models judged.
        first, second: Their labels, in the order of the rows; None: no answer.
        names: What the two are called in the result.
        labels: What people may say of a text.
        raters: People who will label; each sees every row, in an order of their own.

    Raises:
        InputError: They agree on every row.
    """
    places = [place for place, (left, right) in enumerate(zip(first, second, strict=True)) if left != right]
    if not places:
        raise InputError(
            f"the two models agree on all {len(rows):,} rows, so none of them is right more often there; nobody has "
            "to be asked"
        )
    random = rng(seed, "disagreements")
    picks = [places[i] for i in random.permutation(len(places))[:count]]
    width = max(3, len(str(len(picks))))
    items, texts = [], {}
    for number, place in enumerate(picks, 1):
        item = DisagreementItem(id=f"r{number:0{width}}", row=rows[place][0], first=first[place], second=second[place])
        items.append(item)
        texts[item.id] = nfc(rows[place][1])
    orders = [[int(i) for i in rng(seed, "order", rater).permutation(len(items))] for rater in range(raters)]
    content = [[item.model_dump(), texts[item.id]] for item in items]
    key = DisagreementKey(
        format=FORMAT_DISAGREEMENTS,
        version=1,
        sheet=json_digest({"rows": content, "labels": list(labels), "orders": orders})[:16],
        first=names[0],
        second=names[1],
        rows=len(rows),
        disagreements=len(places),
        labels=list(labels),
        raters=raters,
        seed=seed,
        items=items,
    )
    return Sheet(key, texts, orders)


def score_disagreements(key: DisagreementKey, exports: Sequence[Export], *, alpha: float = 0.05) -> AccuracyDifference:
    """Estimate the difference of accuracy; where raters differ, a row counts by the mean of what they say.

    Raises:
        InputError: Fewer than two rows were labelled.
    """
    answers: dict[str, list[str]] = {item.id: [] for item in key.items}
    for export in exports:
        for answer in export.answers:
            if answer.label is not None:
                answers[answer.id].append(answer.label)
    answered = [(item, answers[item.id]) for item in key.items if answers[item.id]]
    if len(answered) < _LEAST:
        raise InputError(f"{len(answered)} rows have a label; give at least {_LEAST} of them one")
    right = np.array([[_share(item.first, labels), _share(item.second, labels)] for item, labels in answered])
    d = right[:, 0] - right[:, 1]
    squares = np.array(
        [np.mean([(_is(item.first, x) - _is(item.second, x)) ** 2 for x in labels]) for item, labels in answered]
    )
    labelled, share = len(d), key.disagreements / key.rows
    difference = share * float(d.mean())
    added = labelled + 2
    spread = max((float((d**2).sum()) + 2) / added - (float(d.sum()) / added) ** 2, 0.0)
    unlabelled = max(1 - labelled / key.disagreements, 0.0)
    one_row = share * (float(squares.sum()) + 2) / added - difference**2
    variance = share**2 * spread / labelled * unlabelled + one_row / key.rows
    half = float(stdtrit(labelled - 1, 1 - alpha / 2)) * math.sqrt(variance)
    return AccuracyDifference(
        first=key.first,
        second=key.second,
        difference=difference,
        interval=(max(difference - half, -1.0), min(difference + half, 1.0)),
        rows=key.rows,
        disagreements=key.disagreements,
        labelled=labelled,
        first_right=float(right[:, 0].mean()),
        second_right=float(right[:, 1].mean()),
        neither=float(1 - right.sum(1).mean()),
        worth=min(round(one_row / variance), key.rows),
    )


def difference_lines(result: AccuracyDifference) -> list[str]:
    """For people."""
    return [
        result.sentence,
        f"{result.labelled:,} of {result.disagreements:,} disagreements among {result.rows:,} rows have a label: "
        f"{result.first} right on {result.first_right:.0%}, {result.second} on {result.second_right:.0%}, neither on "
        f"{result.neither:.0%}",
        f"the interval is as narrow as that of {result.worth:,} rows labelled at random",
    ]


def _share(label: str | None, answers: Sequence[str]) -> float:
    return float(np.mean([_is(label, each) for each in answers]))


def _is(label: Any, answer: str) -> float:
    return float(label == answer)
