"""Run a tiny study in as many processes as the launch has: `launched.py MODEL FOLDER MODE PARALLEL VARIANTS`."""

import sys
from pathlib import Path


sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from sentisynth_hub.core.distributed import join_launch  # noqa: E402
from tests.support.tiny_study import make_recipe, study_of  # noqa: E402


if __name__ == "__main__":
    model, folder, mode, parallel, variants = sys.argv[1:]
    recipe = make_recipe(
        Path(model), mode=mode, parallel=parallel, variants=variants.split(","), student={"budgets": [1], "epochs": 4}
    )
    study_of(recipe, Path(folder), join_launch())
