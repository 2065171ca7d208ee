"""Labels asked of the generator's own model, for the variants `llm_classifier` and `pseudo_label`: what is shown,
what is asked, and what counts as an answer.

The prompt shows the replicate's own natural rows, as many as the generate stage shows, and asks for the label of one
more text; what is no label is no answer. `labelling.py` does the asking.
"""

from collections.abc import Sequence

from sentisynth_hub.core.errors import DataError
from sentisynth_hub.core.random import rng
from sentisynth_hub.core.rows import Row, by_label
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
    chosen: list[Row] = []
    while len(chosen) < recipe.generate.prompt.num_shots and any(groups):
        for group in groups:
            if group and len(chosen) < recipe.generate.prompt.num_shots:
                chosen.append(group.pop(0))
    return [chosen[i] for i in rng(recipe.seed, "asking", sample.replicate).permutation(len(chosen))]


def label_prompt(recipe: Recipe, shown: Sequence[Row], text: str) -> str:
    """Text to be continued by a label: the choices, examples, and the text in question, a line each."""
    names = {label: recipe.generate.prompt.verbalizers.get(label, label) for label in recipe.labels}
    lines = [f"Label each text as one of: {', '.join(names.values())}.", ""]
    for row in shown:
        assert row.label is not None
        lines += [f"Text: {_line(row.text)}", f"Label: {names[row.label]}", ""]
    return "\n".join([*lines, f"Text: {_line(text)}", "Label:"])


def parse_label(recipe: Recipe, completion: str) -> str | None:
    """The one label that the completion's first line starts with; None where it starts with none."""
    lines = completion.strip().splitlines()
    said = lines[0].strip().strip(".\"'`*").casefold() if lines else ""
    found = [
        label
        for label in recipe.labels
        if said in {label.casefold(), recipe.generate.prompt.verbalizers.get(label, label).casefold()}
    ]
    return found[0] if len(found) == 1 else None


def _line(text: str) -> str:
    return " ".join(text.split())
