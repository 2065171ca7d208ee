"""Under `accelerate launch` with two processes the same decisions as with one."""

import os
import subprocess
import sys
from pathlib import Path

from sentisynth_hub.core.run_folder import StageFolder, stage_folder
from sentisynth_hub.filter import stage as filtering
from tests.support.tiny_study import make_model
from tests.unit.filter.test_filter_stage import full_recipe, generated_corpora


ROOT = Path(__file__).resolve().parents[3]
WORKER = ROOT / "tests" / "support" / "launched_filters.py"
SETTINGS = {
    "OMP_WAIT_POLICY": "PASSIVE",
    "GOMP_SPINCOUNT": "0",
    "TOKENIZERS_PARALLELISM": "false",
    "PYTHONPATH": str(ROOT),
}


def launch(processes: int, *arguments: str) -> None:
    config = str(ROOT / "recipes/accelerate_configs/multi_cpu.yaml")
    command = [sys.executable]
    if processes > 1:
        command += ["-m", "accelerate.commands.launch", "--config_file", config, "--main_process_port", "0"]
        command += ["--num_processes", str(processes)]
    command += [str(WORKER), *arguments]
    done = subprocess.run(command, env=os.environ | SETTINGS, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]


def test_two_processes_decide_as_one(tmp_path: Path) -> None:
    recipe = full_recipe(tmp_path, str(make_model(tmp_path / "encoder")))
    stages: list[StageFolder] = []
    for processes in (1, 2):
        folder = tmp_path / str(processes)
        generated_corpora(folder, 2)
        launch(processes, str(tmp_path / "recipe.yaml"), str(folder))
        stages.append(stage_folder(folder, "filter", version=filtering.VERSION, recipe=filtering.decides(recipe)))
    one, two = stages
    assert one.manifest()["replicates"] == two.manifest()["replicates"]
    for replicate in range(2):
        assert filtering.load(one).kept(replicate) == filtering.load(two).kept(replicate)
        assert filtering.load(one).rejected(replicate) == filtering.load(two).rejected(replicate)
        assert filtering.load(one).kept(replicate)
