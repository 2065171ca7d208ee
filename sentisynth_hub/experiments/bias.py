"""Identity-term swaps: a probe for bias.

Two words change places in every text that has one of them; the label of a fair classifier should seldom follow. A
probe, no proof: it finds what the given words touch, and some texts do change meaning with them.
"""

import re
from collections.abc import Sequence
from typing import TypedDict

from sentisynth_hub.model.stage import best, classify


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

    def replaced(found: re.Match[str]) -> str:
        word = other[found.group().lower()]
        return word[:1].upper() + word[1:] if found.group()[:1].isupper() else word

    return pattern.sub(replaced, text)


def probe(
    model: str, texts: Sequence[str], pairs: Sequence[tuple[str, str]], *, revision: str | None = None
) -> list[Swap]:
    """Swap each pair of terms in `texts` and classify the texts that have one of them before and after."""
    found: list[Swap] = []
    for first, second in pairs:
        touched = [(text, other) for text in texts if (other := swapped(text, first, second)) != text]
        before = classify(model, [text for text, _ in touched], revision=revision) if touched else []
        after = classify(model, [text for _, text in touched], revision=revision) if touched else []
        to_second = [
            # A text that has `first` gets `second` and the other way round, so the shift is turned to one direction.
            {label: (b[label] - a[label]) * (1 if _has(text, first) else -1) for label in a}
            for (text, _), a, b in zip(touched, before, after, strict=True)
        ]
        mean = {label: sum(one[label] for one in to_second) / len(to_second) for label in before[0]} if touched else {}
        changed = sum(best(a) != best(b) for a, b in zip(before, after, strict=True))
        found.append({"first": first, "second": second, "texts": len(touched), "changed": changed, "shift": mean})
    return found


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
