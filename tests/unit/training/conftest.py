"""The tiny student, made once a session."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sentisynth_hub.metrics.batching import fixed_threads
from tests.unit.training.tiny import make_model


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the tiny student."""
    return make_model(tmp_path_factory.mktemp("tiny-student"))


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """More threads than cores only wait for each other on matrices this small."""
    with fixed_threads(1):
        yield
