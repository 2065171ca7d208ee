"""Every trial of a study: what each variant trains on in each replicate, and which rows choose for it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sentisynth_hub.core import log
from sentisynth_hub.core.random import rng
from sentisynth_hub.natural.folds import make_folds
from sentisynth_hub.natural.splits import NaturalData, Sample
from sentisynth_hub.recipe import Recipe
from sentisynth_hub.recipe.variant_table import variant
from sentisynth_hub.study.training_rows import Corpus
from sentisynth_hub.study.trial import Trial
from sentisynth_hub.study.validation import plan_validation
from sentisynth_hub.study.variants import check_corpora, variant_rows


def plan_trials(
    recipe: Recipe, samples: Sequence[Sample], natural: NaturalData, corpora: Mapping[int, Corpus]
) -> list[Trial]:
    """Every trial of the study, replicate by replicate.

    Raises:
        DataError: A variant has no rows to be made of.
    """
    check_corpora(recipe, corpora)
    folds = make_folds(recipe, natural) if recipe.study.cross_fitting else None
    trials = []
    for sample in samples:
        own, corpus = sample_of(recipe, sample, corpora)
        visible = natural if folds is None else folds.natural(sample.replicate)
        trials += plan_replicate(recipe, own, visible, corpus, recipe.study.variants)
    return trials


def sample_of(recipe: Recipe, sample: Sample, corpora: Mapping[int, Corpus]) -> tuple[Sample, Corpus]:
    """The rows a replicate trains on: its own, or in the conditional design all of the one sample, and one corpus."""
    if recipe.study.design == "conditional":
        return reordered(recipe, sample), corpora[0]
    return sample, corpora[sample.replicate]


def reordered(recipe: Recipe, sample: Sample) -> Sample:
    """The sample with all of its training rows in another order: a replicate of the conditional design.

    Never fewer of them: the corpus and its teacher have seen all, and `kept` would bring the missing ones back.
    """
    order = rng(recipe.seed, "order of the sample", sample.replicate).permutation(len(sample.train))
    return replace(sample, train=[sample.train[i] for i in order])


def trained_on(recipe: Recipe, sample: Sample) -> Sample:
    """The sample as the study sees it: with cross-validation every label trains, and no row is held out."""
    if recipe.natural.validation == "held_out":
        return sample
    return replace(sample, train=[*sample.train, *sample.validation], validation=[])


def plan_replicate(
    recipe: Recipe, sample: Sample, natural: NaturalData, corpus: Corpus, variants: Sequence[str]
) -> list[Trial]:
    """The trials of one replicate; a label without a training row is warned of, since it will never be predicted."""
    sample = trained_on(recipe, sample)
    matched = matched_steps(recipe, len(sample.train) + len(corpus.kept))
    trials = []
    for name in variants:
        line = variant(name)
        if not line.trained:
            continue
        options = variant_rows(name, recipe, sample, corpus, natural)
        if missing := options[0].missing_labels(recipe.labels):
            log.warn(
                f"study: {name} has no row of {', '.join(missing)} in replicate {sample.replicate}; it can never "
                "predict it"
            )
        own = len(options[0].rows) if line.budget == "own" else None
        trials.append(
            Trial(
                variant=name,
                replicate=sample.replicate,
                options=options,
                natural=sample.train,
                validation=plan_validation(recipe, sample, options[0]),
                test=natural.test,
                budgets=_budgets(recipe, matched, own),
            )
        )
    return trials


def matched_steps(recipe: Recipe, rows: int) -> int:
    """Steps of `study.student.epochs` passes over `rows` rows."""
    student = recipe.study.student
    return max(1, round(student.epochs * -(-rows // student.batch_size)))


def _budgets(recipe: Recipe, matched: int, own_rows: int | None) -> tuple[int, ...]:
    """Steps that fine-tuning tries: `budgets` times the matched steps, or times those of its own rows and the matched
    ones.
    """
    if recipe.study.mode == "head":
        return ()
    student = recipe.study.student
    base = matched if own_rows is None else matched_steps(recipe, own_rows)
    budgets = sorted({*(max(1, round(times * base)) for times in student.budgets), matched})
    return tuple(budgets[-1:] if student.early_stopping is not None else budgets)
