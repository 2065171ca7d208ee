"""Run the generate stage of the recipe at argv[1] in the run folder argv[2], alone or as one process of a launch."""

import sys
from pathlib import Path

from sentisynth_hub.core.distributed import join_launch
from sentisynth_hub.generate import stage as generation
from sentisynth_hub.recipe import load_recipe
from tests.support.worlds import samples, stage


if __name__ == "__main__":
    recipe = load_recipe(sys.argv[1])
    generation.generate(recipe, samples(), stage(Path(sys.argv[2]), recipe), join_launch())
