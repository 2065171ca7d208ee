"""Run the generate stage of the recipe at argv[1] in the run folder argv[2], alone or as one process of a launch."""

import sys
from pathlib import Path

from sentisynth_hub import generation
from sentisynth_hub.processes import join_launch
from sentisynth_hub.recipe import load_recipe
from tests.unit.generators.worlds import samples, stage


if __name__ == "__main__":
    recipe = load_recipe(sys.argv[1])
    generation.generate(recipe, samples(), stage(Path(sys.argv[2]), recipe), join_launch())
