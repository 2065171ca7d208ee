"""The notebooks run from top to bottom: every code cell, in its order, against the embedded Hub and a tiny encoder.

Cells tagged `setup` install packages and start a Hub: the tests have both. `parameters` name a model on the Hub: a
tiny one stands in its place.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from sentisynth_hub.localhub.control import HubState
from tests.support.tiny import tiny_encoder


NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"


def cells(name: str, kind: str = "code") -> list[tuple[str, list[str]]]:
    """Source and tags of every cell of a kind."""
    content = json.loads((NOTEBOOKS / name).read_text("utf-8"))
    return [
        ("".join(cell["source"]), cell["metadata"].get("tags", []))
        for cell in content["cells"]
        if cell["cell_type"] == kind
    ]


def run(name: str, **names: Any) -> dict[str, Any]:
    """Execute a notebook's cells in one namespace; what a cell ends with has to show itself."""
    for place, (source, tags) in enumerate(cells(name)):
        if {"setup", "parameters"} & set(tags):
            continue
        body, _, last = source.rstrip().rpartition("\n")
        try:
            shown = compile(last, f"{name}, cell {place}", "eval")
        except SyntaxError:
            body, shown = source, None
        exec(compile(body, f"{name}, cell {place}", "exec"), names)
        if shown is not None and (value := eval(shown, names)) is not None and hasattr(value, "_repr_html_"):
            assert "<" in value._repr_html_()
    return names


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_verdict_on_your_predictions(tmp_path: Path) -> None:
    names = run("verdict.ipynb")
    assert names["judgement"].replicates == 5
    assert {metric.metric for metric in names["judgement"].other_metrics} >= {"log_loss", "brier"}
    assert (tmp_path / "report.html").stat().st_size > 10_000


def test_a_corpus_cleaned_and_published(local_hub: HubState) -> None:
    names = run("publish.ipynb")
    assert (names["published"].version, names["second"].version) == ("v1.0.0", "v1.1.0")
    assert not names["again"].changed
    assert (len(names["first"]), len(names["latest"])) == (12, 13)


@pytest.mark.slow
def test_a_whole_study(tmp_path: Path) -> None:
    names = run("study.ipynb", ENCODER=str(tiny_encoder(tmp_path / "films" / "encoder")), REPLICATES=5)
    assert names["result"].evaluation.primary == "mixed"
    assert names["result"].evaluation.replicates == 5


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.name)
def test_a_notebook_is_whole(path: Path) -> None:
    content = json.loads(path.read_text("utf-8"))
    assert (content["nbformat"], content["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in content["cells"]}) == len(content["cells"])
    assert all(not cell["outputs"] for cell in content["cells"] if cell["cell_type"] == "code")
    first = "".join(content["cells"][0]["source"])
    assert f"blob/main/notebooks/{path.name})" in first  # the badge opens this very file
