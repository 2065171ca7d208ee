"""Version tags."""

import pytest

from sentisynth_hub.publish.versions.tags import FIRST, Version, latest, parse_tag


@pytest.mark.parametrize("tag", ["v1.0.0", "v0.0.1", "v12.30.4"])
def test_a_tag_is_read_back(tag: str) -> None:
    version = parse_tag(tag)
    assert version is not None
    assert version.tag == tag


@pytest.mark.parametrize("tag", ["1.0.0", "v1.0", "v1.0.0-rc1", "v01.0.0", "main", "", "v1.0.0\n"])
def test_other_names_are_no_versions(tag: str) -> None:
    assert parse_tag(tag) is None


def test_each_level_counts_its_own_number_and_resets_the_lower_ones() -> None:
    version = Version(1, 2, 3)
    assert version.next("major").tag == "v2.0.0"
    assert version.next("minor").tag == "v1.3.0"
    assert version.next("patch").tag == "v1.2.4"
    assert FIRST.tag == "v1.0.0"


def test_latest_goes_by_number_not_by_spelling() -> None:
    assert latest(["v1.9.0", "v1.10.0", "notes", "v1.2.30"]) == Version(1, 10, 0)
    assert latest(["notes"]) is None
