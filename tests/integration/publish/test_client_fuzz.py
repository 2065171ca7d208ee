"""What strangers publish, as anything: recipes, cards, manifests and Parquet files give a result or one line of ours.

The files are those of a real version on the embedded Hub, with a part of them changed. Only their download is left
out: every example reads its own folder.
"""

import contextlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sentisynth_hub.core.cells import Columns, text_cell
from sentisynth_hub.core.errors import SentisynthError
from sentisynth_hub.core.read_files import read_file
from sentisynth_hub.core.rows import read_rejected, read_rows
from sentisynth_hub.localhub.control import HubState
from sentisynth_hub.plan.source_rows import Source, read_source
from sentisynth_hub.publish.cards.front_matter import front_matter, merged, split_card
from sentisynth_hub.publish.cards.render import render_card
from sentisynth_hub.publish.commit import publish_dataset
from sentisynth_hub.publish.dataset_repo import published_rows
from sentisynth_hub.publish.diff import Side, lines, record
from sentisynth_hub.publish.repo_head import RepoHead
from sentisynth_hub.publish.verify import published_recipe, verify_dataset
from sentisynth_hub.recipe import load_recipe
from tests.support.releases import evaluation, natural_data, recipe_in, release


PIECES = [
    *"[]{}:,-?!&*#|>%@`'\"\n\t ~", "a: ", "- ", "  ", "!!bool ", "!!timestamp ", "!!python/object/apply:os.system ",
    "!<x> ", "&a ", "*a", "<<: ", "---\n", "...\n", ".nan", "1e999", "0x", "2026-13-45", '"\\ud800"', "é", "\u2028",
    "\x85", "\u202e", "\x1b[8m", "தமிழ்", "../../../proc/self/environ", "{{ 'a' * 99 }}", "{% include 'x' %}",
]  # fmt: skip
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.sampled_from(PIECES),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
texts = st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=25).map("".join)
EDITS = st.lists(
    st.tuples(st.integers(0, 10**6), st.sampled_from(["set", "drop", "add"]), values), min_size=1, max_size=3
)


