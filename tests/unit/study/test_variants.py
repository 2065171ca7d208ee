"""What each variant trains on, that none touches a human label outside its replicate, and the table of all."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sentisynth_hub.core.errors import DataError, RecipeError
from sentisynth_hub.core.rows import Row
from sentisynth_hub.natural.splits import draw_samples
from sentisynth_hub.recipe.load import recipe_schema
from sentisynth_hub.recipe.study_section import Gradual
from sentisynth_hub.recipe.variant_table import VARIANTS, Variant, built_in, variant
from sentisynth_hub.study import variants as module
from sentisynth_hub.study.plan import reordered, trained_on
from sentisynth_hub.study.training_rows import Corpus, Option, mixed_with
from sentisynth_hub.study.variants import Setting, StudyVariant, variant_rows
from tests.support.tiny_study import make_corpora, make_natural, make_recipe, make_rows


NATURAL = make_natural()
OWN = [
    "natural",
    "plain",
    "natural_repeated",
    "rebalanced",
    "synthetic",
    "unfiltered",
    "kept",
    "weighted",
    "synthetic_then_natural",
    "mixed",
    "mixed_natural_prior",
    "gradual",
    "eda",
    "shuffled_labels",
    "mixed_0.5x",
    "mixed_1x",
]


def options_of(name: str, replicate: int = 0, corpus: Corpus | None = None, **study: Any) -> tuple[Any, Any, Any]:
    """The options of a variant, the replicate's sample as it is trained on, and its corpus."""
    recipe = make_recipe(Path("none"), **study)
    samples = draw_samples(recipe, NATURAL)
    own = corpus or make_corpora(samples)[replicate]
    sample = trained_on(recipe, samples[replicate])
    return variant_rows(name, recipe, sample, own, NATURAL), sample, own


def rows_of(name: str, replicate: int = 0, corpus: Corpus | None = None, **study: Any) -> tuple[Any, Any, Any]:
    """The one option of a variant, the replicate's sample as it is trained on, and its corpus."""
    (option,), sample, own = options_of(name, replicate, corpus, **study)
    return option, sample, own


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("replicate", [0, 1])
def test_no_variant_touches_a_label_outside_its_replicate(name: str, replicate: int) -> None:
    options, sample, corpus = options_of(name, replicate)
    own = {row.id for row in sample.train}
    outside = {row.id for row in NATURAL.train} - own
    known = own | {row.id for row in corpus.candidates}
    for option in options:
        assert {row.id for row in option.human} <= own
        if option.teacher == "labels":  # texts of the pool, and not their labels
            assert {row.label for row in option.rows if row.id in outside} == {None}
            continue
        # Rows that are neither the replicate's own nor synthetic can only be changed copies of its own.
        assert not outside & {row.id for row in option.rows}
        assert option.name == "eda" or {row.id for row in option.rows} <= known


@pytest.mark.parametrize("name", ["natural", "mixed", "kept", "weighted", "unfiltered", "shuffled_labels", "gradual"])
def test_every_option_trains_on_all_human_labels_of_the_replicate(name: str) -> None:
    options, sample, _ = options_of(name)
    for option in options:
        assert {row.id for row in option.human} == {row.id for row in sample.train}
    assert len(sample.train) == 36  # 16 training and 20 validation rows


def test_held_out_rows_train_nothing() -> None:
    for option in options_of("mixed", validation="held_out")[0]:
        assert len(option.human) == 16


def test_synthetic_uses_no_human_label() -> None:
    found, _, corpus = rows_of("synthetic")
    assert found.human == []
    assert found.rows == corpus.kept


def test_unfiltered_has_every_candidate() -> None:
    found, sample, corpus = rows_of("unfiltered")
    assert Counter(row.id for row in found.rows) == Counter(row.id for row in [*sample.train, *corpus.candidates])


def test_shuffled_labels_keep_texts_and_label_counts() -> None:
    (plain, found), sample, corpus = options_of("shuffled_labels")
    assert plain.name == "plain"  # the control goes the way of mixed: the folds may find out that it is useless
    assert found.weights == (0.1, 0.3, 1)
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
    assert {row.id for row in found.human} == own | {row.id for row in extra}


def test_extra_natural_without_a_pool_is_refused() -> None:
    with pytest.raises(DataError, match=r"extra_natural needs 24 natural rows beyond .* the pool has 0"):
        rows_of("extra_natural", rows_per_label=100)


def test_rebalanced_evens_the_labels() -> None:
    recipe = make_recipe(Path("none"), validation="held_out")
    sample = draw_samples(recipe, NATURAL)[0]
    negatives = [row for row in sample.train if row.label == "negative"]
    uneven = type(sample)(
        0, negatives + [row for row in sample.train if row.label == "positive"][:3], sample.validation
    )
    (found,) = variant_rows("rebalanced", recipe, uneven, Corpus([], []), NATURAL)
    counts = Counter(row.label for row in found.rows)
    assert counts == {"negative": 8, "positive": 8}
    assert {row.id for row in found.rows} == {row.id for row in uneven.train}


