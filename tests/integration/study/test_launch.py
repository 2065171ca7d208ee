"""Studies under `accelerate launch`: by trial and by data, one process and two, killed and continued."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from sentisynth_hub.study.predictions import StudyPredictions, read_predictions
from tests.support.tiny_study import make_model


ROOT = Path(__file__).resolve().parents[3]
WORKER = ROOT / "tests" / "support" / "launched_study.py"
SETTINGS = {
    "OMP_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "GOMP_SPINCOUNT": "0",
    "TOKENIZERS_PARALLELISM": "false",
}


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the tiny student."""
    return make_model(tmp_path_factory.mktemp("tiny-student"))


def command(processes: int, *arguments: str) -> list[str]:
    launch = [sys.executable]
    if processes > 1:
        config = ROOT / "recipes/accelerate_configs/multi_cpu.yaml"
        launch += ["-m", "accelerate.commands.launch", "--config_file", str(config), "--num_processes", str(processes)]
        launch += ["--main_process_port", "0"]
    return [*launch, str(WORKER), *arguments]


def run(processes: int, *arguments: str) -> None:
    done = subprocess.run(
        command(processes, *arguments), env=os.environ | SETTINGS, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-3000:]


def predictions(folder: Path) -> StudyPredictions:
    (path,) = folder.glob("study/*/predictions.parquet")
    return read_predictions([path])


def assert_equal(one: StudyPredictions, other: StudyPredictions) -> None:
    assert one.item_ids == other.item_ids
    assert list(one.variants) == list(other.variants)
    for variant in one.variants:
        assert (one.variants[variant] == other.variants[variant]).all()
        assert (one.probabilities[variant] == other.probabilities[variant]).all()


VARIANTS = "natural,natural_repeated,mixed,synthetic"


@pytest.fixture(scope="module")
def alone(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> StudyPredictions:
    """The fine-tuned study by one process that nothing disturbed."""
    folder = tmp_path_factory.mktemp("alone")
    run(1, str(tiny_model), str(folder), "finetune", "trial", VARIANTS)
    return predictions(folder)


def test_by_trial_one_and_two_processes_agree(tiny_model: Path, tmp_path: Path, alone: StudyPredictions) -> None:
    run(2, str(tiny_model), str(tmp_path), "finetune", "trial", VARIANTS)
    assert_equal(predictions(tmp_path), alone)


@pytest.mark.slow
def test_by_trial_heads_agree_too(tiny_model: Path, tmp_path: Path) -> None:
    for processes in (1, 2):
        run(processes, str(tiny_model), str(tmp_path / str(processes)), "head", "trial", VARIANTS)
    assert_equal(predictions(tmp_path / "1"), predictions(tmp_path / "2"))


def test_by_data_two_processes_train_one_model(tiny_model: Path, tmp_path: Path, alone: StudyPredictions) -> None:
    """DDP rounds and drops out differently than one process, so scores agree as two seeds of one training do."""
    run(2, str(tiny_model), str(tmp_path), "finetune", "data", VARIANTS)
    together = predictions(tmp_path)
    for variant in alone.variants:
        difference = np.abs(alone.probabilities[variant] - together.probabilities[variant]).mean()
        assert difference < 0.1


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.parametrize("kills", [1, pytest.param(10, marks=pytest.mark.slow)])
def test_killed_study_ends_as_if_it_had_not_been(
    tiny_model: Path, tmp_path: Path, alone: StudyPredictions, kills: int
) -> None:
    arguments = (str(tiny_model), str(tmp_path), "finetune", "trial", VARIANTS)
    draw = random.Random(kills)
    first_seen: dict[str, int] = {}
    for _ in range(kills):
        process = subprocess.Popen(
            command(1, *arguments),
            env=os.environ | SETTINGS,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        before = len(first_seen)
        while process.poll() is None and len(list(tmp_path.glob("trials/*.json"))) <= before:
            time.sleep(0.02)
        time.sleep(draw.random() * 0.2)
        _kill_group(process)
        for path in tmp_path.glob("trials/*.json"):
            first_seen.setdefault(path.name, path.stat().st_mtime_ns)
    run(1, *arguments)
    finished = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("trials/*.json")}
    assert {name: finished[name] for name in first_seen} == first_seen  # no trial was trained twice
    assert len(first_seen) >= min(kills, 8)
    assert len(finished) == 8
    assert_equal(predictions(tmp_path), alone)