def places(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Every place of a JSON value: what holds it, and its key there."""
    for key in list(tree) if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ():
        yield tree, key
        yield from places(tree[key])


def edited(tree: Any, edits: list[tuple[int, str, Any]]) -> Any:
    """A copy of a JSON value in which some places hold something else, or nothing."""
    copy = json.loads(json.dumps(tree))
    for number, action, value in edits:
        there = list(places(copy))
        if not there:
            return copy
        parent, key = there[number % len(there)]
        if action == "drop":
            del parent[key]
        elif action == "add" and isinstance(parent, dict):
            parent[str(value)] = value
        else:
            parent[key] = value
    return copy


def damaged(content: bytes, cuts: list[tuple[int, bytes]]) -> bytes:
    """Bytes in which some stretches are others; an empty one cuts the file there."""
    for number, stretch in cuts:
        place = number % max(len(content), 1)
        content = content[:place] + (stretch + content[place + len(stretch) :] if stretch else b"")
    return content


CUTS = st.lists(st.tuples(st.integers(0, 10**6), st.binary(max_size=12)), min_size=1, max_size=3)


@dataclass(frozen=True)
class FolderHead(RepoHead):
    """A version whose files lie in a folder."""

    def file(self, path: str) -> Path | None:
        return Path(self.commit) / path if path in self.paths else None


def head_of(folder: Path) -> RepoHead:
    paths = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return FolderHead("fuzz-tests/tiny", "dataset", str(folder), frozenset(paths), {"v1.0.0": str(folder)})


@contextlib.contextmanager
def in_one_line() -> Iterator[None]:
    """An error of ours passes, if it is short; any other is a failure."""
    message = ""
    try:
        yield
    except SentisynthError as error:
        message = str(error)
    assert len(message) < 2000


@pytest.fixture(scope="module")
def original(local_hub: HubState, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return published_version(tmp_path_factory)


def published_version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a version, downloaded from the embedded Hub."""
    from huggingface_hub import snapshot_download

    made = release(tmp_path_factory.mktemp("release"), evaluation=evaluation())
    publish_dataset(made, "fuzz-tests/tiny")
    folder = tmp_path_factory.mktemp("version")
    snapshot_download("fuzz-tests/tiny", repo_type="dataset", revision="v1.0.0", local_dir=folder)
    return folder


@pytest.fixture(scope="module")
def copy(original: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("changed") / "version"
    shutil.copytree(original, folder)
    return folder


def read_everything(folder: Path, original: Path) -> None:
    """verify and diff, as their commands do."""
    head, before = head_of(folder), head_of(original)
    with in_one_line():
        published_recipe(head, folder.parent)
    with in_one_line():
        checks = verify_dataset(head, "v1.0.0", natural_data())
        json.dumps([check.record() for check in checks], default=str)
    with in_one_line():
        sides = [
            Side("x", each.manifest.labels, each.manifest.configs["default"]["columns"],
                 published_rows(each, each.manifest), each.text("recipe.yaml"), each.manifest.evaluation)
            for each in (before, head)
        ]  # fmt: skip
        assert lines(sides[0], sides[1])
        json.dumps(record(sides[0], sides[1]), default=str)


def check_manifest(original: Path, copy: Path, edits: list[tuple[int, str, Any]]) -> None:
    shutil.copytree(original, copy, dirs_exist_ok=True)
    whole = json.loads((original / "sentisynth.json").read_text("utf-8"))
    (copy / "sentisynth.json").write_text(json.dumps(edited(whole, edits)), "utf-8")
    read_everything(copy, original)


def check_parquet(original: Path, copy: Path, cuts: list[tuple[int, bytes]]) -> None:
    shutil.copytree(original, copy, dirs_exist_ok=True)
    for path in sorted(original.rglob("*.parquet")):
        target = copy / path.relative_to(original)
        target.write_bytes(damaged(path.read_bytes(), cuts))
    read_everything(copy, original)
    data = next((copy / "data").glob("*.parquet"))
    with in_one_line():
        read_source(Source(str(data), "text", "label"))
    with in_one_line():
        for _, line in read_file(data):
            text_cell(line, Columns("text", "label", ""), "here")
    for read in (read_rows, read_rejected):
        with in_one_line():
            read(data)


def check_card(original: Path, copy: Path, metadata: str) -> None:
    shutil.copytree(original, copy, dirs_exist_ok=True)
    card = f"---\n{metadata}\n---\n{metadata}\n"
    (copy / "README.md").write_text(card, "utf-8", errors="replace")
    with in_one_line():
        found, _ = split_card(card)
        split_card(front_matter(merged(found, {"tags": ["synthetic"], "license": "mit"})))
    manifest = head_of(original).manifest
    assert manifest is not None
    with in_one_line():
        render_card(manifest, card)
    read_everything(copy, original)


def check_recipe(folder: Path, edits: list[tuple[int, str, Any]], text: str, place: int) -> None:
    recipe_in(folder)
    path = folder / "recipe.yaml"
    content = yaml.safe_load(path.read_text("utf-8"))
    whole = path.read_text("utf-8")
    changed = yaml.safe_dump(edited(content, edits), allow_unicode=True)
    torn = whole[: place % len(whole)] + text + whole[place % len(whole) :]
    for written in (changed, torn, text):
        path.write_text(written, "utf-8", errors="replace")
        for origin in ("local", "hub"):
            with in_one_line():
                load_recipe(str(folder), origin=origin)


_settings = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


def other_columns(table: pa.Table) -> Iterator[pa.Table]:
    """The table without each of its columns, and with each of another type, or of nothing."""
    for place, name in enumerate(table.column_names):
        yield table.drop_columns([name])
        for value, kind in ((None, pa.string()), (7.5, pa.float64()), ([b"x"], pa.list_(pa.binary()))):
            values = pa.array([value] * len(table), kind)
            if values.to_pylist() != table.column(name).to_pylist():
                yield table.set_column(place, name, values)


@pytest.mark.parametrize("folder", ["data", "unfiltered", "rejected", "lineage"])
@pytest.mark.parametrize("told", [True, False], ids=["manifest-agrees", "manifest-differs"])
def test_other_columns_are_drift(original: Path, copy: Path, folder: str, told: bool) -> None:
    """A publisher may say anything of the columns in the manifest, too: then the numbers cannot be compared."""
    path = next((original / folder).glob("*.parquet")).relative_to(original)
    manifest = json.loads((original / "sentisynth.json").read_text("utf-8"))
    config = "default" if folder == "data" else folder
    for table in other_columns(pq.read_table(original / path)):
        shutil.copytree(original, copy, dirs_exist_ok=True)
        pq.write_table(table, copy / path)
        if told:
            kinds = dict.fromkeys(table.column_names, "string")
            manifest["configs"][config]["columns"] = kinds
            (copy / "sentisynth.json").write_text(json.dumps(manifest), "utf-8")
        with in_one_line():
            checks = verify_dataset(head_of(copy), "v1.0.0", natural_data())
            assert any(check.agrees is False for check in checks), table.schema.names
        with in_one_line():
            head = head_of(copy)
            assert head.manifest is not None
            published_rows(head, head.manifest)


@_settings
@given(EDITS)
def test_any_manifest(original: Path, copy: Path, edits: list[tuple[int, str, Any]]) -> None:
    check_manifest(original, copy, edits)


@_settings
@given(CUTS)
def test_any_parquet_file(original: Path, copy: Path, cuts: list[tuple[int, bytes]]) -> None:
    check_parquet(original, copy, cuts)


@_settings
@given(texts)
def test_any_card(original: Path, copy: Path, metadata: str) -> None:
    check_card(original, copy, metadata)


@_settings
@given(EDITS, texts, st.integers(0, 10**6))
def test_any_recipe(copy: Path, edits: list[tuple[int, str, Any]], text: str, place: int) -> None:
    check_recipe(copy.parent / "recipe", edits, text, place)
