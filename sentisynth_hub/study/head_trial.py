"""A trial in head mode: the best of its options as a linear classifier on frozen features."""

from sentisynth_hub.pretrained.head import Array
from sentisynth_hub.recipe import Recipe
from sentisynth_hub.study.choice import BestOption, HeadFitter
from sentisynth_hub.study.trial import Outcome, Trained, Trial, outcome, untrained


def run_head(recipe: Recipe, trial: Trial, fitter: HeadFitter) -> Outcome:
    """Choose, train a head on all rows and predict the test rows."""
    return fit_head(recipe, trial, fitter)[0]


def fit_head(recipe: Recipe, trial: Trial, fitter: HeadFitter) -> tuple[Outcome, BestOption | None]:
    """As `run_head`, with what was chosen and its fits; None without a row."""
    choice = fitter.choose(trial.options, trial.validation)
    if choice is None:
        return untrained(recipe, trial), None
    fits = choice.fits
    test = fitter.probabilities(choice, trial.test) if trial.test else fits.probabilities[:0]
    budget = {"weight": choice.weight, "penalty": fits.penalty, "tried": choice.tried}
    trained = Trained(choice.option, fits.probabilities, test, fits.losses, budget)
    return outcome(recipe, trial, trained), choice


def validation_losses(trial: Trial, fitter: HeadFitter) -> Array:
    """Cross-entropy (nats) of each validation row by a head that has not seen it, (rows,): finer than a score."""
    choice = fitter.choose(trial.options, trial.validation)
    assert choice is not None, "a trial without rows has no head"
    return choice.fits.losses