def test_mixed_natural_prior_has_the_natural_shares() -> None:
    recipe = make_recipe(Path("none"), validation="held_out")
    sample = draw_samples(recipe, NATURAL)[0]
    positives = [row for row in sample.train if row.label == "positive"][:2]
    uneven = type(sample)(0, [row for row in sample.train if row.label == "negative"] + positives, sample.validation)
    kept = make_rows(40, 9)
    (found,) = variant_rows("mixed_natural_prior", recipe, uneven, Corpus(kept, kept), NATURAL)
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


@pytest.mark.parametrize(("variant", "synthetic"), [("mixed_0.5x", 18), ("mixed_0.25x", 9), ("mixed_9x", 24)])
def test_ratio_limits_the_synthetic_rows(variant: str, synthetic: int) -> None:
    found, sample, _ = rows_of(variant)
    assert len(found.rows) - len(sample.train) == synthetic


def test_curve_points_hold_the_smaller_ones() -> None:
    small, sample, _ = rows_of("natural_4")
    large, _, _ = rows_of("natural_20")
    own = {row.id for row in sample.train}
    assert {row.id for row in small.human} <= own <= {row.id for row in large.human}
    assert Counter(row.label for row in large.rows) == {"negative": 20, "positive": 20}


def test_curve_point_beyond_the_pool_is_refused() -> None:
    with pytest.raises(DataError, match="natural_500 needs 500 natural rows of 'negative'"):
        rows_of("natural_500")


def test_filters_that_kept_nothing_add_nothing() -> None:
    nothing = Corpus([], [])
    natural, sample, _ = rows_of("plain", 1, nothing)
    for name in ("kept", "weighted", "mixed_2x", "mixed_natural_prior", "extra_natural", "gradual"):
        found, _, _ = rows_of(name, 1, nothing)
        for stage in found.stages:
            assert Counter(row.id for row in stage.rows) == Counter(row.id for row in natural.rows), name
    synthetic, _, _ = rows_of("synthetic", 1, nothing)
    assert synthetic.rows == []
    assert synthetic.missing_labels(LABELS) == ("negative", "positive")
    with pytest.raises(DataError, match="'unfiltered' has no synthetic row in replicate 1; loosen the filters"):
        rows_of("unfiltered", 1, nothing)


def test_missing_label_is_reported() -> None:
    found, _, _ = rows_of("synthetic", 0, Corpus(make_rows(5, 3, labels=("positive",)), []))
    assert found.missing_labels(LABELS) == ("negative",)


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
    (option,) = variant_rows("zero_shot", recipe, trained_on(recipe, sample), Corpus([], []), natural)
    return option, sample, rows


def test_zero_shot_sees_no_natural_row_and_counts_its_own_labels() -> None:
    found, sample, foreign = zero_shot_rows()
    assert Counter(row.id for row in found.rows) == Counter(row.id for row in foreign)
    assert {row.id for row in found.human} == {row.id for row in foreign}
    assert not {row.id for row in found.rows} & {row.id for row in [*sample.train, *sample.validation]}


def test_zero_shot_draws_anew_in_each_replicate_with_the_sources_shares() -> None:
    first, second = (zero_shot_rows(replicate, rows=12)[0] for replicate in (0, 1))
    for found in (first, second):
        assert Counter(row.label for row in found.rows) == {"negative": 4, "positive": 8}
    assert {row.id for row in first.human} != {row.id for row in second.human}


def test_zero_shot_without_enough_rows_is_refused() -> None:
    with pytest.raises(DataError, match=r"study.zero_shot.rows: 31 rows are asked for, the source has 30"):
        zero_shot_rows(rows=31)
    with pytest.raises(DataError, match=r"study.zero_shot: no rows"):
        zero_shot_rows(foreign=0)


def test_every_line_of_the_table_has_rows_and_every_row_function_a_line() -> None:
    assert set(module._ROWS) == {line.name for line in VARIANTS if line.trained}
    assert len({line.name for line in VARIANTS}) == len(VARIANTS)


def test_what_the_table_says() -> None:
    others = ("extra_natural", "natural_20", "llm_classifier", "zero_shot", "pseudo_label", "self_training")
    assert [name for name in (*OWN, *others) if not variant(name).publishable] == [
        "shuffled_labels", "extra_natural", "natural_20", "llm_classifier", "zero_shot",
    ]  # fmt: skip
    assert [name for name in (*OWN, "natural_20", "zero_shot") if variant(name).budget == "own"] == [
        "natural", "plain", "natural_20", "zero_shot",
    ]  # fmt: skip
    assert {line.name: line.control for line in VARIANTS if line.control} == {
        "shuffled_labels": "does not help", "extra_natural": "helps",
    }  # fmt: skip
    assert [built_in(name) for name in ("natural_", "natural_0", "mixed_x", "mixed_-1x", "plain_2")] == [None] * 5


def test_the_schema_lists_the_table() -> None:
    text = str(recipe_schema()["$defs"]["Study"]["properties"]["variants"])
    for line in VARIANTS:
        assert line.help.replace("'", "\\'") in text or line.help in text, line.name


