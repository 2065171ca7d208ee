"""A second model's labels: what is asked, what its answers decide, and that no answer is asked for twice."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from sentisynth_hub.core.errors import RecipeError, StageError
from sentisynth_hub.core.rows import Row
from sentisynth_hub.filter.apply import run_filters
from sentisynth_hub.filter.candidate_features import CandidateFeatures
from sentisynth_hub.filter.contract import FilterContext
from sentisynth_hub.filter.judge import Judge, JudgeOptions
from sentisynth_hub.filter.stage import decides
from sentisynth_hub.natural.splits import NaturalData
from sentisynth_hub.recipe import Recipe
from tests.support.scripted_server import Call, Reply, ScriptedServer, chat, reply
from tests.support.worlds import samples, write_recipe


ROWS = [
    Row("a moving film", "positive", request_id="1"),
    Row("a dreadful film", "positive", request_id="2"),
    Row("a flat film", "negative", request_id="3"),
]
MOODS = {"moving": "positive", "dreadful": "negative", "flat": "negative", "odd": "hm"}


def mood(call: Call) -> str:
    question = call.body["messages"][0]["content"].rpartition("Text: ")[2]
    return next(label for word, label in MOODS.items() if word in question)


def honest(call: Call) -> Reply:
    """Names the label of the word in question with probability .8, and rates by length."""
    if "Rate the text" in call.body["messages"][0]["content"]:
        return reply(chat("4" if mood(call) == "positive" else "2"))
    answer = chat(mood(call))
    if call.body.get("logprobs"):
        answer["choices"][0]["logprobs"] = {"content": [{"token": "x", "logprob": math.log(0.8)}]}
    return reply(answer)


def recipe(folder: Path, url: str, **judge: Any) -> Recipe:
    generator = {"kind": "openai", "model": "m", "base_url": url, "max_attempts": 1}
    writer = {"generator": {"kind": "transformers", "model": "none"}, "candidates": 4}
    options = {"generator": generator, "chat": True, "num_shots": 4} | judge
    return write_recipe(folder, writer, filter={"judge": options})


def judge(made: Recipe, folder: Path) -> Judge:
    rows: list[Row] = []
    context = FilterContext(
        made, samples()[0], NaturalData([], [], []), rows, [], CandidateFeatures(), folder / "filter" / "features"
    )
    options = made.filter.of(JudgeOptions)
    assert options is not None
    return Judge.build(options, context)


def test_rows_stay_where_the_judge_names_their_label(tmp_path: Path) -> None:
    with ScriptedServer(honest) as server:
        made = recipe(tmp_path, server.url)
        kept, rejected = run_filters([first := judge(made, tmp_path)], ROWS)
        assert [row.request_id for row in kept] == ["1", "3"]
        assert [(item.row.request_id, item.reason) for item in rejected] == [("2", "disagrees")]
        assert [row.scores["judge_confidence"] for row in kept] == [pytest.approx(0.8)] * 2
        assert rejected[0].score == 0
        asked = len(server.calls)
        again, _ = run_filters([judge(made, tmp_path)], ROWS)
        assert again == kept
        assert len(server.calls) == asked == 3, "an answer was asked for twice"
    facts = first.facts().model_dump()
    assert {name: facts[name] for name in ("machine_labels", "unanswered", "agreed", "relabelled")} == {
        "machine_labels": 3, "unanswered": 0, "agreed": 2, "relabelled": 0,
    }  # fmt: skip
    shown = first.human_labels()["teacher"]
    assert len(shown) == 4
    assert set(shown) <= {row.request_id for row in samples()[0].train}


def test_a_row_can_be_labelled_anew(tmp_path: Path) -> None:
    with ScriptedServer(honest) as server:
        kept, rejected = run_filters([judge(recipe(tmp_path, server.url, on_disagreement="relabel"), tmp_path)], ROWS)
    assert [(row.label, row.request_id) for row in kept] == [("positive", "1"), ("negative", "2"), ("negative", "3")]
    assert rejected == []


def test_unsure_and_silent_answers_and_poor_texts_drop_rows(tmp_path: Path) -> None:
    rows = [*ROWS[:1], ROWS[2], Row("an odd film", "positive", request_id="4")]
    with ScriptedServer(honest) as server:
        sure = judge(recipe(tmp_path, server.url, min_confidence=0.9), tmp_path / "sure")
        rated = judge(recipe(tmp_path, server.url, rubric="a film is praised"), tmp_path / "rated")
        _, unsure = run_filters([sure], rows)
        kept, poor = run_filters([rated], rows)
    assert [item.reason for item in unsure] == ["low_confidence", "low_confidence", "no_answer"]
    assert [item.reason for item in poor] == ["poor", "no_answer"]
    assert [row.scores["judge_rating"] for row in kept] == [4]
    assert poor[0].row.scores["judge_rating"] == 2


def test_repeated_questions_are_votes(tmp_path: Path) -> None:
    def wavering(call: Call) -> Reply:
        return reply(chat("positive" if call.number % 4 else "negative"))

    with ScriptedServer(wavering) as server:
        made = recipe(tmp_path, server.url, questions=4, generator={
            "kind": "openai", "model": "m", "base_url": server.url, "concurrency": 1,
        })  # fmt: skip
        kept, rejected = run_filters([judge(made, tmp_path)], ROWS)
        assert "logprobs" not in server.calls[0].body
        assert len({call.body["seed"] for call in server.calls}) == 12
    assert [row.scores["judge_confidence"] for row in kept] == [0.75, 0.75]
    assert [(item.reason, item.score) for item in rejected] == [("disagrees", 0.25)]


def test_a_budget_stops_it_and_what_was_answered_is_kept(tmp_path: Path) -> None:
    with ScriptedServer(honest) as server:
        tight = recipe(tmp_path, server.url, budget={"max_tokens": 200}, num_shots=0)
        with pytest.raises(StageError, match="asking the judge: . of 3 requests.*the budget of 200 tokens is used up"):
            run_filters([judge(tight, tmp_path)], ROWS)
        asked = len(server.calls)
        assert 0 < asked < 3
        kept, _ = run_filters([judge(recipe(tmp_path, server.url, num_shots=0), tmp_path)], ROWS)
        assert len(server.calls) == 3
    assert len(kept) == 2


def test_where_and_for_how_much_it_is_asked_names_no_folder(tmp_path: Path) -> None:
    first = decides(recipe(tmp_path, "http://127.0.0.1:1/v1", budget={"max_usd": 1}))
    assert first == decides(recipe(tmp_path, "http://127.0.0.1:2/v1"))
    assert "127.0.0.1" not in json.dumps(first)
    assert first != decides(recipe(tmp_path, "http://127.0.0.1:1/v1", min_confidence=0.7))


@pytest.mark.parametrize(
    "kind", [{"kind": "fine_tuned", "model": "m"}, {"kind": "rows", "file": "f", "written_by": "w"}]
)
def test_who_cannot_be_asked_for_labels_is_refused(tmp_path: Path, kind: dict[str, str]) -> None:
    with pytest.raises(RecipeError, match=r"filter\.judge.*cannot be asked for labels") as refusal:
        recipe(tmp_path, "http://127.0.0.1:1/v1", generator=kind)
    assert "\n" not in str(refusal.value)
