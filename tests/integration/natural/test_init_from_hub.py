"""`sentisynth init` on a Hub dataset: the same recipe folder as from a file."""

import subprocess
import sys
from pathlib import Path

from sentisynth_hub.localhub.control import HubState
from sentisynth_hub.recipe import load_recipe


def test_a_hub_dataset_becomes_a_recipe(local_hub: HubState, tmp_path: Path) -> None:
    import datasets

    features = datasets.Features(
        {"review": datasets.Value("string"), "stars": datasets.ClassLabel(names=["bad", "good"])}
    )
    rows = [{"review": f"qué peli {i} 👍", "stars": i % 2} for i in range(80)]
    datasets.Dataset.from_list(rows, features=features).push_to_hub("init-tests/reviews")
    command = [
        sys.executable,
        "-m",
        "sentisynth_hub",
        "init",
        "init-tests/reviews",
        "--text",
        "review",
        "--label",
        "stars",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    recipe = load_recipe(str(tmp_path / done.stdout.strip()))
    assert (recipe.name, recipe.labels) == ("reviews", ["bad", "good"])


def test_a_dataset_that_is_not_there_is_one_line(local_hub: HubState, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sentisynth_hub", "init", "init-tests/nothing"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert "init-tests/nothing is neither a file here nor a dataset on the Hub you may read" in done.stderr
    assert list(tmp_path.iterdir()) == []
