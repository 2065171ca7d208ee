"""The tiny language model, built once."""

from pathlib import Path

import pytest

from tests.unit.generators.worlds import tiny_model


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random llama of two layers."""
    return tiny_model(tmp_path_factory.mktemp("models") / "tiny")
