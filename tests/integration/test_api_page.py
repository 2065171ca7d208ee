"""The page on the Python API: it names what is public, and each of its examples runs."""

import re
from pathlib import Path

import pytest

import sentisynth_hub
from sentisynth_hub.localhub.control import HubState


PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "api.md"
NAMES = {
    "DataError",
    "InputError",
    "LaunchError",
    "PublishError",
    "Recipe",
    "RecipeError",
    "Row",
    "SentisynthError",
    "StageError",
    "__version__",
    "corpus_report",
    "filter_rows",
    "judge",
    "load_recipe",
    "publish_dataset",
    "publish_model",
    "run_recipe",
    "verify_version",
}


def test_the_public_names_are_these() -> None:
    assert set(sentisynth_hub.__all__) == NAMES
    page = PAGE.read_text("utf-8")
    for name in NAMES - {"__version__", "Recipe", "Row"}:
        assert getattr(sentisynth_hub, name).__name__ == name
        assert re.search(rf"\b{name}\b", page), f"{PAGE.name} does not name {name}"


def test_every_example_runs(
    local_hub: HubState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    examples = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert len(examples) >= 8
    names: dict[str, object] = {}
    for example in examples:
        exec(compile(example, str(PAGE), "exec"), names)  # the page's own code, in the order of the page
    shown = capsys.readouterr().out
    assert "minilm is better than tfidf" in shown
    assert "logistic is better than chance" in shown
    assert "large is better than small" in shown
    assert "samples_qwen is better than samples_llama" in shown
    assert "2 of 4 rows stay" in shown
    assert "v1.1.0 1 rows removed" in shown
    assert "no column 'predicted'" in shown
