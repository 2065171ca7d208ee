"""What each variant trains on, and that none touches a human label outside its replicate."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from sentisynth_hub.core.errors import DataError
from sentisynth_hub.natural.splits import draw_samples
from sentisynth_hub.recipe.study_section import Gradual
from sentisynth_hub.study.variants import Corpus, chooses_budget, publishable, reordered, variant_rows
from tests.support.tiny_study import make_corpora, make_natural, make_recipe, make_rows


NATURAL = make_natural()
OWN = [
    "natural",
    "natural_repeated",
    "rebalanced",
    "synthetic",
    "unfiltered",
    "mixed",
    "mixed_natural_prior",
    "gradual",
    "eda",
    "shuffled_labels",
    "mixed_0.5x",
    "mixed_1x",
]


def rows_of(variant: str, replicate: int = 0, corpus: Corpus | None = None, **study: object):  # type: ignore[no-untyped-def]
    recipe = make_recipe(Path("none"), **study)
    samples = draw_samples(recipe, NATURAL)
    found = corpus or make_corpora(samples)[replicate]
    return variant_rows(variant, recipe, samples[replicate], found, NATURAL), samples[replicate], found


@pytest.mark.parametrize("variant", OWN)
@pytest.mark.parametrize("replicate", [0, 1])
def test_no_variant_touches_a_label_outside_its_replicate(variant: str, replicate: int) -> None:
    found, sample, corpus = rows_of(variant, replicate)
    own = {row.id for row in sample.train}
    outside = {row.id for row in NATURAL.train} - own
    assert not outside & {row.id for row in found.rows}
    assert set(found.human_ids) <= own
    # Rows that are neither the replicate's own nor synthetic can only be changed copies of its own.
    known = own | {row.id for row in corpus.candidates}
    assert variant == "eda" or {row.id for row in found.rows} <= known


@pytest.mark.parametrize("variant", ["mixed", "shuffled_labels"])
def test_human_labels_are_all_natural_rows_of_the_variant(variant: str) -> None:
    found, sample, _ = rows_of(variant)
    assert set(found.human_ids) == {row.id for row in sample.train}


def test_synthetic_uses_no_human_label() -> None:
    found, _, corpus = rows_of("synthetic")
    assert found.human_ids == ()
    assert found.rows == corpus.kept


def test_unfiltered_has_every_candidate() -> None:
    found, sample, corpus = rows_of("unfiltered")
    assert Counter(row.id for row in found.rows) == Counter(row.id for row in [*sample.train, *corpus.candidates])


def test_shuffled_labels_keep_texts_and_label_counts() -> None:
    found, sample, corpus = rows_of("shuffled_labels")
    added = found.rows[len(sample.train) :]
    assert [row.text for row in added] == [row.text for row in corpus.kept]
    assert Counter(row.label for row in added) == Counter(row.label for row in corpus.kept)
    assert sum(a.label != b.label for a, b in zip(added, corpus.kept, strict=True)) > 4  # half of 24 in the mean


def test_extra_natural_brings_as_many_new_human_rows() -> None:
    found, sample, corpus = rows_of("extra_natural")
    own = {row.id for row in sample.train}
    extra = [row for row in found.rows if row.id not in own]
    assert len(extra) == len(corpus.kept)
    assert {row.id for row in extra} <= {row.id for row in NATURAL.train}
    assert not {row.id for row in extra} & {row.id for row in sample.validation}
    assert set(found.human_ids) == own | {row.id for row in extra}


def test_extra_natural_without_a_pool_is_refused() -> None:
    with pytest.raises(DataError, match=r"extra_natural needs 24 natural rows beyond .* the pool has 0"):
        rows_of("extra_natural", rows_per_label=100)


def test_rebalanced_evens_the_labels() -> None:
    recipe = make_recipe(Path("none"))
    sample = draw_samples(recipe, NATURAL)[0]
    negatives = [row for row in sample.train if row.label == "negative"]
    uneven = type(sample)(
        0, negatives + [row for row in sample.train if row.label == "positive"][:3], sample.validation
    )
    found = variant_rows("rebalanced", recipe, uneven, Corpus([], []), NATURAL)
    counts = Counter(row.label for row in found.rows)
    assert counts == {"negative": 8, "positive": 8}
    assert {row.id for row in found.rows} == {row.id for row in uneven.train}


def test_mixed_natural_prior_has_the_natural_shares() -> None:
    recipe = make_recipe(Path("none"))
    sample = draw_samples(recipe, NATURAL)[0]
    positives = [row for row in sample.train if row.label == "positive"][:2]
    uneven = type(sample)(0, [row for row in sample.train if row.label == "negative"] + positives, sample.validation)
    kept = make_rows(40, 9)
    found = variant_rows("mixed_natural_prior", recipe, uneven, Corpus(kept, kept), NATURAL)
    counts = Counter(row.label for row in found.rows[len(uneven.train) :])
    assert counts == {"negative": 20, "positive": 5}  # 8 : 2, as far as the 20 negative synthetic rows go


def test_gradual_stages_fall_to_natural_rows() -> None:
    found, sample, corpus = rows_of("gradual")
    sizes = [len(stage.rows) - len(sample.train) for stage in found.stages]
    assert sizes == [24, 12, 6, 0]
    for earlier, later in zip(found.stages, found.stages[1:], strict=False):
        assert {row.id for row in later.rows} <= {row.id for row in earlier.rows}
    assert sum(stage.share for stage in found.stages) == pytest.approx(1)


def test_paper_schedule() -> None:
    schedule = Gradual(preset="paper")
    assert [stage.synthetic_share * 50_000 for stage in schedule.stages] == [50_000, 25_000, 15_000, 5_000, 0]
    assert [stage.learning_rate for stage in schedule.stages] == [1e-6, 2e-6, 2e-6, 4e-6, 2e-6]
    assert schedule.epochs == 3


@pytest.mark.parametrize(("variant", "synthetic"), [("mixed_0.5x", 8), ("mixed_1x", 16), ("mixed_9x", 24)])
def test_ratio_limits_the_synthetic_rows(variant: str, synthetic: int) -> None:
    found, sample, _ = rows_of(variant)
    assert len(found.rows) - len(sample.train) == synthetic


def test_curve_points_hold_the_smaller_ones() -> None:
    small, sample, _ = rows_of("natural_4")
    large, _, _ = rows_of("natural_20")
    own = {row.id for row in sample.train}
    assert set(small.human_ids) <= own <= set(large.human_ids)
    assert Counter(row.label for row in large.rows) == {"negative": 20, "positive": 20}


def test_curve_point_beyond_the_pool_is_refused() -> None:
    with pytest.raises(DataError, match="natural_500 needs 500 natural rows of 'negative'"):
        rows_of("natural_500")


def test_filters_that_kept_nothing_add_nothing() -> None:
    nothing = Corpus([], [])
    natural, sample, _ = rows_of("natural", 1, nothing)
    for variant in ("mixed", "mixed_2x", "mixed_natural_prior", "shuffled_labels", "eda", "extra_natural", "gradual"):
        found, _, _ = rows_of(variant, 1, nothing)
        for stage in found.stages:
            assert Counter(row.id for row in stage.rows) == Counter(row.id for row in natural.rows), variant
    synthetic, _, _ = rows_of("synthetic", 1, nothing)
    assert synthetic.rows == []
    assert synthetic.missing_labels == ("negative", "positive")
    with pytest.raises(DataError, match="'unfiltered' has no synthetic row in replicate 1; loosen the filters"):
        rows_of("unfiltered", 1, nothing)


def test_missing_label_is_reported() -> None:
    found, _, _ = rows_of("synthetic", 0, Corpus(make_rows(5, 3, labels=("positive",)), []))
    assert found.missing_labels == ("negative",)


def test_a_conditional_replicate_withholds_no_row_that_the_corpus_saw() -> None:
    recipe = make_recipe(Path("none"), design="conditional")
    first, second = (reordered(recipe, sample) for sample in draw_samples(recipe, NATURAL))
    original = draw_samples(recipe, NATURAL)[0]
    for drawn in (first, second):
        assert sorted(row.request_id for row in drawn.train) == sorted(row.request_id for row in original.train)
    assert [row.id for row in first.train] != [row.id for row in second.train]


def zero_shot_rows(replicate: int = 0, foreign: int = 30, **wanted: object):  # type: ignore[no-untyped-def]
    recipe = make_recipe(Path("none"), variants=["natural", "zero_shot"], zero_shot={"file": "x.csv", **wanted})
    sample = draw_samples(recipe, NATURAL)[replicate]
    rows = make_rows(foreign, 77, labels=("negative", "positive", "positive"), origin="z")
    natural = replace(NATURAL, zero_shot=rows)
    return variant_rows("zero_shot", recipe, sample, Corpus([], []), natural), sample, rows


def test_zero_shot_sees_no_natural_row_and_counts_its_own_labels() -> None:
    found, sample, foreign = zero_shot_rows()
    assert Counter(row.id for row in found.rows) == Counter(row.id for row in foreign)
    assert set(found.human_ids) == {row.id for row in foreign}
    assert not {row.id for row in found.rows} & {row.id for row in [*sample.train, *sample.validation]}


def test_zero_shot_draws_anew_in_each_replicate_with_the_sources_shares() -> None:
    first, second = (zero_shot_rows(replicate, rows=12)[0] for replicate in (0, 1))
    for found in (first, second):
        assert Counter(row.label for row in found.rows) == {"negative": 4, "positive": 8}
    assert set(first.human_ids) != set(second.human_ids)


def test_zero_shot_without_enough_rows_is_refused() -> None:
    with pytest.raises(DataError, match=r"study.zero_shot.rows: 31 rows are asked for, the source has 30"):
        zero_shot_rows(rows=31)
    with pytest.raises(DataError, match=r"study.zero_shot: no rows"):
        zero_shot_rows(foreign=0)


def test_what_is_publishable_and_what_chooses_its_budget() -> None:
    others = ("extra_natural", "natural_20", "llm_classifier", "zero_shot")
    assert [name for name in (*OWN, *others) if not publishable(name)] == [
        "shuffled_labels", "extra_natural", "natural_20", "llm_classifier", "zero_shot",
    ]  # fmt: skip
    assert [name for name in (*OWN, "natural_20", "zero_shot") if chooses_budget(name)] == [
        "natural", "natural_20", "zero_shot",
    ]  # fmt: skip
