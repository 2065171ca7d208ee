"""Real launches: the corpus is the same with 1, 2 and 4 processes."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.worlds import local, stage, tiny_model, write_recipe


ROOT = Path(__file__).resolve().parents[3]
REAL = os.environ.get("SENTISYNTH_TEST_MODEL")  # folder or Hub id of a real causal language model


def corpus(tmp_path: Path, generate: dict[str, Any], processes: int) -> dict[str, Any]:
    """The manifest's part of replicate 0 after a launch of so many processes."""
    made = write_recipe(tmp_path / "recipe", generate)
    runs = tmp_path / f"runs-{processes}"
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--num_processes", str(processes)]
    if processes > 1:
        launch += [
            "--config_file",
            str(ROOT / "recipes/accelerate_configs/multi_cpu.yaml"),
            "--main_process_port",
            "0",
        ]
    script = ["-m", "tests.support.killed_client", str(tmp_path / "recipe" / "recipe.yaml"), str(runs)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"}
    done = subprocess.run([*launch, *script], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-3000:]
    folder = stage(runs, made)
    journals = [path for path in folder.path.glob("replicate-0/completions-*.jsonl") if path.stat().st_size]
    assert len(journals) == processes
    return dict(folder.manifest()["replicates"]["0"])


@pytest.mark.parametrize("more", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_a_launch_gives_the_corpus_of_one_process(tmp_path: Path, more: int) -> None:
    generate = local(tiny_model(tmp_path / "model"))
    assert corpus(tmp_path, generate, more) == corpus(tmp_path, generate, 1)


@pytest.mark.slow
@pytest.mark.skipif(REAL is None, reason="SENTISYNTH_TEST_MODEL names no model")
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_real_model_gives_one_corpus(tmp_path: Path, dtype: str) -> None:
    generator = {"kind": "transformers", "model": REAL, "dtype": dtype, "threads": 1, "batch_size": 16}
    generate = {
        "generator": generator,
        "candidates": 80,
        "samples_per_prompt": 16,
        "prompt": {"num_shots": 8, "demonstrations_of": "asked_label"},
        "sampling": {"max_new_tokens": 16},
    }
    one = corpus(tmp_path, generate, 1)
    assert one["candidates"] > 20
    assert [corpus(tmp_path, generate, count) for count in (2, 4)] == [one, one]
