"""A tiny language model and a tiny student, each made once a session."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import tiny_study, worlds


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random llama of two layers."""
    return worlds.tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the tiny student."""
    return tiny_study.make_model(tmp_path_factory.mktemp("tiny-student"))


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """More threads than cores only wait for each other on matrices this small."""
    if "torch" not in sys.modules:
        yield
        return
    from sentisynth_hub.pretrained.batching import fixed_threads

    with fixed_threads(1):
        yield
