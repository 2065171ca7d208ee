"""Which synthetic rows are to blame: `mixed` trained again without one group of rows after the other.

An instrument for repair, so it looks at natural validation rows only, never at test rows, and it always trains heads
on frozen features. With many groups some differences are chance: a standard error stands beside each, over replicates,
or in a conditional study, whose replicates have the same rows, over the validation rows of one.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sentisynth_hub.core import log
from sentisynth_hub.core.distributed import Processes
from sentisynth_hub.core.errors import InputError
from sentisynth_hub.core.rows import Row
from sentisynth_hub.natural.splits import NaturalData, Sample
from sentisynth_hub.recipe import Recipe
from sentisynth_hub.study.choice import head_fitter
from sentisynth_hub.study.head_trial import validation_losses
from sentisynth_hub.study.plan import plan_replicate, sample_of
from sentisynth_hub.study.training_rows import Corpus
from sentisynth_hub.verdict.evaluation_parts import Record


if TYPE_CHECKING:
    from sentisynth_hub.pipeline import Pipeline


_BLAMED = "kept"  # natural and kept rows, every one of them with its full weight
LEAST_ROWS = 5  # a smaller group cannot be told from chance
MOST_GROUPS = 50
GROUPINGS = ("asked_label", "prompt_id", "generator")
"""What every row can be grouped by; the attributes of its prompt come on top."""

Attributes = Mapping[str, Mapping[str, str]]
"""By request id, the attributes of the prompt a row came from."""


class Blame(Record):
    """One group: its rows over all replicates, and how much `mixed`'s loss on validation rows falls without it.

    Attributes:
        group_by: What the rows were grouped by.
        group: Which group was left out.
        rows: Its rows over all replicates.
        replicates: Replicates that have it.
        gain: Fall of the cross-entropy in nats; above 0, validation is better off without the group.
        standard_error: Over the replicates that have it (None with one), in a conditional study over validation rows.
    """

    group_by: str
    group: str
    rows: int
    replicates: int
    gain: float
    standard_error: float | None


def rows_to_blame(pipeline: "Pipeline", group_by: str | None = None) -> list[Blame]:
    """Which group of kept rows does harm, by `group_by` or by everything there is to group by; in one process."""
    results = pipeline.through("labels")
    corpora, generated = results.corpora, results.generate
    attributes = {
        line["request_id"]: json.loads(line["attributes"])
        for replicate in corpora
        for line in generated[replicate].lineage()
    }
    setting = (pipeline.recipe, pipeline.samples, pipeline.natural, corpora)
    folder = pipeline.run / "blame"
    if group_by is None:
        return blame_all(*setting, folder, attributes)
    return blame_groups(*setting, group_by, folder, attributes)


def blame_all(
    recipe: Recipe,
    samples: Sequence[Sample],
    natural: NaturalData,
    corpora: Mapping[int, Corpus],
    folder: Path,
    attributes: Attributes,
) -> list[Blame]:
    """Leave out the groups of every grouping the corpus has: label asked for, prompt, generator, each attribute."""
    groups: list[Blame] = []
    for group_by in (*GROUPINGS, *recipe.generate.attribute_names):
        try:
            groups += blame_groups(recipe, samples, natural, corpora, group_by, folder, attributes)
        except InputError:  # there is one group of it only, so it can tell nothing
            continue
    return groups


def blame_groups(
    recipe: Recipe,
    samples: Sequence[Sample],
    natural: NaturalData,
    corpora: Mapping[int, Corpus],
    group_by: str,
    folder: Path,
    attributes: Attributes | None = None,
) -> list[Blame]:
    """Leave out each group of kept rows, the most harmful group first.

    Args:
        group_by: One of `GROUPINGS`, or an attribute of the recipe's prompts.
        folder: Where features are kept.
        attributes: Needed to group by an attribute.

    Raises:
        InputError: The grouping is unknown, or there is only one group, so nothing can be left out.
    """
    groupings = (*GROUPINGS, *recipe.generate.attribute_names)
    if group_by not in groupings:
        raise InputError(f"study --leave-out {group_by}: rows can be grouped by {', '.join(groupings)}")
    natural = replace(natural, test=[])  # the test rows are none of its business
    one_corpus = recipe.study.design == "conditional"
    gains: dict[str, list[float]] = {}
    counts: Counter[str] = Counter()
    replicates: Counter[str] = Counter()
    for sample in samples[:1] if one_corpus else samples:
        visible, corpus = sample_of(recipe, sample, corpora)
        of = {row.request_id: _group(row, group_by, attributes or {}) for row in corpus.kept}
        groups = Counter(of.values())
        named = [name for name, count in groups.most_common(MOST_GROUPS) if count >= LEAST_ROWS]
        if len(groups) < 2 or not named:
            raise InputError(
                f"study --leave-out {group_by}: replicate {sample.replicate} has no two groups of {LEAST_ROWS} kept "
                "rows or more; choose another grouping"
            )
        without = {name: [row for row in corpus.kept if of[row.request_id] != name] for name in named}
        (whole,) = plan_replicate(recipe, visible, natural, corpus, [_BLAMED])
        fitter = head_fitter(recipe, whole, folder / "features", Processes())
        reference = validation_losses(whole, fitter)
        title = f"leaving out by {group_by}, replicate {sample.replicate}"
        for name in log.progress(title, named, total=len(named)):
            (trial,) = plan_replicate(recipe, visible, natural, replace(corpus, kept=without[name]), [_BLAMED])
            falls = reference - validation_losses(trial, fitter)
            gains.setdefault(name, []).extend(falls.tolist() if one_corpus else [float(falls.mean())])
            counts[name] += groups[name]
            replicates[name] += 1
    effects = [_blame(group_by, name, counts[name], replicates[name], values) for name, values in gains.items()]
    return sorted(effects, key=lambda effect: -effect.gain)


def blame_lines(groups: Sequence[Blame]) -> list[str]:
    """The groups as lines of text, grouping by grouping, the most harmful first."""
    width = max(len(log.printable(effect.group, 40)) for effect in groups)
    lines = []
    for group_by in dict.fromkeys(effect.group_by for effect in groups):
        title = f"without a {group_by}"
        width = max(width, len(title))
        lines.append(f"{title:<{width}}  rows  validation loss falls by (nats; above 0: better without it)")
        for effect in (effect for effect in groups if effect.group_by == group_by):
            error = "" if effect.standard_error is None else f" ± {effect.standard_error:.4f}"
            lines.append(f"{log.printable(effect.group, 40):<{width}}  {effect.rows:4}  {effect.gain:+.4f}{error}")
    return lines


def _blame(group_by: str, name: str, rows: int, replicates: int, gains: Sequence[float]) -> Blame:
    """Mean and standard error of `gains`, one a replicate or one a validation row."""
    return Blame(
        group_by=group_by,
        group=name,
        rows=rows,
        replicates=replicates,
        gain=float(np.mean(gains)),
        standard_error=float(np.std(gains, ddof=1) / np.sqrt(len(gains))) if len(gains) > 1 else None,
    )


def _group(row: Row, group_by: str, attributes: Attributes) -> str:
    own = {"prompt_id": row.prompt_id, "asked_label": row.asked_label, "generator": row.generator}
    value = own[group_by] if group_by in own else attributes.get(row.request_id, {}).get(group_by)
    return "(none)" if value is None else value
