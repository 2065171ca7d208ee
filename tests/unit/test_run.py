"""The closing summary: what was left out, what generation took, how long it was."""

from pathlib import Path

from sentisynth_hub.generate.result import GeneratedReplicate, GenerateResult, WriterIdentity
from sentisynth_hub.run import cost_lines, left_out_lines


def generated(*costs: float | None, tokens: int = 500) -> GenerateResult:
    """A corpus a cost."""
    corpus = {
        "path": Path("x"), "requests": 20, "demonstration_ids": (), "prompt_tokens": tokens, "completion_tokens": 0,
        "candidates": 9, "unparsed": 0, "reasons": {}, "digest": "0",
    }  # fmt: skip
    return GenerateResult(
        digest="0",
        replicates={
            place: GeneratedReplicate.model_validate(corpus | {"cost_usd": cost}) for place, cost in enumerate(costs)
        },
        model=WriterIdentity(id="m", revision=None, commit=None),
        prompt_digest=None,
        parser_version=1,
        sampling=None,
        num_shots=None,
        prices=None,
    )


def test_generation_is_counted_over_all_corpora() -> None:
    assert cost_lines(generated(0.25, 0.5)) == ["generation: 40 requests, 1,000 tokens, $0.7500 (2 corpora)"]
    assert cost_lines(generated(None)) == ["generation: 20 requests, 500 tokens (one corpus)"]
    assert cost_lines(generated(None, tokens=0)) == []  # rows that were given


def test_what_was_left_out_is_said_by_split_and_reason() -> None:
    read = {"train": {"rows": 5, "left_out": {"without a label": 1_200, "without a text": 3}}, "test": {"rows": 4}}
    source = {"splits": read, "left_out": {"train": 2, "validation": 1}}
    assert left_out_lines(source) == [
        "natural rows left out: train: 1,200 without a label, 3 without a text; 3 that stand in a split that is "
        "evaluated on"
    ]
    assert left_out_lines({"splits": {"train": {"rows": 5}}, "left_out": {"train": 0}}) == []
    assert left_out_lines({}) == []
