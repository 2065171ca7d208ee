"""The same corpus written by two versions of `datasets` has one digest and makes one version."""

import subprocess
import sys
import venv
from dataclasses import replace
from pathlib import Path

import pytest

from sentisynth_hub.core.rows import content_digest
from sentisynth_hub.localhub.control import HubState
from sentisynth_hub.publish.commit import publish_dataset
from sentisynth_hub.publish.dataset_tables import read_config
from tests.support.releases import LABELS, release


pytestmark = pytest.mark.slow  # installs another version of datasets with what it needs

OLD = "3.6.0"
WRITER = """
import sys, datasets
from datasets import ClassLabel, Dataset, Features, Value
names = ["negative", "positive"]
texts = [f"row {i} of the corpus, \\u0d38\\u0d3f\\u0d28\\u0d3f\\u0d2e \\U0001f600" for i in range(200)]
columns = {"text": texts, "label": [i % 2 for i in range(200)], "language": ["en,ml"] * 200, "generator": ["w"] * 200}
plain = {name: Value("string") for name in ("text", "language", "generator")}
rows = Dataset.from_dict(columns, features=Features({**plain, "label": ClassLabel(names=names)}))
rows.to_parquet(sys.argv[1])
print(datasets.__version__)
"""


@pytest.fixture(scope="module")
def old_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python with another version of datasets; skipped where there is no package index."""
    folder = tmp_path_factory.mktemp("old")
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    installed = subprocess.run(
        [python, "-m", "pip", "install", "-q", f"datasets=={OLD}"], capture_output=True, text=True
    )
    if installed.returncode:
        pytest.skip(f"datasets {OLD} cannot be installed here: {installed.stderr.strip().splitlines()[-1]}")
    return python


def written(python: Path, path: Path) -> str:
    """Write the corpus to `path` with this Python's datasets; return its version."""
    done = subprocess.run([python, "-c", WRITER, path], capture_output=True, text=True, cwd=path.parent)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip()


def test_two_versions_of_the_writer_make_one_version(local_hub: HubState, old_python: Path, tmp_path: Path) -> None:
    from huggingface_hub import HfApi

    old, new = tmp_path / "old.parquet", tmp_path / "new.parquet"
    assert written(old_python, old) == OLD != written(Path(sys.executable), new)
    assert old.read_bytes() != new.read_bytes()
    digests = []
    for path, changed in ((old, True), (new, False)):
        rows = [replace(row, request_id=f"request-{i}") for i, row in enumerate(read_config([path], LABELS))]
        digests.append(content_digest(rows))
        done = publish_dataset(release(tmp_path, kept=rows), "writers/rows")
        assert (done.version, done.changed) == ("v1.0.0", changed)
    assert digests[0] == digests[1]
    assert len(HfApi().list_repo_commits("writers/rows", repo_type="dataset")) == 2  # the repo's creation, and one
