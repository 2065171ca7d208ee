"""A user's own filter, as CONTRIBUTING.md shows it: named as `module:object`, or declared by an installed package."""

import csv
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from sentisynth_hub.cli import sentisynth
from sentisynth_hub.core.errors import RecipeError
from sentisynth_hub.filter import stage as filtering
from sentisynth_hub.recipe import load_recipe, recipe_schema
from sentisynth_hub.recipe.trust import trust_recipe
from tests.support.tiny import tiny_recipe


ROOT = Path(__file__).resolve().parents[3]


def blocks() -> dict[str, str]:
    """The code blocks of the worked example: Python by the file name in their first line, others by their language."""
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8").partition("## Add a filter")[2].partition("\n## ")[0]
    found = {}
    for language, code in re.findall(r"```(\w+)\n(.*?)```", text, re.DOTALL):
        first, _, rest = code.partition("\n")
        found[first.removeprefix("# ") if language == "python" else language] = rest if language == "python" else code
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny recipe with the example's filter section in place of its own, and a file of rows."""
    folder = tmp_path_factory.mktemp("own")
    for name in ("my_filters.py", "test_my_filters.py"):
        (folder / name).write_text(blocks()[name], "utf-8")
    recipe = tiny_recipe(folder / "my-recipe")
    content = yaml.safe_load((recipe / "recipe.yaml").read_text("utf-8")) | yaml.safe_load(blocks()["yaml"])
    (recipe / "recipe.yaml").write_text(yaml.safe_dump(content, sort_keys=False), "utf-8")
    with open(folder / "my-rows.csv", "w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["text", "label"])
        writer.writerows([["SO GRIM", "negative"], ["so warm", "positive"], ["നല്ലത്", "positive"], ["So", "negative"]])
    return folder


@pytest.fixture(autouse=True)
def allowed(folder: Path) -> None:
    """The recipe is the user's own, who said so."""
    trust_recipe(folder / "my-recipe")


def test_its_options_are_checked_and_overridden_like_any_other(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(folder))
    recipe = load_recipe(str(folder / "my-recipe"), ["filter.my_filters:AllCaps.max_share=0.25"])
    assert recipe.filter.model_dump()["my_filters:AllCaps"] == {"max_share": 0.25}
    assert recipe.with_content(recipe.model_dump(mode="json")).filter == recipe.filter
    for override, message in [
        ("filter.my_filters:AllCaps.max_share=2", "filter.my_filters:AllCaps.max_share: found 2"),
        ("filter.my_filters:AllCaps.max_shore=1", "unknown key 'max_shore'; did you mean 'max_share'?"),
        ("filter.my_filters:NoCaps={}", "cannot be imported"),
        ("filter.no_filters:AllCaps={}", "cannot be imported"),
        ("filter.my_filters:Field={}", "has to be a subclass"),
        ("filter.lenght={}", "unknown filter 'lenght'; did you mean 'length'?"),
    ]:
        with pytest.raises(RecipeError, match=re.escape(message)) as caught:
            load_recipe(str(folder / "my-recipe"), [override])
        assert "\n" not in str(caught.value)


def test_a_change_of_its_file_filters_again(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(folder))
    recipe = load_recipe(str(folder / "my-recipe"))
    before = filtering.decides(recipe)
    source = folder / "my_filters.py"
    text = source.read_text("utf-8")
    try:
        source.write_text(text.replace("share > self.max_share", "share >= self.max_share"), "utf-8")
        assert filtering.decides(recipe) != before
    finally:
        source.write_text(text, "utf-8")
    assert filtering.decides(recipe) == before


def test_a_recipe_from_a_hub_imports_nothing(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n", "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("evil:AllCaps", "os.path:join", "evil:x.y"):
        with pytest.raises(RecipeError, match="names Python code"):
            load_recipe(str(folder / "my-recipe"), [f"filter={{'{name}': {{}}}}"], origin="hub")
    assert not (tmp_path / "ran").exists()
    assert "evil" not in sys.modules


@pytest.fixture
def installed(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that declares the filter, as an installer lays it out."""
    info = tmp_path / "my_filters-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-filters\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[sentisynth_hub.filters]\nall_caps = my_filters:AllCaps\n")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.mark.usefixtures("installed")
def test_an_installed_filter_is_used_by_its_name(folder: Path, tmp_path: Path) -> None:
    def run(*arguments: str) -> Any:
        result = CliRunner().invoke(sentisynth, [*arguments, "--runs", str(tmp_path / "runs"), "--json"])
        assert result.exception is None, result.output
        return json.loads(result.stdout)

    section = "filter={length: {min_tokens: 1}, all_caps: {max_share: 0.5}}"
    command = ("filter", str(folder / "my-rows.csv"), section, "--recipe", str(folder / "my-recipe"))
    (result,) = run(*command, "--out", str(tmp_path / "out"))["replicates"].values()
    assert [step["filter"] for step in result["funnel"]] == ["all_caps"]
    assert "all_caps" in recipe_schema()["$defs"]["FilterSection"]["properties"]
    downloaded = load_recipe(str(folder / "my-recipe"), [section], origin="hub")  # the user installed it
    assert downloaded.filter.order == ["length", "all_caps"]


def test_every_filter_of_the_table_keeps_the_contract() -> None:
    from sentisynth_hub.filter.filter_table import FILTERS

    assert len({each.name for each in FILTERS}) == len(FILTERS)
    assert len({each.score_name for each in FILTERS}) == len(FILTERS)
    for each in FILTERS:
        assert each.help().endswith("."), each.name
        assert each.reasons, each.name
        assert all(re.fullmatch(r"[a-z_]+", reason) and meaning for reason, meaning in each.reasons.items())
