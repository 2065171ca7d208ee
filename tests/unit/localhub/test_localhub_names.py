"""What may be called how; nothing accepted can leave its repo."""

from pathlib import PurePosixPath

import pytest
from dulwich.refs import check_ref_format
from hypothesis import given
from hypothesis import strategies as st

from sentisynth_hub.localhub.http import Route, split_path
from sentisynth_hub.localhub.names import check_branch, check_path, check_repo_name
from sentisynth_hub.localhub.problems import HubProblem


@given(st.text() | st.lists(st.sampled_from(["..", ".", "", "a", "b.txt", ".git", "ü", "\n", "\0"])).map("/".join))
def test_an_accepted_path_stays_in_its_repo(path: str) -> None:
    try:
        accepted = check_path(path)
    except HubProblem:
        return
    parts = PurePosixPath(accepted).parts
    assert not accepted.startswith("/")
    assert ".." not in parts
    assert ".git" not in [part.lower() for part in parts]
    assert "/".join(parts) == accepted
    accepted.encode()


@given(st.text())
def test_an_accepted_branch_is_one_for_git(name: str) -> None:
    try:
        accepted = check_branch(name)
    except (HubProblem, UnicodeEncodeError):
        return
    assert check_ref_format(b"refs/heads/" + accepted.encode())


@pytest.mark.parametrize("name", ["a", "movie-reviews", "A_b.c-1", "0"])
def test_usual_repo_names(name: str) -> None:
    check_repo_name("acme", name)


@pytest.mark.parametrize(
    ("pattern", "path", "values"),
    [
        ("api/{type}/{ns}/{name}", b"/api/models/acme/m", {"type": "models", "ns": "acme", "name": "m"}),
        ("api/{type}/{ns}/{name}", b"/api/spaces/acme/m", None),
        ("{ns}/{name}/{rev}/{path*}", b"/a/m/refs%2Fpr%2F1/d/x%20y", {"rev": "refs/pr/1", "path": "d/x y"}),
        ("{ns}/{name}/resolve/{rev}/{path*}", b"/a/m/resolve/main", None),
        ("{ns}/{name}.git/info", b"/a/m.git/info", {"ns": "a", "name": "m"}),
        ("{ns}/{name}.git/info", b"/a/m/info", None),
        ("api/{type}/{ns}/{name}/tree/{rev}/{path*}", b"/api/models/a/m/tree/main/d%2Fe", {"path": "d/e"}),
    ],
)
def test_routes_match_the_raw_path(pattern: str, path: bytes, values: dict[str, str] | None) -> None:
    found = Route("GET", pattern, lambda call: None).match("GET", split_path(path))  # type: ignore[arg-type, return-value]
    if values is None:
        assert found is None
    else:
        assert found is not None
        assert values.items() <= found.items()


def test_head_takes_the_route_of_get() -> None:
    route = Route("GET", "api/whoami-v2", lambda call: None)  # type: ignore[arg-type, return-value]
    assert route.match("HEAD", ["api", "whoami-v2"]) == {}
    assert route.match("POST", ["api", "whoami-v2"]) is None
