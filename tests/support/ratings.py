"""Keys and exports made by hand, for the tests of annotation and of the card."""

from typing import Any

import numpy as np

from sentisynth_hub.annotate.rating_files import FORMAT_EXPORT, FORMAT_KEY, Answer, Export, Item, Key, Margins


LABELS = ["negative", "positive"]


def key(rows: int = 12, *, raters: int = 3, strata: tuple[str | None, ...] = (None,), **changed: Any) -> Key:
    """A key whose odd rows are synthetic, labels taking turns, and strata going round the synthetic rows."""
    items = []
    for i in range(rows):
        made = i % 2 == 1
        stratum = strata[i // 2 % len(strata)] if made else None
        label = LABELS[i // 2 % 2]
        items.append(Item(id=f"r{i:03}", origin="synthetic" if made else "natural", label=label, stratum=stratum))
    given: dict[str, Any] = {
        "format": FORMAT_KEY,
        "version": 1,
        "sheet": "5" * 16,
        "recipe": "tiny",
        "run": "/nowhere/runs/tiny",
        "content_digest": "c" * 64,
        "settings": [""],
        "labels": LABELS,
        "raters": raters,
        "seed": 0,
        "strata": [],
        "margins": Margins(accuracy=0.1, naturalness=0.5),
        "items": items,
    }
    return Key(**(given | changed))


def export(of: Key, rater: int, *, told: float = 0.7, noise: float = 0.1, seed: int = 0) -> Export:
    """A rater who tells rightly with probability `told`, and gives another label with probability `noise`."""
    random = np.random.default_rng([seed, rater])
    answers = []
    for item in of.items:
        right = random.random() < told
        machine = (item.origin == "synthetic") == right
        label = item.label if random.random() >= noise else LABELS[1 - LABELS.index(item.label)]
        nature = int(random.integers(2, 5)) + (item.origin == "natural")
        answers.append(Answer(id=item.id, label=label, naturalness=nature, source="machine" if machine else "human"))
    return Export(format=FORMAT_EXPORT, version=1, sheet=of.sheet, rater=rater, answers=answers)
