"""The filter stage as one process of a launch: launched.py RECIPE FOLDER; FOLDER holds a finished generate stage."""

import sys
from pathlib import Path

from sentisynth_hub.core.distributed import join_launch
from sentisynth_hub.core.run_folder import stage_folder
from sentisynth_hub.filter import stage as filtering
from sentisynth_hub.natural.splits import draw_samples
from sentisynth_hub.recipe import load_recipe
from tests.unit.filter.test_filter_stage import natural_data, read_corpora


def main(recipe_path: str, folder: str) -> None:
    """Run the stage; both processes get here."""
    recipe = load_recipe(recipe_path)
    natural = natural_data()
    generated = read_corpora(Path(folder), 2)
    stage = stage_folder(Path(folder), "filter", version=filtering.VERSION, recipe=filtering.decides(recipe))
    filtering.filter_candidates(recipe, draw_samples(recipe, natural), natural, generated, stage, join_launch())


if __name__ == "__main__":
    main(*sys.argv[1:])
