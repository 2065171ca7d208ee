"""What the folds see and what they choose: no fit sees a row it is scored on, and a bad corpus is found out there."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sentisynth_hub.core.rows import Row
from sentisynth_hub.natural.splits import Sample
from sentisynth_hub.pretrained.head import Array
from sentisynth_hub.study.choice import HeadFitter, surest
from sentisynth_hub.study.features import Features
from sentisynth_hub.study.tolerance import within_one_error
from sentisynth_hub.study.training_rows import Corpus, Option, derived, mixed_with, one_stage
from sentisynth_hub.study.validation import Validation, labels_of, plan_validation
from sentisynth_hub.study.variants import variant_rows
from tests.support.tiny_study import LABELS, make_natural, make_recipe


def row(text: str, label: str = "negative") -> Row:
    return Row(text, label, request_id=text)


def planned(rows: list[Row], option: Option, **study: Any) -> Validation:
    recipe = make_recipe(Path("none"), mode="head", **study)
    return plan_validation(recipe, Sample(0, rows, []), option)


def test_no_fit_trains_on_a_row_it_is_scored_on_nor_on_its_copies() -> None:
    rows = [row(f"text {i}", LABELS[i % 2]) for i in range(20)]
    copies = [(row(f"noised {i}", rows[i].label or ""), rows[i]) for i in range(20)]
    echoes = [row(f"Text  {i}") for i in range(20)]  # synthetic rows with a natural row's text
    free = [row(f"free {i}") for i in range(5)]
    option = Option("x", (derived(rows, copies), mixed_with([], [*echoes, *free])))
    validation = planned(rows, option, cross_validation={"folds": 4, "repeats": 3})
    assert validation.fits == 3 * 4 + 1
    assert (validation.held[:-1].sum(0) == 3).all()  # every row once a repetition
    first, second = (validation.trains_on(stage) for stage in option.stages)
    for part in (first[:, :20], first[:, 20:], second[:, :20]):  # rows, copies of them, rows with their texts
        assert (part == ~validation.held).all()
    assert second[:, 20:].all()
    assert first[-1].all()
    assert second[-1].all()


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_folds_of_next_to_no_rows(rows: int) -> None:
    natural = [row(f"text {i}", label) for label in LABELS for i in range(rows)]
    natural = [replace(each, text=f"{each.label} {each.text}") for each in natural]
    validation = planned(natural, Option("plain", (one_stage(natural),)), cross_validation={"folds": 5, "repeats": 1})
    assert (validation.held[:-1].sum(0) == 1).all()
    fits = fitter_of({each.text: np.random.default_rng(len(each.text)).normal(size=6) for each in natural}, natural)
    best = fits.choose([Option("plain", (one_stage(natural),))], validation)
    assert best is not None
    assert np.isfinite(best.fits.head.weights).all()


def test_held_out_rows_are_scored_and_train_nothing() -> None:
    recipe = make_recipe(Path("none"), mode="head", validation="held_out")
    train, held = [row("a"), row("b")], [row("c"), row("d")]
    validation = plan_validation(recipe, Sample(0, train, held), Option("plain", (one_stage(train),)))
    assert validation.rows == held
    assert validation.held.tolist() == [[True, True]]
    assert validation.trains_on(one_stage(train)).all()


def fitter_of(vectors: dict[str, Array], natural: list[Row], **study: Any) -> HeadFitter:
    recipe = make_recipe(Path("none"), mode="head", **study)
    recipe = recipe.with_content(
        recipe.model_dump() | {"filter": {"teacher": {"teacher": {"model": "none"}, "min_confidence": 0.5}}}
    )
    texts = list(vectors)
    return HeadFitter(
        recipe, natural, Features(np.array([vectors[t] for t in texts]), {t: i for i, t in enumerate(texts)})
    )


class World:
    """Texts whose features tell their label with noise; synthetic labels are right, or drawn at random."""

    def __init__(self, seed: int, *, natural: int = 40, synthetic: int = 300, right: bool):
        random = np.random.default_rng(seed)
        direction = np.eye(20)[0] * 1.2
        self.vectors: dict[str, Array] = {}

        def make(name: str, count: int, *, honest: bool) -> list[Row]:
            rows = []
            for i in range(count):
                label = i % 2
                self.vectors[f"{name} {i}"] = random.normal(size=20) + direction * (2 * label - 1)
                rows.append(row(f"{name} {i}", LABELS[label if honest else int(random.integers(2))]))
            return rows

        self.natural = make("natural", natural, honest=True)
        self.synthetic = make("synthetic", synthetic, honest=right)
        self.test = make("test", 400, honest=True)
        self.recipe = make_recipe(Path("none"), mode="head", cross_validation={"folds": 5, "repeats": 2})
        self.fitter = fitter_of(self.vectors, self.natural)

    def best(self, corpus: Corpus, variant: str = "mixed") -> Any:
        sample = Sample(0, self.natural, [])
        options = variant_rows(variant, self.fitter._recipe, sample, corpus, make_natural())
        validation = plan_validation(self.recipe, sample, options[0])
        return self.fitter.choose(options, validation)

    def accuracy(self, best: Any) -> float:
        probabilities = best.fits.head.probabilities(self.fitter.x(self.test))
        return float((probabilities.argmax(1) == labels_of(self.test, LABELS)).mean())


def test_good_rows_are_used_and_useless_ones_found_out_in_the_folds() -> None:
    gains: dict[bool, list[float]] = {True: [], False: []}
    used = {True: 0, False: 0}
    for seed in range(6):
        for right in (True, False):
            world = World(seed, right=right)
            corpus = Corpus(world.synthetic, world.synthetic, judged=world.synthetic)
            best, plain = world.best(corpus), world.best(corpus, "plain")
            gains[right].append(world.accuracy(best) - world.accuracy(plain))
            used[right] += best.option.name != "plain"
    assert used[True] >= 5
    assert used[False] <= 1
    assert np.mean(gains[True]) > 0.01
    assert np.mean(gains[False]) > -0.02


def test_rows_weighed_by_a_teacher_that_knew_the_fold_would_look_better_than_they_are() -> None:
    """The labels of the rows are random; only a teacher that has seen a fold's labels makes them look good in it."""
    honest, leaking, plain = [], [], []
    for seed in range(6):
        world = World(seed, right=False)
        corpus = Corpus(world.synthetic, world.synthetic, judged=world.synthetic)
        plain.append(world.best(corpus, "plain").fits.losses.mean())
        honest.append(world.best(corpus, "weighted").fits.losses.mean())
        option = variant_rows("weighted", world.fitter._recipe, Sample(0, world.natural, []), corpus, make_natural())[
            0
        ]
        validation = plan_validation(world.recipe, Sample(0, world.natural, []), option)
        (taught,) = world.fitter.teach(option, validation)
        same = np.where(option.stages[0].added, taught.weights[-1], taught.weights)  # the weights of the last teacher
        fits = world.fitter._fit([world.fitter.x(option.stages[0].rows)], [replace(taught, weights=same)], validation)
        leaking.append(fits.losses.mean())
    assert np.mean(leaking) < np.mean(honest) - 0.02
    assert np.mean(honest) > np.mean(plain) - 0.02


