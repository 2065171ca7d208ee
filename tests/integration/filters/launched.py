"""The filter stage as one process of a launch: launched.py RECIPE FOLDER; FOLDER holds a finished generate stage."""

import sys
from pathlib import Path

from sentisynth_hub import filtering
from sentisynth_hub.processes import join_launch
from sentisynth_hub.recipe import load_recipe
from sentisynth_hub.runs import stage_folder
from sentisynth_hub.splits import draw_samples
from tests.unit.test_filtering import natural_data


def main(recipe_path: str, folder: str) -> None:
    """Run the stage; both processes get here."""
    recipe = load_recipe(recipe_path)
    natural = natural_data()
    generated = stage_folder(Path(folder), "generate", version=1, recipe={})
    stage = stage_folder(Path(folder), "filter", version=filtering.VERSION, recipe=recipe.part("filter"))
    filtering.filter_candidates(recipe, draw_samples(recipe, natural), natural, generated, stage, join_launch())


if __name__ == "__main__":
    main(*sys.argv[1:])
