"""Patterns mean what git and `datasets` mean by them, and none of them takes long."""

import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentisynth_hub.localhub.file_splits import splits_of
from sentisynth_hub.localhub.globs import Glob, git_glob, git_globs, glob, is_ignored, is_too_much


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("*.csv", ["a.csv", ".csv"], ["d/a.csv", "a.csv.gz"]),
        ("data/train-*", ["data/train-0.parquet", "data/train-"], ["data/x/train-0", "train-0"]),
        ("**/*.csv", ["a.csv", "d/a.csv", "d/e/a.csv"], ["a.txt"]),
        ("data/**", ["data/a", "data/b/c"], ["other/a"]),
        ("a/**/b", ["a/b", "a/x/b", "a/x/y/b"], ["a/x/b/c", "b"]),
        ("[ab]?.txt", ["ax.txt", "b1.txt"], ["c1.txt", "a.txt"]),
        ("./a.csv", ["a.csv"], ["b.csv"]),
        ("தமிழ்*.csv", ["தமிழ்-1.csv"], ["1.csv"]),
    ],
)
def test_patterns_of_data_files(pattern: str, matching: list[str], others: list[str]) -> None:
    meant = glob(pattern)
    assert meant is not None
    assert [path for path in (*matching, *others) if meant.matches(path)] == matching


@pytest.mark.parametrize(
    "lines",
    [
        ["*.log"],
        ["/build"],
        ["build/"],
        ["a/b"],
        ["**/cache"],
        ["cache/**"],
        ["*.txt", "!keep.txt"],
        ["#c", "", "x[0-9]"],
        ["\\#c"],
        ["\\!c"],
        ["x[!0-9]"],
        ["a\\*"],
        ["d/*.txt"],
        ["**"],
    ],
)
@pytest.mark.parametrize(
    "path",
    ["a.log", "d/a.log", "build", "build/x", "d/build", "a/b", "c/a/b", "cache", "d/cache/e", "keep.txt", "d/e.txt"]
    + ["x1", "xy", "#c", "!c", "a*", "ab", "d/f/e.txt"],
)
def test_ignored_is_what_git_ignores(lines: list[str], path: str) -> None:
    assert is_ignored(path, git_globs(lines)) == _git_ignores(tuple(lines), path)


@pytest.fixture(scope="module", autouse=True)
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """An empty repository to ask git in."""
    folder = tmp_path_factory.mktemp("ignoring")
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    with contextlib.chdir(folder):
        yield


def _git_ignores(lines: tuple[str, ...], path: str) -> bool:
    Path(".gitignore").write_text("\n".join(lines))
    asked = subprocess.run(["git", "check-ignore", "--no-index", "-q", path], check=False)
    assert asked.returncode in (0, 1)
    return asked.returncode == 0


HOSTILE = [
    "*a" * 100 + "b",
    "*" * 250,
    "**/" * 15 + "b",
    "[a-z]*" * 40 + "1",
    "*?" * 120,
    "(a+)+$",
    "a{1,9999}",
    "[" * 200,
    "[z-a]",
]


@pytest.mark.parametrize("pattern", HOSTILE)
@pytest.mark.parametrize("path", ["a" * 1000, "a/" * 500 + "a", "[" * 1000, "(" + "a" * 900])
def test_no_pattern_takes_long(pattern: str, path: str) -> None:
    before = time.thread_time()
    for meant in (glob(pattern), git_glob(pattern)):
        if meant is not None:
            meant.matches(path, or_above=True)
    assert time.thread_time() - before < 1  # `*a` eight times took more than 30 s as one expression of `re`


@given(st.text(alphabet="ab*?[]!^-/\\.#", max_size=30), st.text(alphabet="ab*/[]-!", max_size=30))
def test_any_pattern_meets_any_path(pattern: str, path: str) -> None:
    for meant in (glob(pattern), git_glob(pattern)):
        assert meant is None or meant.matches(path) in (True, False)


def test_a_pattern_too_long_or_deep_is_none() -> None:
    assert glob("a" * 257) is None
    assert git_glob("a/" * 17) is None


def test_many_patterns_for_many_paths_are_too_much() -> None:
    usual = git_globs(f"folder/*.{number}" for number in range(200))
    assert not is_too_much(usual, ["data/some/folder/file.txt"] * 256)
    assert is_too_much([Glob(("**", "a"))] * 1000, ["a/" * 400] * 256)
    assert is_too_much([Glob(("a" * 256,))] * 1000, ["a" * 1000] * 256)


def test_a_card_with_many_configs_is_matched_in_a_moment() -> None:
    configs = [{"config_name": f"c{n}", "data_files": [f"*a*{n % 300}*{m}" for m in range(9)]} for n in range(9000)]
    paths = [f"data/{'a' * 200}{number}.csv" for number in range(3000)]
    before = time.thread_time()
    assert splits_of({"configs": [*configs, {"config_name": "x", "data_files": paths[0]}]}, paths)
    assert time.thread_time() - before < 20
