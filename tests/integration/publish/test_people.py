"""What people said is published as a patch, verifies, and stays while the rows stay the same."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from sentisynth_hub.localhub.control import HubState
from sentisynth_hub.publish.commit import publish_dataset
from sentisynth_hub.publish.verify import read_version, verify_dataset
from tests.support.releases import TEXTS, natural_data, release, synthetic
from tests.unit.publish.test_card_ratings import record


REPO = "people-tests/tiny"


def card(tag: str) -> str:
    return read_version(f"{REPO}@{tag}").text("README.md") or ""


def test_people_are_asked_after_publishing(local_hub: HubState, tmp_path: Path) -> None:
    def publish(human: dict[str, Any] | None, **given: Any) -> str:
        return publish_dataset(replace(release(tmp_path, **given), human_evaluation=human), REPO).version

    assert publish(None) == "v1.0.0"
    assert "What people said" not in card("v1.0.0")
    assert publish(record()) == "v1.0.1"
    assert "## What people said" in card("v1.0.1")
    # A machine that does not have their answers publishes the same rows again: nothing is lost, nothing changes.
    assert publish(None) == "v1.0.1"
    checks = verify_dataset(read_version(f"{REPO}@v1.0.1"), "v1.0.1", natural_data())
    assert [check for check in checks if check.agrees is False] == []
    # Another row is another corpus, of which they said nothing.
    assert publish(None, kept=synthetic([*TEXTS, "one row more"])) == "v1.1.0"
    assert "What people said" not in card("v1.1.0")
