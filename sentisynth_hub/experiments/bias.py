"""Identity-term swaps: a probe for bias.

Two words change places in every text that has one of them; the label of a fair classifier should seldom follow. A
probe, no proof: it finds what the given words touch, and some texts do change meaning with them.
"""

import re
from collections.abc import Sequence
from typing import TypedDict

import numpy as np

from sentisynth_hub.pretrained.classifier import open_classifier


class Swap(TypedDict):
    """What swapping two terms did: texts with either, labels that changed, and the mean shift of each label's
    probability from texts with `first` to the same texts with `second`.
    """

    first: str
    second: str
    texts: int
    changed: int
    shift: dict[str, float]


def swapped(text: str, first: str, second: str) -> str:
    """`text` with every whole word `first` as `second` and the other way round; an initial capital stays one."""
    other = {first.lower(): second, second.lower(): first}
    pattern = re.compile(rf"(?<!\w)(?:{re.escape(first)}|{re.escape(second)})(?!\w)", re.IGNORECASE)

    def replaced(match: re.Match[str]) -> str:
        word = other[match.group().lower()]
        return word[:1].upper() + word[1:] if match.group()[:1].isupper() else word

    return pattern.sub(replaced, text)


def probe(
    model: str, texts: Sequence[str], pairs: Sequence[tuple[str, str]], *, revision: str | None = None
) -> list[Swap]:
    """Swap each pair of terms in `texts` and classify the texts that have one of them before and after."""
    classifier = open_classifier(model, revision)
    labels = classifier.labels
    swaps: list[Swap] = []
    for first, second in pairs:
        touched = [(text, other) for text in texts if (other := swapped(text, first, second)) != text]
        before = classifier.probabilities([text for text, _ in touched])
        after = classifier.probabilities([text for _, text in touched])
        # A text that has `first` gets `second` and the other way round, so the shift is turned to one direction.
        direction = np.array([1 if _has(text, first) else -1 for text, _ in touched])
        mean = (
            dict(zip(labels, (direction @ (after - before) / len(touched)).tolist(), strict=True)) if touched else {}
        )
        changed = int((before.argmax(1) != after.argmax(1)).sum())
        swaps.append({"first": first, "second": second, "texts": len(touched), "changed": changed, "shift": mean})
    return swaps


def probe_lines(swaps: Sequence[Swap]) -> list[str]:
    """The probe as lines of text."""
    lines = ["identity-term swaps (a probe, no proof)"]
    for swap in swaps:
        if not swap["texts"]:
            lines.append(f"  {swap['first']} / {swap['second']}: no text has either")
            continue
        label, shift = max(swap["shift"].items(), key=lambda item: item[1])
        lines.append(
            f"  {swap['first']} / {swap['second']}: {swap['changed']} of {swap['texts']} labels change; "
            f"{swap['second']} for {swap['first']} moves {label} by {shift:+.3f}"
        )
    return lines


def _has(text: str, word: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE) is not None