def test_what_the_filters_kept_is_decided_anew_in_every_fold() -> None:
    world = World(0, right=False)
    kept = world.synthetic[:200]
    option = variant_rows(
        "kept", world.fitter._recipe, Sample(0, world.natural, []),
        Corpus(kept, world.synthetic, judged=world.synthetic), make_natural(),
    )[0]  # fmt: skip
    validation = plan_validation(world.recipe, Sample(0, world.natural, []), option)
    (taught,) = world.fitter.teach(option, validation)
    synthetic = np.array(option.stages[0].added)
    assert taught.weights[-1, synthetic].sum() == 200  # the student of all rows trains on what the filter stage kept
    by_fold = taught.weights[:-1, synthetic]
    assert len({tuple(fold) for fold in by_fold}) > 1
    assert (by_fold.sum(1) < 300).all()


def test_the_surest_rows_are_taken_label_by_label() -> None:
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.6, 0.4], [0.45, 0.55], [0.48, 0.52]])
    assert surest(probabilities, 0.5).tolist() == [1, 1, 0, 0, 1, 0]
    assert surest(probabilities, 1.0).tolist() == [1] * 6
    assert surest(probabilities[:0], 0.5).tolist() == []


@pytest.mark.parametrize(
    ("worse", "within"),
    [
        ([0.0, 0.0], True),
        ([0.1, -0.1], True),
        ([0.1, 0.1], False),
        ([-0.2, -0.1], True),
        ([0.3], False),
        ([0.0], True),
    ],
)
def test_one_standard_error(worse: list[float], within: bool) -> None:
    assert within_one_error(np.array(worse)) == within
