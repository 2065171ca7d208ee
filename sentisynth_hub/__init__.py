"""sentisynth-hub: synthetic text-classification data on the Hugging Face Hub, with evidence.

Importing this package loads nothing heavy; every public name is fetched from its module on first use.

    from sentisynth_hub import load_recipe, run_recipe
    result = run_recipe(load_recipe("quickstart"), hub="local")
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any


__version__ = "0.1.0"

_PUBLIC = {
    "DataError": "core.errors",
    "InputError": "core.errors",
    "LaunchError": "core.errors",
    "PublishError": "core.errors",
    "Recipe": "recipe",
    "RecipeError": "core.errors",
    "Row": "core.rows",
    "SentisynthError": "core.errors",
    "StageError": "core.errors",
    "corpus_report": "experiments.compare_given",
    "filter_rows": "filter.filter_rows",
    "judge": "verdict.judge_models",
    "load_recipe": "recipe",
    "publish_dataset": "publish.publish_given",
    "publish_model": "publish.publish_given",
    "run_recipe": "run",
    "verify_version": "publish.publish_given",
}
__all__ = sorted([*_PUBLIC, "__version__"])  # noqa: PLE0605

if TYPE_CHECKING:
    from sentisynth_hub.core.errors import (
        DataError,
        InputError,
        LaunchError,
        PublishError,
        RecipeError,
        SentisynthError,
        StageError,
    )
    from sentisynth_hub.core.rows import Row
    from sentisynth_hub.experiments.compare_given import corpus_report
    from sentisynth_hub.filter.filter_rows import filter_rows
    from sentisynth_hub.publish.publish_given import publish_dataset, publish_model, verify_version
    from sentisynth_hub.recipe import Recipe, load_recipe
    from sentisynth_hub.run import run_recipe
    from sentisynth_hub.verdict.judge_models import judge


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PUBLIC[name]}"), name)
