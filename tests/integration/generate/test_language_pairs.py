"""The full form of every code-mixed recipe is estimated from a pilot: real client, local server, invented rows."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from sentisynth_hub.cli import sentisynth
from sentisynth_hub.recipe import list_recipes, load_recipe
from tests.support.fault_server import FaultServer
from tests.support.tiny import tiny_encoder


PAIRS = [path.parent.name for path in list_recipes() if path.parent.name.endswith("-english")]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder, and 100 invented rows a label in Latin and Malayalam letters."""
    folder = tmp_path_factory.mktemp("pairs")
    tiny_encoder(folder / "encoder")
    rows = [
        {"text": f"{'സിനിമ' if i % 2 else 'peli'} number {i} {label} 😂", "label": label}
        for label in ("negative", "neutral", "positive")
        for i in range(100)
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def local(world: Path, server: FaultServer) -> list[str]:
    """What takes a recipe off the Hub: everything else is as it ships."""
    encoder = world / "encoder"
    return [
        "natural.dataset=null", "natural.config_name=null", "natural.text_column=text", "natural.label_column=label",
        f"natural.files={{train: {world}/rows.jsonl}}", f"study.student.model={encoder}",
        f"filter.teacher.teacher.model={encoder}", "study.zero_shot.dataset=null", "study.zero_shot.config_name=null",
        f"study.zero_shot.file={world}/rows.jsonl", f"generate.generator.base_url={server.url}",
    ]  # fmt: skip


FIRST = "spanish-english"  # every run plans ten thousand prompts
OTHERS = [pytest.param(name, marks=pytest.mark.slow) for name in PAIRS if name != FIRST]


@pytest.mark.parametrize("name", [FIRST, *OTHERS])
def test_the_full_form_is_estimated(name: str, world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "a-key")
    with FaultServer() as server:
        arguments = ["estimate", name, *local(world, server), "--runs", str(tmp_path), "--json"]
        done = CliRunner().invoke(sentisynth, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    made = json.loads(done.stdout)
    recipe = load_recipe(name)
    # One corpus for all replicates; as many calls a label as its rows need, so many texts a call.
    labels, wanted = len(recipe.labels), recipe.generate.candidates
    rows = [wanted // labels + (place < wanted % labels) for place in range(labels)]
    assert made["requests"] == sum(-(-count // 5) for count in rows)
    assert made["pilot_requests"] == len(server.bodies) == 20
    assert {body["model"] for body in server.bodies} == {"gpt-4.1"}
    shown = [body["messages"][-1]["content"].count("😂") for body in server.bodies]
    assert shown == [15] * 20
    assert made["accepted_share"]["estimate"] == 1
    # The server counts a token a byte of the prompt and the most it may write: the price table's 2 and 8 dollars.
    paid = [2 * sum(len(m["content"].encode()) for m in body["messages"]) + 8 * 600 for body in server.bodies]
    assert made["usd"]["estimate"] == pytest.approx(made["requests"] * sum(paid) / 20 / 1e6, rel=1e-3)
    assert made["human_usd"] == pytest.approx(0.20 * made["accepted_rows"]["estimate"], rel=1e-6)
