"""A trial in head mode: the best of its options as a linear classifier on frozen features."""

from sentisynth_hub.pretrained.head import Array, Head
from sentisynth_hub.recipe import Recipe
from sentisynth_hub.study.choice import HeadFitter
from sentisynth_hub.study.training_rows import Option
from sentisynth_hub.study.trial import Outcome, Trained, Trial, outcome, untrained


def run_head(recipe: Recipe, trial: Trial, fitter: HeadFitter) -> Outcome:
    """Choose, train a head on all rows and predict the test rows."""
    return fit_head(recipe, trial, fitter)[0]


def fit_head(recipe: Recipe, trial: Trial, fitter: HeadFitter) -> tuple[Outcome, Option, Head | None]:
    """As `run_head`, with what was trained on and the head itself, for features as `fitter.scaling` gives them; None
    without a row.
    """
    choice = fitter.choose(trial.options, trial.validation)
    if choice is None:
        return untrained(recipe, trial), trial.options[0], None
    fits = choice.fits
    test = fits.head.probabilities(fitter.x(trial.test)) if trial.test else fits.probabilities[:0]
    budget = {"weight": choice.weight, "penalty": fits.penalty, "tried": choice.tried}
    trained = Trained(choice.option, fits.probabilities, test, fits.losses, budget)
    return outcome(recipe, trial, trained), choice.option, fits.head


def validation_losses(trial: Trial, fitter: HeadFitter) -> Array:
    """Cross-entropy (nats) of each validation row by a head that has not seen it, (rows,): finer than a score."""
    choice = fitter.choose(trial.options, trial.validation)
    assert choice is not None, "a trial without rows has no head"
    return choice.fits.losses
