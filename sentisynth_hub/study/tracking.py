"""Losses and scores to TensorBoard or trackio, through Accelerate's trackers.

One run a study, one curve a trial. Under several processes that share out the trials, Accelerate logs those of the
first process; every trial's losses stand in its file in `trials/` anyway.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import Any

from sentisynth_hub.core.errors import RecipeError
from sentisynth_hub.recipe import Recipe
from sentisynth_hub.study.loop import LOG_STEPS, Launch


_SHOWN = {"epochs", "learning_rate", "batch_size", "max_length"}  # settings a tracker shows beside the curves


def check_trackers(recipe: Recipe) -> None:
    """Refuse a tracker that is not installed before anything is trained.

    Raises:
        RecipeError: Names it.
    """
    if not recipe.study.trackers:
        return
    from accelerate.tracking import get_available_trackers

    available = {str(tracker.value) for tracker in get_available_trackers()}
    for name in recipe.study.trackers:
        if name not in available:
            raise RecipeError(f"study.trackers: {name} is not installed; pip install {name}, or leave it out")


@contextmanager
def tracked(recipe: Recipe, launch: Launch) -> Iterator[Launch]:
    """Open the trackers the recipe names, and close them at the end."""
    if recipe.study.trackers:
        with redirect_stdout(sys.stderr):  # trackio talks, and standard output is for results
            launch.accelerator.init_trackers(recipe.name, recipe.study.student.model_dump(include=_SHOWN))
    yield launch
    with redirect_stdout(sys.stderr):
        for tracker in launch.accelerator.trackers:
            _finish(launch, tracker)


def _finish(launch: Launch, tracker: Any) -> None:
    """End one tracker; not by `end_training()`, which also ends the launch's process group."""
    if tracker.name == "trackio" and launch.accelerator.is_main_process:
        import trackio

        trackio.finish()  # forgets the run too; it would be ended once more at exit, on standard output
    else:
        tracker.finish()


def report_trial(launch: Launch, name: str, score: float, losses: Sequence[float]) -> None:
    """Log one trial: its mean losses, a point every `LOG_STEPS` steps, and its validation score."""
    for number, loss in enumerate(losses, 1):
        launch.accelerator.log({f"{name}/loss": loss}, step=number * LOG_STEPS)
    launch.accelerator.log({f"{name}/validation": score}, step=max(len(losses), 1) * LOG_STEPS)
