"""Ten minutes of fuzzing, every kind in turn with examples of its own each time: `make test-all` runs them, `make
test` the same properties for some tens of examples."""

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sentisynth_hub.localhub.control import HubState
from tests.integration.generate import test_any_answer as answers
from tests.integration.hub import test_hub_fuzz as requests
from tests.integration.publish import test_client_fuzz as repos


SECONDS = float(os.environ.get("SENTISYNTH_FUZZ_SECONDS", "600"))  # of all kinds together


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubState]:
    with requests.hub_to_fuzz(tmp_path / "hub") as state:
        yield state


@pytest.mark.slow
def test_ten_minutes_of_anything(
    hub: HubState,
    local_hub: HubState,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No crash, no traceback, nothing lost: what the properties themselves say."""
    for name in ("_FIRST_WAIT", "_LONGEST_WAIT"):
        monkeypatch.setattr(f"sentisynth_hub.generate.providers.rate_limits.{name}", 0.001)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-of-mine")
    original = repos.published_version(tmp_path_factory)
    copy = tmp_path / "changed" / "version"
    shutil.copytree(original, copy)
    kinds: dict[str, Callable[[], None]] = {
        "journals": lambda: answers.test_any_text_is_journalled_read_back_joined_and_parsed(
            tmp_path_factory=tmp_path_factory
        ),
        "answers": answers.test_any_bytes_are_an_answer_or_an_error_of_ours,
        "runs": lambda: answers.test_a_run_survives_any_answers_and_keeps_the_good_ones(
            tmp_path_factory=tmp_path_factory
        ),
        "manifests": lambda: repos.test_any_manifest(original=original, copy=copy),
        "Parquet files": lambda: repos.test_any_parquet_file(original=original, copy=copy),
        "cards": lambda: repos.test_any_card(original=original, copy=copy),
        "recipes": lambda: repos.test_any_recipe(copy=copy),
        "front matter in lists": lambda: requests.test_any_front_matter_is_listed(hub=hub),
        "LFS requests": lambda: requests.test_any_lfs_request_is_answered(hub=hub),
    }
    rounds = dict.fromkeys(kinds, 0)
    spent = dict.fromkeys(kinds, 0.0)
    started = time.monotonic()
    while time.monotonic() - started < SECONDS:
        kind = min(spent, key=lambda name: spent[name])  # each gets the same time, whatever an example takes
        before = time.monotonic()
        kinds[kind]()
        rounds[kind] += 1
        spent[kind] += time.monotonic() - before
    assert min(rounds.values()) > 0
    sys.stdout.write(", ".join(f"{kind}: {count} rounds" for kind, count in rounds.items()) + "\n")
