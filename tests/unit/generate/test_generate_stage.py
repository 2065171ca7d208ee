"""The stage: journal first, parse later, nothing asked twice, everything accounted for."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sentisynth_hub.core.errors import RecipeError, StageError
from sentisynth_hub.core.rows import Completion, Request, content_digest
from sentisynth_hub.generate import parse as parsing
from sentisynth_hub.generate import stage as generation
from sentisynth_hub.recipe import Recipe
from tests.support.queued_generator import QueuedGenerator
from tests.support.worlds import alone, candidates_of, lineage_of, samples, stage, write_recipe


def recipe(folder: Path, **changes: Any) -> Recipe:
    others = {name: changes.pop(name) for name in ("study",) if name in changes}
    section = {
        "generator": {"kind": "transformers", "model": "none", "dtype": "float32", "batch_size": 4},
        "candidates": 12,
        "samples_per_prompt": 3,
        "prompt": {"num_shots": 4},
        **changes,
    }
    return write_recipe(folder / "recipe", section, **others)


def texts(count: int = 200) -> list[str]:
    return [f"candidate number {i} of the film" for i in range(count)]


def test_rows_come_in_the_order_they_were_asked_for(tmp_path: Path) -> None:
    made = recipe(tmp_path)
    folder = stage(tmp_path / "runs", made)
    manifest = generation.generate(made, samples(), folder, alone(), generator=QueuedGenerator(texts()))
    candidates, unparsed = candidates_of(folder, 0)
    assert unparsed == []
    assert [row.text for row in candidates] == texts(12)
    assert [row.label for row in candidates] == ["negative"] * 3 + ["positive"] * 3 + ["negative"] * 3 + [
        "positive"
    ] * 3
    lineage = list(lineage_of(folder, 0))
    assert [record["request_id"] for record in lineage] == [row.request_id for row in candidates]
    record = manifest["replicates"]["0"]
    assert (record["requests"], record["candidates"], record["unparsed"]) == (12, 12, 0)
    assert set(record["demonstration_ids"]) == {name for line in lineage for name in line["demonstration_ids"]}
    assert record["completion_tokens"] == sum(line["completion_tokens"] for line in lineage) == 12 * 6
    assert record["cost_usd"] is None
    assert json.loads((folder.path / "manifest.json").read_text("utf-8")) == manifest


def test_what_cannot_be_parsed_has_no_label_and_a_reason(tmp_path: Path) -> None:
    made = recipe(tmp_path)
    folder = stage(tmp_path / "runs", made)
    generation.generate(made, samples(), folder, alone(), generator=QueuedGenerator(["fine", "", "two\nlines"]))
    candidates, unparsed = candidates_of(folder, 0)
    assert len(candidates) == 1
    assert [item.reason for item in unparsed] == ["empty", "several_lines"] + ["error"] * 9
    assert {item.filter for item in unparsed} == {"parse"}
    assert {item.row.label for item in unparsed} == {None}
    assert {item.row.asked_label for item in unparsed} == {"negative", "positive"}


def test_every_replicate_asks_with_its_own_rows(tmp_path: Path) -> None:
    made = recipe(tmp_path)
    folder = stage(tmp_path / "runs", made)
    generation.generate(made, samples(3), folder, alone(), generator=QueuedGenerator(texts()))
    for sample in samples(3):
        shown = {name for line in lineage_of(folder, sample.replicate) for name in line["demonstration_ids"]}
        assert shown <= {row.request_id for row in sample.train}
        prompts = (folder.path / f"replicate-{sample.replicate}" / "prompts.jsonl").read_text("utf-8")
        assert f"film {sample.replicate}" in prompts
        assert all(f"film {other}" not in prompts for other in range(3) if other != sample.replicate)


def test_a_conditional_study_has_one_corpus(tmp_path: Path) -> None:
    study = {"student": {"model": "none"}, "replicates": 3, "design": "conditional"}
    made = recipe(tmp_path, study=study)
    manifest = generation.generate(
        made, samples(3), stage(tmp_path / "runs", made), alone(), generator=QueuedGenerator(texts())
    )
    assert list(manifest["replicates"]) == ["0"]


def test_a_complete_stage_asks_nothing(tmp_path: Path) -> None:
    made = recipe(tmp_path)
    folder = stage(tmp_path / "runs", made)
    first = generation.generate(made, samples(), folder, alone(), generator=QueuedGenerator(texts()))
    again = QueuedGenerator()
    assert generation.generate(made, samples(), folder, alone(), generator=again) == first
    assert again.asked == []


class Crashing(QueuedGenerator):
    """Dies in the middle of its `batch`-th batch."""

    def __init__(self, batch: int):
        super().__init__(texts())
        self.left = batch

    def generate(self, requests: Iterable[Request]) -> Iterator[Completion]:
        self.left -= 1
        for place, completion in enumerate(super().generate(requests)):
            if self.left == 0 and place == 2:
                raise KeyboardInterrupt
            yield completion


def test_an_interrupted_run_asks_again_only_for_the_batch_it_was_in(tmp_path: Path) -> None:
    made = recipe(tmp_path)
    folder = stage(tmp_path / "runs", made)
    with pytest.raises(KeyboardInterrupt):
        generation.generate(made, samples(), folder, alone(), generator=Crashing(2))
    journal = folder.path / "replicate-0" / "completions-0.jsonl"
    with open(journal, "ab") as handle:
        handle.write(b'{"kind": "completion", "requ')
    rest = QueuedGenerator(texts()[4:])
    manifest = generation.generate(made, samples(), folder, alone(), generator=rest)
    assert [request.index for request in rest.asked] == list(range(4, 12))
    whole = generation.generate(
        made, samples(), stage(tmp_path / "other", made), alone(), generator=QueuedGenerator(texts())
    )
    assert manifest["replicates"]["0"]["digest"] == whole["replicates"]["0"]["digest"]


def test_another_parser_reuses_every_completion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = recipe(tmp_path)
    generation.generate(made, samples(), stage(tmp_path / "runs", made), alone(), generator=QueuedGenerator(texts()))
    monkeypatch.setattr(parsing, "VERSION", parsing.VERSION + 1)
    parse = parsing.parse
    monkeypatch.setattr(
        parsing, "parse", lambda *given: [parsing.Parsed(item.text.upper(), item.reason) for item in parse(*given)]
    )
    changed = stage(tmp_path / "runs", made)
    nobody = QueuedGenerator()
    generation.generate(made, samples(), changed, alone(), generator=nobody)
    assert nobody.asked == []
    assert [row.text for row in candidates_of(changed, 0)[0]] == [text.upper() for text in texts(12)]


def test_asking_for_more_rows_keeps_the_whole_batches_there_are(tmp_path: Path) -> None:
    few, many = recipe(tmp_path / "few"), recipe(tmp_path / "many", candidates=24)
    generation.generate(few, samples(), stage(tmp_path / "runs", few), alone(), generator=QueuedGenerator(texts()))
    more = QueuedGenerator(texts()[12:])
    generation.generate(many, samples(), stage(tmp_path / "runs", many), alone(), generator=more)
    assert [request.index for request in more.asked] == list(range(12, 24))


def test_a_refresh_asks_everything_again(tmp_path: Path) -> None:
    made = recipe(tmp_path)
    generation.generate(made, samples(), stage(tmp_path / "runs", made), alone(), generator=QueuedGenerator(texts()))
    anew = QueuedGenerator(texts())
    generation.generate(
        made, samples(), stage(tmp_path / "runs", made, "generate-again"), alone(), generator=anew, refresh=1
    )
    assert len(anew.asked) == 12


def test_a_limit_asks_for_whole_batches_and_finishes_nothing(tmp_path: Path) -> None:
    made = recipe(tmp_path)
    folder = stage(tmp_path / "runs", made)
    asked = QueuedGenerator(texts())
    result = generation.generate(made, samples(), folder, alone(), generator=asked, limit=5)
    assert len(asked.asked) == result["replicates"]["0"]["requests"] == 8
    assert not folder.complete
    rest = QueuedGenerator(texts()[8:])
    manifest = generation.generate(made, samples(), folder, alone(), generator=rest)
    assert len(rest.asked) == 4
    assert manifest["replicates"]["0"]["candidates"] == 12


def test_a_token_budget_stops_before_the_batch_that_could_break_it(tmp_path: Path) -> None:
    made = recipe(tmp_path, budget={"max_tokens": 2300})
    folder = stage(tmp_path / "runs", made)
    long = [f"{text} {'very ' * 400}long" for text in texts()]
    asked = QueuedGenerator(long)
    with pytest.raises(StageError, match="4 of 12 requests of replicate 0 answered: the budget of 2,300 tokens"):
        generation.generate(made, samples(), folder, alone(), generator=asked)
    assert len(asked.asked) == 4
    assert not folder.complete
    with pytest.raises(StageError, match="4 of 12"):  # the budget is that of all runs together
        generation.generate(made, samples(), folder, alone(), generator=asked)
    assert len(asked.asked) == 4
    richer = recipe(tmp_path)
    rest = QueuedGenerator(long[4:])
    generation.generate(richer, samples(), stage(tmp_path / "runs", richer), alone(), generator=rest)
    assert len(rest.asked) == 8
    assert stage(tmp_path / "runs", richer).path == folder.path


def test_money_without_a_price_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    made = recipe(tmp_path, budget={"max_usd": 5})
    asked = QueuedGenerator(texts())
    with pytest.raises(RecipeError, match="no price is known for none"):
        generation.generate(made, samples(), stage(tmp_path / "runs", made), alone(), generator=asked)
    assert asked.asked == []


def test_a_generator_that_repeats_itself_is_stopped_where_the_recipe_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changes = {"candidates": 400, "samples_per_prompt": 50}
    stopping = recipe(tmp_path, **changes, diversity={"on_breach": "stop"})
    with pytest.raises(StageError, match="the texts repeat themselves: 100% of the texts are duplicates"):
        generation.generate(
            stopping, samples(), stage(tmp_path / "a", stopping), alone(), generator=QueuedGenerator(["same"] * 400)
        )
    warning = recipe(tmp_path, **changes)
    generation.generate(
        warning, samples(), stage(tmp_path / "b", warning), alone(), generator=QueuedGenerator(["same"] * 400)
    )
    assert capsys.readouterr().err.count("warning: the texts repeat themselves") == 1


def test_several_texts_a_call_are_several_rows(tmp_path: Path) -> None:
    made = recipe(tmp_path, prompt={"num_shots": 2, "texts_per_call": 3})
    answers = [json.dumps({"texts": [f"film {i} {j}" for j in range(3)]}) for i in range(3)] + ["no list"]
    folder = stage(tmp_path / "runs", made)
    manifest = generation.generate(made, samples(), folder, alone(), generator=QueuedGenerator(answers))
    candidates, unparsed = candidates_of(folder, 0)
    assert [row.text for row in candidates] == [f"film {i} {j}" for i in range(3) for j in range(3)]
    assert [item.reason for item in unparsed] == ["not_json"] * 3
    assert len({row.request_id for row in [*candidates, *(item.row for item in unparsed)]}) == 12
    lineage = list(lineage_of(folder, 0))
    assert len(lineage) == 12
    assert sum(line["completion_tokens"] for line in lineage) == manifest["replicates"]["0"]["completion_tokens"]


def test_what_only_decides_when_and_at_what_price_is_not_in_the_stage(tmp_path: Path) -> None:
    def named(**endpoint: Any) -> str:
        section = {"generator": {"kind": "openai", "model": "m", **endpoint}}
        return stage(tmp_path / "runs", recipe(tmp_path, **section, budget={"max_tokens": 9})).digest

    plain = stage(tmp_path / "runs", recipe(tmp_path, generator={"kind": "openai", "model": "m"})).digest
    price = {"input_usd_per_million": 1, "output_usd_per_million": 2, "as_of": "2026-01-01"}
    assert (
        plain == named() == named(base_url="http://x", concurrency=3, timeout_seconds=9, price=price, batch_api=True)
    )
    assert plain != named(choices_per_call=2)


def test_the_digest_is_over_texts_and_labels(tmp_path: Path) -> None:
    made = recipe(tmp_path)
    folder = stage(tmp_path / "runs", made)
    manifest = generation.generate(made, samples(), folder, alone(), generator=QueuedGenerator(texts()))
    other = QueuedGenerator([*texts(11), "another last one"])
    changed = generation.generate(made, samples(), stage(tmp_path / "other", made), alone(), generator=other)
    assert manifest["replicates"]["0"]["digest"] != changed["replicates"]["0"]["digest"]
    assert content_digest(candidates_of(folder, 0)[0])


def test_progress_counts_this_plan_and_not_what_another_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = recipe(tmp_path, prompt={"num_shots": 2})
    generation.generate(other, samples(), stage(tmp_path / "runs", other), alone(), generator=QueuedGenerator(texts()))
    made = recipe(tmp_path)
    folder = stage(tmp_path / "runs", made)
    generation.generate(made, samples(), folder, alone(), limit=4, generator=QueuedGenerator(texts()))
    capsys.readouterr()
    generation.generate(made, samples(), folder, alone(), generator=QueuedGenerator(texts()))
    assert "replicate 0: 12/12 " in capsys.readouterr().err
