"""`sentisynth generate --check`: one request, and what the server can do."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from sentisynth_hub.cli import sentisynth
from sentisynth_hub.generate.providers.server_fields import ServerFields
from tests.support.quirky_server import quirky_server
from tests.support.scripted_server import ScriptedServer, reply
from tests.support.worlds import CHAT, natural_rows, write_recipe


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789abcdef")


def check(folder: Path, server: ScriptedServer, *options: str) -> tuple[int, str]:
    generator = {"kind": "openai", "model": "m", "base_url": server.url, "extra_body": {"reasoning_effort": "low"}}
    generate = {"generator": generator, "candidates": 8, "prompt": {"num_shots": 1, "chat": True}}
    student = folder / "student"  # only looked up
    student.mkdir()
    study = {"student": {"model": str(student)}, "replicates": 1}
    recipe = write_recipe(folder / "recipe", generate, template=CHAT, study=study)
    rows = [{"text": row.text, "label": row.label, "id": row.request_id} for row in natural_rows()]
    (recipe.folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    arguments = ["generate", str(recipe.folder), "--runs", str(folder / "runs"), "--check", *options]
    result = CliRunner().invoke(sentisynth, arguments)
    return result.exit_code, result.stdout if result.exception is None else str(result.exception)


def test_it_says_what_is_refused_and_how_the_server_answers(tmp_path: Path) -> None:
    with quirky_server("no seed", "max_completion_tokens", "thinks apart") as server:
        status, text = check(tmp_path, server, "--json")
        assert status == 0
        record = json.loads(text)
        assert (record["refused"], record["reasoning"], record["usage"]) == (["seed", "max_tokens"], "apart", [20, 90])
        assert record["texts"] == [{"text": "a fine film, number 2", "reason": None}]
        assert len(server.calls) == 3
        assert ServerFields(record["host"], "m").refused == ["seed", "max_tokens"]  # what follows leaves them out
    assert not list((tmp_path / "runs").rglob("completions-*.jsonl"))


@pytest.mark.parametrize(
    ("quirk", "line"),
    [
        ("thinks in the text", "reasoning: in the text"),
        ("plain", "reasoning: none"),
        ("says eos", "texts end with: stop"),
        ("plain", "fields it refuses: none"),
        ("plain", "a candidate: a fine film, number 0"),
        ("plain", "20 + 10 tokens, no price known"),
    ],
)
def test_the_lines(tmp_path: Path, quirk: str, line: str) -> None:
    with quirky_server(quirk) as server:
        status, text = check(tmp_path, server)
    assert status == 0
    assert line in text


def test_a_server_that_refuses_everything_is_told_in_its_own_words(tmp_path: Path) -> None:
    with ScriptedServer(lambda call: reply({"error": {"message": "no such model"}}, 404)) as server:
        status, text = check(tmp_path, server)
    assert status == 1
    assert text == "generate --check: HTTP 404: no such model; check base_url, the model's name and the key"
