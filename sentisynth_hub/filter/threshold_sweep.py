"""Moving one threshold of the filters, and what it does to yield, diversity and a classifier. Test rows are never
scored.

    points = sweep(recipe, "filter.teacher.min_confidence", [0.5, 0.6], samples, natural, candidates)

Nested: a replicate's validation rows are cut in two halves; the filters and the classifier's penalty see one half
only, the score comes from the other, then the halves change places. So the rows that score a threshold had no part in
setting anything. A replicate without validation rows gives half of its rows of each label for it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np

from sentisynth_hub.core.errors import DataError, RecipeError
from sentisynth_hub.core.random import rng
from sentisynth_hub.core.rows import Row, by_label
from sentisynth_hub.core.text import tokens
from sentisynth_hub.filter.apply import build_filters, run_filters
from sentisynth_hub.filter.candidate_features import CandidateFeatures
from sentisynth_hub.filter.contract import FilterContext
from sentisynth_hub.filter.teacher import label_numbers
from sentisynth_hub.metrics.classification import confusion_counts, macro_f1
from sentisynth_hub.metrics.diversity import distinct_n
from sentisynth_hub.natural.splits import NaturalData, Sample, parents_of
from sentisynth_hub.pretrained.head import Rows, Scaling, Scored, best_fits
from sentisynth_hub.recipe import Recipe
from sentisynth_hub.recipe.filter_section import Encoder


_MOST_POINTS = 100


def sweep_values(text: str) -> list[float]:
    """Read `start:stop:step` (stop included) or `a,b,c`.

    Raises:
        RecipeError: It is neither, or has no value or too many.
    """
    try:
        if ":" not in text:
            return [float(part) for part in text.split(",")]
        start, stop, step = (float(part) for part in text.split(":"))
        count = int(np.floor((stop - start) / step + 1e-9)) + 1
    except (ValueError, ZeroDivisionError):
        raise RecipeError(
            f"{text!r}: values to sweep are written start:stop:step or a,b,c, e.g. 0.5:0.95:0.05"
        ) from None
    if not 1 <= count <= _MOST_POINTS:
        raise RecipeError(f"{text!r} gives {count} values; between 1 and {_MOST_POINTS} are swept")
    return [round(start + number * step, 10) for number in range(count)]


def sweep(
    recipe: Recipe,
    key: str,
    values: Sequence[float],
    samples: Sequence[Sample],
    natural: NaturalData,
    candidates: Mapping[int, Sequence[Row]],
    *,
    demonstration_ids: Mapping[int, Sequence[str]] | None = None,
    parents: Mapping[int, Mapping[str, str]] | None = None,
    cache: Path | None = None,
) -> list[dict[str, Any]]:
    """Filter and score at each value of `key`.

    Args:
        key: A number of the recipe's filters, e.g. `filter.teacher.min_confidence`.
        candidates: By replicate.
        parents: By replicate, of the rows that were made from a natural one its `request_id` by theirs.

    Returns:
        One point a value: `value`, `kept` and `yield` (means), `distinct_2` of the kept rows cut to the fewest tokens
        any value keeps, `macro_f1` (mean over replicates and halves), `macro_f1_sd` (between replicates),
        `natural_macro_f1` (the same without synthetic rows).

    Raises:
        RecipeError: The key is not one of the recipe's filters.
    """
    recipes = [_with_value(recipe, key, value) for value in values]
    kept: list[list[list[Row]]] = [[] for _ in values]
    scores: list[list[float]] = [[] for _ in values]
    baselines: list[float] = []
    for sample in samples:
        if sample.replicate not in candidates:
            continue
        rows = candidates[sample.replicate]
        in_prompts = set((demonstration_ids or {}).get(sample.replicate, ()))
        demonstrations = [row for row in sample.train if row.request_id in in_prompts]
        own_parents = parents_of(sample, (parents or {}).get(sample.replicate, {}))
        if not sample.validation:
            sample = Sample(sample.replicate, *_halves(recipe, sample, sample.train)[0])
            held_ids = {row.request_id for row in sample.validation}
            rows = [
                row
                for row in rows
                if row.request_id not in own_parents or own_parents[row.request_id].request_id not in held_ids
            ]
        features = CandidateFeatures(rows, cache)
        student = _Student(recipe, sample, features)
        halves = _halves(recipe, sample, sample.validation)
        baselines.append(fmean(student.score([], fit, held) for fit, held in halves))
        for number, changed in enumerate(recipes):
            of_halves = []
            for fit, held in halves:
                own = Sample(sample.replicate, sample.train, fit)
                context = FilterContext(changed, own, natural, rows, demonstrations, features, cache, own_parents)
                stay, _ = run_filters(build_filters(context), rows)
                kept[number].append(stay)
                of_halves.append(student.score(stay, fit, held))
            scores[number].append(fmean(of_halves))
    total = fmean(len(candidates[sample.replicate]) for sample in samples if sample.replicate in candidates)
    diversity = _distinct_2(kept)
    return [
        {
            "value": value,
            "kept": round(fmean(map(len, kept[number])), 1),
            "yield": round(fmean(map(len, kept[number])) / total, 4) if total else 0.0,
            "distinct_2": diversity[number],
            "macro_f1": round(fmean(scores[number]), 4),
            "macro_f1_sd": round(stdev(scores[number]), 4) if len(scores[number]) > 1 else None,
            "natural_macro_f1": round(fmean(baselines), 4),
        }
        for number, value in enumerate(values)
    ]


class _Student:
    """A logistic regression on the frozen student's features, trained on a replicate's natural rows and kept ones."""

    def __init__(self, recipe: Recipe, sample: Sample, features: CandidateFeatures):
        model = recipe.study.student
        self.encoder = Encoder(
            model=model.model, revision=model.revision, prefix=model.prefix, max_length=model.max_length
        )
        self.labels, self.sample, self.features = recipe.labels, sample, features

    def score(self, kept: Sequence[Row], fit: Sequence[Row], held: Sequence[Row]) -> float:
        """macro_f1 on `held`, the penalty chosen on `fit`."""
        x_natural, x_fit, x_held = (self.features.of(rows, self.encoder) for rows in (self.sample.train, fit, held))
        x = np.concatenate([x_natural, self.features.of(kept, self.encoder)]) if kept else x_natural
        y, y_fit, y_held = (label_numbers(rows, self.labels) for rows in ([*self.sample.train, *kept], fit, held))
        scaling, everything = Scaling.of(x_natural), np.ones((1, len(y_fit)), bool)
        rows = Rows(scaling.apply(x), y, np.ones((1, len(y))))
        fits = best_fits([rows], len(self.labels), Scored(scaling.apply(x_fit), y_fit, everything))
        predicted = fits.head.probabilities(scaling.apply(x_held)).argmax(1)
        return float(macro_f1(confusion_counts(y_held, predicted, len(self.labels))))


def _with_value(recipe: Recipe, key: str, value: float) -> Recipe:
    content = recipe.model_dump(mode="json")
    section: Any = content
    *parents, last = key.split(".")
    for name in parents:
        section = section.get(name) if isinstance(section, dict) else None
    if parents[:1] != ["filter"] or not isinstance(section, dict) or last not in section:
        used = ", ".join(recipe.filter.order)
        raise RecipeError(f"{key}: not a number of this recipe's filters ({used}); sweep one of theirs")
    section[last] = int(value) if float(value).is_integer() and isinstance(section[last], int) else value
    return recipe.with_content(content)


def _halves(recipe: Recipe, sample: Sample, rows: Sequence[Row]) -> list[tuple[list[Row], list[Row]]]:
    """The rows in two halves with the labels' shares kept, each way round."""
    if len(rows) < 2:
        raise DataError(
            "sweep: the replicate has too few rows to score a threshold on; raise natural.rows_per_label or give it "
            "natural.validation_per_label"
        )
    halves: tuple[list[Row], list[Row]] = ([], [])
    random = rng(recipe.seed, "sweep", sample.replicate)
    for group in by_label(rows, recipe.labels).values():
        for place, number in enumerate(random.permutation(len(group))):
            halves[place % 2].append(group[number])
    return [halves, halves[::-1]]


def _distinct_2(kept: Sequence[Sequence[Sequence[Row]]]) -> list[float | None]:
    """distinct_2 of each value's kept rows, each corpus cut to the same number of tokens; None where one keeps
    nothing.
    """
    corpora = [[[tokens(row.text.lower()) for row in rows] for rows in of_value] for of_value in kept]
    budget = min((sum(map(len, texts)) for of_value in corpora for texts in of_value), default=0)
    if not budget:
        return [None] * len(kept)
    return [round(fmean(distinct_n(_cut(texts, budget), 2) for texts in of_value), 4) for of_value in corpora]


def _cut(texts: Sequence[Sequence[str]], budget: int) -> list[Sequence[str]]:
    parts: list[Sequence[str]] = []
    left = budget
    for text in texts:
        parts.append(text[:left])
        left -= len(parts[-1])
        if not left:
            break
    return parts
