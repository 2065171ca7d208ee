"""Labels asked of the generator's own model, for the variants `llm_classifier` and `pseudo_label`: what is shown,
what is asked, and what counts as an answer.

The prompt shows the replicate's own natural rows, as many as the generate stage shows, and asks for the label of one
more text; what is no label is no answer. `labelling.py` does the asking.
"""

import itertools
import re
from collections.abc import Sequence

from sentisynth_hub.core.errors import DataError
from sentisynth_hub.core.random import rng
from sentisynth_hub.core.rows import Row, by_label
from sentisynth_hub.core.text import nfc
from sentisynth_hub.generate.unwrap import json_values, unwrap
from sentisynth_hub.natural.splits import NaturalData, Sample
from sentisynth_hub.recipe import Recipe


def pseudo_pool(recipe: Recipe, sample: Sample, natural: NaturalData, count: int) -> list[Row]:
    """`count` natural rows outside the sample, to be labelled by the model; their human labels are not looked at.

    `count` is how many requests the synthetic corpus took, so that both cost about the same.

    Raises:
        DataError: The pool has fewer texts.
    """
    own = {row.id for row in [*sample.train, *sample.validation]}
    pool = sorted((row for row in natural.train if row.id not in own), key=lambda row: (row.id, row.request_id))
    if len(pool) < count:
        raise DataError(
            f"study.variants: pseudo_label wants {count} natural texts beyond the sample of replicate "
            f"{sample.replicate}, the pool has {len(pool)}; lower natural.rows_per_label or leave pseudo_label out"
        )
    order = rng(recipe.seed, "pseudo label", sample.replicate).permutation(len(pool))[:count]
    return [pool[i] for i in order]


def demonstrations(recipe: Recipe, sample: Sample) -> list[Row]:
    """The natural rows a prompt shows: `generate.prompt.num_shots` of the sample's, label by label in turn."""
    groups = [list(group) for group in by_label(sample.train, recipe.labels).values() if group]
    rows: list[Row] = []
    while len(rows) < recipe.generate.prompt.num_shots and any(groups):
        for group in groups:
            if group and len(rows) < recipe.generate.prompt.num_shots:
                rows.append(group.pop(0))
    return [rows[i] for i in rng(recipe.seed, "asking", sample.replicate).permutation(len(rows))]


def label_prompt(recipe: Recipe, examples: Sequence[Row], text: str) -> str:
    """Text to be continued by a label: the choices, examples, and the text in question, a line each."""
    names = {label: recipe.generate.prompt.verbalizers.get(label, label) for label in recipe.labels}
    lines = [f"Label each text as one of: {', '.join(names.values())}."]
    lines += [f"{names[label]} means: {_line(meaning)}" for label, meaning in recipe.label_descriptions.items()]
    lines.append("")
    for row in examples:
        assert row.label is not None
        lines += [f"Text: {_line(row.text)}", f"Label: {names[row.label]}", ""]
    return "\n".join([*lines, f"Text: {_line(text)}", "Label:"])


def rating_prompt(rubric: str, text: str) -> str:
    """Text to be continued by a score from 1 to 5."""
    return (
        f"Rate the text from 1 to 5. A 5 is {_line(rubric)}; a 1 is nothing of that.\n\nText: {_line(text)}\nRating:"
    )


def answer_tokens(recipe: Recipe) -> int:
    """Tokens an answer may have: the longest label's name, which has at most as many as bytes, and what shows that
    there is more than that.
    """
    names = (recipe.generate.prompt.verbalizers.get(label, label) for label in recipe.labels)
    return 8 + max(len(name.encode("utf-8")) for name in [*recipe.labels, *names])


def parse_label(recipe: Recipe, completion: str, *, cut: bool = False) -> str | None:
    """The one label that is the answer's first line, or the only string of its JSON; None where it is none.

    Args:
        cut: The completion was cut off. A label at its very end may be the beginning of another word then.
    """
    answer = unwrap(completion)
    if answer is None:
        return None
    lines = answer.strip().split("\n")
    if cut and len(lines) == 1:
        return None
    names = [lines[0], lines[0].partition(":")[2]] if _LEAD_IN.match(lines[0]) else [lines[0]]
    for value in itertools.islice(json_values(answer), 1):
        strings = [item for item in value.values() if isinstance(item, str)] if isinstance(value, dict) else []
        named = [value[name] for name in _LABEL_NAMES if isinstance(value, dict) and isinstance(value.get(name), str)]
        names += named[:1] or (strings if len(strings) == 1 else [])
    for name in names:
        labels = [
            label
            for label in recipe.labels
            if _bare(name) in {_bare(label), _bare(recipe.generate.prompt.verbalizers.get(label, label))}
        ]
        if len(labels) == 1:
            return labels[0]
    return None


_LEAD_IN = re.compile(r"\W*(?:label|answer|class|category|sentiment)\W*:", re.IGNORECASE)
_LABEL_NAMES = ("label", "answer", "class", "category", "sentiment")


def _bare(name: str) -> str:
    """A label's name without case, and without the marks a model puts around it."""
    stripped = name.strip().strip(".\"'`*“”‘’«»「」。 ")
    return nfc(stripped or name.strip()).casefold()


def _line(text: str) -> str:
    return " ".join(text.split())