def test_natural_is_the_best_of_methods_that_need_no_language_model() -> None:
    options, sample, _ = options_of("natural", natural_methods=["plain", "self_training", "eda"])
    assert [(option.name, option.rank) for option in options] == [("plain", 0), ("self_training", 1), ("eda", 2)]
    taught = options[1]
    assert taught.teacher == "labels"
    assert taught.weights == (0.1, 0.3, 1)
    pool = [row for row in taught.rows if row.label is None]
    assert len(pool) == 20
    assert not {row.id for row in pool} & {row.id for row in sample.train}


def test_without_a_pool_natural_is_what_is_left_and_self_training_is_refused() -> None:
    options, _, _ = options_of("natural", rows_per_label=100)
    assert [option.name for option in options] == ["plain"]
    with pytest.raises(DataError, match="self_training labels natural texts beyond the sample"):
        options_of("self_training", rows_per_label=100)


def test_mixed_is_every_way_to_use_the_rows_and_none_at_all() -> None:
    options, _, corpus = options_of("mixed", synthetic_weights=[0, 0.5, 1])
    assert [(option.name, option.weights) for option in options] == [
        ("plain", (1.0,)), ("kept", (0.5, 1)), ("weighted", (0.5, 1)), ("unfiltered", (0.5, 1)),
        ("synthetic_then_natural", (1.0,)),
    ]  # fmt: skip
    options, _, _ = options_of("mixed", mixed_methods=["kept"], synthetic_weights=[1])
    assert [option.name for option in options] == ["kept"]


TEACHER = {"teacher": {"model": "none"}, "min_confidence": 0.6}


def test_rows_the_teacher_dropped_are_there_for_the_folds_alone() -> None:
    rows = make_rows(40, 100, origin="s")
    corpus = Corpus(rows[:24], rows, judged=rows[:30])
    recipe = make_recipe(Path("none"))
    recipe = recipe.with_content(recipe.model_dump() | {"filter": {"teacher": TEACHER}})
    sample = trained_on(recipe, draw_samples(recipe, NATURAL)[0])
    for name in ("kept", "synthetic", "gradual", "synthetic_then_natural", "mixed_9x"):
        (option,) = variant_rows(name, recipe, sample, corpus, NATURAL)
        assert option.teacher == "filters", name
        everything = [row for stage in option.stages for row in stage.rows]
        assert {row.id for row in rows[24:30]} <= {row.id for row in everything}, name
        assert not {row.id for row in rows[24:]} & {row.id for row in option.rows}, name
    (weighted,) = variant_rows("weighted", recipe, sample, corpus, NATURAL)
    assert {row.id for row in rows[:30]} <= {row.id for row in weighted.rows}
    oracle = recipe.with_content(recipe.model_dump() | {"filter": {"teacher": TEACHER | {"labels": "oracle"}}})
    (option,) = variant_rows("kept", oracle, sample, corpus, NATURAL)
    assert option.teacher is None  # it did not learn from the sample, so no fold can stand for it


OWN_VARIANT = StudyVariant(
    Variant("short", "natural rows and the short half of the kept ones", corpus="kept", publishable=False),
    lambda setting: Option("short", (mixed_with(setting.train, short_half(setting)),)),
)


def short_half(setting: Setting) -> list[Row]:
    """The shorter half of the kept rows."""
    return sorted(setting.kept, key=lambda row: len(row.text))[: len(setting.kept) // 2]


@pytest.mark.parametrize("way", ["module:object", "entry point"])
def test_a_variant_from_outside_the_package(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"{__name__}:OWN_VARIANT"
    recipe = make_recipe(Path("none"))
    if way == "entry point":
        point = SimpleNamespace(name="short", load=lambda: OWN_VARIANT)
        monkeypatch.setattr(
            "sentisynth_hub.core.plugins.entry_points", lambda group: [point] * group.endswith("variants")
        )
        name = "short"
    content = recipe.model_dump(mode="json")
    content["study"]["variants"] = ["natural", name]
    study = type(recipe.study).model_validate(content["study"], context={"own": True})
    assert study.variants[1] == name
    assert variant(name).corpus == "kept"
    sample = trained_on(recipe, draw_samples(recipe, NATURAL)[0])
    corpus = make_corpora([sample])[0]
    (option,) = variant_rows(name, recipe, sample, corpus, NATURAL)
    assert len(option.rows) == 36 + 12


def test_a_strangers_recipe_names_no_code() -> None:
    content = make_recipe(Path("none")).study.model_dump() | {"variants": ["natural", f"{__name__}:OWN_VARIANT"]}
    with pytest.raises(ValueError, match="names Python code"):
        type(make_recipe(Path("none")).study).model_validate(content)


@pytest.mark.parametrize("name", ["no.such.module:thing", f"{__name__}:LABELS", f"{__name__}:missing"])
def test_what_is_no_variant_gives_one_line(name: str) -> None:
    with pytest.raises(RecipeError, match=r"study\.variants: .*(cannot be imported|no StudyVariant)"):
        variant(name)


LABELS = ["negative", "positive"]
