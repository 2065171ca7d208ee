"""Publishers race to one repo: every accepted version is whole and loads at its tag, none is lost, none
overwritten."""

import pytest

from sentisynth_hub.localhub.control import HubState
from tests.support.publisher import Nursery, corpus


PUBLISHERS = 8


def race(repo_id: str, rounds: int) -> dict[str, tuple[str, int]]:
    """Let eight publish at once, each so many versions; return who published which version under each tag."""
    accepted: dict[str, tuple[str, int]] = {}
    with Nursery() as nursery:
        names = {nursery.start(repo_id, f"p{p}", 0, rounds): f"p{p}" for p in range(PUBLISHERS)}
        ended = 0
        while ended < PUBLISHERS:
            pid, event, *words = nursery.lines.get(timeout=600).split()
            assert event in ("published", "end"), words
            ended += event == "end"
            if event == "published":
                number, version = words
                assert version not in accepted, f"{version} was given twice"
                accepted[version] = (names[int(pid)], int(number))
    return accepted


def check(repo_id: str, accepted: dict[str, tuple[str, int]], expected: int) -> None:
    from datasets import load_dataset
    from huggingface_hub import HfApi

    assert len(accepted) == expected
    api = HfApi()
    tags = {tag.name: tag.target_commit for tag in api.list_repo_refs(repo_id, repo_type="dataset").tags}
    assert set(tags) == set(accepted)
    history = [commit.commit_id for commit in api.list_repo_commits(repo_id, repo_type="dataset")][::-1][1:]
    assert sorted(tags.values()) == sorted(history)  # each commit is one version, each version one commit
    for version, (name, number) in accepted.items():
        rows = load_dataset(repo_id, revision=version, split="train")
        assert rows["text"] == corpus(name, number), f"{version} does not hold what {name} published"


def test_eight_publishers_race(local_hub: HubState) -> None:
    check("publish-tests/race", race("publish-tests/race", 1), PUBLISHERS)


@pytest.mark.slow
def test_eight_publishers_race_for_fifty_rounds(local_hub: HubState) -> None:
    check("publish-tests/long-race", race("publish-tests/long-race", 50), PUBLISHERS * 50)
