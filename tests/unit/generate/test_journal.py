"""The journal survives a crash at any byte."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentisynth_hub.core.errors import StageError
from sentisynth_hub.core.rows import Completion
from sentisynth_hub.generate.answers import Answers, completion_record, spent
from sentisynth_hub.generate.budget import Cost
from sentisynth_hub.generate.journal import Journal, read_journal, record_at, repair


RECORDS = [{"kind": "note", "text": text} for text in ("first", "líne two ✨", "mal\nformed", "\u2028", "last")]


def written(path: Path) -> bytes:
    journal = Journal(path)
    journal.append(RECORDS)
    journal.close()
    return path.read_bytes()


@given(cut=st.integers(min_value=0))
def test_a_file_cut_anywhere_gives_its_whole_lines_and_takes_new_ones(
    cut: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("journal") / "completions-0.jsonl"
    content = written(path)
    cut %= len(content) + 1
    path.write_bytes(content[:cut])
    whole = content[:cut].count(b"\n")
    assert [record for _, record in read_journal(path)] == RECORDS[:whole]
    journal = Journal(path)
    journal.append([{"kind": "note", "text": "after"}])
    journal.close()
    assert [record for _, record in read_journal(path)] == [*RECORDS[:whole], {"kind": "note", "text": "after"}]


def test_repair_cuts_a_torn_line_longer_than_a_block(tmp_path: Path) -> None:
    path = tmp_path / "completions-0.jsonl"
    content = written(path)
    path.write_bytes(content + b'{"kind": "' + b"x" * 200_000)
    assert repair(path) == 200_010
    assert path.read_bytes() == content
    assert repair(path) == 0
    assert repair(tmp_path / "none.jsonl") == 0


def test_a_broken_line_in_the_middle_is_an_error_that_names_its_place(tmp_path: Path) -> None:
    path = tmp_path / "completions-0.jsonl"
    path.write_bytes(b'{"kind": "note"}\nnot json\n{"kind": "note"}\n')
    with pytest.raises(StageError, match="completions-0.jsonl: byte 17"):
        list(read_journal(path))


def test_record_at_reads_what_read_journal_found(tmp_path: Path) -> None:
    path = tmp_path / "completions-0.jsonl"
    written(path)
    assert [record_at(path, offset) for offset, _ in read_journal(path)] == RECORDS


def test_answers_count_only_for_their_batch(tmp_path: Path) -> None:
    path = tmp_path / "completions-0.jsonl"
    journal = Journal(path)
    journal.append([completion_record(Completion("r1", "text", "stop", "m"), batch="b1")])
    journal.append([completion_record(Completion("r2", "text", "stop", "m"))])
    journal.close()
    answers = Answers([path])
    assert ("r1", "b1") in answers
    assert ("r1", "b2") not in answers
    assert answers.completion("r2", None) == Completion("r2", "text", "stop", "m")
    assert answers.completion("r3", None) is None


def test_spent_counts_answers_at_their_cost_and_open_reservations_at_the_worst(tmp_path: Path) -> None:
    path = tmp_path / "completions-0.jsonl"
    journal = Journal(path)
    for call in ("answered", "released", "open"):
        journal.append([{"kind": "reservation", "call": call, "request_ids": [call], "tokens": 100, "cost_usd": 1.0}])
    answer = Completion("answered", "text", "stop", "m", prompt_tokens=7, completion_tokens=3, cost_usd=0.25)
    journal.append([completion_record(answer, call="answered")])
    journal.append([{"kind": "release", "call": "released", "tokens": 5, "cost_usd": 0.125}])
    journal.close()
    assert spent([path]) == Cost(7 + 3 + 5 + 100, 0.25 + 0.125 + 1.0)
